#include "common.h"
struct pair { __u64 packets; __u64 bytes; };
MAP(totals, BPF_MAP_TYPE_PERCPU_ARRAY, 4, __u32, struct pair);
SEC("xdp")
int percpu_array(struct xdp_md *ctx)
{
	__u32 key = (DATA_END(ctx) - DATA(ctx)) & 3;
	struct pair *pair = bpf_map_lookup_elem(&totals, &key);
	if (!pair)
		return XDP_ABORTED;
	pair->packets++;
	pair->bytes += DATA_END(ctx) - DATA(ctx);
	return XDP_PASS;
}
