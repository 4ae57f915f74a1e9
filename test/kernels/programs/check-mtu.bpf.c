#include "common.h"
RESULTS(3)
SEC("tc")
int check_mtu(struct __sk_buff *skb)
{
	__u32 mtu = 0;
	result(0, bpf_check_mtu(skb, 0xfff, &mtu, 0, 0));
	result(1, bpf_check_mtu(skb, 1, &mtu, 0, 0x80));
	result(2, mtu == 0);
	return TC_ACT_OK;
}
