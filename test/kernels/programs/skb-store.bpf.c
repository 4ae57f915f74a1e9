#include "common.h"
RESULTS(6)
SEC("tc")
int skb_store(struct __sk_buff *skb)
{
	__u8 tos = 0xb8, zero = 0;
	__be16 port = bpf_htons(4242), old = 0;
	result(0, bpf_skb_load_bytes(skb, 36, &old, sizeof(old)));
	result(1, bpf_l3_csum_replace(skb, 24, 0, bpf_htons(0xb8), 2));
	result(2, bpf_skb_store_bytes(skb, 15, &tos, 1, BPF_F_RECOMPUTE_CSUM));
	result(3, bpf_l4_csum_replace(skb, 50, old, port, BPF_F_PSEUDO_HDR | 2));
	result(4, bpf_skb_store_bytes(skb, 36, &port, sizeof(port), BPF_F_INVALIDATE_HASH));
	result(5, bpf_skb_store_bytes(skb, 0xfffff, &zero, 1, 0));
	return TC_ACT_OK;
}
