#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct event {
	int pid, ppid, uid, code;
	char comm[16];
	char filename[128];
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 * 1024);
} events SEC(".maps");

/* Forces the type into BTF. */
const struct event *unused __attribute__((unused));

SEC("tp/sched/sched_process_exec")
int on_exec(struct trace_event_raw_sched_process_exec *ctx)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	unsigned short offset = ctx->__data_loc_filename & 0xffff;
	struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);

	if (!event)
		return 0;
	event->pid = bpf_get_current_pid_tgid() >> 32;
	event->ppid = BPF_CORE_READ(task, real_parent, tgid);
	event->uid = BPF_CORE_READ(task, cred, uid.val);
	event->code = 0;
	bpf_get_current_comm(event->comm, sizeof(event->comm));
	bpf_probe_read_kernel_str(event->filename, sizeof(event->filename), (void *)ctx + offset);
	bpf_ringbuf_submit(event, 0);
	return 0;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(on_switch, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	return prev->pid == next->pid || preempt;
}

SEC("fentry.s/do_unlinkat")
int BPF_PROG(on_unlink, int dfd, void *name)
{
	char file[32];

	bpf_copy_from_user(file, sizeof(file), name);
	return dfd;
}

SEC("fexit/vfs_read")
int BPF_PROG(after_read, struct file *file, char *buf, size_t count, loff_t *pos, ssize_t ret)
{
	const struct qstr *name = &file->f_path.dentry->d_name;

	bpf_printk("%s: %d of %d", name->name, ret, count);
	bpf_printk("%d %d %d %d %d", 1, 2, 3, 4, 5);
	bpf_printk("plain");
	return 0;
}

SEC("lsm/file_open")
int BPF_PROG(on_open, struct file *file)
{
	return BPF_CORE_READ(file, f_inode, i_sb, s_magic) == 0x62656572 ? -1 : 0;
}

SEC("kprobe/do_sys_openat2")
int BPF_KPROBE(on_openat, int dfd, const char *name, void *how, unsigned long size)
{
	char file[64];

	bpf_probe_read_user_str(file, sizeof(file), name);
	return dfd + (int)size + (how != NULL);
}

SEC("kretprobe/do_sys_openat2")
int BPF_KRETPROBE(after_openat, long ret)
{
	return ret < 0;
}

SEC("ksyscall/openat")
int BPF_KSYSCALL(on_syscall, int dfd, const char *name, int flags, int mode)
{
	return dfd + flags + mode + (name != NULL);
}

SEC("uprobe//bin/bash:readline")
int BPF_UPROBE(on_readline, const char *prompt)
{
	return prompt != NULL && PT_REGS_IP(ctx) != 0 && PT_REGS_SP(ctx) != 0;
}

SEC("raw_tp/sys_enter")
int on_enter(struct bpf_raw_tracepoint_args *ctx)
{
	struct pt_regs *regs = (struct pt_regs *)ctx->args[0];

	return PT_REGS_PARM1_CORE_SYSCALL(regs) == 0;
}

char LICENSE[] SEC("license") = "GPL";
