#include "common.h"
RESULTS(1)
__noinline int classify(__u32 size)
{
	return size < 100 ? 1 : size < 1000 ? 2 : 3;
}
static __noinline __u64 mix(__u64 a, __u64 b, __u64 c, __u64 d, __u64 e)
{
	return a + 2 * b + 4 * c + 8 * d + 16 * e + classify(a);
}
static __noinline __u64 twice(__u64 value)
{
	return mix(value, 1, 2, 3, 4) * mix(2, value, value, 1, 1);
}
SEC("xdp")
int subprograms(struct xdp_md *ctx)
{
	__u32 size = DATA_END(ctx) - DATA(ctx);
	result(0, twice(size));
	return classify(size);
}
