// Special fields of map values and objects, constants, global data, BTF pointers in C.
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define private(name) SEC(".data." #name) __hidden __attribute__((aligned(8)))
#undef __kptr
#undef __kptr_untrusted
#define __kptr __attribute__((btf_type_tag("kptr")))
#define __kptr_untrusted __attribute__((btf_type_tag("kptr_untrusted")))
#ifndef __contains
#define __contains(name, node) __attribute__((btf_decl_tag("contains:" #name ":" #node)))
#endif
#define array_of(name_, value_) \
	struct { \
		__uint(type, BPF_MAP_TYPE_ARRAY); \
		__uint(max_entries, 2); \
		__type(key, __u32); \
		__type(value, value_); \
	} name_ SEC(".maps")

struct locked { int count; struct bpf_spin_lock lock; int after; };
struct timed { __u64 count; struct bpf_timer timer; __u64 after; };
struct worked { __u64 count; struct bpf_wq work; __u64 after; };
struct pointers {
	__u64 count;
	struct task_struct __kptr_untrusted *untrusted;
	struct task_struct __kptr *task;
	struct task_struct __kptr_untrusted *other;
	__u64 after;
};
struct grouped { __u64 count; struct cgroup __kptr *group; };
struct nested { int n; struct pointers inner[2]; };
array_of(locks, struct locked);
array_of(timers, struct timed);
array_of(works, struct worked);
array_of(kptrs, struct pointers);
array_of(groups, struct grouped);
array_of(nesteds, struct nested);

struct node { struct bpf_list_node list; struct bpf_rb_node tree; struct bpf_refcount refs; long value; struct node *next; };
struct graph { struct bpf_spin_lock lock; struct bpf_list_head head __contains(plain, list); };
struct plain { long value; struct bpf_list_node list; };
array_of(graphs, struct graph);

const volatile int constant = 42;
const volatile struct { int a; char text[12]; long b; } constants = { 1, "hello", -3 };
int written = 5;
int zeroed[16];
struct plain *pointer_in_data;

#define LOOKUP(map) ({ __u32 key_ = 0; bpf_map_lookup_elem(&map, &key_); })

#define PROG(name_) SEC("tc") int name_(struct __sk_buff *ctx)

PROG(beside_a_lock) { struct locked *v = LOOKUP(locks); if (!v) return 0; v->count++; return v->after; }
PROG(a_lock) { struct locked *v = LOOKUP(locks); if (!v) return 0; return *(volatile int *)&v->lock; }
PROG(a_lock_written) { struct locked *v = LOOKUP(locks); if (!v) return 0; *(volatile int *)&v->lock = 1; return 0; }
PROG(around_a_lock) { struct locked *v = LOOKUP(locks); if (!v) return 0; return *(volatile __u64 *)&v->count & 1; }
PROG(a_lock_by_index) { struct locked *v = LOOKUP(locks); if (!v) return 0; return ((volatile char *)v)[ctx->len & 7]; }
PROG(before_a_lock_by_index) { struct locked *v = LOOKUP(locks); if (!v) return 0; return ((volatile char *)v)[ctx->len & 3]; }
PROG(a_lock_by_helper) { struct locked *v = LOOKUP(locks); if (!v) return 0; return bpf_skb_load_bytes(ctx, 0, v, sizeof(*v)); }
PROG(beside_a_lock_by_helper) { struct locked *v = LOOKUP(locks); if (!v) return 0; return bpf_skb_load_bytes(ctx, 0, v, 4); }
PROG(a_timer) { struct timed *v = LOOKUP(timers); if (!v) return 0; return *(volatile int *)&v->timer; }
PROG(beside_a_timer) { struct timed *v = LOOKUP(timers); if (!v) return 0; v->count = 1; return v->after; }
PROG(a_timer_atomically) { struct timed *v = LOOKUP(timers); if (!v) return 0; __sync_fetch_and_add((__u64 *)&v->timer, 1); return 0; }
PROG(a_work) { struct worked *v = LOOKUP(works); if (!v) return 0; return *(volatile int *)&v->work; }
PROG(a_list_head) { struct graph *v = LOOKUP(graphs); if (!v) return 0; return *(volatile int *)&v->head; }

PROG(kptr_loaded) { struct pointers *v = LOOKUP(kptrs); if (!v) return 0; struct task_struct *t = v->untrusted; if (!t) return 0; return t->pid; }
PROG(kptr_ref_loaded) { struct pointers *v = LOOKUP(kptrs); if (!v) return 0; struct task_struct *t = v->task; if (!t) return 0; return t->pid; }
PROG(kptr_not_checked) { struct pointers *v = LOOKUP(kptrs); if (!v) return 0; return v->task->pid; }
PROG(kptr_in_half) { struct pointers *v = LOOKUP(kptrs); if (!v) return 0; return *(volatile int *)&v->untrusted; }
PROG(kptr_shifted) { struct pointers *v = LOOKUP(kptrs); if (!v) return 0; return *(volatile __u64 *)((char *)&v->untrusted + 4) & 1; }
PROG(kptr_by_index) { struct pointers *v = LOOKUP(kptrs); if (!v) return 0; return ((volatile __u64 *)v)[ctx->len & 3] & 1; }
PROG(kptr_zeroed) { struct pointers *v = LOOKUP(kptrs); if (!v) return 0; v->untrusted = 0; return 0; }
PROG(kptr_number) { struct pointers *v = LOOKUP(kptrs); if (!v) return 0; *(volatile __u64 *)&v->untrusted = 5; return 0; }
PROG(kptr_scalar) { struct pointers *v = LOOKUP(kptrs); if (!v) return 0; *(volatile __u64 *)&v->untrusted = ctx->len; return 0; }
PROG(kptr_context) { struct pointers *v = LOOKUP(kptrs); if (!v) return 0; v->untrusted = (void *)ctx; return 0; }
PROG(kptr_copied) { struct pointers *v = LOOKUP(kptrs); if (!v) return 0; struct task_struct *t = v->untrusted; if (!t) return 0; v->untrusted = t; return 0; }
PROG(kptr_ref_written) { struct pointers *v = LOOKUP(kptrs); if (!v) return 0; v->task = 0; return 0; }
PROG(kptr_of_another) { struct grouped *g = LOOKUP(groups); struct pointers *v = LOOKUP(kptrs); if (!v || !g) return 0; struct cgroup *t = g->group; if (!t) return 0; v->untrusted = (void *)t; return 0; }
PROG(kptr_group) { struct grouped *v = LOOKUP(groups); if (!v) return 0; struct cgroup *t = v->group; if (!t) return 0; return t->level; }
PROG(kptr_atomically) { struct pointers *v = LOOKUP(kptrs); if (!v) return 0; __sync_fetch_and_add((__u64 *)&v->untrusted, 1); return 0; }
PROG(kptr_signed) { struct pointers *v = LOOKUP(kptrs); if (!v) return 0; int r; asm volatile("%0 = *(u8 *)(%1 + 8)" : "=r"(r) : "r"(v)); return r; }
PROG(kptr_by_helper) { struct pointers *v = LOOKUP(kptrs); if (!v) return 0; return bpf_skb_load_bytes(ctx, 0, v, sizeof(*v)); }
PROG(kptr_nested) { struct nested *v = LOOKUP(nesteds); if (!v) return 0; struct task_struct *t = v->inner[1].untrusted; if (!t) return 0; return t->pid; }
PROG(kptr_nested_between) { struct nested *v = LOOKUP(nesteds); if (!v) return 0; v->inner[0].after = 1; return v->inner[1].count; }
PROG(kptr_moved) { struct pointers *v = LOOKUP(kptrs); if (!v) return 0; struct task_struct *t = v->untrusted; if (!t) return 0; v->untrusted = (void *)((char *)t + 8); return 0; }
SEC("?syscall") int kptr_sleepable(void *ctx) { struct pointers *v = LOOKUP(kptrs); if (!v) return 0; struct task_struct *t = v->task; if (!t) return 0; return t->pid; }

extern void bpf_rcu_read_lock(void) __ksym;
extern void bpf_rcu_read_unlock(void) __ksym;
extern void *bpf_obj_new_impl(__u64 id, void *meta) __ksym;
extern void bpf_obj_drop_impl(void *p, void *meta) __ksym;
extern struct task_struct *bpf_task_from_pid(s32 pid) __ksym;
extern void bpf_task_release(struct task_struct *p) __ksym;
extern void *bpf_rdonly_cast(const void *obj, __u32 id) __ksym;
extern void *bpf_cast_to_kern_ctx(void *ctx) __ksym;

SEC("syscall") int kptr_under_rcu(void *ctx) { int r = 0; struct pointers *v = LOOKUP(kptrs); if (!v) return 0; bpf_rcu_read_lock(); struct task_struct *t = v->task; if (t) r = t->pid; bpf_rcu_read_unlock(); return r & 1; }
SEC("syscall") int kptr_after_rcu(void *ctx) { int r = 0; struct pointers *v = LOOKUP(kptrs); if (!v) return 0; bpf_rcu_read_lock(); struct task_struct *t = v->task; bpf_rcu_read_unlock(); if (t) r = t->pid; return r & 1; }
SEC("syscall") int parent_sleepable(void *ctx) { struct task_struct *t = bpf_get_current_task_btf(); return t->real_parent->pid & 1; }
SEC("syscall") int parent_under_rcu(void *ctx) { int r; struct task_struct *t = bpf_get_current_task_btf(); bpf_rcu_read_lock(); r = t->real_parent->group_leader->pid & 1; bpf_rcu_read_unlock(); return r; }
SEC("syscall") int object_fields(void *ctx) { struct plain *p = bpf_obj_new_impl(bpf_core_type_id_local(struct plain), 0); if (!p) return 0; p->value = 3; long r = p->value; bpf_obj_drop_impl(p, 0); return r & 1; }
SEC("syscall") int object_special(void *ctx) { struct plain *p = bpf_obj_new_impl(bpf_core_type_id_local(struct plain), 0); if (!p) return 0; long r = *(volatile long *)&p->list; bpf_obj_drop_impl(p, 0); return r & 1; }
SEC("syscall") int object_special_written(void *ctx) { struct node *p = bpf_obj_new_impl(bpf_core_type_id_local(struct node), 0); if (!p) return 0; *(volatile int *)&p->refs = 1; bpf_obj_drop_impl(p, 0); return 0; }
SEC("syscall") int object_pointer(void *ctx) { struct node *p = bpf_obj_new_impl(bpf_core_type_id_local(struct node), 0); if (!p) return 0; struct node *n = p->next; bpf_obj_drop_impl(p, 0); return n != 0; }
SEC("syscall") int object_pointer_followed(void *ctx) { struct node *p = bpf_obj_new_impl(bpf_core_type_id_local(struct node), 0); if (!p) return 0; long r = p->next->value; bpf_obj_drop_impl(p, 0); return r & 1; }
SEC("syscall") int object_beyond(void *ctx) { struct plain *p = bpf_obj_new_impl(bpf_core_type_id_local(struct plain), 0); if (!p) return 0; long r = *(volatile long *)(p + 1); bpf_obj_drop_impl(p, 0); return r & 1; }
SEC("syscall") int object_after_drop(void *ctx) { struct plain *p = bpf_obj_new_impl(bpf_core_type_id_local(struct plain), 0); if (!p) return 0; bpf_obj_drop_impl(p, 0); return p->value & 1; }
SEC("syscall") int task_found(void *ctx) { struct task_struct *t = bpf_task_from_pid(1); if (!t) return 0; int r = t->real_parent->pid; bpf_task_release(t); return r & 1; }
SEC("syscall") int task_found_written(void *ctx) { struct task_struct *t = bpf_task_from_pid(1); if (!t) return 0; *(volatile int *)&t->pid = 3; bpf_task_release(t); return 0; }
PROG(cast_to_kernel) { struct sk_buff *skb = bpf_cast_to_kern_ctx(ctx); return skb->dev->ifindex; }
PROG(cast_to_kernel_written) { struct sk_buff *skb = bpf_cast_to_kern_ctx(ctx); skb->len = 3; return 0; }
PROG(cast_untrusted) { struct sk_buff *skb = bpf_cast_to_kern_ctx(ctx); struct net_device *d = bpf_rdonly_cast(skb->dev, bpf_core_type_id_kernel(struct net_device)); return d->mtu; }
PROG(cast_memory) { int *p = bpf_rdonly_cast((void *)(long)ctx->len, 0); return *p; }
PROG(cast_memory_moved) { char *p = bpf_rdonly_cast((void *)(long)ctx->len, 0); return p[ctx->hash] + p[-5]; }
PROG(cast_memory_written) { int *p = bpf_rdonly_cast((void *)(long)ctx->len, 0); *p = 1; return 0; }

PROG(constants_decide) { if (constant == 42) return 1; return *(volatile int *)0; }
PROG(constants_struct) { return constants.a + (int)constants.b + constants.text[1]; }
PROG(constants_by_index) { return constants.text[ctx->len & 7]; }
PROG(constants_beyond) { return constants.text[ctx->len & 31]; }
PROG(constants_written) { *(volatile int *)&constant = 3; return 0; }
PROG(data) { written += zeroed[3]; return written; }
PROG(data_by_index) { return zeroed[ctx->len & 15]; }
PROG(data_beyond) { return zeroed[ctx->len & 16]; }
PROG(data_unbounded) { return zeroed[ctx->len]; }
PROG(data_pointer) { struct plain *p = pointer_in_data; return p ? 1 : 0; }
PROG(data_pointer_followed) { struct plain *p = pointer_in_data; return p ? p->value & 1 : 0; }
PROG(formatted) { static const char f[] = "%d %s"; __u64 args[2] = { 1, 0 }; char out[16]; return bpf_snprintf(out, sizeof(out), f, args, sizeof(args)); }
PROG(compared) { char s[8] = "abc"; return bpf_strncmp(s, sizeof(s), "abd"); }
PROG(compared_variable) { char s[8] = "abc"; char t[8] = "abd"; return bpf_strncmp(s, sizeof(s), t); }

char _license[] SEC("license") = "GPL";
