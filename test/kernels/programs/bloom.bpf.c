#include "common.h"
struct {
	__uint(type, BPF_MAP_TYPE_BLOOM_FILTER);
	__uint(max_entries, 1000);
	__type(value, __u32);
} seen SEC(".maps");
RESULTS(2)
SEC("xdp")
int bloom(struct xdp_md *ctx)
{
	__u32 size = DATA_END(ctx) - DATA(ctx);
	// A value that was pushed is always found again.
	result(0, bpf_map_push_elem(&seen, &size, BPF_ANY));
	result(1, bpf_map_peek_elem(&seen, &size));
	return XDP_PASS;
}
