#include "common.h"
struct inner {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u64);
} ip SEC(".maps"), arp SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_HASH_OF_MAPS);
	__uint(max_entries, 4);
	__type(key, __u32);
	__array(values, struct inner);
} outer SEC(".maps") = { .values = { (void *)0 } };
SEC("xdp")
int hash_of_maps(struct xdp_md *ctx)
{
	__u32 size = DATA_END(ctx) - DATA(ctx), which = size % 3;
	__u64 one = 1;
	void *map = bpf_map_lookup_elem(&outer, &which);
	if (!map)
		return XDP_DROP;
	return bpf_map_update_elem(map, &size, &one, BPF_NOEXIST) ? XDP_TX : XDP_PASS;
}
