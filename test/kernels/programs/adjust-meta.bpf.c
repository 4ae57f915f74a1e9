#include "common.h"
RESULTS(4)
SEC("xdp")
int adjust_meta(struct xdp_md *ctx)
{
	result(0, bpf_xdp_adjust_meta(ctx, -8));
	__u32 *meta = (void *)(long)ctx->data_meta;
	if ((void *)(meta + 1) <= DATA(ctx))
		*meta = 42;
	result(1, (void *)(meta + 2) == DATA(ctx));
	result(2, bpf_xdp_adjust_meta(ctx, -3));
	result(3, bpf_xdp_adjust_meta(ctx, -4000));
	return XDP_PASS;
}
