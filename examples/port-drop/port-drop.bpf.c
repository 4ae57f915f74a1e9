// Drops packets by destination port. The entry program looks at the link and network layers and
// tail-calls the parser of the transport protocol, which shares a subprogram for the decision.

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

int drop_tcp(struct xdp_md *ctx);
int drop_udp(struct xdp_md *ctx);

// By IP protocol number.
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 256);
	__type(key, __u32);
	__array(values, int(struct xdp_md *));
} parsers SEC(".maps") = {
	.values = {
		[IPPROTO_TCP] = (void *)&drop_tcp,
		[IPPROTO_UDP] = (void *)&drop_udp,
	},
};

struct port {
	__u16 number;
	__u8 protocol;
	__u8 unused;
};

// Ports to drop, and how many packets each has cost.
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct port);
	__type(value, __u64);
} closed_ports SEC(".maps");

// Verdict for one port; not inlined, so that both parsers call the same code.
static __noinline int verdict(__u8 protocol, __u16 number)
{
	struct port port = { .number = number, .protocol = protocol };
	__u64 *count = bpf_map_lookup_elem(&closed_ports, &port);

	if (!count)
		return XDP_PASS;
	__sync_fetch_and_add(count, 1);
	return XDP_DROP;
}

static __always_inline void *transport_header(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *data_end = (void *)(long)ctx->data_end;
	struct iphdr *ip = data + ETH_HLEN;

	if ((void *)(ip + 1) > data_end || ip->ihl < 5)
		return NULL;
	return (void *)ip + ip->ihl * 4;
}

SEC("xdp")
int drop_tcp(struct xdp_md *ctx)
{
	void *data_end = (void *)(long)ctx->data_end;
	struct tcphdr *tcp = transport_header(ctx);

	if (!tcp || (void *)(tcp + 1) > data_end)
		return XDP_PASS;
	return verdict(IPPROTO_TCP, bpf_ntohs(tcp->dest));
}

SEC("xdp")
int drop_udp(struct xdp_md *ctx)
{
	void *data_end = (void *)(long)ctx->data_end;
	struct udphdr *udp = transport_header(ctx);

	if (!udp || (void *)(udp + 1) > data_end)
		return XDP_PASS;
	return verdict(IPPROTO_UDP, bpf_ntohs(udp->dest));
}

SEC("xdp")
int port_drop(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *data_end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	struct iphdr *ip = (void *)(eth + 1);

	if ((void *)(ip + 1) > data_end || eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	// A later fragment has no ports.
	if (ip->frag_off & bpf_htons(0x1fff))
		return XDP_PASS;
	bpf_tail_call(ctx, &parsers, ip->protocol);
	// No parser for this protocol.
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
