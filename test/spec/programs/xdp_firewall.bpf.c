#include <linux/bpf.h>
#include <linux/icmp.h>
#include <linux/if_ether.h>
#include <linux/if_vlan.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct flow {
	__be32 source;
	__be32 destination;
	__be16 port;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, struct flow);
	__type(value, __u64);
	__uint(map_flags, BPF_F_NO_COMMON_LRU);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 16);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(key_size, sizeof(struct bpf_lpm_trie_key_u8) + 4);
	__uint(value_size, sizeof(__u32));
} blocked SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 4);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} next SEC(".maps");

const volatile __u16 allowed_port = 443;
__u64 dropped;

static __always_inline int parse_tcp(void *at, void *end, const struct iphdr *ip)
{
	struct tcphdr *tcp = at;
	struct flow flow = { .source = ip->saddr, .destination = ip->daddr };
	__u64 one = 1, *count;

	if ((void *)(tcp + 1) > end)
		return XDP_DROP;
	flow.port = tcp->dest;
	count = bpf_map_lookup_elem(&flows, &flow);
	if (count)
		__sync_fetch_and_add(count, 1);
	else
		bpf_map_update_elem(&flows, &flow, &one, BPF_NOEXIST);
	if (tcp->syn && tcp->dest != bpf_htons(allowed_port)) {
		__sync_fetch_and_add(&dropped, 1);
		return XDP_DROP;
	}
	return XDP_PASS;
}

SEC("xdp")
int firewall(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	struct iphdr *ip = data + sizeof(*eth);

	if ((void *)(ip + 1) > end)
		return XDP_PASS;
	if (eth->h_proto == bpf_htons(ETH_P_8021Q)) {
		bpf_tail_call_static(ctx, &next, 1);
		return XDP_ABORTED;
	}
	if (eth->h_proto != bpf_htons(ETH_P_IP) || ip->ihl < 5)
		return XDP_PASS;
	if (ip->protocol == IPPROTO_TCP)
		return parse_tcp((void *)ip + ip->ihl * 4, end, ip);
	bpf_printk("%d bytes of protocol %d", bpf_ntohs(ip->tot_len), ip->protocol);
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
