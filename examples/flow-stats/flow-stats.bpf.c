// Statistics per TCP and UDP flow. Every flow's first packet, and the end of every TCP connection,
// is reported through a ring buffer; the totals are in a hash map.

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct flow {
	__be32 saddr;
	__be32 daddr;
	__u16 sport;
	__u16 dport;
	__u8 protocol;
	__u8 unused[3];
};

struct flow_stats {
	__u64 packets;
	__u64 bytes;
	__u64 first_ns;
	__u64 last_ns;
};

enum flow_event_kind { FLOW_BEGINS, FLOW_ENDS };

struct flow_event {
	__u32 kind;
	struct flow flow;
	struct flow_stats stats;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct flow);
	__type(value, struct flow_stats);
} flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 18);
	__type(value, struct flow_event);
} events SEC(".maps");

// Events that found the ring buffer full.
__u64 lost_events;

static __noinline void report(__u32 kind, struct flow *flow, struct flow_stats *stats)
{
	if (!flow || !stats)
		return;
	struct flow_event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);

	if (!event) {
		__sync_fetch_and_add(&lost_events, 1);
		return;
	}
	event->kind = kind;
	event->flow = *flow;
	event->stats = *stats;
	bpf_ringbuf_submit(event, 0);
}

SEC("xdp")
int flow_stats(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *data_end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	struct iphdr *ip = (void *)(eth + 1);
	struct flow flow = {};
	int ends = 0;

	if ((void *)(ip + 1) > data_end || eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	if (ip->ihl < 5 || ip->frag_off & bpf_htons(0x1fff))
		return XDP_PASS;
	flow.saddr = ip->saddr;
	flow.daddr = ip->daddr;
	flow.protocol = ip->protocol;
	if (ip->protocol == IPPROTO_TCP) {
		struct tcphdr *tcp = (void *)ip + ip->ihl * 4;

		if ((void *)(tcp + 1) > data_end)
			return XDP_PASS;
		flow.sport = bpf_ntohs(tcp->source);
		flow.dport = bpf_ntohs(tcp->dest);
		ends = tcp->fin || tcp->rst;
	} else if (ip->protocol == IPPROTO_UDP) {
		struct udphdr *udp = (void *)ip + ip->ihl * 4;

		if ((void *)(udp + 1) > data_end)
			return XDP_PASS;
		flow.sport = bpf_ntohs(udp->source);
		flow.dport = bpf_ntohs(udp->dest);
	} else {
		return XDP_PASS;
	}

	__u64 now = bpf_ktime_get_ns();
	struct flow_stats *stats = bpf_map_lookup_elem(&flows, &flow);

	if (!stats) {
		struct flow_stats fresh = { .first_ns = now };

		bpf_map_update_elem(&flows, &flow, &fresh, BPF_NOEXIST);
		stats = bpf_map_lookup_elem(&flows, &flow);
		if (!stats)
			return XDP_PASS;
		report(FLOW_BEGINS, &flow, &fresh);
	}
	stats->packets++;
	stats->bytes += data_end - data;
	stats->last_ns = now;
	if (ends)
		report(FLOW_ENDS, &flow, stats);
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
