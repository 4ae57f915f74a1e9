// 84.6 "Drop HTTP traffic from browsers". Repaired: IPPROTO_TCP needs <linux/in.h>; htons and ntohs
// are those of libbpf; pointers of different types are compared as void *; a section may not have
// the name of a function in it, so it is "xdp".

#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/tcp.h>

static inline int parse_ipv4(void *data, __u64 off, void *data_end)
{
	struct iphdr *iph = data + off;

	if ((void *)(iph + 1) > data_end)
		return 0;
	return iph->protocol;
}

SEC("xdp")
int xdp_drop_browsers(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *data_end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;

	if (data + sizeof(*eth) > data_end)
		return XDP_PASS;

	if (eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;

	__u64 ip_off = sizeof(*eth);
	__u8 protocol = parse_ipv4(data, ip_off, data_end);

	if (protocol == IPPROTO_TCP) {
		struct tcphdr *tcp = data + ip_off + sizeof(struct iphdr);

		if ((void *)(tcp + 1) <= data_end) {
			// Drop traffic to HTTP (port 80) or HTTPS (443)
			if (bpf_ntohs(tcp->dest) == 80 || bpf_ntohs(tcp->dest) == 443)
				return XDP_DROP;
		}
	}

	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
