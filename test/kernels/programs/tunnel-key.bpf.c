#include "common.h"
RESULTS(3)
SEC("tc")
int tunnel_key(struct __sk_buff *skb)
{
	struct bpf_tunnel_key key = { .tunnel_id = 42, .remote_ipv4 = 0x0a000001, .tunnel_ttl = 64 };
	result(0, bpf_skb_set_tunnel_key(skb, &key, sizeof(key), BPF_F_ZERO_CSUM_TX));
	result(1, bpf_skb_get_tunnel_key(skb, &key, 3, 0));
	result(2, bpf_skb_get_tunnel_opt(skb, &key, 4));
	return TC_ACT_OK;
}
