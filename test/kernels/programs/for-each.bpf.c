#include "common.h"
MAP(sizes, BPF_MAP_TYPE_HASH, 256, __u32, __u32);
MAP(slots, BPF_MAP_TYPE_ARRAY, 8, __u32, __u32);
RESULTS(4)
struct sum { __u64 keys; __u64 values; };
static long add(void *map, __u32 *key, __u32 *value, struct sum *sum)
{
	sum->keys += *key;
	sum->values += *value;
	return 0;
}
static long first_three(void *map, __u32 *key, __u32 *value, struct sum *sum)
{
	sum->values += ++*value;
	return *key == 2;
}
SEC("xdp")
int for_each(struct xdp_md *ctx)
{
	__u32 size = DATA_END(ctx) - DATA(ctx);
	struct sum sum = {};
	bpf_map_update_elem(&sizes, &size, &size, BPF_ANY);
	result(0, bpf_for_each_map_elem(&sizes, add, &sum, 0));
	result(1, sum.keys * 3 + sum.values);
	result(2, bpf_for_each_map_elem(&slots, first_three, &sum, 0));
	result(3, sum.values);
	return XDP_PASS;
}
