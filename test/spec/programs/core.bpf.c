#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct task_struct___old {
	long state;
} __attribute__((preserve_access_index));

extern int LINUX_KERNEL_VERSION __kconfig;
extern bool CONFIG_BPF_LSM __kconfig __weak;
extern const void bpf_prog_fops __ksym __weak;
extern const int bpf_prog_active __ksym __weak;

struct loop {
	__u64 sum;
};

static int add(__u64 index, struct loop *loop)
{
	loop->sum += index;
	return 0;
}

SEC("raw_tp/sched_switch")
int questions(void *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct loop loop = {};
	long state;
	int i, total = 0;
	char text[32];

	if (bpf_core_field_exists(task->__state))
		state = BPF_CORE_READ(task, __state);
	else
		state = BPF_CORE_READ((struct task_struct___old *)task, state);
	if (bpf_core_field_exists(struct task_struct, in_execve))
		total += BPF_CORE_READ_BITFIELD_PROBED(task, in_execve);
	total += BPF_CORE_READ_BITFIELD(task, in_execve);
	total += bpf_core_field_size(struct task_struct, comm);
	total += bpf_core_field_offset(task->comm);
	total += bpf_core_type_exists(struct bpf_ringbuf) + bpf_core_type_size(struct file);
	total += bpf_core_type_id_local(struct loop) + bpf_core_type_id_kernel(struct task_struct);
	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_loop))
		bpf_loop(8, add, &loop, 0);
	total += bpf_core_enum_value(enum bpf_func_id, BPF_FUNC_loop);
	BPF_CORE_READ_STR_INTO(&text, task, mm, exe_file, f_path.dentry, d_name.name);
	BPF_SNPRINTF(text, sizeof(text), "%d %s", total, "x");
	bpf_for(i, 0, 100) total += i;
	bpf_repeat(10) total++;
	if (bpf_ksym_exists(bpf_prog_active))
		total += *(const int *)bpf_per_cpu_ptr(&bpf_prog_active, 0);
	barrier();
	barrier_var(total);
	return state + total + loop.sum + LINUX_KERNEL_VERSION + CONFIG_BPF_LSM +
	       (&bpf_prog_fops != NULL) + likely(state) + unlikely(total);
}

SEC("iter/task")
int tasks(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;

	if (!task)
		return 0;
	BPF_SEQ_PRINTF(ctx->meta->seq, "%8d %8d %s\n", task->tgid, task->pid, task->comm);
	return 0;
}

SEC("netfilter")
int filter(struct bpf_nf_ctx *ctx)
{
	return ctx->state->hook == 1 && ctx->skb->len > 40;
}

char LICENSE[] SEC("license") = "GPL";

SEC("syscall")
int streams(void *ctx)
{
	bpf_stream_printk(BPF_STDERR, "%d of %s", 1, "x");
	return 0;
}
