// Calls of kernel functions: flags, sections, iterators, dynptrs, objects, lists and trees.
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>

#define contains(type, node) __attribute__((btf_decl_tag("contains:" #type ":" #node)))
#define kptr __attribute__((btf_type_tag("kptr")))
#define percpu_kptr __attribute__((btf_type_tag("percpu_kptr")))
#define container_of(pointer, type, member) \
	((type *)((void *)(pointer) - __builtin_offsetof(type, member)))
#define local(type) __builtin_btf_type_id(*(type *)0, 0)
#define noinline __attribute__((noinline))

struct bpf_res_spin_lock {
	u32 val;
};
struct bpf_iter_task {
	u64 opaque[3];
};
struct task_struct___more {
	struct task_struct *last_wakee;
	const struct cpumask *cpus_ptr;
} __attribute__((preserve_access_index));

extern struct task_struct *bpf_task_acquire(struct task_struct *p) __ksym;
extern void bpf_task_release(struct task_struct *p) __ksym;
extern struct task_struct *bpf_task_from_pid(s32 pid) __ksym;
extern void bpf_rcu_read_lock(void) __ksym;
extern void bpf_rcu_read_unlock(void) __ksym;
extern void bpf_preempt_disable(void) __ksym;
extern void bpf_preempt_enable(void) __ksym;
extern void bpf_local_irq_save(unsigned long *) __ksym;
extern void bpf_local_irq_restore(unsigned long *) __ksym;
extern int bpf_res_spin_lock(struct bpf_res_spin_lock *lock) __ksym;
extern void bpf_res_spin_unlock(struct bpf_res_spin_lock *lock) __ksym;
extern int bpf_iter_num_new(struct bpf_iter_num *it, int start, int end) __ksym;
extern int *bpf_iter_num_next(struct bpf_iter_num *it) __ksym;
extern void bpf_iter_num_destroy(struct bpf_iter_num *it) __ksym;
extern int bpf_iter_task_new(struct bpf_iter_task *it, struct task_struct *task, unsigned int flags) __ksym;
extern struct task_struct *bpf_iter_task_next(struct bpf_iter_task *it) __ksym;
extern void bpf_iter_task_destroy(struct bpf_iter_task *it) __ksym;
extern int bpf_dynptr_from_skb(struct __sk_buff *skb, u64 flags, struct bpf_dynptr *ptr) __ksym;
extern int bpf_dynptr_from_xdp(struct xdp_md *xdp, u64 flags, struct bpf_dynptr *ptr) __ksym;
extern void *bpf_dynptr_slice(const struct bpf_dynptr *p, u32 offset, void *buffer, u32 size) __ksym;
extern void *bpf_dynptr_slice_rdwr(const struct bpf_dynptr *p, u32 offset, void *buffer, u32 size) __ksym;
extern int bpf_dynptr_clone(const struct bpf_dynptr *p, struct bpf_dynptr *clone) __ksym;
extern u32 bpf_dynptr_size(const struct bpf_dynptr *p) __ksym;
extern int bpf_dynptr_adjust(const struct bpf_dynptr *p, u32 start, u32 end) __ksym;
extern void *bpf_obj_new_impl(u64 local_type_id, void *meta) __ksym;
extern void bpf_obj_drop_impl(void *object, void *meta) __ksym;
extern void *bpf_percpu_obj_new_impl(u64 local_type_id, void *meta) __ksym;
extern void bpf_percpu_obj_drop_impl(void *object, void *meta) __ksym;
extern void *bpf_refcount_acquire_impl(void *object, void *meta) __ksym;
extern int bpf_list_push_front_impl(struct bpf_list_head *head, struct bpf_list_node *node, void *meta, u64 off) __ksym;
extern int bpf_list_push_back_impl(struct bpf_list_head *head, struct bpf_list_node *node, void *meta, u64 off) __ksym;
extern struct bpf_list_node *bpf_list_pop_front(struct bpf_list_head *head) __ksym;
extern struct bpf_rb_node *bpf_rbtree_remove(struct bpf_rb_root *root, struct bpf_rb_node *node) __ksym;
extern int bpf_rbtree_add_impl(struct bpf_rb_root *root, struct bpf_rb_node *node, bool (less)(struct bpf_rb_node *a, const struct bpf_rb_node *b), void *meta, u64 off) __ksym;
extern struct bpf_rb_node *bpf_rbtree_first(struct bpf_rb_root *root) __ksym;
extern void bpf_throw(u64 cookie) __ksym;
extern void *bpf_cast_to_kern_ctx(void *) __ksym;
extern void *bpf_rdonly_cast(const void *, u32) __ksym;
struct cpumask {
	unsigned long bits[1];
};
struct bpf_cpumask {
	struct cpumask cpumask;
	int usage;
};
extern struct bpf_cpumask *bpf_cpumask_create(void) __ksym;
extern void bpf_cpumask_release(struct bpf_cpumask *mask) __ksym;
extern bool bpf_cpumask_empty(const struct cpumask *mask) __ksym;
extern int bpf_strlen(const char *s) __ksym;
extern int bpf_wq_init(struct bpf_wq *wq, void *map, unsigned int flags) __ksym;
extern int bpf_wq_start(struct bpf_wq *wq, unsigned int flags) __ksym;
extern int bpf_wq_set_callback_impl(struct bpf_wq *wq, int (*f)(void *, int *, void *), unsigned int flags, void *aux) __ksym;
extern int bpf_copy_from_user_str(void *to, u32 size, const void *from, u64 flags) __ksym;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, u32);
	__type(value, u64[8]);
} array SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} ring SEC(".maps");

struct item {
	u64 number;
	struct bpf_list_node list;
};
struct leaf {
	u64 number;
	struct bpf_rb_node tree;
};
struct counted {
	u64 number;
	struct bpf_refcount references;
	struct bpf_list_node list;
};
struct plain {
	u64 number;
};
struct locked {
	u64 number;
	struct bpf_spin_lock lock;
	struct bpf_list_head list contains(item, list);
	struct bpf_rb_root tree contains(leaf, tree);
};
struct resilient {
	u64 number;
	struct bpf_res_spin_lock lock;
};
struct held {
	struct plain kptr *plain;
	struct task_struct kptr *task;
};
struct worked {
	u64 number;
	struct bpf_wq work;
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct locked);
} locked SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct resilient);
} resilient SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct held);
} held SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct worked);
} worked SEC(".maps");

static struct locked *find_locked(void)
{
	u32 key = 0;

	return bpf_map_lookup_elem(&locked, &key);
}
#define item_new() ((struct item *)bpf_obj_new_impl(local(struct item), 0))
#define leaf_new() ((struct leaf *)bpf_obj_new_impl(local(struct leaf), 0))
#define plain_new() ((struct plain *)bpf_obj_new_impl(local(struct plain), 0))

// ---- references to kernel objects ----

SEC("tp_btf/task_newtask") int a_task_is_acquired_and_released(u64 *ctx)
{
	struct task_struct *task = bpf_task_acquire((void *)ctx[0]);

	if (task)
		bpf_task_release(task);
	return 0;
}
SEC("tp_btf/task_newtask") int a_task_is_leaked(u64 *ctx)
{
	return bpf_task_acquire((void *)ctx[0]) != 0;
}
SEC("tp_btf/task_newtask") int a_task_that_may_be_null_is_not_released(u64 *ctx)
{
	bpf_task_release(bpf_task_acquire((void *)ctx[0]));
	return 0;
}
SEC("tp_btf/task_newtask") int a_task_that_was_not_acquired_is_not_released(u64 *ctx)
{
	bpf_task_release((void *)ctx[0]);
	return 0;
}
SEC("tp_btf/task_newtask") int a_task_behind_another_is_not_trusted(u64 *ctx)
{
	struct task_struct *task = (void *)ctx[0];

	task = bpf_task_acquire(((struct task_struct___more *)task)->last_wakee);
	if (task)
		bpf_task_release(task);
	return 0;
}
SEC("tp_btf/task_newtask") int a_number_is_no_task(u64 *ctx)
{
	bpf_task_release((void *)ctx[1]);
	return 0;
}
SEC("tp_btf/task_newtask") int the_context_is_no_task(u64 *ctx)
{
	bpf_task_release((void *)ctx);
	return 0;
}
SEC("tp_btf/task_newtask") int a_task_by_number(u64 *ctx)
{
	struct task_struct *task = bpf_task_from_pid(1);

	if (!task)
		return 0;
	bpf_task_release(task);
	return task->pid;
}
SEC("tp_btf/task_newtask") int a_pointer_is_no_number(u64 *ctx)
{
	return ((struct task_struct *(*)(void *))bpf_task_from_pid)(ctx) != 0;
}
SEC("xdp") int a_kfunc_of_other_program_types(void *ctx)
{
	struct bpf_dynptr d;

	return bpf_dynptr_from_skb(ctx, 0, &d);
}
SEC("tp_btf/task_newtask") int a_mask_is_created(u64 *ctx)
{
	struct bpf_cpumask *mask = bpf_cpumask_create();
	int empty;

	if (!mask)
		return 0;
	empty = bpf_cpumask_empty((void *)mask);
	bpf_cpumask_release(mask);
	return empty;
}
SEC("tp_btf/task_newtask") int a_mask_of_a_task(u64 *ctx)
{
	struct task_struct *task = (void *)ctx[0];

	return bpf_cpumask_empty(((struct task_struct___more *)task)->cpus_ptr);
}
SEC("tp_btf/task_newtask") int a_task_is_no_mask(u64 *ctx)
{
	struct task_struct *task = (void *)ctx[0];

	return bpf_cpumask_empty((void *)task);
}
SEC("tp_btf/task_newtask") int a_string_is_not_on_the_stack(u64 *ctx)
{
	char text[4] = "abc";

	return bpf_strlen((void *)&text);
}
SEC("tc") int a_kfunc_without_flags_takes_no_null(void *ctx)
{
	return bpf_dynptr_size(0);
}
SEC("kprobe/f") int a_kfunc_that_sleeps(void *ctx)
{
	char text[8];

	return bpf_copy_from_user_str(text, 8, ctx, 0);
}
SEC("syscall") int a_sleeping_program_calls_what_sleeps(void *ctx)
{
	char text[8];

	return bpf_copy_from_user_str(text, 8, 0, 0);
}
SEC("syscall") int memory_of_a_kfunc_is_long_enough(void *ctx)
{
	char text[8];

	return bpf_copy_from_user_str(text, 9, 0, 0);
}

// ---- sections ----

SEC("syscall") int an_rcu_section(void *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	int pid;

	bpf_rcu_read_lock();
	pid = task->real_parent->pid;
	bpf_rcu_read_unlock();
	return pid;
}
SEC("syscall") int an_rcu_section_is_left_open(void *ctx)
{
	bpf_rcu_read_lock();
	return 0;
}
SEC("syscall") int an_rcu_section_is_closed_twice(void *ctx)
{
	bpf_rcu_read_lock();
	bpf_rcu_read_unlock();
	bpf_rcu_read_unlock();
	return 0;
}
SEC("syscall") int rcu_sections_nest(void *ctx)
{
	bpf_rcu_read_lock();
	bpf_rcu_read_lock();
	bpf_rcu_read_unlock();
	bpf_rcu_read_unlock();
	return 0;
}
SEC("syscall") int nothing_sleeps_in_an_rcu_section(void *ctx)
{
	char text[8];

	bpf_rcu_read_lock();
	bpf_copy_from_user(text, 8, 0);
	bpf_rcu_read_unlock();
	return 0;
}
SEC("syscall") int no_kfunc_sleeps_in_an_rcu_section(void *ctx)
{
	char text[8];

	bpf_rcu_read_lock();
	bpf_copy_from_user_str(text, 8, 0, 0);
	bpf_rcu_read_unlock();
	return 0;
}
SEC("syscall") int a_section_without_preemption(void *ctx)
{
	bpf_preempt_disable();
	bpf_preempt_disable();
	bpf_preempt_enable();
	bpf_preempt_enable();
	return 0;
}
SEC("syscall") int preemption_stays_off(void *ctx)
{
	bpf_preempt_disable();
	return 0;
}
SEC("syscall") int preemption_is_on_already(void *ctx)
{
	bpf_preempt_enable();
	return 0;
}
SEC("syscall") int nothing_sleeps_without_preemption(void *ctx)
{
	char text[8];

	bpf_preempt_disable();
	bpf_copy_from_user(text, 8, 0);
	bpf_preempt_enable();
	return 0;
}
SEC("syscall") int no_kfunc_sleeps_without_preemption(void *ctx)
{
	char text[8];

	bpf_preempt_disable();
	bpf_copy_from_user_str(text, 8, 0, 0);
	bpf_preempt_enable();
	return 0;
}
SEC("tc") int a_section_without_interrupts(void *ctx)
{
	unsigned long flags;

	bpf_local_irq_save(&flags);
	bpf_local_irq_restore(&flags);
	return 0;
}
SEC("tc") int interrupts_stay_off(void *ctx)
{
	unsigned long flags;

	bpf_local_irq_save(&flags);
	return 0;
}
SEC("tc") int flags_that_nobody_saved(void *ctx)
{
	unsigned long flags = 0;

	bpf_local_irq_restore(&flags);
	return 0;
}
SEC("tc") int flags_are_saved_twice(void *ctx)
{
	unsigned long flags;

	bpf_local_irq_save(&flags);
	bpf_local_irq_save(&flags);
	return 0;
}
SEC("tc") int flags_are_restored_out_of_order(void *ctx)
{
	unsigned long first, second;

	bpf_local_irq_save(&first);
	bpf_local_irq_save(&second);
	bpf_local_irq_restore(&first);
	bpf_local_irq_restore(&second);
	return 0;
}
SEC("syscall") int nothing_sleeps_without_interrupts(void *ctx)
{
	unsigned long flags;
	char text[8];

	bpf_local_irq_save(&flags);
	bpf_copy_from_user(text, 8, 0);
	bpf_local_irq_restore(&flags);
	return 0;
}
SEC("tc") int flags_do_not_lie_in_a_map(void *ctx)
{
	u32 key = 0;
	unsigned long *flags = bpf_map_lookup_elem(&array, &key);

	if (flags)
		bpf_local_irq_save(flags);
	return 0;
}

// ---- locks ----

SEC("tc") int a_lock_is_taken_and_given_back(void *ctx)
{
	struct locked *value = find_locked();

	if (!value)
		return 0;
	bpf_spin_lock(&value->lock);
	value->number++;
	bpf_spin_unlock(&value->lock);
	return 0;
}
SEC("tc") int a_lock_is_kept(void *ctx)
{
	struct locked *value = find_locked();

	if (!value)
		return 0;
	bpf_spin_lock(&value->lock);
	return 0;
}
SEC("tc") int a_lock_is_taken_twice(void *ctx)
{
	struct locked *value = find_locked();

	if (!value)
		return 0;
	bpf_spin_lock(&value->lock);
	bpf_spin_lock(&value->lock);
	bpf_spin_unlock(&value->lock);
	return 0;
}
SEC("tc") int a_lock_that_was_not_taken(void *ctx)
{
	struct locked *value = find_locked();

	if (!value)
		return 0;
	bpf_spin_unlock(&value->lock);
	return 0;
}
SEC("tc") int no_helper_is_called_under_a_lock(void *ctx)
{
	struct locked *value = find_locked();

	if (!value)
		return 0;
	bpf_spin_lock(&value->lock);
	value->number = bpf_ktime_get_ns();
	bpf_spin_unlock(&value->lock);
	return 0;
}
SEC("tc") int a_lock_lies_where_it_lies(void *ctx)
{
	struct locked *value = find_locked();

	if (!value)
		return 0;
	bpf_spin_lock((void *)&value->number);
	return 0;
}
SEC("tc") int a_lock_of_another_lookup(void *ctx)
{
	struct locked *value = find_locked(), *other;
	u32 key = bpf_get_prandom_u32();

	if (!value)
		return 0;
	other = bpf_map_lookup_elem(&locked, &key);
	if (!other)
		return 0;
	bpf_spin_lock(&value->lock);
	bpf_spin_unlock(&other->lock);
	return 0;
}
SEC("tc") int a_value_without_a_lock(void *ctx)
{
	u32 key = 0;
	void *value = bpf_map_lookup_elem(&array, &key);

	if (value)
		bpf_spin_lock(value);
	return 0;
}
SEC("tc") int a_resilient_lock(void *ctx)
{
	u32 key = 0;
	struct resilient *value = bpf_map_lookup_elem(&resilient, &key);

	if (!value)
		return 0;
	if (bpf_res_spin_lock(&value->lock))
		return 0;
	value->number++;
	bpf_res_spin_unlock(&value->lock);
	return 0;
}
SEC("tc") int a_resilient_lock_may_fail(void *ctx)
{
	u32 key = 0;
	struct resilient *value = bpf_map_lookup_elem(&resilient, &key);

	if (!value)
		return 0;
	bpf_res_spin_lock(&value->lock);
	bpf_res_spin_unlock(&value->lock);
	return 0;
}
SEC("tc") int a_resilient_lock_is_taken_twice(void *ctx)
{
	u32 key = 0;
	struct resilient *value = bpf_map_lookup_elem(&resilient, &key);

	if (!value)
		return 0;
	if (bpf_res_spin_lock(&value->lock))
		return 0;
	if (!bpf_res_spin_lock(&value->lock))
		bpf_res_spin_unlock(&value->lock);
	bpf_res_spin_unlock(&value->lock);
	return 0;
}

// ---- iterators ----

SEC("tc") int an_iterator_over_numbers(void *ctx)
{
	struct bpf_iter_num it;
	int *n, sum = 0;

	bpf_iter_num_new(&it, 0, 100);
	while ((n = bpf_iter_num_next(&it)))
		sum += *n;
	bpf_iter_num_destroy(&it);
	return sum;
}
SEC("tc") int nested_iterators(void *ctx)
{
	struct bpf_iter_num outer, inner;
	int *n, sum = 0;

	bpf_iter_num_new(&outer, 0, 100);
	while ((n = bpf_iter_num_next(&outer))) {
		bpf_iter_num_new(&inner, 0, *n);
		while ((n = bpf_iter_num_next(&inner)))
			sum += *n;
		bpf_iter_num_destroy(&inner);
	}
	bpf_iter_num_destroy(&outer);
	return sum;
}
SEC("tc") int an_iterator_fills_an_array(void *ctx)
{
	struct bpf_iter_num it;
	int *n, array[16] = {};

	bpf_iter_num_new(&it, 0, 16);
	while ((n = bpf_iter_num_next(&it))) {
		int i = *n;

		if (i >= 0 && i < 16)
			array[i] = i;
	}
	bpf_iter_num_destroy(&it);
	return array[3];
}
SEC("tc") int an_iterator_is_leaked(void *ctx)
{
	struct bpf_iter_num it;

	bpf_iter_num_new(&it, 0, 100);
	return 0;
}
SEC("tc") int an_iterator_that_was_not_made(void *ctx)
{
	struct bpf_iter_num it;

	return bpf_iter_num_next(&it) != 0;
}
SEC("tc") int an_iterator_is_made_twice(void *ctx)
{
	struct bpf_iter_num it;

	bpf_iter_num_new(&it, 0, 100);
	bpf_iter_num_new(&it, 0, 100);
	bpf_iter_num_destroy(&it);
	return 0;
}
SEC("tc") int an_iterator_is_used_after_its_end(void *ctx)
{
	struct bpf_iter_num it;

	bpf_iter_num_new(&it, 0, 100);
	bpf_iter_num_destroy(&it);
	bpf_iter_num_next(&it);
	return 0;
}
SEC("tc") int an_iterator_is_overwritten(void *ctx)
{
	struct bpf_iter_num it;

	bpf_iter_num_new(&it, 0, 100);
	*(volatile u64 *)&it = 1;
	bpf_iter_num_destroy(&it);
	return 0;
}
SEC("tc") int an_element_may_be_null(void *ctx)
{
	struct bpf_iter_num it;
	int n;

	bpf_iter_num_new(&it, 0, 100);
	n = *bpf_iter_num_next(&it);
	bpf_iter_num_destroy(&it);
	return n;
}
SEC("tc") int an_iterator_does_not_lie_in_a_map(void *ctx)
{
	u32 key = 0;
	void *value = bpf_map_lookup_elem(&array, &key);

	if (value)
		bpf_iter_num_new(value, 0, 1);
	return 0;
}
SEC("syscall") int tasks_are_walked_in_an_rcu_section(void *ctx)
{
	struct bpf_iter_task it;
	struct task_struct *task;
	int sum = 0;

	bpf_rcu_read_lock();
	bpf_iter_task_new(&it, 0, 0);
	while ((task = bpf_iter_task_next(&it)))
		sum += task->pid;
	bpf_iter_task_destroy(&it);
	bpf_rcu_read_unlock();
	return sum;
}
SEC("syscall") int tasks_are_not_walked_outside_an_rcu_section(void *ctx)
{
	struct bpf_iter_task it;

	bpf_iter_task_new(&it, 0, 0);
	bpf_iter_task_next(&it);
	bpf_iter_task_destroy(&it);
	return 0;
}
SEC("syscall") int the_section_ends_before_the_iterator(void *ctx)
{
	struct bpf_iter_task it;

	bpf_rcu_read_lock();
	bpf_iter_task_new(&it, 0, 0);
	bpf_rcu_read_unlock();
	bpf_iter_task_next(&it);
	bpf_iter_task_destroy(&it);
	return 0;
}

// ---- dynptrs ----

SEC("tc") int a_dynptr_of_a_packet(struct __sk_buff *ctx)
{
	struct bpf_dynptr d;
	char buffer[14], *bytes;

	bpf_dynptr_from_skb(ctx, 0, &d);
	bytes = bpf_dynptr_slice(&d, 0, buffer, sizeof(buffer));
	return bytes ? bytes[13] : 0;
}
SEC("tc") int a_slice_may_be_null(struct __sk_buff *ctx)
{
	struct bpf_dynptr d;
	char buffer[14], *bytes;

	bpf_dynptr_from_skb(ctx, 0, &d);
	bytes = bpf_dynptr_slice(&d, 0, buffer, sizeof(buffer));
	return bytes[13];
}
SEC("tc") int a_slice_ends(struct __sk_buff *ctx)
{
	struct bpf_dynptr d;
	char buffer[14], *bytes;

	bpf_dynptr_from_skb(ctx, 0, &d);
	bytes = bpf_dynptr_slice(&d, 0, buffer, sizeof(buffer));
	return bytes ? bytes[14] : 0;
}
SEC("tc") int a_slice_is_only_read(struct __sk_buff *ctx)
{
	struct bpf_dynptr d;
	char buffer[14], *bytes;

	bpf_dynptr_from_skb(ctx, 0, &d);
	bytes = bpf_dynptr_slice(&d, 0, buffer, sizeof(buffer));
	if (bytes)
		bytes[0] = 1;
	return 0;
}
SEC("tc") int a_slice_is_written(struct __sk_buff *ctx)
{
	struct bpf_dynptr d;
	char buffer[14], *bytes;

	bpf_dynptr_from_skb(ctx, 0, &d);
	bytes = bpf_dynptr_slice_rdwr(&d, 0, buffer, sizeof(buffer));
	if (bytes)
		bytes[0] = 1;
	return 0;
}
SEC("socket") int a_socket_filter_does_not_write_packets(struct __sk_buff *ctx)
{
	struct bpf_dynptr d;
	char buffer[14], *bytes;

	bpf_dynptr_from_skb(ctx, 0, &d);
	bytes = bpf_dynptr_slice_rdwr(&d, 0, buffer, sizeof(buffer));
	if (bytes)
		bytes[0] = 1;
	return 0;
}
SEC("tc") int a_slice_dies_when_the_packet_moves(struct __sk_buff *ctx)
{
	struct bpf_dynptr d;
	char buffer[14], *bytes;

	bpf_dynptr_from_skb(ctx, 0, &d);
	bytes = bpf_dynptr_slice(&d, 0, buffer, sizeof(buffer));
	if (!bytes)
		return 0;
	bpf_skb_pull_data(ctx, 0);
	return bytes[0];
}
SEC("tc") int a_slice_dies_when_its_packet_is_written(struct __sk_buff *ctx)
{
	struct bpf_dynptr d;
	char buffer[14], *bytes;

	bpf_dynptr_from_skb(ctx, 0, &d);
	bytes = bpf_dynptr_slice(&d, 0, buffer, sizeof(buffer));
	if (!bytes)
		return 0;
	bpf_dynptr_write(&d, 0, buffer, 4, 0);
	return bytes[0];
}
SEC("tc") int the_size_of_a_slice_is_constant(struct __sk_buff *ctx)
{
	struct bpf_dynptr d;
	char buffer[14], *bytes;

	bpf_dynptr_from_skb(ctx, 0, &d);
	bytes = bpf_dynptr_slice(&d, 0, buffer, ctx->len & 7);
	return bytes ? bytes[0] : 0;
}
SEC("tc") int a_slice_without_a_buffer(struct __sk_buff *ctx)
{
	struct bpf_dynptr d;
	char *bytes;

	bpf_dynptr_from_skb(ctx, 0, &d);
	bytes = bpf_dynptr_slice(&d, 0, 0, 8);
	return bytes ? bytes[7] : 0;
}
SEC("tc") int a_slice_with_a_short_buffer(struct __sk_buff *ctx)
{
	struct bpf_dynptr d;
	char buffer[8], *bytes;

	bpf_dynptr_from_skb(ctx, 0, &d);
	bytes = bpf_dynptr_slice(&d, 0, buffer, 9);
	return bytes ? bytes[7] : 0;
}
SEC("xdp") int a_dynptr_of_a_frame(struct xdp_md *ctx)
{
	struct bpf_dynptr d;
	char buffer[14], *bytes;

	bpf_dynptr_from_xdp(ctx, 0, &d);
	bytes = bpf_dynptr_slice(&d, 0, buffer, sizeof(buffer));
	return bytes ? bytes[13] & 1 : 0;
}
SEC("tc") int a_dynptr_that_was_not_made(void *ctx)
{
	struct bpf_dynptr d;
	char byte;

	return bpf_dynptr_read(&byte, 1, &d, 0, 0);
}
SEC("tc") int a_dynptr_of_a_map_value(void *ctx)
{
	struct bpf_dynptr d;
	u32 key = 0;
	void *value = bpf_map_lookup_elem(&array, &key);
	u64 *part;

	if (!value)
		return 0;
	bpf_dynptr_from_mem(value, 64, 0, &d);
	part = bpf_dynptr_data(&d, 8, 8);
	return part ? *part + bpf_dynptr_size(&d) : 0;
}
SEC("tc") int a_dynptr_of_the_stack(void *ctx)
{
	struct bpf_dynptr d;
	char bytes[8] = {};

	return bpf_dynptr_from_mem(bytes, 8, 0, &d);
}
SEC("tc") int a_part_of_a_dynptr_is_overwritten(void *ctx)
{
	struct bpf_dynptr d;
	u32 key = 0;
	void *value = bpf_map_lookup_elem(&array, &key);
	u64 *part;

	if (!value)
		return 0;
	bpf_dynptr_from_mem(value, 64, 0, &d);
	part = bpf_dynptr_data(&d, 8, 8);
	*(volatile u64 *)&d = 0;
	return part ? *part : 0;
}
SEC("tc") int a_dynptr_is_not_read_as_memory(void *ctx)
{
	struct bpf_dynptr d;
	u32 key = 0;
	void *value = bpf_map_lookup_elem(&array, &key);

	if (!value)
		return 0;
	bpf_dynptr_from_mem(value, 64, 0, &d);
	return *(volatile u64 *)&d;
}
SEC("tc") int a_record_by_dynptr(void *ctx)
{
	struct bpf_dynptr d;
	u64 n = 1;

	bpf_ringbuf_reserve_dynptr(&ring, 64, 0, &d);
	bpf_dynptr_write(&d, 0, &n, 8, 0);
	bpf_ringbuf_submit_dynptr(&d, 0);
	return 0;
}
SEC("tc") int a_record_by_dynptr_is_leaked(void *ctx)
{
	struct bpf_dynptr d;

	bpf_ringbuf_reserve_dynptr(&ring, 64, 0, &d);
	return 0;
}
SEC("tc") int a_record_by_dynptr_is_submitted_twice(void *ctx)
{
	struct bpf_dynptr d;

	bpf_ringbuf_reserve_dynptr(&ring, 64, 0, &d);
	bpf_ringbuf_submit_dynptr(&d, 0);
	bpf_ringbuf_submit_dynptr(&d, 0);
	return 0;
}
SEC("tc") int a_record_by_dynptr_is_overwritten(void *ctx)
{
	struct bpf_dynptr d;

	bpf_ringbuf_reserve_dynptr(&ring, 64, 0, &d);
	*(volatile u64 *)&d = 0;
	bpf_ringbuf_submit_dynptr(&d, 0);
	return 0;
}
SEC("tc") int a_slice_of_a_record_dies_with_it(void *ctx)
{
	struct bpf_dynptr d;
	u64 *part;

	bpf_ringbuf_reserve_dynptr(&ring, 64, 0, &d);
	part = bpf_dynptr_data(&d, 0, 8);
	bpf_ringbuf_submit_dynptr(&d, 0);
	return part ? *part : 0;
}
SEC("tc") int a_local_dynptr_is_not_submitted(void *ctx)
{
	struct bpf_dynptr d;
	u32 key = 0;
	void *value = bpf_map_lookup_elem(&array, &key);

	if (!value)
		return 0;
	bpf_dynptr_from_mem(value, 64, 0, &d);
	bpf_ringbuf_submit_dynptr(&d, 0);
	return 0;
}
SEC("tc") int a_clone_of_a_record_dies_with_it(void *ctx)
{
	struct bpf_dynptr d, clone;
	char byte = 0;

	bpf_ringbuf_reserve_dynptr(&ring, 64, 0, &d);
	bpf_dynptr_clone(&d, &clone);
	bpf_ringbuf_submit_dynptr(&d, 0);
	bpf_dynptr_read(&byte, 1, &clone, 0, 0);
	return byte;
}
SEC("tc") int a_clone_is_submitted_instead(void *ctx)
{
	struct bpf_dynptr d, clone;

	bpf_ringbuf_reserve_dynptr(&ring, 64, 0, &d);
	bpf_dynptr_clone(&d, &clone);
	bpf_ringbuf_submit_dynptr(&clone, 0);
	return 0;
}
SEC("tc") int a_dynptr_is_adjusted(struct __sk_buff *ctx)
{
	struct bpf_dynptr d;

	bpf_dynptr_from_skb(ctx, 0, &d);
	return bpf_dynptr_adjust(&d, 1, 4);
}

// ---- objects ----

SEC("tc") int an_object_is_made_and_dropped(void *ctx)
{
	struct plain *object = plain_new();

	if (!object)
		return 0;
	object->number = 1;
	bpf_obj_drop_impl(object, 0);
	return 0;
}
SEC("tc") int an_object_is_leaked(void *ctx)
{
	struct plain *object = plain_new();

	if (object)
		object->number = 1;
	return 0;
}
SEC("tc") int an_object_may_be_null(void *ctx)
{
	struct plain *object = plain_new();

	object->number = 1;
	return 0;
}
SEC("tc") int an_object_is_written_after_it_was_dropped(void *ctx)
{
	struct plain *object = plain_new();

	if (!object)
		return 0;
	bpf_obj_drop_impl(object, 0);
	object->number = 1;
	return 0;
}
SEC("tc") int an_object_is_dropped_twice(void *ctx)
{
	struct plain *object = plain_new();

	if (!object)
		return 0;
	bpf_obj_drop_impl(object, 0);
	bpf_obj_drop_impl(object, 0);
	return 0;
}
SEC("tc") int an_object_has_an_end(void *ctx)
{
	struct plain *object = plain_new();

	if (!object)
		return 0;
	((u64 *)object)[1] = 1;
	bpf_obj_drop_impl(object, 0);
	return 0;
}
SEC("tc") int an_object_of_no_struct(void *ctx)
{
	return bpf_obj_new_impl(1, 0) != 0;
}
SEC("tc") int an_object_of_no_type(void *ctx)
{
	return bpf_obj_new_impl(1000000, 0) != 0;
}
SEC("tc") int an_object_of_an_unknown_type(void *ctx)
{
	return bpf_obj_new_impl(bpf_get_prandom_u32(), 0) != 0;
}
SEC("tc") int an_object_goes_into_a_kptr(void *ctx)
{
	u32 key = 0;
	struct held *value = bpf_map_lookup_elem(&held, &key);
	struct plain *object, *old;

	if (!value)
		return 0;
	object = plain_new();
	if (!object)
		return 0;
	old = bpf_kptr_xchg(&value->plain, object);
	if (old)
		bpf_obj_drop_impl(old, 0);
	return 0;
}
SEC("tc") int what_comes_out_of_a_kptr_is_dropped(void *ctx)
{
	u32 key = 0;
	struct held *value = bpf_map_lookup_elem(&held, &key);

	if (!value)
		return 0;
	return bpf_kptr_xchg(&value->plain, 0) != 0;
}
SEC("tc") int an_object_of_another_type_goes_into_no_kptr(void *ctx)
{
	u32 key = 0;
	struct held *value = bpf_map_lookup_elem(&held, &key);
	struct item *object, *old;

	if (!value)
		return 0;
	object = item_new();
	if (!object)
		return 0;
	old = bpf_kptr_xchg(&value->plain, object);
	if (old)
		bpf_obj_drop_impl(old, 0);
	return 0;
}
SEC("tc") int a_kptr_lies_where_it_lies(void *ctx)
{
	u32 key = 0;
	void *value = bpf_map_lookup_elem(&held, &key);

	if (value)
		bpf_kptr_xchg(value + 4, 0);
	return 0;
}
SEC("tc") int a_value_without_a_kptr(void *ctx)
{
	u32 key = 0;
	void *value = bpf_map_lookup_elem(&array, &key);

	if (value)
		bpf_kptr_xchg(value, 0);
	return 0;
}
SEC("tp_btf/task_newtask") int a_task_goes_into_a_kptr(u64 *ctx)
{
	u32 key = 0;
	struct held *value = bpf_map_lookup_elem(&held, &key);
	struct task_struct *task;

	if (!value)
		return 0;
	task = bpf_task_acquire((void *)ctx[0]);
	if (!task)
		return 0;
	task = bpf_kptr_xchg(&value->task, task);
	if (task)
		bpf_task_release(task);
	return 0;
}
SEC("tp_btf/task_newtask") int a_task_that_is_not_owned_goes_into_no_kptr(u64 *ctx)
{
	u32 key = 0;
	struct held *value = bpf_map_lookup_elem(&held, &key);
	struct task_struct *task;

	if (!value)
		return 0;
	task = bpf_kptr_xchg(&value->task, (void *)ctx[0]);
	if (task)
		bpf_task_release(task);
	return 0;
}
SEC("tp_btf/task_newtask") int a_task_in_a_kptr_is_acquired_under_rcu(u64 *ctx)
{
	u32 key = 0;
	struct held *value = bpf_map_lookup_elem(&held, &key);
	struct task_struct *task;

	if (!value)
		return 0;
	task = value->task;
	if (!task)
		return 0;
	task = bpf_task_acquire(task);
	if (task)
		bpf_task_release(task);
	return 0;
}

// ---- lists and trees ----

SEC("tc") int an_object_goes_into_a_list(void *ctx)
{
	struct locked *value = find_locked();
	struct item *item;

	if (!value)
		return 0;
	item = item_new();
	if (!item)
		return 0;
	bpf_spin_lock(&value->lock);
	bpf_list_push_front_impl(&value->list, &item->list, 0, 0);
	bpf_spin_unlock(&value->lock);
	return 0;
}
SEC("tc") int a_list_needs_its_lock(void *ctx)
{
	struct locked *value = find_locked();
	struct item *item;

	if (!value)
		return 0;
	item = item_new();
	if (!item)
		return 0;
	bpf_list_push_front_impl(&value->list, &item->list, 0, 0);
	return 0;
}
SEC("tc") int an_object_in_a_list_is_read_under_the_lock(void *ctx)
{
	struct locked *value = find_locked();
	struct item *item;

	if (!value)
		return 0;
	item = item_new();
	if (!item)
		return 0;
	bpf_spin_lock(&value->lock);
	bpf_list_push_front_impl(&value->list, &item->list, 0, 0);
	item->number = 1;
	bpf_spin_unlock(&value->lock);
	return 0;
}
SEC("tc") int an_object_in_a_list_is_not_read_after_the_lock(void *ctx)
{
	struct locked *value = find_locked();
	struct item *item;

	if (!value)
		return 0;
	item = item_new();
	if (!item)
		return 0;
	bpf_spin_lock(&value->lock);
	bpf_list_push_front_impl(&value->list, &item->list, 0, 0);
	bpf_spin_unlock(&value->lock);
	item->number = 1;
	return 0;
}
SEC("tc") int an_object_in_a_list_is_not_dropped(void *ctx)
{
	struct locked *value = find_locked();
	struct item *item;

	if (!value)
		return 0;
	item = item_new();
	if (!item)
		return 0;
	bpf_spin_lock(&value->lock);
	bpf_list_push_front_impl(&value->list, &item->list, 0, 0);
	bpf_list_push_back_impl(&value->list, &item->list, 0, 0);
	bpf_spin_unlock(&value->lock);
	return 0;
}
SEC("tc") int an_object_comes_out_of_a_list(void *ctx)
{
	struct locked *value = find_locked();
	struct bpf_list_node *node;

	if (!value)
		return 0;
	bpf_spin_lock(&value->lock);
	node = bpf_list_pop_front(&value->list);
	bpf_spin_unlock(&value->lock);
	if (node)
		bpf_obj_drop_impl(container_of(node, struct item, list), 0);
	return 0;
}
SEC("tc") int an_object_that_came_out_is_leaked(void *ctx)
{
	struct locked *value = find_locked();

	if (!value)
		return 0;
	bpf_spin_lock(&value->lock);
	bpf_list_pop_front(&value->list);
	bpf_spin_unlock(&value->lock);
	return 0;
}
SEC("tc") int the_node_of_another_list(void *ctx)
{
	struct locked *value = find_locked();
	struct item *item;

	if (!value)
		return 0;
	item = item_new();
	if (!item)
		return 0;
	bpf_spin_lock(&value->lock);
	bpf_list_push_front_impl(&value->list, (void *)&item->number, 0, 0);
	bpf_spin_unlock(&value->lock);
	return 0;
}
SEC("tc") int an_object_of_another_list(void *ctx)
{
	struct locked *value = find_locked();
	struct counted *item;

	if (!value)
		return 0;
	item = bpf_obj_new_impl(local(struct counted), 0);
	if (!item)
		return 0;
	bpf_spin_lock(&value->lock);
	bpf_list_push_front_impl(&value->list, &item->list, 0, 0);
	bpf_spin_unlock(&value->lock);
	return 0;
}
SEC("tc") int a_list_lies_where_it_lies(void *ctx)
{
	struct locked *value = find_locked();

	if (!value)
		return 0;
	bpf_spin_lock(&value->lock);
	bpf_list_pop_front((void *)&value->tree);
	bpf_spin_unlock(&value->lock);
	return 0;
}
static bool less(struct bpf_rb_node *a, const struct bpf_rb_node *b)
{
	return container_of(a, struct leaf, tree)->number < container_of(b, struct leaf, tree)->number;
}
static bool less_dropping(struct bpf_rb_node *a, const struct bpf_rb_node *b)
{
	bpf_obj_drop_impl(container_of(a, struct leaf, tree), 0);
	return 0;
}
SEC("tc") int an_object_goes_into_a_tree(void *ctx)
{
	struct locked *value = find_locked();
	struct leaf *item;

	if (!value)
		return 0;
	item = leaf_new();
	if (!item)
		return 0;
	bpf_spin_lock(&value->lock);
	bpf_rbtree_add_impl(&value->tree, &item->tree, less, 0, 0);
	bpf_spin_unlock(&value->lock);
	return 0;
}
SEC("tc") int a_comparison_drops_nothing(void *ctx)
{
	struct locked *value = find_locked();
	struct leaf *item;

	if (!value)
		return 0;
	item = leaf_new();
	if (!item)
		return 0;
	bpf_spin_lock(&value->lock);
	bpf_rbtree_add_impl(&value->tree, &item->tree, less_dropping, 0, 0);
	bpf_spin_unlock(&value->lock);
	return 0;
}
SEC("tc") int the_first_of_a_tree_is_removed(void *ctx)
{
	struct locked *value = find_locked();
	struct bpf_rb_node *node;

	if (!value)
		return 0;
	bpf_spin_lock(&value->lock);
	node = bpf_rbtree_first(&value->tree);
	if (!node) {
		bpf_spin_unlock(&value->lock);
		return 0;
	}
	node = bpf_rbtree_remove(&value->tree, node);
	bpf_spin_unlock(&value->lock);
	if (node)
		bpf_obj_drop_impl(container_of(node, struct leaf, tree), 0);
	return 0;
}
SEC("tc") int the_first_of_a_tree_is_not_owned(void *ctx)
{
	struct locked *value = find_locked();
	struct bpf_rb_node *node;

	if (!value)
		return 0;
	bpf_spin_lock(&value->lock);
	node = bpf_rbtree_first(&value->tree);
	bpf_spin_unlock(&value->lock);
	if (node)
		bpf_obj_drop_impl(container_of(node, struct leaf, tree), 0);
	return 0;
}
SEC("tc") int a_counted_object_has_two_owners(void *ctx)
{
	struct counted *first = bpf_obj_new_impl(local(struct counted), 0), *second;

	if (!first)
		return 0;
	second = bpf_refcount_acquire_impl(first, 0);
	bpf_obj_drop_impl(first, 0);
	bpf_obj_drop_impl(second, 0);
	return 0;
}
SEC("tc") int an_object_that_is_not_counted(void *ctx)
{
	struct plain *first = plain_new(), *second;

	if (!first)
		return 0;
	second = bpf_refcount_acquire_impl(first, 0);
	bpf_obj_drop_impl(first, 0);
	bpf_obj_drop_impl(second, 0);
	return 0;
}
SEC("tc") int a_per_cpu_object(void *ctx)
{
	struct plain *object = bpf_percpu_obj_new_impl(local(struct plain), 0);

	if (object)
		bpf_percpu_obj_drop_impl(object, 0);
	return 0;
}
SEC("tc") int a_per_cpu_object_is_dropped_as_one(void *ctx)
{
	struct plain *object = bpf_percpu_obj_new_impl(local(struct plain), 0);

	if (object)
		bpf_obj_drop_impl(object, 0);
	return 0;
}
SEC("tc") int a_per_cpu_object_has_no_lists(void *ctx)
{
	return bpf_percpu_obj_new_impl(local(struct item), 0) != 0;
}

// ---- exceptions, casts, work ----

SEC("tc") int an_exception_ends_the_program(struct __sk_buff *ctx)
{
	if (ctx->len > 100)
		bpf_throw(1);
	return 0;
}
static noinline int thrower(struct __sk_buff *ctx)
{
	if (ctx->len > 100)
		bpf_throw(1);
	return 1;
}
SEC("tc") int an_exception_in_a_function(struct __sk_buff *ctx)
{
	return thrower(ctx);
}
SEC("tc") int an_exception_with_a_record(struct __sk_buff *ctx)
{
	u64 *record = bpf_ringbuf_reserve(&ring, 8, 0);

	if (!record)
		return 0;
	thrower(ctx);
	bpf_ringbuf_submit(record, 0);
	return 0;
}
SEC("tc") int an_exception_under_a_lock(struct __sk_buff *ctx)
{
	bpf_rcu_read_lock();
	thrower(ctx);
	bpf_rcu_read_unlock();
	return 0;
}
SEC("cgroup/connect4") int an_exception_returns_what_the_program_may(void *ctx)
{
	if (bpf_get_prandom_u32())
		bpf_throw(2);
	return 1;
}
SEC("tc") int the_kernels_packet(struct __sk_buff *ctx)
{
	struct sk_buff *skb = bpf_cast_to_kern_ctx(ctx);

	return skb->len;
}
SEC("tc") int the_kernels_packet_is_made_of_the_context(struct __sk_buff *ctx)
{
	struct sk_buff *skb = bpf_cast_to_kern_ctx(0);

	return skb->len;
}
SEC("tc") int a_cast_to_a_struct(struct __sk_buff *ctx)
{
	struct task_struct *task = bpf_rdonly_cast(ctx, __builtin_preserve_type_info(*(struct task_struct *)0, 1) ? __builtin_btf_type_id(*(struct task_struct *)0, 1) : 0);

	return task->pid;
}
SEC("tc") int a_cast_to_no_struct(struct __sk_buff *ctx)
{
	return bpf_rdonly_cast(ctx, 1) != 0;
}
static int on_work(void *map, int *key, void *value)
{
	char text[8];

	return bpf_copy_from_user(text, 8, 0) ? 0 : 0;
}
static int on_work_badly(void *map, int *key, void *value)
{
	return 1;
}
SEC("tc") int work_for_later(void *ctx)
{
	u32 key = 0;
	struct worked *value = bpf_map_lookup_elem(&worked, &key);

	if (!value)
		return 0;
	bpf_wq_init(&value->work, &worked, 0);
	bpf_wq_set_callback_impl(&value->work, on_work, 0, 0);
	bpf_wq_start(&value->work, 0);
	return 0;
}
SEC("tc") int work_for_later_returns_zero(void *ctx)
{
	u32 key = 0;
	struct worked *value = bpf_map_lookup_elem(&worked, &key);

	if (!value)
		return 0;
	bpf_wq_set_callback_impl(&value->work, on_work_badly, 0, 0);
	return 0;
}
SEC("tc") int work_belongs_to_its_map(void *ctx)
{
	u32 key = 0;
	struct worked *value = bpf_map_lookup_elem(&worked, &key);

	if (value)
		bpf_wq_init(&value->work, &locked, 0);
	return 0;
}
SEC("tc") int work_lies_where_it_lies(void *ctx)
{
	u32 key = 0;
	struct worked *value = bpf_map_lookup_elem(&worked, &key);

	if (value)
		bpf_wq_start((void *)&value->number, 0);
	return 0;
}
char LICENSE[] SEC("license") = "GPL";
