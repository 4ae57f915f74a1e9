#include "common.h"
struct inner {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u64);
} even SEC(".maps"), odd SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 3);
	__type(key, __u32);
	__array(values, struct inner);
} outer SEC(".maps") = { .values = { [0] = &even, [1] = &odd } };
RESULTS(1)
SEC("xdp")
int array_of_maps(struct xdp_md *ctx)
{
	__u32 size = DATA_END(ctx) - DATA(ctx), which = size % 4, slot = size % 3;
	void *map = bpf_map_lookup_elem(&outer, &which);
	if (!map)
		return XDP_DROP;
	__u64 *count = bpf_map_lookup_elem(map, &slot);
	if (!count)
		return XDP_TX;
	*count += size;
	result(0, *count);
	return XDP_PASS;
}
