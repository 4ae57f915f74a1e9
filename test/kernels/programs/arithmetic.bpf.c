#include "common.h"
RESULTS(10)
SEC("xdp")
int arithmetic(struct xdp_md *ctx)
{
	__u64 *words = DATA(ctx);
	if ((void *)(words + 7) > DATA_END(ctx))
		return XDP_DROP;
	__u64 a = words[0], b = words[1] ^ words[5], c = words[3];
	result(0, a * b + c);
	result(1, a / (b | 1) + c % (b | 3));
	result(2, (__s64)a >> (b & 63));
	result(3, a << (c & 63) | a >> (b & 31));
	result(4, (__u32)a * (__u32)b / ((__u32)c | 1));
	result(5, (__s32)(a >> 7) >> (b & 31));
	result(6, (__s64)a < (__s64)b ? a : b);
	result(7, (__u32)a > (__u32)b ? -a : ~b);
	result(8, __builtin_bswap64(a) ^ __builtin_bswap32(b) ^ __builtin_bswap16(c));
	result(9, (__s8)a + (__s16)b + (__s32)c);
	return (a + b + c) & 3;
}
