// "XDP program to steer traffic to AF_XDP socket". Repaired: MAX_QUEUES is defined, a licence is
// added.

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define MAX_QUEUES 64

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, MAX_QUEUES);
	__type(key, __u32);
	__type(value, __u32);
} xsks_map SEC(".maps");

SEC("xdp_sock")
int xdp_redirect_to_xsk(struct xdp_md *ctx)
{
	__u32 queue = ctx->rx_queue_index;

	if (bpf_map_lookup_elem(&xsks_map, &queue))
		return bpf_redirect_map(&xsks_map, queue, XDP_PASS);
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
