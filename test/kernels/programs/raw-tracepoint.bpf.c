#include "common.h"
RESULTS(3)
SEC("raw_tp/sys_enter")
int raw_tracepoint(struct bpf_raw_tracepoint_args *ctx)
{
	result(0, ctx->args[0]);
	result(1, ctx->args[1] * 3);
	result(2, bpf_get_numa_node_id());
	return ctx->args[0] + ctx->args[1];
}
