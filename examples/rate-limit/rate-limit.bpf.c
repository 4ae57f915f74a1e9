// Limits the packets of every IPv4 source by a token bucket: a source may send `burst` packets at
// once, and gets `packets_per_second` tokens for new ones. Who has none is dropped.

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define NS_PER_SECOND 1000000000ULL

// Set before loading: skep run --set packets_per_second=…
const volatile __u64 packets_per_second = 100;
const volatile __u64 burst = 20;

struct bucket {
	// The lock is 4 bytes; several CPUs may receive from one source.
	struct bpf_spin_lock lock;
	__u32 dropped;
	__u64 passed;
	// In billionths, so that a nanosecond at one packet per second is one of them.
	__u64 tokens;
	__u64 refilled_ns;
};

// Locks cannot lie in an LRU hash. When this one is full, new sources pass unlimited.
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, __be32);
	__type(value, struct bucket);
} buckets SEC(".maps");

SEC("xdp")
int rate_limit(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *data_end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	struct iphdr *ip = (void *)(eth + 1);

	if ((void *)(ip + 1) > data_end || eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	__be32 source = ip->saddr;
	__u64 now = bpf_ktime_get_ns();
	__u64 full = burst * NS_PER_SECOND;
	struct bucket *bucket = bpf_map_lookup_elem(&buckets, &source);

	if (!bucket) {
		struct bucket fresh = { .tokens = full, .refilled_ns = now };

		bpf_map_update_elem(&buckets, &source, &fresh, BPF_NOEXIST);
		bucket = bpf_map_lookup_elem(&buckets, &source);
		if (!bucket)
			return XDP_PASS;
	}

	int verdict = XDP_DROP;

	bpf_spin_lock(&bucket->lock);
	__u64 elapsed = now - bucket->refilled_ns;

	// After so long it is full, and the product could overflow.
	if (elapsed >= full / packets_per_second)
		bucket->tokens = full;
	else
		bucket->tokens += elapsed * packets_per_second;
	if (bucket->tokens > full)
		bucket->tokens = full;
	bucket->refilled_ns = now;
	if (bucket->tokens >= NS_PER_SECOND) {
		bucket->tokens -= NS_PER_SECOND;
		bucket->passed++;
		verdict = XDP_PASS;
	} else {
		bucket->dropped++;
	}
	bpf_spin_unlock(&bucket->lock);
	return verdict;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
