#include "common.h"
MAP(recent, BPF_MAP_TYPE_LRU_HASH, 4096, __u64, __u32);
SEC("xdp")
int lru_hash(struct xdp_md *ctx)
{
	__u64 *start = DATA(ctx);
	if ((void *)(start + 1) > DATA_END(ctx))
		return XDP_DROP;
	__u64 key = *start;
	__u32 size = DATA_END(ctx) - DATA(ctx);
	return bpf_map_update_elem(&recent, &key, &size, BPF_ANY) ? XDP_ABORTED : XDP_PASS;
}
