#include "common.h"
struct cell { __u64 a, b, c, d; __u32 e, f; };
MAP(cells, BPF_MAP_TYPE_ARRAY, 1, __u32, struct cell);
RESULTS(6)
SEC("xdp")
int atomics(struct xdp_md *ctx)
{
	__u32 zero = 0, size = DATA_END(ctx) - DATA(ctx);
	struct cell *cell = bpf_map_lookup_elem(&cells, &zero);
	if (!cell)
		return XDP_ABORTED;
	result(0, __sync_fetch_and_add(&cell->a, size));
	result(1, __sync_fetch_and_or(&cell->b, 1ULL << (size & 63)));
	result(2, __sync_fetch_and_and(&cell->b, ~(2ULL << (size & 31))));
	result(3, __sync_fetch_and_xor(&cell->c, (__u64)size << 33));
	result(4, __sync_lock_test_and_set(&cell->d, size));
	result(5, __sync_val_compare_and_swap(&cell->e, size & 1, size & 3));
	__sync_fetch_and_add(&cell->f, size);
	return XDP_PASS;
}
