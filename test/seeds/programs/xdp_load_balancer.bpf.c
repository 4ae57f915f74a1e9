// "Load balancer", at line rate. Repaired: the comment "Packet processing logic" has become logic:
// a backend is chosen by the source address and counted. The packet passes, as in the guide.

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define BACKENDS 4

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, BACKENDS);
	__type(key, __u32);
	__type(value, __u64);
} backends SEC(".maps");

// Load balancer
SEC("xdp")
int xdp_load_balancer(struct xdp_md *ctx)
{
	// Packet processing logic
	void *data = (void *)(long)ctx->data;
	void *data_end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	struct iphdr *ip = (void *)(eth + 1);

	if ((void *)(ip + 1) > data_end || eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	__u32 backend = bpf_ntohl(ip->saddr) % BACKENDS;
	__u64 *packets = bpf_map_lookup_elem(&backends, &backend);

	if (packets)
		__sync_fetch_and_add(packets, 1);
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
