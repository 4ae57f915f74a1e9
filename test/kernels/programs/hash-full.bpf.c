#include "common.h"
MAP(small, BPF_MAP_TYPE_HASH, 5, __u32, __u32);
RESULTS(2)
SEC("xdp")
int hash_full(struct xdp_md *ctx)
{
	__u32 key = DATA_END(ctx) - DATA(ctx);
	result(0, bpf_map_update_elem(&small, &key, &key, BPF_ANY));
	result(1, bpf_map_update_elem(&small, &key, &key, 4));
	return XDP_PASS;
}
