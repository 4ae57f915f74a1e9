#include "common.h"
struct {
	__uint(type, BPF_MAP_TYPE_STACK);
	__uint(max_entries, 5);
	__type(value, __u64);
} pile SEC(".maps");
RESULTS(3)
SEC("xdp")
int stack(struct xdp_md *ctx)
{
	__u64 size = DATA_END(ctx) - DATA(ctx), top = 0;
	result(0, bpf_map_push_elem(&pile, &size, BPF_ANY));
	if (size % 2 == 0)
		result(1, bpf_map_pop_elem(&pile, &top));
	result(2, top);
	return XDP_PASS;
}
