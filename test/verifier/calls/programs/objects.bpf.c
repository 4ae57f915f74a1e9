// Objects, dynptrs and sections in unusual places: callbacks, loops, exceptions, spilled pointers.
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>

#define contains(type, node) __attribute__((btf_decl_tag("contains:" #type ":" #node)))
#define kptr __attribute__((btf_type_tag("kptr")))
#define percpu_kptr __attribute__((btf_type_tag("percpu_kptr")))
#define exception_cb(name) __attribute__((btf_decl_tag("exception_callback:" #name)))
#define container_of(pointer, type, member) \
	((type *)((void *)(pointer) - __builtin_offsetof(type, member)))
#define local(type) __builtin_btf_type_id(*(type *)0, 0)
#define noinline __attribute__((noinline))

struct bpf_iter_bits {
	u64 opaque[2];
};
extern void bpf_rcu_read_lock(void) __ksym;
extern void bpf_rcu_read_unlock(void) __ksym;
extern void bpf_preempt_disable(void) __ksym;
extern void bpf_preempt_enable(void) __ksym;
extern void bpf_local_irq_save(unsigned long *) __ksym;
extern void bpf_local_irq_restore(unsigned long *) __ksym;
extern int bpf_iter_num_new(struct bpf_iter_num *it, int start, int end) __ksym;
extern int *bpf_iter_num_next(struct bpf_iter_num *it) __ksym;
extern void bpf_iter_num_destroy(struct bpf_iter_num *it) __ksym;
extern int bpf_iter_bits_new(struct bpf_iter_bits *it, const u64 *words, u32 count) __ksym;
extern int *bpf_iter_bits_next(struct bpf_iter_bits *it) __ksym;
extern void bpf_iter_bits_destroy(struct bpf_iter_bits *it) __ksym;
extern int bpf_dynptr_from_skb(struct __sk_buff *skb, u64 flags, struct bpf_dynptr *ptr) __ksym;
extern void *bpf_dynptr_slice(const struct bpf_dynptr *p, u32 offset, void *buffer, u32 size) __ksym;
extern int bpf_dynptr_clone(const struct bpf_dynptr *p, struct bpf_dynptr *clone) __ksym;
extern void *bpf_obj_new_impl(u64 local_type_id, void *meta) __ksym;
extern void bpf_obj_drop_impl(void *object, void *meta) __ksym;
extern void *bpf_percpu_obj_new_impl(u64 local_type_id, void *meta) __ksym;
extern void bpf_percpu_obj_drop_impl(void *object, void *meta) __ksym;
extern void *bpf_refcount_acquire_impl(void *object, void *meta) __ksym;
extern int bpf_list_push_front_impl(struct bpf_list_head *head, struct bpf_list_node *node, void *meta, u64 off) __ksym;
extern struct bpf_list_node *bpf_list_pop_front(struct bpf_list_head *head) __ksym;
extern struct bpf_list_node *bpf_list_front(struct bpf_list_head *head) __ksym;
extern struct bpf_rb_node *bpf_rbtree_remove(struct bpf_rb_root *root, struct bpf_rb_node *node) __ksym;
extern int bpf_rbtree_add_impl(struct bpf_rb_root *root, struct bpf_rb_node *node, bool (less)(struct bpf_rb_node *a, const struct bpf_rb_node *b), void *meta, u64 off) __ksym;
extern struct bpf_rb_node *bpf_rbtree_first(struct bpf_rb_root *root) __ksym;
extern struct bpf_rb_node *bpf_rbtree_root(struct bpf_rb_root *root) __ksym;
extern struct bpf_rb_node *bpf_rbtree_left(struct bpf_rb_root *root, struct bpf_rb_node *node) __ksym;
extern void bpf_throw(u64 cookie) __ksym;
extern struct task_struct *bpf_task_acquire(struct task_struct *p) __ksym;
extern void bpf_task_release(struct task_struct *p) __ksym;

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
struct shared {
	u64 number;
	struct bpf_refcount references;
	struct bpf_list_node list;
	struct bpf_rb_node tree;
};
struct plain {
	u64 number;
};
struct locked {
	u64 number;
	struct bpf_spin_lock lock;
	struct bpf_list_head list contains(shared, list);
	struct bpf_rb_root tree contains(shared, tree);
};
struct held {
	struct plain percpu_kptr *counters;
	struct plain kptr *plain;
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
	__type(value, struct held);
} held SEC(".maps");

static struct locked *find_locked(void)
{
	u32 key = 0;

	return bpf_map_lookup_elem(&locked, &key);
}
static bool less(struct bpf_rb_node *a, const struct bpf_rb_node *b)
{
	return container_of(a, struct shared, tree)->number < container_of(b, struct shared, tree)->number;
}
#define shared_new() ((struct shared *)bpf_obj_new_impl(local(struct shared), 0))

SEC("tc") int an_object_is_in_a_list_and_a_tree(void *ctx)
{
	struct locked *value = find_locked();
	struct shared *first, *second;

	if (!value)
		return 0;
	first = shared_new();
	if (!first)
		return 0;
	second = bpf_refcount_acquire_impl(first, 0);
	bpf_spin_lock(&value->lock);
	bpf_rbtree_add_impl(&value->tree, &first->tree, less, 0, 0);
	bpf_list_push_front_impl(&value->list, &second->list, 0, 0);
	bpf_spin_unlock(&value->lock);
	return 0;
}
SEC("tc") int an_object_in_a_tree_is_counted_under_the_lock(void *ctx)
{
	struct locked *value = find_locked();
	struct bpf_rb_node *node;
	struct shared *shared;

	if (!value)
		return 0;
	bpf_spin_lock(&value->lock);
	node = bpf_rbtree_first(&value->tree);
	if (!node) {
		bpf_spin_unlock(&value->lock);
		return 0;
	}
	shared = bpf_refcount_acquire_impl(container_of(node, struct shared, tree), 0);
	bpf_spin_unlock(&value->lock);
	if (shared)
		bpf_obj_drop_impl(shared, 0);
	return 0;
}
SEC("tc") int counting_what_is_not_owned_may_fail(void *ctx)
{
	struct locked *value = find_locked();
	struct bpf_rb_node *node;
	struct shared *shared;

	if (!value)
		return 0;
	bpf_spin_lock(&value->lock);
	node = bpf_rbtree_first(&value->tree);
	if (!node) {
		bpf_spin_unlock(&value->lock);
		return 0;
	}
	shared = bpf_refcount_acquire_impl(container_of(node, struct shared, tree), 0);
	bpf_spin_unlock(&value->lock);
	bpf_obj_drop_impl(shared, 0);
	return 0;
}
SEC("tc") int the_children_of_a_node(void *ctx)
{
	struct locked *value = find_locked();
	struct bpf_rb_node *node;
	u64 number = 0;

	if (!value)
		return 0;
	bpf_spin_lock(&value->lock);
	node = bpf_rbtree_root(&value->tree);
	if (node) {
		node = bpf_rbtree_left(&value->tree, node);
		if (node)
			number = container_of(node, struct shared, tree)->number;
	}
	bpf_spin_unlock(&value->lock);
	return number;
}
SEC("tc") int the_first_of_a_list(void *ctx)
{
	struct locked *value = find_locked();
	struct bpf_list_node *node;
	u64 number = 0;

	if (!value)
		return 0;
	bpf_spin_lock(&value->lock);
	node = bpf_list_front(&value->list);
	if (node)
		number = container_of(node, struct shared, list)->number;
	bpf_spin_unlock(&value->lock);
	return number;
}
SEC("tc") int a_node_is_removed_twice(void *ctx)
{
	struct locked *value = find_locked();
	struct bpf_rb_node *node, *first, *second;

	if (!value)
		return 0;
	bpf_spin_lock(&value->lock);
	node = bpf_rbtree_first(&value->tree);
	if (!node) {
		bpf_spin_unlock(&value->lock);
		return 0;
	}
	first = bpf_rbtree_remove(&value->tree, node);
	second = bpf_rbtree_remove(&value->tree, node);
	bpf_spin_unlock(&value->lock);
	if (first)
		bpf_obj_drop_impl(container_of(first, struct shared, tree), 0);
	if (second)
		bpf_obj_drop_impl(container_of(second, struct shared, tree), 0);
	return 0;
}
SEC("tc") int a_tree_is_emptied_in_a_loop(void *ctx)
{
	struct locked *value = find_locked();
	struct bpf_list_node *node;
	int i;

	if (!value)
		return 0;
	for (i = 0; i < 10; i++) {
		bpf_spin_lock(&value->lock);
		node = bpf_list_pop_front(&value->list);
		bpf_spin_unlock(&value->lock);
		if (!node)
			break;
		bpf_obj_drop_impl(container_of(node, struct shared, list), 0);
	}
	return 0;
}
SEC("tc") int an_exception_with_an_object(struct __sk_buff *ctx)
{
	struct shared *shared = shared_new();

	if (!shared)
		return 0;
	if (ctx->len)
		bpf_throw(0);
	bpf_obj_drop_impl(shared, 0);
	return 0;
}

// ---- per-CPU objects ----

SEC("tc") int a_per_cpu_object_in_a_kptr(void *ctx)
{
	u32 key = 0;
	struct held *value = bpf_map_lookup_elem(&held, &key);
	struct plain *object, *old;

	if (!value)
		return 0;
	object = bpf_percpu_obj_new_impl(local(struct plain), 0);
	if (!object)
		return 0;
	old = bpf_kptr_xchg(&value->counters, object);
	if (old)
		bpf_percpu_obj_drop_impl(old, 0);
	return 0;
}
SEC("tc") int a_plain_object_in_a_per_cpu_kptr(void *ctx)
{
	u32 key = 0;
	struct held *value = bpf_map_lookup_elem(&held, &key);
	struct plain *object, *old;

	if (!value)
		return 0;
	object = bpf_obj_new_impl(local(struct plain), 0);
	if (!object)
		return 0;
	old = bpf_kptr_xchg(&value->counters, object);
	if (old)
		bpf_percpu_obj_drop_impl(old, 0);
	return 0;
}
SEC("tc") int a_per_cpu_object_is_counted_up(void *ctx)
{
	u32 key = 0;
	struct held *value = bpf_map_lookup_elem(&held, &key);
	struct plain *object;

	if (!value)
		return 0;
	object = value->counters;
	if (!object)
		return 0;
	object = bpf_this_cpu_ptr(object);
	object->number++;
	return 0;
}
SEC("tc") int a_per_cpu_object_of_another_cpu(void *ctx)
{
	u32 key = 0;
	struct held *value = bpf_map_lookup_elem(&held, &key);
	struct plain *object;

	if (!value)
		return 0;
	object = value->counters;
	if (!object)
		return 0;
	object = bpf_per_cpu_ptr(object, 1);
	if (object)
		object->number++;
	return 0;
}
SEC("tc") int a_per_cpu_object_has_no_place_of_its_own(void *ctx)
{
	u32 key = 0;
	struct held *value = bpf_map_lookup_elem(&held, &key);
	struct plain *object;

	if (!value)
		return 0;
	object = value->counters;
	return object ? object->number : 0;
}
SEC("tc") int a_per_cpu_object_may_be_null(void *ctx)
{
	u32 key = 0;
	struct held *value = bpf_map_lookup_elem(&held, &key);
	struct plain *object;

	if (!value)
		return 0;
	object = bpf_this_cpu_ptr(value->counters);
	return object->number;
}
SEC("tc") int a_variable_of_the_cpu(void *ctx)
{
	return bpf_this_cpu_ptr(ctx) != 0;
}

// ---- callbacks and sections ----

static long lock_once(u32 index, struct locked *value)
{
	bpf_spin_lock(&value->lock);
	value->number++;
	bpf_spin_unlock(&value->lock);
	return 0;
}
static long lock_only(u32 index, struct locked *value)
{
	bpf_spin_lock(&value->lock);
	return 0;
}
static long rcu_only(u32 index, void *nothing)
{
	bpf_rcu_read_lock();
	return 0;
}
static long preempt_only(u32 index, void *nothing)
{
	bpf_preempt_disable();
	return 0;
}
static long drop_object(u32 index, struct plain **object)
{
	bpf_obj_drop_impl(*object, 0);
	return 0;
}
static long throw_sometimes(u32 index, void *nothing)
{
	if (bpf_get_prandom_u32())
		bpf_throw(0);
	return 0;
}
static long iterate(u32 index, int *sum)
{
	struct bpf_iter_num it;
	int *n;

	bpf_iter_num_new(&it, 0, 10);
	while ((n = bpf_iter_num_next(&it)))
		*sum += *n;
	bpf_iter_num_destroy(&it);
	return 0;
}
static long nested(u32 index, int *sum)
{
	bpf_loop(3, iterate, sum, 0);
	return 0;
}
static long tail(u32 index, void *ctx)
{
	return 0;
}
SEC("tc") int a_callback_takes_a_lock(void *ctx)
{
	struct locked *value = find_locked();

	if (value)
		bpf_loop(3, lock_once, value, 0);
	return 0;
}
SEC("tc") int a_callback_keeps_a_lock(void *ctx)
{
	struct locked *value = find_locked();

	if (value)
		bpf_loop(3, lock_only, value, 0);
	return 0;
}
SEC("syscall") int a_callback_keeps_an_rcu_section(void *ctx)
{
	bpf_loop(3, rcu_only, 0, 0);
	return 0;
}
SEC("tc") int a_callback_keeps_preemption_off(void *ctx)
{
	bpf_loop(3, preempt_only, 0, 0);
	return 0;
}
SEC("tc") int a_callback_drops_the_callers_object(void *ctx)
{
	struct plain *object = bpf_obj_new_impl(local(struct plain), 0);

	if (!object)
		return 0;
	bpf_loop(1, drop_object, &object, 0);
	return 0;
}
SEC("tc") int a_callback_throws(void *ctx)
{
	bpf_loop(3, throw_sometimes, 0, 0);
	return 0;
}
SEC("tc") int a_callback_iterates(void *ctx)
{
	int sum = 0;

	bpf_loop(3, iterate, &sum, 0);
	return sum;
}
SEC("tc") int a_callback_in_a_callback(void *ctx)
{
	int sum = 0;

	bpf_loop(3, nested, &sum, 0);
	return sum;
}
SEC("tc") int a_callback_in_an_iterator(void *ctx)
{
	struct bpf_iter_num it;
	int sum = 0, *n;

	bpf_iter_num_new(&it, 0, 10);
	while ((n = bpf_iter_num_next(&it)))
		bpf_loop(*n, iterate, &sum, 0);
	bpf_iter_num_destroy(&it);
	return sum;
}
static noinline int preempt_off(void) { bpf_preempt_disable(); return 0; }
static noinline int preempt_on(void) { bpf_preempt_enable(); return 0; }
SEC("tc") int sections_cross_static_functions(void *ctx)
{
	preempt_off();
	preempt_on();
	return 0;
}
noinline int sleeps(void)
{
	char text[8];

	return bpf_copy_from_user(text, 8, 0);
}
noinline int does_not_sleep(void)
{
	return bpf_get_prandom_u32();
}
SEC("syscall") int a_global_function_that_sleeps(void *ctx)
{
	return sleeps();
}
SEC("syscall") int a_global_function_that_sleeps_in_a_section(void *ctx)
{
	int result;

	bpf_rcu_read_lock();
	result = sleeps();
	bpf_rcu_read_unlock();
	return result;
}
SEC("syscall") int a_global_function_that_does_not_sleep_in_a_section(void *ctx)
{
	int result;

	bpf_rcu_read_lock();
	result = does_not_sleep();
	bpf_rcu_read_unlock();
	return result;
}
SEC("tc") int a_global_function_under_a_lock(void *ctx)
{
	struct locked *value = find_locked();

	if (!value)
		return 0;
	bpf_spin_lock(&value->lock);
	value->number = does_not_sleep();
	bpf_spin_unlock(&value->lock);
	return 0;
}
SEC("tc") int interrupts_off_in_a_loop(void *ctx)
{
	unsigned long flags;
	int i;

	for (i = 0; i < 3; i++) {
		bpf_local_irq_save(&flags);
		bpf_local_irq_restore(&flags);
	}
	return 0;
}
SEC("tc") int saved_flags_are_overwritten(void *ctx)
{
	unsigned long flags;

	bpf_local_irq_save(&flags);
	*(volatile unsigned long *)&flags = 0;
	bpf_local_irq_restore(&flags);
	return 0;
}

// ---- exceptions ----

noinline int handler(u64 cookie)
{
	return cookie & 1;
}
noinline int handler_of_two(u64 cookie, u64 more)
{
	return 0;
}
noinline int handler_badly(u64 cookie)
{
	return 7;
}
SEC("tc") exception_cb(handler) int an_exception_is_handled(struct __sk_buff *ctx)
{
	if (ctx->len)
		bpf_throw(5);
	return 0;
}
SEC("tc") exception_cb(handler_of_two) int a_handler_takes_one_number(struct __sk_buff *ctx)
{
	if (ctx->len)
		bpf_throw(5);
	return 0;
}
SEC("cgroup/connect4") exception_cb(handler_badly) int a_handler_returns_what_the_program_may(void *ctx)
{
	if (bpf_get_prandom_u32())
		bpf_throw(0);
	return 1;
}
noinline int throwing(struct __sk_buff *ctx)
{
	bpf_throw(0);
	return 0;
}
SEC("tc") int a_global_function_throws(struct __sk_buff *ctx)
{
	return throwing(ctx);
}
SEC("tc") int a_global_function_throws_with_an_object(struct __sk_buff *ctx)
{
	struct plain *object = bpf_obj_new_impl(local(struct plain), 0);
	int result;

	if (!object)
		return 0;
	result = throwing(ctx);
	bpf_obj_drop_impl(object, 0);
	return result;
}

// ---- dynptrs again ----

static noinline int read_dynptr(struct bpf_dynptr *d)
{
	int n = 0;

	bpf_dynptr_read(&n, 4, d, 0, 0);
	return n;
}
static noinline void submit(struct bpf_dynptr *d)
{
	bpf_ringbuf_submit_dynptr(d, 0);
}
SEC("tc") int a_dynptr_in_a_static_function(struct __sk_buff *ctx)
{
	struct bpf_dynptr d;

	bpf_dynptr_from_skb(ctx, 0, &d);
	return read_dynptr(&d);
}
SEC("tc") int a_record_is_submitted_by_a_static_function(struct __sk_buff *ctx)
{
	struct bpf_dynptr d;

	bpf_ringbuf_reserve_dynptr(&ring, 8, 0, &d);
	submit(&d);
	return 0;
}
SEC("tc") int a_dynptr_at_an_odd_place(struct __sk_buff *ctx)
{
	char space[32];

	return bpf_dynptr_from_skb(ctx, 0, (void *)(space + 4));
}
SEC("tc") int a_dynptr_at_an_unknown_place(struct __sk_buff *ctx)
{
	char space[64] = {};

	return bpf_dynptr_from_skb(ctx, 0, (void *)(space + (ctx->len & 8)));
}
SEC("tc") int a_dynptr_in_a_map(struct __sk_buff *ctx)
{
	u32 key = 0;
	void *value = bpf_map_lookup_elem(&array, &key);

	return value ? bpf_dynptr_from_skb(ctx, 0, value) : 0;
}
SEC("tc") int a_dynptr_over_a_dynptr(struct __sk_buff *ctx)
{
	struct bpf_dynptr d;

	bpf_dynptr_from_skb(ctx, 0, &d);
	bpf_dynptr_from_skb(ctx, 0, &d);
	return read_dynptr(&d);
}
SEC("tc") int a_dynptr_over_the_half_of_one(struct __sk_buff *ctx)
{
	struct bpf_dynptr d[2];

	bpf_dynptr_from_skb(ctx, 0, &d[0]);
	bpf_dynptr_from_skb(ctx, 0, (void *)d + 8);
	return read_dynptr(&d[0]);
}
SEC("tc") int a_helper_writes_over_a_dynptr(struct __sk_buff *ctx)
{
	struct bpf_dynptr d;

	bpf_dynptr_from_skb(ctx, 0, &d);
	bpf_skb_load_bytes(ctx, 0, &d, 8);
	return 0;
}
SEC("tc") int a_dynptr_is_read_into_itself(struct __sk_buff *ctx)
{
	struct bpf_dynptr d;

	bpf_dynptr_from_skb(ctx, 0, &d);
	return bpf_dynptr_read(&d, 8, &d, 0, 0);
}
SEC("tc") int data_of_a_packet_has_no_direct_pointer(struct __sk_buff *ctx)
{
	struct bpf_dynptr d;
	char *data;

	bpf_dynptr_from_skb(ctx, 0, &d);
	data = bpf_dynptr_data(&d, 0, 4);
	return data ? data[0] : 0;
}
SEC("tc") int data_of_unknown_size(struct __sk_buff *ctx)
{
	struct bpf_dynptr d;

	bpf_dynptr_from_skb(ctx, 0, &d);
	return bpf_dynptr_data(&d, 0, ctx->len & 7) != 0;
}
SEC("tc") int a_dynptr_survives_a_loop(struct __sk_buff *ctx)
{
	struct bpf_dynptr d;
	int i, sum = 0;

	bpf_dynptr_from_skb(ctx, 0, &d);
	for (i = 0; i < 4; i++)
		sum += read_dynptr(&d);
	return sum;
}
SEC("tc") int bits_are_walked(void *ctx)
{
	struct bpf_iter_bits it;
	u64 words = 5;
	int *n, sum = 0;

	bpf_iter_bits_new(&it, &words, 1);
	while ((n = bpf_iter_bits_next(&it)))
		sum += *n;
	bpf_iter_bits_destroy(&it);
	return sum;
}
SEC("tc") int iterators_are_not_mixed(void *ctx)
{
	struct bpf_iter_bits it;
	u64 words = 5;

	bpf_iter_bits_new(&it, &words, 1);
	bpf_iter_num_next((void *)&it);
	bpf_iter_bits_destroy(&it);
	return 0;
}
SEC("tc") int an_iterator_is_destroyed_by_a_static_function(void *ctx)
{
	return 0;
}
char LICENSE[] SEC("license") = "GPL";
