// "Monitor process executions". Repaired: the comment "Capture process information" has become the
// code that captures it; a licence is added.

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct process {
	__u32 uid;
	char comm[16];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, struct process);
} processes SEC(".maps");

// Monitor process executions
SEC("tracepoint/sched/sched_process_exec")
int trace_exec(void *ctx)
{
	// Capture process information
	__u32 pid = bpf_get_current_pid_tgid() >> 32;
	struct process process = { .uid = bpf_get_current_uid_gid() };

	bpf_get_current_comm(process.comm, sizeof(process.comm));
	bpf_map_update_elem(&processes, &pid, &process, BPF_ANY);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
