// Timers and workqueues of programs that sleep, and of those that do not.
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
struct bpf_iter_task { u64 o[3]; };
extern void bpf_rcu_read_lock(void) __ksym;
extern void bpf_rcu_read_unlock(void) __ksym;
struct timed { struct bpf_timer timer; struct bpf_wq wq; };
extern int bpf_wq_set_callback_impl(struct bpf_wq *wq, int (*f)(void *, int *, void *), unsigned int flags, void *aux) __ksym;
struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 4); __type(key, u32); __type(value, struct timed); } timers SEC(".maps");
static int cb(void *map, int *key, void *value) { char t[8]; bpf_copy_from_user(t, 8, 0); return 0; }
static int cb2(void *map, int *key, void *value) { struct task_struct *t = bpf_get_current_task_btf(); return t->real_parent->pid ? 0 : 0; }
SEC("syscall") int timer_in_a_sleeping_program(void *ctx) { u32 k = 0; struct timed *t = bpf_map_lookup_elem(&timers, &k); if (t) bpf_timer_set_callback(&t->timer, cb); return 0; }
SEC("syscall") int timer_reads(void *ctx) { u32 k = 0; struct timed *t = bpf_map_lookup_elem(&timers, &k); if (t) bpf_timer_set_callback(&t->timer, cb2); return 0; }
SEC("tc") int wq_sleeps(void *ctx) { u32 k = 0; struct timed *t = bpf_map_lookup_elem(&timers, &k); if (t) bpf_wq_set_callback_impl(&t->wq, cb, 0, 0); return 0; }
SEC("tc") int timer_does_not_sleep(void *ctx) { u32 k = 0; struct timed *t = bpf_map_lookup_elem(&timers, &k); if (t) bpf_timer_set_callback(&t->timer, cb); return 0; }
char LICENSE[] SEC("license") = "GPL";
