// Counts system calls by process, and says who the parent of each process is: fields of
// task_struct are found by CO-RE, whatever kernel this runs on.

#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct process {
	__u64 calls;
	__u64 last_syscall;
	__u32 parent;
	char comm[16];
	char parent_comm[16];
};

// Set before loading to count one process only.
const volatile __u32 only_pid = 0;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 10240);
	__type(key, __u32);
	__type(value, struct process);
} processes SEC(".maps");

SEC("tp_btf/sys_enter")
int BPF_PROG(count_syscall, struct pt_regs *regs, long id)
{
	__u32 pid = bpf_get_current_pid_tgid() >> 32;

	if (only_pid && pid != only_pid)
		return 0;
	struct process *process = bpf_map_lookup_elem(&processes, &pid);

	if (!process) {
		struct task_struct *task = (void *)bpf_get_current_task();
		struct process fresh = {};

		fresh.parent = BPF_CORE_READ(task, real_parent, tgid);
		BPF_CORE_READ_STR_INTO(&fresh.parent_comm, task, real_parent, comm);
		bpf_get_current_comm(fresh.comm, sizeof(fresh.comm));
		bpf_map_update_elem(&processes, &pid, &fresh, BPF_NOEXIST);
		process = bpf_map_lookup_elem(&processes, &pid);
		if (!process)
			return 0;
	}
	__sync_fetch_and_add(&process->calls, 1);
	process->last_syscall = id;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
