#include "common.h"
RESULTS(8)
SEC("tc")
int skb_fields(struct __sk_buff *skb)
{
	result(0, skb->len);
	result(1, skb->protocol);
	result(2, skb->pkt_type);
	result(3, skb->vlan_present | skb->vlan_proto << 1);
	skb->mark = skb->len * 3;
	skb->priority = 7;
	skb->cb[0] = 0xabcd;
	skb->cb[4] = skb->mark;
	skb->tc_index = 9;
	result(4, skb->mark + skb->cb[4]);
	result(5, skb->gso_segs);
	result(6, skb->wire_len);
	result(7, skb->queue_mapping);
	return skb->len & 1 ? TC_ACT_SHOT : TC_ACT_UNSPEC;
}
