#include "common.h"
struct mac { __u8 address[6]; __u16 proto; };
MAP(macs, BPF_MAP_TYPE_HASH, 64, struct mac, __u64);
RESULTS(4)
SEC("xdp")
int hash(struct xdp_md *ctx)
{
	struct ethhdr *eth = DATA(ctx);
	struct mac mac = {};
	__u64 one = 1;
	if ((void *)(eth + 1) > DATA_END(ctx))
		return XDP_DROP;
	__builtin_memcpy(mac.address, eth->h_source, 6);
	mac.proto = eth->h_proto;
	result(0, bpf_map_update_elem(&macs, &mac, &one, BPF_NOEXIST));
	__u64 *count = bpf_map_lookup_elem(&macs, &mac);
	if (!count)
		return XDP_ABORTED;
	(*count)++;
	if ((*count & 7) == 0)
		result(1, bpf_map_delete_elem(&macs, &mac));
	result(2, bpf_map_update_elem(&macs, &mac, &one, BPF_EXIST));
	result(3, bpf_map_delete_elem(&macs, &(struct mac){ .proto = 0xffff }));
	return XDP_PASS;
}
