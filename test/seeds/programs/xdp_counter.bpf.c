// The first lab: "counts packets per source IP and drops packets from a blocklist". The guide says
// in words what the program does; it is written after them.

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 65536);
	__type(key, __u32);
	__type(value, __u64);
} pkt_count SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, __u32);
	__type(value, __u8);
} blocklist SEC(".maps");

SEC("xdp")
int xdp_counter(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *data_end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	struct iphdr *iph = (void *)(eth + 1);

	if ((void *)(iph + 1) > data_end || eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	__u32 src = iph->saddr;
	__u64 *count = bpf_map_lookup_elem(&pkt_count, &src);

	if (count) {
		(*count)++;
	} else {
		__u64 one = 1;

		bpf_map_update_elem(&pkt_count, &src, &one, BPF_ANY);
	}
	return bpf_map_lookup_elem(&blocklist, &src) ? XDP_DROP : XDP_PASS;
}

char _license[] SEC("license") = "GPL";
