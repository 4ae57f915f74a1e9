#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

SEC("tcx/egress")
int mark(struct __sk_buff *skb)
{
	__u8 tos = 8, old;

	if (skb->protocol != bpf_htons(ETH_P_IP) || skb->pkt_type == PACKET_LOOPBACK)
		return TC_ACT_UNSPEC;
	if (bpf_skb_load_bytes(skb, ETH_HLEN + offsetof(struct iphdr, tos), &old, 1))
		return TC_ACT_SHOT;
	bpf_l3_csum_replace(skb, ETH_HLEN + offsetof(struct iphdr, check), bpf_htons(old),
			    bpf_htons(tos), 2);
	bpf_skb_store_bytes(skb, ETH_HLEN + offsetof(struct iphdr, tos), &tos, sizeof(tos),
			    BPF_F_INVALIDATE_HASH);
	skb->mark = 7;
	skb->tstamp = 0;
	if (skb->sk && bpf_sk_fullsock(skb->sk))
		return TC_ACT_OK;
	return bpf_redirect(skb->ifindex, BPF_F_INGRESS);
}

char LICENSE[] SEC("license") = "GPL";
