// "XDP example: blocking a certain IP". Repaired: the headers and a licence are added; htons and
// htonl are those of libbpf.

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int xdp_drop_blocked_ip(struct xdp_md *ctx)
{
	void *data_end = (void *)(long)ctx->data_end;
	void *data = (void *)(long)ctx->data;
	struct ethhdr *eth = data;

	if ((void *)eth + sizeof(*eth) > data_end)
		return XDP_PASS;

	if (eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;

	struct iphdr *ip = (void *)eth + sizeof(*eth);
	if ((void *)ip + sizeof(*ip) > data_end)
		return XDP_PASS;

	// A certain IP is blocked (1.2.3.4)
	if (ip->saddr == bpf_htonl(0x01020304))
		return XDP_DROP;

	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
