#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/usdt.bpf.h>

SEC("usdt/libc.so.6:libc:setjmp")
int BPF_USDT(on_setjmp, void *buffer, int signal, void *ip)
{
	long argument;

	if (bpf_usdt_arg(ctx, 3, &argument) || bpf_usdt_arg_size(ctx, 0) != 8)
		return bpf_usdt_arg_cnt(ctx);
	return bpf_usdt_cookie(ctx) + argument + signal + (buffer == ip);
}

SEC("lsm/bpf")
int BPF_PROG(on_bpf, int cmd, union bpf_attr *attr, unsigned int size)
{
	return cmd == BPF_PROG_LOAD && attr->insn_cnt > 1000 && size > 8 ? -EPERM : 0;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(with_kfuncs)
{
	struct task_struct *task = bpf_task_from_pid(1);
	int pid;

	if (!task)
		return 0;
	pid = task->pid;
	bpf_task_release(task);
	return pid;
}

char LICENSE[] SEC("license") = "GPL";
