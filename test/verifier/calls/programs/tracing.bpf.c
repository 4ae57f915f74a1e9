// Tracing: kernel pointers as arguments, per-CPU variables, task storage, timers of inner maps.
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>

struct value {
	u64 count;
	char buffer[56];
};
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct value);
} storage SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__type(key, u32);
	__type(value, u32);
} events SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, u32);
	__type(value, struct value);
} array SEC(".maps");
struct timed {
	struct bpf_timer timer;
};
struct inner {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, u32);
	__type(value, struct timed);
} inner_a SEC(".maps"), inner_b SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 4);
	__type(key, u32);
	__array(values, struct inner);
} outer SEC(".maps") = { .values = { &inner_a, &inner_b } };

SEC("tp_btf/task_newtask") int storage_of_a_task(u64 *ctx)
{
	struct value *value = bpf_task_storage_get(&storage, (void *)ctx[0], 0, 1);

	return value ? value->count : 0;
}
SEC("tp_btf/task_newtask") int storage_of_the_current_task(u64 *ctx)
{
	struct value *value = bpf_task_storage_get(&storage, bpf_get_current_task_btf(), 0, 1);

	return value ? value->count : 0;
}
SEC("tp_btf/task_newtask") int storage_of_a_number(u64 *ctx)
{
	return bpf_task_storage_get(&storage, (void *)bpf_get_current_task(), 0, 1) != 0;
}
SEC("tp_btf/task_newtask") int storage_of_no_task(u64 *ctx)
{
	return bpf_task_storage_delete(&storage, 0);
}
SEC("tp_btf/task_newtask") int storage_of_another_type(u64 *ctx)
{
	struct task_struct *task = (void *)ctx[0];

	return bpf_task_storage_delete(&storage, (void *)task->mm);
}
SEC("tp_btf/task_newtask") int events_of_a_typed_tracepoint(u64 *ctx)
{
	u64 data = 1;

	return bpf_perf_event_output(ctx, &events, 0, &data, 8);
}
SEC("tp_btf/task_newtask") int memory_of_the_kernel_is_read_by_helpers(u64 *ctx)
{
	return bpf_perf_event_output(ctx, &events, 0, (void *)ctx[0], 8);
}
SEC("tp_btf/task_newtask") int memory_of_the_kernel_is_not_written_by_helpers(u64 *ctx)
{
	return bpf_get_current_comm((void *)ctx[0], 16);
}
SEC("kprobe/f") int the_area_of_an_address(void *ctx)
{
	return bpf_find_vma(bpf_get_current_task_btf(), 0, (void *)0, 0, 0);
}
static long on_area(struct task_struct *task, struct vm_area_struct *vma, u64 *data)
{
	*data = vma->vm_start;
	return 0;
}
static long on_area_writing(struct task_struct *task, struct vm_area_struct *vma, u64 *data)
{
	vma->vm_start = 1;
	return 0;
}
SEC("kprobe/f") int the_start_of_an_area(void *ctx)
{
	u64 start = 0;

	bpf_find_vma(bpf_get_current_task_btf(), 0, on_area, &start, 0);
	return start;
}
SEC("kprobe/f") int an_area_is_not_written(void *ctx)
{
	bpf_find_vma(bpf_get_current_task_btf(), 0, on_area_writing, 0, 0);
	return 0;
}
SEC("kprobe/f") int the_area_of_a_number(void *ctx)
{
	bpf_find_vma((void *)bpf_get_current_task(), 0, on_area_writing, 0, 0);
	return 0;
}
SEC("kprobe/f") int the_registers_of_a_task(void *ctx)
{
	struct pt_regs *regs = (void *)bpf_task_pt_regs(bpf_get_current_task_btf());

	return regs->ip;
}
SEC("kprobe/f") int the_stack_of_a_task(void *ctx)
{
	char buffer[64];
	long length = bpf_get_task_stack(bpf_get_current_task_btf(), buffer, 64, 0);

	return length > 0 ? buffer[length - 1] : 0;
}
SEC("tc") int a_timer_of_an_inner_map(void *ctx)
{
	u32 key = bpf_get_prandom_u32();
	void *map = bpf_map_lookup_elem(&outer, &key);
	struct timed *timed;

	if (!map)
		return 0;
	timed = bpf_map_lookup_elem(map, &key);
	if (!timed)
		return 0;
	return bpf_timer_init(&timed->timer, map, 0);
}
SEC("tc") int a_timer_of_another_inner_map(void *ctx)
{
	u32 key = bpf_get_prandom_u32(), other = bpf_get_prandom_u32();
	void *map = bpf_map_lookup_elem(&outer, &key), *second;
	struct timed *timed;

	if (!map)
		return 0;
	second = bpf_map_lookup_elem(&outer, &other);
	if (!second)
		return 0;
	timed = bpf_map_lookup_elem(map, &key);
	if (!timed)
		return 0;
	return bpf_timer_init(&timed->timer, second, 0);
}
SEC("kprobe/f") int a_timer_is_not_for_tracing(void *ctx)
{
	u32 key = 0;
	struct timed *timed = bpf_map_lookup_elem(&inner_a, &key);

	if (!timed)
		return 0;
	return bpf_timer_init(&timed->timer, &inner_a, 0);
}
SEC("perf_event") int values_of_the_event(void *ctx)
{
	struct bpf_perf_event_value value;

	return bpf_perf_prog_read_value(ctx, &value, sizeof(value));
}
SEC("perf_event") int the_stack_of_an_event(void *ctx)
{
	u32 key = 0;
	struct value *value = bpf_map_lookup_elem(&array, &key);

	if (!value)
		return 0;
	return bpf_get_stack(ctx, value->buffer, 57, 0);
}
SEC("raw_tp/sys_enter") int a_user_string(u64 *ctx)
{
	char text[16];

	return bpf_probe_read_user_str(text, 16, (void *)ctx[1]);
}
SEC("kprobe/f") int a_signal(void *ctx)
{
	return bpf_send_signal(10);
}
SEC("kprobe/f") int a_printed_text(void *ctx)
{
	static const char text[] = "%d\n";

	return bpf_trace_printk(text, sizeof(text), 1);
}
SEC("iter/task") int an_iterator_writes(struct bpf_iter__task *ctx)
{
	static const char text[] = "%d\n";
	struct task_struct *task = ctx->task;
	u64 values[1];

	if (!task)
		return 0;
	values[0] = task->pid;
	bpf_seq_printf(ctx->meta->seq, text, sizeof(text), values, sizeof(values));
	return 0;
}
SEC("iter/task") int an_iterator_returns_two(struct bpf_iter__task *ctx)
{
	return 2;
}
char LICENSE[] SEC("license") = "GPL";
