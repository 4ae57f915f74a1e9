#include "common.h"
struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, __u32);
} ports SEC(".maps");
RESULTS(2)
SEC("xdp")
int devmap(struct xdp_md *ctx)
{
	__u32 size = DATA_END(ctx) - DATA(ctx);
	// Nothing is in the map: the flags say what to return instead.
	result(0, bpf_redirect_map(&ports, size & 15, XDP_PASS));
	result(1, bpf_redirect_map(&ports, 3, XDP_TX));
	return bpf_redirect_map(&ports, 1, size & 3);
}
