// What the comparison programs share. Each program looks at a packet, leaves what it found in maps
// or in the packet, and returns a value: both kernels must agree on all three.
#pragma once
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define DATA(ctx) ((void *)(long)(ctx)->data)
#define DATA_END(ctx) ((void *)(long)(ctx)->data_end)

// Results of helpers, by a number that each program chooses.
#define RESULTS(n)                             \
	struct {                                   \
		__uint(type, BPF_MAP_TYPE_ARRAY);      \
		__uint(max_entries, n);                \
		__type(key, __u32);                    \
		__type(value, __s64);                  \
	} results SEC(".maps");                    \
	static __always_inline void result(__u32 index, __s64 value) \
	{                                          \
		__s64 *slot = bpf_map_lookup_elem(&results, &index); \
		if (slot)                              \
			*slot = *slot * 31 + value;        \
	}

#define MAP(name, map_type, entries, key_type, value_type) \
	struct {                                   \
		__uint(type, map_type);                \
		__uint(max_entries, entries);          \
		__type(key, key_type);                 \
		__type(value, value_type);             \
	} name SEC(".maps")

char LICENSE[] SEC("license") = "GPL";
