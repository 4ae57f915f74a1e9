#include "common.h"
RESULTS(6)
SEC("tc")
int skb_size(struct __sk_buff *skb)
{
	__u32 len = skb->len;
	result(0, bpf_skb_change_tail(skb, len + 12, 0));
	result(1, skb->len);
	if (len & 1)
		result(2, bpf_skb_change_head(skb, 14, 0));
	else
		result(3, bpf_skb_change_tail(skb, 60, 0));
	result(4, bpf_skb_pull_data(skb, 40));
	result(5, DATA_END(skb) - DATA(skb) == skb->len);
	return TC_ACT_OK;
}
