// The three ways to declare a perf event array: its elements are descriptors, whatever the records.
#include "common.h"

struct sample {
	__u32 length;
	__u32 protocol;
	__u64 number;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__type(key, __u32);
	__type(value, __u32);
} by_type SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(key_size, sizeof(int));
	__uint(value_size, sizeof(int));
} by_size SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__type(key, int);
	__type(value, struct sample);
} by_record SEC(".maps");

SEC("xdp")
int perf_records(struct xdp_md *ctx)
{
	struct ethhdr *eth = (void *)(long)ctx->data;

	if ((void *)(eth + 1) > (void *)(long)ctx->data_end)
		return XDP_PASS;
	struct sample sample = {
		.length = ctx->data_end - ctx->data,
		.protocol = bpf_ntohs(eth->h_proto),
		.number = 0x1122334455667788,
	};

	bpf_perf_event_output(ctx, &by_type, BPF_F_CURRENT_CPU, &sample, sizeof(sample));
	bpf_perf_event_output(ctx, &by_size, BPF_F_CURRENT_CPU, &sample, sizeof(sample));
	bpf_perf_event_output(ctx, &by_record, BPF_F_CURRENT_CPU, &sample, sizeof(sample));
	return XDP_PASS;
}
