// "Complete XDP Program — IP Firewall". Nothing repaired.

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

/* Map: blocked source IPs → 1 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, __u32); /* IPv4 src addr */
	__type(value, __u8); /* 1 = blocked */
} blocklist SEC(".maps");

/* Map: per-IP packet counters */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 65536);
	__type(key, __u32);
	__type(value, __u64);
} pkt_stats SEC(".maps");

SEC("xdp")
int xdp_firewall_prog(struct xdp_md *ctx)
{
	void *data_end = (void *)(long)ctx->data_end;
	void *data = (void *)(long)ctx->data;

	/* Parse Ethernet header */
	struct ethhdr *eth = data;
	if (data + sizeof(*eth) > data_end)
		return XDP_DROP; /* malformed — drop */

	/* Only handle IPv4 */
	if (eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;

	/* Parse IP header */
	struct iphdr *iph = data + sizeof(*eth);
	if (data + sizeof(*eth) + sizeof(*iph) > data_end)
		return XDP_DROP;

	__u32 src = iph->saddr;

	/* Update per-IP packet counter */
	__u64 *stat = bpf_map_lookup_elem(&pkt_stats, &src);
	if (stat) {
		__sync_fetch_and_add(stat, 1);
	} else {
		__u64 one = 1;
		bpf_map_update_elem(&pkt_stats, &src, &one, BPF_NOEXIST);
	}

	/* Check blocklist */
	__u8 *blocked = bpf_map_lookup_elem(&blocklist, &src);
	if (blocked && *blocked == 1)
		return XDP_DROP;

	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
