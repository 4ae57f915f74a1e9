#include "common.h"
struct prefix { __u32 length; __be32 address; };
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 256);
	__type(key, struct prefix);
	__type(value, __u32);
} routes SEC(".maps");
RESULTS(3)
SEC("xdp")
int lpm_trie(struct xdp_md *ctx)
{
	struct iphdr *ip = DATA(ctx) + ETH_HLEN;
	if ((void *)(ip + 1) > DATA_END(ctx))
		return XDP_DROP;
	struct prefix key = { 32, ip->daddr };
	__u32 *route = bpf_map_lookup_elem(&routes, &key);
	result(0, route ? *route : -1);
	key.length = 8 + (ip->ttl & 15);
	__u32 value = ip->protocol;
	result(1, bpf_map_update_elem(&routes, &key, &value, BPF_ANY));
	key.length = 9;
	result(2, bpf_map_delete_elem(&routes, &key));
	return XDP_PASS;
}
