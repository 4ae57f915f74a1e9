#include "common.h"
const volatile __u32 threshold = 100;
__u64 small, large;
static __u64 private_sum = 5;
struct { __u32 first; char name[8]; } record = { 1, "start" };
SEC("xdp")
int globals(struct xdp_md *ctx)
{
	__u32 size = DATA_END(ctx) - DATA(ctx);
	if (size < threshold)
		small++;
	else
		large += size;
	private_sum = private_sum * 3 + size;
	record.name[size & 7] = 'a' + size % 26;
	record.first ^= size;
	return private_sum & 1 ? XDP_PASS : XDP_TX;
}
