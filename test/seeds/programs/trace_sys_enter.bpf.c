// 84.5 "Count syscalls by process", a BCC program. Repaired: BPF_HASH and lookup_or_init are BCC's
// rewriter, here a map and two helper calls; `empty` is defined; the section says what the Python
// part attached to (get_syscall_fnname("read")); the process is the upper half of the id.

#include <linux/bpf.h>
#include <linux/ptrace.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 10240);
	__type(key, __u32);
	__type(value, __u64);
} counts SEC(".maps");

SEC("kprobe/__x64_sys_read")
int trace_sys_enter(struct pt_regs *ctx)
{
	__u32 pid = bpf_get_current_pid_tgid() >> 32;
	__u64 empty = 0;
	__u64 *p;

	bpf_map_update_elem(&counts, &pid, &empty, BPF_NOEXIST);
	p = bpf_map_lookup_elem(&counts, &pid);
	if (!p)
		return 0;
	(*p)++;
	return 0;
}

char _license[] SEC("license") = "GPL";
