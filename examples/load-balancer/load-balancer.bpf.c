// An XDP load balancer (layer 4): TCP and UDP packets to a virtual address are sent on to one of
// the backends, chosen by consistent hashing of the connection, with the destination rewritten and
// all checksums brought up to date. Backends answer the clients through this machine, whose other
// half of the program puts the virtual address back.

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

// Slots of the hash ring; a prime, so that the permutations in the control plane visit every slot.
#define RING_SIZE 251
#define BACKENDS_MAX 16

struct service {
	__be32 address;
	__be16 port;
	__u8 protocol;
	__u8 unused;
};

struct backend {
	__be32 address;
	__u8 mac[6];
	__u16 unused;
	__u64 packets;
	__u64 bytes;
};

// Virtual services; the value is not used.
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, struct service);
	__type(value, __u32);
} services SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, BACKENDS_MAX);
	__type(key, __u32);
	__type(value, struct backend);
} backends SEC(".maps");

// Which backend a hash belongs to: filled by Maglev's permutations, so that few connections move
// when a backend comes or goes.
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, RING_SIZE);
	__type(key, __u32);
	__type(value, __u32);
} ring SEC(".maps");

struct connection {
	__be32 client;
	__be32 backend;
	__be16 client_port;
	__be16 port;
	__u8 protocol;
	__u8 unused[3];
};

// Virtual address and the client's link address of each connection, for the way back.
struct origin {
	__be32 address;
	__u8 mac[6];
	__u16 unused;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, struct connection);
	__type(value, struct origin);
} connections SEC(".maps");

struct headers {
	struct ethhdr *eth;
	struct iphdr *ip;
	__be16 *sport;
	__be16 *dport;
	// Null for UDP without checksum.
	__sum16 *check;
};

// Finds the headers of an unfragmented TCP or UDP packet over IPv4 without options.
static __always_inline int parse(struct xdp_md *ctx, struct headers *h)
{
	void *data = (void *)(long)ctx->data;
	void *data_end = (void *)(long)ctx->data_end;

	h->eth = data;
	h->ip = (void *)(h->eth + 1);
	if ((void *)(h->ip + 1) > data_end || h->eth->h_proto != bpf_htons(ETH_P_IP))
		return 0;
	// MF, or an offset.
	if (h->ip->ihl != 5 || h->ip->frag_off & bpf_htons(0x3fff))
		return 0;
	if (h->ip->protocol == IPPROTO_TCP) {
		struct tcphdr *tcp = (void *)(h->ip + 1);

		if ((void *)(tcp + 1) > data_end)
			return 0;
		h->sport = &tcp->source;
		h->dport = &tcp->dest;
		h->check = &tcp->check;
		return 1;
	}
	if (h->ip->protocol == IPPROTO_UDP) {
		struct udphdr *udp = (void *)(h->ip + 1);

		if ((void *)(udp + 1) > data_end)
			return 0;
		h->sport = &udp->source;
		h->dport = &udp->dest;
		h->check = udp->check ? &udp->check : NULL;
		return 1;
	}
	return 0;
}

// RFC 1624, equation 3: the checksum after a 32-bit word under it has changed.
static __always_inline __sum16 replace(__sum16 check, __be32 before, __be32 after)
{
	__u32 sum = (__u16)~check;

	sum += (__u16)~before + (__u16)(~before >> 16);
	sum += (__u16)after + (__u16)(after >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

// Puts another address into the IPv4 header; both checksums that cover it follow.
static __always_inline void rewrite(struct headers *h, __be32 *address, __be32 to)
{
	h->ip->check = replace(h->ip->check, *address, to);
	if (h->check) {
		__sum16 check = replace(*h->check, *address, to);

		// Zero means "no checksum" in UDP; for TCP it is as good as 0xffff.
		*h->check = check ? check : (h->ip->protocol == IPPROTO_UDP ? 0xffff : 0);
	}
	*address = to;
}

// The frame leaves where it came in: from us, to `mac`.
static __always_inline void forward(struct headers *h, const __u8 *mac)
{
	__builtin_memcpy(h->eth->h_source, h->eth->h_dest, ETH_ALEN);
	__builtin_memcpy(h->eth->h_dest, mac, ETH_ALEN);
}

// Jenkins' one-at-a-time over the words that name a connection.
static __always_inline __u32 hash(__be32 address, __be16 port, __u8 protocol)
{
	__u32 words[2] = { address, (__u32)port << 8 | protocol };
	__u32 value = 0;

#pragma unroll
	for (int i = 0; i < 2; i++) {
		value += words[i];
		value += value << 10;
		value ^= value >> 6;
	}
	value += value << 3;
	value ^= value >> 11;
	value += value << 15;
	return value;
}

// A packet of a client: to its backend.
static __always_inline int to_backend(struct xdp_md *ctx, struct headers *h)
{
	__u32 slot = hash(h->ip->saddr, *h->sport, h->ip->protocol) % RING_SIZE;
	__u32 *index = bpf_map_lookup_elem(&ring, &slot);

	if (!index)
		return XDP_ABORTED;
	struct backend *backend = bpf_map_lookup_elem(&backends, index);

	// No backend at all.
	if (!backend || !backend->address)
		return XDP_DROP;
	struct connection connection = {
		.client = h->ip->saddr,
		.backend = backend->address,
		.client_port = *h->sport,
		.port = *h->dport,
		.protocol = h->ip->protocol,
	};
	struct origin origin = { .address = h->ip->daddr };

	__builtin_memcpy(origin.mac, h->eth->h_source, ETH_ALEN);
	bpf_map_update_elem(&connections, &connection, &origin, BPF_ANY);
	rewrite(h, &h->ip->daddr, backend->address);
	forward(h, backend->mac);
	__sync_fetch_and_add(&backend->packets, 1);
	__sync_fetch_and_add(&backend->bytes, ctx->data_end - ctx->data);
	return XDP_TX;
}

SEC("xdp")
int load_balancer(struct xdp_md *ctx)
{
	struct headers h = {};

	if (!parse(ctx, &h))
		return XDP_PASS;
	struct service service = {
		.address = h.ip->daddr,
		.port = *h.dport,
		.protocol = h.ip->protocol,
	};

	if (bpf_map_lookup_elem(&services, &service))
		return to_backend(ctx, &h);

	// The answer of a backend: back to the client, from the virtual address.
	struct connection connection = {
		.client = h.ip->daddr,
		.backend = h.ip->saddr,
		.client_port = *h.dport,
		.port = *h.sport,
		.protocol = h.ip->protocol,
	};
	struct origin *origin = bpf_map_lookup_elem(&connections, &connection);

	if (!origin)
		return XDP_PASS;
	rewrite(&h, &h.ip->saddr, origin->address);
	forward(&h, origin->mac);
	return XDP_TX;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
