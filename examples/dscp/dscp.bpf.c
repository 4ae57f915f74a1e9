// Marks voice traffic at the tc hook: SIP (UDP 5060) and RTP (UDP ports 10000 to 20000) get the
// DSCP "expedited forwarding", and the IPv4 header checksum follows.

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define DSCP_EF 46
#define SIP_PORT 5060
#define TOS_OFFSET (ETH_HLEN + __builtin_offsetof(struct iphdr, tos))
#define CHECK_OFFSET (ETH_HLEN + __builtin_offsetof(struct iphdr, check))

// Set before loading: skep run --set rtp_first=…
const volatile __u16 rtp_first = 10000;
const volatile __u16 rtp_last = 20000;

__u64 marked;

static __always_inline int is_voice(__u16 port)
{
	return port == SIP_PORT || (port >= rtp_first && port <= rtp_last);
}

SEC("tc")
int mark_voice(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data;
	void *data_end = (void *)(long)skb->data_end;
	struct ethhdr *eth = data;
	struct iphdr *ip = (void *)(eth + 1);

	if ((void *)(ip + 1) > data_end || eth->h_proto != bpf_htons(ETH_P_IP))
		return TC_ACT_OK;
	if (ip->protocol != IPPROTO_UDP || ip->ihl < 5)
		return TC_ACT_OK;
	// Only the first fragment has ports.
	if (ip->frag_off & bpf_htons(0x1fff))
		return TC_ACT_OK;
	struct udphdr *udp = (void *)ip + ip->ihl * 4;

	if ((void *)(udp + 1) > data_end)
		return TC_ACT_OK;
	if (!is_voice(bpf_ntohs(udp->dest)) && !is_voice(bpf_ntohs(udp->source)))
		return TC_ACT_OK;

	__u8 old_tos = ip->tos;
	// The lowest two bits are ECN and stay.
	__u8 new_tos = (DSCP_EF << 2) | (old_tos & 3);

	if (new_tos == old_tos)
		return TC_ACT_OK;
	// The checksum counts 16-bit words; the tos is the low byte of the first one.
	bpf_l3_csum_replace(skb, CHECK_OFFSET, bpf_htons(old_tos), bpf_htons(new_tos), 2);
	bpf_skb_store_bytes(skb, TOS_OFFSET, &new_tos, sizeof(new_tos), 0);
	__sync_fetch_and_add(&marked, 1);
	return TC_ACT_OK;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
