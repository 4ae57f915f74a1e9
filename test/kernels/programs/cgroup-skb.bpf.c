#include "common.h"
RESULTS(4)
SEC("cgroup_skb/ingress")
int cgroup_skb(struct __sk_buff *skb)
{
	struct iphdr ip = {};
	result(0, skb->len);
	result(1, bpf_skb_load_bytes(skb, 0, &ip, sizeof(ip)));
	result(2, ip.protocol + ip.ttl * 256);
	result(3, skb->protocol);
	return ip.ttl & 1;
}
