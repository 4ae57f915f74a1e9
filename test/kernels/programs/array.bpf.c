#include "common.h"
MAP(sizes, BPF_MAP_TYPE_ARRAY, 16, __u32, __u64);
SEC("xdp")
int array(struct xdp_md *ctx)
{
	__u32 bucket = (DATA_END(ctx) - DATA(ctx)) >> 6;
	__u64 *count = bpf_map_lookup_elem(&sizes, &bucket);
	if (!count)
		return XDP_ABORTED;
	__sync_fetch_and_add(count, 1);
	__u32 last = 15;
	__u64 value = *count * 3;
	return bpf_map_update_elem(&sizes, &last, &value, BPF_EXIST) ? XDP_DROP : XDP_PASS;
}
