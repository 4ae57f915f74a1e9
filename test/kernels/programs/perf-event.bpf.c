#include "common.h"
struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(key_size, 4);
	__uint(value_size, 4);
} events SEC(".maps");
RESULTS(2)
SEC("xdp")
int perf_event(struct xdp_md *ctx)
{
	__u64 word = 7;
	result(0, bpf_perf_event_output(ctx, &events, 1000, &word, sizeof(word)));
	result(1, bpf_perf_event_output(ctx, &events, 0, &word, sizeof(word)));
	return XDP_PASS;
}
