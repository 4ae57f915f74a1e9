#include "common.h"
struct guarded { struct bpf_spin_lock lock; __u32 packets; __u64 bytes; };
MAP(totals, BPF_MAP_TYPE_ARRAY, 2, __u32, struct guarded);
SEC("tc")
int spin_lock(struct __sk_buff *skb)
{
	__u32 key = skb->len & 1;
	struct guarded *total = bpf_map_lookup_elem(&totals, &key);
	if (!total)
		return TC_ACT_SHOT;
	bpf_spin_lock(&total->lock);
	total->packets++;
	total->bytes += skb->len;
	bpf_spin_unlock(&total->lock);
	return TC_ACT_OK;
}
