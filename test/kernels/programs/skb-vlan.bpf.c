#include "common.h"
RESULTS(6)
SEC("tc")
int skb_vlan(struct __sk_buff *skb)
{
	result(0, skb->vlan_present);
	if (skb->len & 1) {
		result(1, bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021Q), 100));
		result(2, skb->vlan_tci);
		if (skb->len & 2)
			result(3, bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021AD), 7));
	} else {
		result(4, bpf_skb_vlan_pop(skb));
	}
	result(5, skb->len);
	return TC_ACT_OK;
}
