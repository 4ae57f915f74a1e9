// "Function latency tracking". Repaired: the comment "Record entry timestamp" has become the code
// that records it; the return probe that the latency needs, and a licence, are added.

#include <linux/bpf.h>
#include <linux/ptrace.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, __u64);
} start SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, __u64);
} latency SEC(".maps");

// Function latency tracking
SEC("kprobe/do_sys_open")
int trace_open_entry(struct pt_regs *ctx)
{
	// Record entry timestamp
	__u32 thread = bpf_get_current_pid_tgid();
	__u64 now = bpf_ktime_get_ns();

	bpf_map_update_elem(&start, &thread, &now, BPF_ANY);
	return 0;
}

SEC("kretprobe/do_sys_open")
int trace_open_return(struct pt_regs *ctx)
{
	__u32 thread = bpf_get_current_pid_tgid();
	__u64 *entered = bpf_map_lookup_elem(&start, &thread);

	if (!entered)
		return 0;
	__u64 taken = bpf_ktime_get_ns() - *entered;

	bpf_map_update_elem(&latency, &thread, &taken, BPF_ANY);
	bpf_map_delete_elem(&start, &thread);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
