#include "common.h"
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 65536);
} records SEC(".maps");
MAP(values, BPF_MAP_TYPE_ARRAY, 1, __u32, char[32]);
RESULTS(6)
SEC("xdp")
int dynptr(struct xdp_md *ctx)
{
	__u32 zero = 0, size = DATA_END(ctx) - DATA(ctx);
	struct bpf_dynptr ring, memory;
	char bytes[8] = "bytes..";
	char *value = bpf_map_lookup_elem(&values, &zero);
	if (!value)
		return XDP_ABORTED;
	result(0, bpf_dynptr_from_mem(value, 32, 0, &memory));
	result(1, bpf_dynptr_write(&memory, size & 31, bytes, sizeof(bytes), 0));
	result(2, bpf_dynptr_read(bytes, sizeof(bytes), &memory, 3, 0));
	result(3, bytes[1]);
	result(4, bpf_ringbuf_reserve_dynptr(&records, 40, 0, &ring));
	result(5, bpf_dynptr_write(&ring, 4, &size, sizeof(size), 0));
	bpf_ringbuf_submit_dynptr(&ring, 0);
	return XDP_PASS;
}
