#include "common.h"
RESULTS(3)
struct walk { void *data; __u64 sum; __u32 limit; };
static int add(__u32 index, struct walk *walk)
{
	if (index >= walk->limit)
		return 1;
	walk->sum = walk->sum * 7 + index;
	return 0;
}
SEC("xdp")
int loop(struct xdp_md *ctx)
{
	struct walk walk = { .limit = DATA_END(ctx) - DATA(ctx) };
	result(0, bpf_loop(1000, add, &walk, 0));
	result(1, walk.sum);
	result(2, bpf_loop(5, add, &walk, 1));
	return XDP_PASS;
}
