#include "common.h"
RESULTS(4)
SEC("tc")
int skb_room(struct __sk_buff *skb)
{
	if (skb->len & 1)
		result(0, bpf_skb_adjust_room(skb, 8, BPF_ADJ_ROOM_MAC, 0));
	else
		result(1, bpf_skb_adjust_room(skb, -4, BPF_ADJ_ROOM_MAC, 0));
	result(2, bpf_skb_adjust_room(skb, 4, BPF_ADJ_ROOM_NET, 0));
	result(3, skb->len);
	return TC_ACT_OK;
}
