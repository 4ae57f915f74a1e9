// Programs that Linux refuses, one cause each: the kernel's objects and what is taken from it.
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

struct val {
	__u64 cnt;
	__u32 tab[16];
	char buf[64];
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct val);
} m SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} rb SEC(".maps");
struct sys_enter {
	unsigned long long common;
	long id;
	unsigned long args[6];
};
struct gone___not_there {
	int field;
} __attribute__((preserve_access_index));

struct task_struct *bpf_task_acquire(struct task_struct *p) __ksym;
void bpf_task_release(struct task_struct *p) __ksym;
struct task_struct___more {
	struct task_struct *last_wakee;
} __attribute__((preserve_access_index));

SEC("tracepoint/syscalls/sys_enter_write") int index_args(struct sys_enter *ctx)
{
	__u32 k = 0;
	int idx = ctx->args[2];
	struct val *v = bpf_map_lookup_elem(&m, &k);
	if (!v)
		return 0;
	if (idx < 16)
		v->tab[idx]++;
	return 0;
}

SEC("tracepoint/syscalls/sys_enter_write") int size_unbounded(struct sys_enter *ctx)
{
	__u32 k = 0;
	__u64 len = ctx->args[2];
	struct val *v = bpf_map_lookup_elem(&m, &k);
	if (!v)
		return 0;
	bpf_probe_read_user(v->buf, len, (void *)ctx->args[1]);
	return 0;
}

SEC("tracepoint/syscalls/sys_enter_write") int size_negative(struct sys_enter *ctx)
{
	__u32 k = 0;
	int len = ctx->args[2];
	struct val *v = bpf_map_lookup_elem(&m, &k);
	if (!v)
		return 0;
	if (len > 64)
		len = 64;
	bpf_probe_read_user(v->buf, len, (void *)ctx->args[1]);
	return 0;
}

SEC("kprobe/do_unlinkat") int kernel_pointer(struct pt_regs *ctx)
{
	const char *name = (void *)PT_REGS_PARM2(ctx);
	return name[0];
}

SEC("tracepoint/syscalls/sys_enter_write") int ringbuf_leak(void *ctx)
{
	__u64 *e = bpf_ringbuf_reserve(&rb, 8, 0);
	if (!e)
		return 0;
	*e = bpf_ktime_get_ns();
	if (*e & 1)
		return 0;
	bpf_ringbuf_submit(e, 0);
	return 0;
}

SEC("tracepoint/syscalls/sys_enter_write") int size_variable(struct sys_enter *ctx)
{
	void *e = bpf_ringbuf_reserve(&rb, ctx->args[0] & 63, 0);
	if (e)
		bpf_ringbuf_submit(e, 0);
	return 0;
}

SEC("tracepoint/syscalls/sys_enter_write") int ringbuf_null(void *ctx)
{
	__u64 *e = bpf_ringbuf_reserve(&rb, 8, 0);
	*e = 1;
	bpf_ringbuf_submit(e, 0);
	return 0;
}

SEC("tracepoint/syscalls/sys_enter_write") int used_after(void *ctx)
{
	__u64 *e = bpf_ringbuf_reserve(&rb, 8, 0);
	if (!e)
		return 0;
	bpf_ringbuf_submit(e, 0);
	*(volatile __u64 *)e = 1;
	return 0;
}

SEC("kprobe/do_unlinkat") int core_poisoned(struct pt_regs *ctx)
{
	struct gone___not_there *g = (void *)PT_REGS_PARM1(ctx);
	return BPF_CORE_READ(g, field);
}

SEC("uprobe") int sleeps(void *ctx)
{
	char b[8];
	return bpf_copy_from_user(b, sizeof(b), (void *)64) ? 0 : 0;
}

SEC("tp_btf/sched_switch") int kfunc_missing(__u64 *ctx)
{
	struct task_struct___more *next = (void *)ctx[2];
	struct task_struct *t = bpf_task_acquire(next->last_wakee);
	if (t)
		bpf_task_release(t);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
