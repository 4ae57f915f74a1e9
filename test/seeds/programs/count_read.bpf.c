// 84.1 "Count syscalls". Repaired: `&0` is no address, so the key is a variable; counter_map is
// defined; u64 is __u64; the context of a tracepoint is no pt_regs.

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} counter_map SEC(".maps");

SEC("tracepoint/syscalls/sys_enter_read")
int count_read(void *ctx)
{
	__u32 zero = 0;
	__u64 *counter = bpf_map_lookup_elem(&counter_map, &zero);

	if (counter)
		(*counter)++;
	return 0;
}

char _license[] SEC("license") = "GPL";
