// "BPF LPM trie for IP blocklist". Repaired: the guide shows the key and the insertion; the trie and
// the program that looks addresses up in it are added.

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct lpm_key {
	__u32 prefixlen;
	__u8 data[4]; /* IPv4 address */
};

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1024);
	__type(key, struct lpm_key);
	__type(value, __u32);
} blocklist SEC(".maps");

SEC("xdp")
int xdp_lpm_blocklist(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *data_end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	struct iphdr *iph = (void *)(eth + 1);
	struct lpm_key key = { .prefixlen = 32 };

	if ((void *)(iph + 1) > data_end || eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	__builtin_memcpy(key.data, &iph->saddr, sizeof(key.data));

	__u32 *action = bpf_map_lookup_elem(&blocklist, &key);

	return action ? *action : XDP_PASS;
}

char _license[] SEC("license") = "GPL";
