// Blocks whole networks, IPv4 and IPv6, by longest prefix: a longer prefix can make an exception
// from a shorter one.

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in6.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

enum verdict { ALLOW, DENY };

struct ipv4_prefix {
	__u32 prefix_length;
	__u8 address[4];
};

struct ipv6_prefix {
	__u32 prefix_length;
	__u8 address[16];
};

struct rule {
	enum verdict verdict;
	__u32 hits;
};

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 10000);
	__type(key, struct ipv4_prefix);
	__type(value, struct rule);
} ipv4_rules SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 10000);
	__type(key, struct ipv6_prefix);
	__type(value, struct rule);
} ipv6_rules SEC(".maps");

static __always_inline int apply(struct rule *rule)
{
	if (!rule)
		return XDP_PASS;
	__sync_fetch_and_add(&rule->hits, 1);
	return rule->verdict == DENY ? XDP_DROP : XDP_PASS;
}

SEC("xdp")
int lpm_blocklist(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *data_end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;

	if ((void *)(eth + 1) > data_end)
		return XDP_PASS;
	if (eth->h_proto == bpf_htons(ETH_P_IP)) {
		struct iphdr *ip = (void *)(eth + 1);
		struct ipv4_prefix key = { .prefix_length = 32 };

		if ((void *)(ip + 1) > data_end)
			return XDP_PASS;
		__builtin_memcpy(key.address, &ip->saddr, sizeof(key.address));
		return apply(bpf_map_lookup_elem(&ipv4_rules, &key));
	}
	if (eth->h_proto == bpf_htons(ETH_P_IPV6)) {
		struct ipv6hdr *ip = (void *)(eth + 1);
		struct ipv6_prefix key = { .prefix_length = 128 };

		if ((void *)(ip + 1) > data_end)
			return XDP_PASS;
		__builtin_memcpy(key.address, &ip->saddr, sizeof(key.address));
		return apply(bpf_map_lookup_elem(&ipv6_rules, &key));
	}
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
