#include "common.h"
RESULTS(4)
SEC("xdp")
int adjust_tail(struct xdp_md *ctx)
{
	__u32 size = DATA_END(ctx) - DATA(ctx);
	result(0, bpf_xdp_adjust_tail(ctx, size & 1 ? 16 : -1));
	result(1, bpf_xdp_adjust_tail(ctx, 5000));
	result(2, bpf_xdp_adjust_tail(ctx, -5000));
	result(3, DATA_END(ctx) - DATA(ctx));
	return XDP_PASS;
}
