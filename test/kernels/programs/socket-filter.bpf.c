#include "common.h"
unsigned long long load_byte(void *skb, unsigned long long offset) __asm__("llvm.bpf.load.byte");
unsigned long long load_half(void *skb, unsigned long long offset) __asm__("llvm.bpf.load.half");
unsigned long long load_word(void *skb, unsigned long long offset) __asm__("llvm.bpf.load.word");
MAP(protocols, BPF_MAP_TYPE_ARRAY, 256, __u32, __u64);
SEC("socket")
int socket_filter(struct __sk_buff *skb)
{
	// Outside of the packet these end the program with 0.
	__u32 protocol = load_byte(skb, 9);
	__u64 *count = bpf_map_lookup_elem(&protocols, &protocol);
	if (count)
		*count += load_half(skb, 2);
	return load_word(skb, 12) & 1 ? skb->len : 64;
}
