// Programs that Linux refuses, one cause each: packets, maps, the stack, contexts, loops.
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define noinline __attribute__((noinline))

struct val {
	__u64 cnt;
	__u32 tab[16];
	char buf[64];
};
struct locked {
	struct bpf_spin_lock lock;
	__u64 count;
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct val);
} m SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct locked);
} lm SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 4);
	__type(value, __u32);
} queue SEC(".maps");

SEC("xdp") int null_check(struct xdp_md *ctx)
{
	__u32 k = bpf_get_prandom_u32();
	struct val *v = bpf_map_lookup_elem(&m, &k);
	v->cnt++;
	return XDP_PASS;
}

SEC("xdp") int null_arithmetic(struct xdp_md *ctx)
{
	__u32 k = bpf_get_prandom_u32();
	struct val *v = bpf_map_lookup_elem(&m, &k);
	asm volatile("%[v] += 8" : [v] "+r"(v));
	if (v)
		v->cnt++;
	return XDP_PASS;
}

static const volatile int fixed = 1;
SEC("xdp") int read_only(struct xdp_md *ctx)
{
	*(volatile int *)&fixed = 2;
	return XDP_PASS;
}

static long every(__u32 i, void *data)
{
	return bpf_get_prandom_u32();
}
SEC("tc") int callback_return(struct __sk_buff *skb)
{
	bpf_loop(4, every, 0, 0);
	return 0;
}

SEC("xdp") int dynptr_unmade(struct xdp_md *ctx)
{
	struct bpf_dynptr d = {};
	char b[8];
	return bpf_dynptr_read(b, sizeof(b), &d, 0, 0) & 1;
}

SEC("xdp") int null_argument(struct xdp_md *ctx)
{
	__u32 k = bpf_get_prandom_u32();
	struct val *v = bpf_map_lookup_elem(&m, &k);
	bpf_xdp_load_bytes(ctx, 0, v, 8);
	return XDP_PASS;
}

SEC("xdp") int packet_missing(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	struct iphdr *ip = data + sizeof(struct ethhdr);
	return ip->protocol == 6 ? XDP_DROP : XDP_PASS;
}

SEC("xdp") int packet_short(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	if (data + sizeof(*eth) > end)
		return XDP_DROP;
	struct iphdr *ip = (void *)(eth + 1);
	return ip->protocol == 6 ? XDP_DROP : XDP_PASS;
}

SEC("xdp") int packet_variable(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct iphdr *ip = data + 14;
	if ((void *)(ip + 1) > end)
		return XDP_DROP;
	struct tcphdr *th = (void *)ip + ip->ihl * 4;
	return th->dest == bpf_htons(80) ? XDP_DROP : XDP_PASS;
}

SEC("tc") int packet_stale(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct ethhdr *eth = data;
	if ((void *)(eth + 1) > end)
		return 0;
	bpf_skb_pull_data(skb, 0);
	return eth->h_proto;
}

SEC("xdp") int pointer_merged(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	struct iphdr *ip = 0;
	struct ipv6hdr *ip6 = 0;
	struct udphdr *u;
	if ((void *)(eth + 1) > end)
		return 1;
	if (eth->h_proto == bpf_htons(0x800)) {
		ip = (void *)(eth + 1);
		if ((void *)(ip + 1) > end)
			return 1;
	} else if (eth->h_proto == bpf_htons(0x86dd)) {
		ip6 = (void *)(eth + 1);
		if ((void *)(ip6 + 1) > end)
			return 1;
	} else
		return 2;
	u = ip ? (void *)ip + sizeof(*ip) : (void *)ip6 + sizeof(*ip6);
	if ((void *)(u + 1) > end)
		return 1;
	return u->dest == bpf_htons(53) ? 1 : 2;
}

SEC("xdp") int index_unbounded(struct xdp_md *ctx)
{
	__u32 k = 0, idx = bpf_get_prandom_u32();
	struct val *v = bpf_map_lookup_elem(&m, &k);
	if (!v)
		return XDP_PASS;
	v->tab[idx]++;
	return XDP_PASS;
}

SEC("xdp") int index_signed(struct xdp_md *ctx)
{
	__u32 k = 0;
	int idx = bpf_get_prandom_u32();
	struct val *v = bpf_map_lookup_elem(&m, &k);
	if (!v)
		return XDP_PASS;
	if (idx < 16)
		v->tab[idx]++;
	return XDP_PASS;
}

SEC("xdp") int value_bounds(struct xdp_md *ctx)
{
	__u32 k = 0;
	struct val *v = bpf_map_lookup_elem(&m, &k);
	if (!v)
		return XDP_PASS;
	*(volatile __u64 *)((char *)v + sizeof(*v)) = 1;
	return XDP_PASS;
}

SEC("xdp") int index_too_far(struct xdp_md *ctx)
{
	__u32 k = 0, idx = bpf_get_prandom_u32();
	struct val *v = bpf_map_lookup_elem(&m, &k);
	if (!v || idx >= 200)
		return XDP_PASS;
	v->tab[idx]++;
	return XDP_PASS;
}

SEC("tc") int stack_variable(struct __sk_buff *skb)
{
	char b[64] = {};
	__u32 i = skb->len;
	bpf_skb_load_bytes(skb, 0, b, 64);
	return b[i];
}

SEC("tc") int size_zero(struct __sk_buff *skb)
{
	char b[64];
	__u32 len = skb->len & 63;
	return bpf_skb_load_bytes(skb, 0, b, len);
}

SEC("xdp") int ctx_offset(struct xdp_md *ctx)
{
	return *(__u64 *)((void *)ctx + 4) & 3;
}

SEC("xdp") int ctx_wide(struct xdp_md *ctx)
{
	return *(__u64 *)((void *)ctx + 16) & 3;
}

SEC("xdp") int ctx_read_only(struct xdp_md *ctx)
{
	ctx->ingress_ifindex = 7;
	return XDP_PASS;
}

SEC("tc") int ctx_modified(struct __sk_buff *skb)
{
	void *p = (void *)skb;
	asm volatile("%[p] += 8" : [p] "+r"(p));
	return *(__u32 *)p;
}

SEC("cgroup/connect4") int ret_range(struct bpf_sock_addr *ctx)
{
	return 2;
}

SEC("cgroup/connect4") int ret_port(struct bpf_sock_addr *ctx)
{
	return bpf_ntohs(ctx->user_port);
}

SEC("socket") int loop_infinite(struct __sk_buff *skb)
{
	volatile int x = 0;
	for (;;) {
		if (skb->len == 0xffffffff)
			break;
		x = 1;
	}
	return x;
}

SEC("tc") int loop_unbounded(struct __sk_buff *skb)
{
	__u64 n = skb->len, s = 0;
	for (__u64 i = 0; i < n; i++)
		s += bpf_get_prandom_u32();
	return s;
}

static noinline int f2(struct xdp_md *c, __u32 i)
{
	char b[400];
	bpf_xdp_load_bytes(c, 0, b, sizeof(b));
	return b[i & 127];
}
SEC("xdp") int stack_combined(struct xdp_md *ctx)
{
	char b[300];
	bpf_xdp_load_bytes(ctx, 0, b, sizeof(b));
	return (f2(ctx, b[0]) + b[1]) & 3;
}

SEC("xdp") int helper_type(struct xdp_md *ctx)
{
	char c[16];
	bpf_skb_load_bytes((void *)ctx, 0, c, 16);
	return c[0] ? XDP_DROP : XDP_PASS;
}

SEC("tc") int lock_call(struct __sk_buff *skb)
{
	__u32 k = 0;
	struct locked *v = bpf_map_lookup_elem(&lm, &k);
	if (!v)
		return 0;
	bpf_spin_lock(&v->lock);
	v->count = bpf_ktime_get_ns();
	bpf_spin_unlock(&v->lock);
	return 0;
}

SEC("tc") int lock_held(struct __sk_buff *skb)
{
	__u32 k = 0;
	struct locked *v = bpf_map_lookup_elem(&lm, &k);
	if (!v)
		return 0;
	bpf_spin_lock(&v->lock);
	if (v->count & 1)
		return 0;
	v->count++;
	bpf_spin_unlock(&v->lock);
	return 0;
}

SEC("tc") int lock_copied(struct __sk_buff *skb)
{
	__u32 k = 0;
	struct locked *v = bpf_map_lookup_elem(&lm, &k);
	if (!v)
		return 0;
	*(volatile __u32 *)&v->lock = 0;
	return 0;
}

SEC("tc") int sock_leak(struct __sk_buff *skb)
{
	struct bpf_sock_tuple t = {};
	struct bpf_sock *sk = bpf_sk_lookup_tcp(skb, &t, sizeof(t.ipv4), -1, 0);
	if (!sk)
		return 0;
	if (sk->family == 2)
		return 0;
	bpf_sk_release(sk);
	return 0;
}

SEC("tc") int sock_twice(struct __sk_buff *skb)
{
	struct bpf_sock_tuple t = {};
	struct bpf_sock *sk = bpf_sk_lookup_tcp(skb, &t, sizeof(t.ipv4), -1, 0);
	if (!sk)
		return 0;
	bpf_sk_release(sk);
	return sk->family;
}

noinline int g(struct val *v)
{
	return v->cnt;
}
SEC("xdp") int global_null(struct xdp_md *ctx)
{
	__u32 k = 0;
	struct val *v = bpf_map_lookup_elem(&m, &k);
	return v ? g(v) : 0;
}

SEC("xdp") int map_type(struct xdp_md *ctx)
{
	char value[sizeof(struct val)] = {};
	bpf_map_push_elem(&m, value, 0);
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
