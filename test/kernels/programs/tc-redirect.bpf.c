#include "common.h"
RESULTS(2)
SEC("tc")
int tc_redirect(struct __sk_buff *skb)
{
	result(0, bpf_redirect(1, BPF_F_INGRESS));
	result(1, bpf_redirect(1, 0xf0));
	return skb->len & 1 ? bpf_redirect(1, 0) : TC_ACT_OK;
}
