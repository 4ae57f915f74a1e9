// An XDP firewall: drops IPv4 packets whose source is on a blocklist, and counts packets and bytes
// of every source, blocked or not.

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_vlan.h>
#include <linux/ip.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct traffic {
	__u64 packets;
	__u64 bytes;
	__u64 dropped;
};

// Sources to drop, addresses in network byte order; the value counts how often each was seen.
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, __be32);
	__type(value, __u64);
} blocklist SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_PERCPU_HASH);
	__uint(max_entries, 16384);
	__type(key, __be32);
	__type(value, struct traffic);
} sources SEC(".maps");

// Packets that are no IPv4, or too short to tell.
__u64 other_packets;

static __always_inline struct iphdr *parse_ipv4(void *data, void *data_end)
{
	struct ethhdr *eth = data;
	void *next = eth + 1;

	if (next > data_end)
		return NULL;
	__be16 proto = eth->h_proto;
	if (proto == bpf_htons(ETH_P_8021Q) || proto == bpf_htons(ETH_P_8021AD)) {
		struct vlan_hdr *vlan = next;

		next = vlan + 1;
		if (next > data_end)
			return NULL;
		proto = vlan->h_vlan_encapsulated_proto;
	}
	if (proto != bpf_htons(ETH_P_IP))
		return NULL;
	struct iphdr *ip = next;

	return (void *)(ip + 1) > data_end ? NULL : ip;
}

SEC("xdp")
int firewall(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *data_end = (void *)(long)ctx->data_end;
	struct iphdr *ip = parse_ipv4(data, data_end);

	if (!ip) {
		__sync_fetch_and_add(&other_packets, 1);
		return XDP_PASS;
	}
	__be32 source = ip->saddr;
	__u64 *hits = bpf_map_lookup_elem(&blocklist, &source);
	struct traffic *seen = bpf_map_lookup_elem(&sources, &source);

	if (!seen) {
		struct traffic none = {};

		bpf_map_update_elem(&sources, &source, &none, BPF_NOEXIST);
		seen = bpf_map_lookup_elem(&sources, &source);
		if (!seen)
			return XDP_ABORTED;
	}
	seen->packets++;
	seen->bytes += data_end - data;
	if (!hits)
		return XDP_PASS;
	__sync_fetch_and_add(hits, 1);
	seen->dropped++;
	return XDP_DROP;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
