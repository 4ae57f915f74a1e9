// "Defining a map in eBPF C program" and "Using the map in eBPF program". Repaired: the two
// fragments are put into a program that finds the IPv4 header.

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32); /* src IP */
	__type(value, __u64); /* packet count */
} pkt_count SEC(".maps");

SEC("xdp")
int count_packets(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *data_end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	struct iphdr *iph = (void *)(eth + 1);

	if ((void *)(iph + 1) > data_end || eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;

	__u32 src_ip = iph->saddr;
	__u64 *count = bpf_map_lookup_elem(&pkt_count, &src_ip);

	if (count)
		__sync_fetch_and_add(count, 1);
	else {
		__u64 one = 1;

		bpf_map_update_elem(&pkt_count, &src_ip, &one, BPF_ANY);
	}
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
