#include "common.h"
struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 5);
	__type(value, __u32);
} waiting SEC(".maps");
RESULTS(4)
SEC("xdp")
int queue(struct xdp_md *ctx)
{
	__u32 size = DATA_END(ctx) - DATA(ctx), head = 0;
	result(0, bpf_map_push_elem(&waiting, &size, size & 1 ? BPF_EXIST : BPF_ANY));
	result(1, bpf_map_peek_elem(&waiting, &head));
	result(2, head);
	if (size % 3 == 0)
		result(3, bpf_map_pop_elem(&waiting, &head) + head);
	return XDP_PASS;
}
