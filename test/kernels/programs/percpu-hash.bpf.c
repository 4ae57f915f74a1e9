#include "common.h"
MAP(sources, BPF_MAP_TYPE_PERCPU_HASH, 128, __be32, __u64);
SEC("xdp")
int percpu_hash(struct xdp_md *ctx)
{
	struct iphdr *ip = DATA(ctx) + ETH_HLEN;
	__u64 one = 1;
	if ((void *)(ip + 1) > DATA_END(ctx))
		return XDP_DROP;
	__be32 key = ip->saddr;
	__u64 *count = bpf_map_lookup_elem(&sources, &key);
	if (count)
		*count += ip->ttl;
	else
		bpf_map_update_elem(&sources, &key, &one, BPF_NOEXIST);
	return XDP_PASS;
}
