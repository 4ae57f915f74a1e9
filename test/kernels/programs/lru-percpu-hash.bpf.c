#include "common.h"
MAP(recent, BPF_MAP_TYPE_LRU_PERCPU_HASH, 4096, __u32, __u64);
SEC("xdp")
int lru_percpu_hash(struct xdp_md *ctx)
{
	__u32 key = DATA_END(ctx) - DATA(ctx);
	__u64 *count = bpf_map_lookup_elem(&recent, &key);
	__u64 one = 1;
	if (count)
		(*count)++;
	else
		bpf_map_update_elem(&recent, &key, &one, BPF_ANY);
	return XDP_PASS;
}
