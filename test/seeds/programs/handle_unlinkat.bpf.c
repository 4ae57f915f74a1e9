// "Using CO-RE macros". Repaired: the kernel's types come from vmlinux.h, a licence is added.

#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

SEC("kprobe/do_unlinkat")
int handle_unlinkat(struct pt_regs *ctx)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	// BPF_CORE_READ: BTF-based safe field reading
	pid_t pid = BPF_CORE_READ(task, pid);

	bpf_printk("unlink by pid %d\n", pid);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
