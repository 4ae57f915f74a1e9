#include "common.h"
RESULTS(4)
SEC("tc")
int skb_proto(struct __sk_buff *skb)
{
	if (skb->protocol == bpf_htons(ETH_P_IP))
		result(0, bpf_skb_change_proto(skb, bpf_htons(ETH_P_IPV6), 0));
	result(1, bpf_skb_change_type(skb, 3));
	result(2, skb->pkt_type);
	result(3, skb->len);
	return TC_ACT_OK;
}
