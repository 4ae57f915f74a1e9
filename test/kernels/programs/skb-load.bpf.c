#include "common.h"
RESULTS(6)
SEC("tc")
int skb_load(struct __sk_buff *skb)
{
	__u8 bytes[20] = {};
	result(0, bpf_skb_load_bytes(skb, 14, bytes, 20));
	result(1, bytes[0] | bytes[9] << 8 | bytes[19] << 16);
	result(2, bpf_skb_load_bytes_relative(skb, 0, bytes, 20, BPF_HDR_START_NET));
	result(3, bytes[0] | bytes[12] << 8);
	result(4, bpf_skb_load_bytes_relative(skb, 6, bytes, 6, BPF_HDR_START_MAC));
	result(5, bpf_skb_load_bytes(skb, 60, bytes, 20));
	return bytes[0] & 1 ? TC_ACT_SHOT : TC_ACT_OK;
}
