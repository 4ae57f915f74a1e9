#include "common.h"
int step(struct xdp_md *ctx);
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__array(values, int(struct xdp_md *));
} jumps SEC(".maps") = { .values = { [1] = (void *)&step } };
RESULTS(3)
SEC("xdp")
int step(struct xdp_md *ctx)
{
	result(0, 1);
	bpf_tail_call(ctx, &jumps, 1);
	// 33 tail calls are the limit: here the chain ends.
	result(1, 1);
	return XDP_TX;
}
SEC("xdp")
int prog_array(struct xdp_md *ctx)
{
	__u32 size = DATA_END(ctx) - DATA(ctx);
	bpf_tail_call(ctx, &jumps, size % 7);
	result(2, 1);
	return XDP_PASS;
}
