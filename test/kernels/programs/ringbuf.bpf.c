#include "common.h"
struct record { __u32 size; __u8 start[14]; __u16 kind; };
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 65536);
	__type(value, struct record);
} records SEC(".maps");
RESULTS(4)
SEC("xdp")
int ringbuf(struct xdp_md *ctx)
{
	struct ethhdr *eth = DATA(ctx);
	struct record copy = { .kind = 2 };
	if ((void *)(eth + 1) > DATA_END(ctx))
		return XDP_DROP;
	struct record *record = bpf_ringbuf_reserve(&records, sizeof(*record), 0);
	if (record) {
		record->size = DATA_END(ctx) - DATA(ctx);
		__builtin_memcpy(record->start, eth, 14);
		record->kind = 1;
		if (record->size & 1)
			bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
		else
			bpf_ringbuf_discard(record, 0);
	} else {
		result(0, 1);
	}
	copy.size = DATA_END(ctx) - DATA(ctx);
	__builtin_memcpy(copy.start, eth, 14);
	result(1, bpf_ringbuf_output(&records, &copy, sizeof(copy), 0));
	result(2, bpf_ringbuf_query(&records, BPF_RB_RING_SIZE));
	result(3, bpf_ringbuf_query(&records, BPF_RB_PROD_POS));
	return XDP_PASS;
}
