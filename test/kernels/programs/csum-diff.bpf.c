#include "common.h"
RESULTS(4)
SEC("xdp")
int csum_diff(struct xdp_md *ctx)
{
	struct iphdr *ip = DATA(ctx) + ETH_HLEN;
	if ((void *)(ip + 1) > DATA_END(ctx))
		return XDP_DROP;
	__be32 words[5];
	__builtin_memcpy(words, ip, sizeof(words));
	__s64 sum = bpf_csum_diff(0, 0, words, sizeof(words), 0);
	result(0, sum);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	result(1, sum);
	result(2, bpf_csum_diff(words, 8, words + 2, 8, 0x1234));
	result(3, bpf_csum_diff(words, 4, 0, 0, 0));
	return XDP_PASS;
}
