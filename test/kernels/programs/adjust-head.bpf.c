#include "common.h"
RESULTS(4)
SEC("xdp")
int adjust_head(struct xdp_md *ctx)
{
	__u32 size = DATA_END(ctx) - DATA(ctx);
	if (size & 1) {
		result(0, bpf_xdp_adjust_head(ctx, -8));
		__u64 *start = DATA(ctx);
		if ((void *)(start + 1) > DATA_END(ctx))
			return XDP_DROP;
		*start = 0x1122334455667788;
	} else {
		result(1, bpf_xdp_adjust_head(ctx, 4));
	}
	result(2, bpf_xdp_adjust_head(ctx, -10000));
	result(3, bpf_xdp_adjust_head(ctx, 20000));
	return DATA_END(ctx) - DATA(ctx) > 100 ? XDP_PASS : XDP_TX;
}
