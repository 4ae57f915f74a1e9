/**
 * Kernel types of tasks, credentials, memory and namespaces, as C declarations. Names and types of
 * the fields are Linux 6.18's; there are fewer of them, and offsets are ours: programs find them
 * by CO-RE, as they do on any kernel.
 */

export const TASK_TYPES = `
typedef signed char __s8;
typedef unsigned char __u8;
typedef short __s16;
typedef unsigned short __u16;
typedef int __s32;
typedef unsigned int __u32;
typedef long long __s64;
typedef unsigned long long __u64;
typedef __s8 s8;
typedef __u8 u8;
typedef __s16 s16;
typedef __u16 u16;
typedef __s32 s32;
typedef __u32 u32;
typedef __s64 s64;
typedef __u64 u64;
typedef _Bool bool;
typedef int __kernel_pid_t;
typedef __kernel_pid_t pid_t;
typedef unsigned int __kernel_uid32_t;
typedef __kernel_uid32_t uid_t;
typedef unsigned int __kernel_gid32_t;
typedef __kernel_gid32_t gid_t;
typedef unsigned int __kernel_dev_t;
typedef __kernel_dev_t dev_t;
typedef unsigned short umode_t;
typedef long __kernel_long_t;
typedef unsigned long __kernel_ulong_t;
typedef __kernel_ulong_t __kernel_size_t;
typedef __kernel_size_t size_t;
typedef __kernel_long_t __kernel_ssize_t;
typedef __kernel_ssize_t ssize_t;
typedef long long __kernel_loff_t;
typedef __kernel_loff_t loff_t;
typedef long long ktime_t;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;
typedef __u64 sector_t;
typedef unsigned int gfp_t;
typedef unsigned int fmode_t;
typedef struct { int counter; } atomic_t;
typedef struct { s64 counter; } atomic64_t;
typedef struct { uid_t val; } kuid_t;
typedef struct { gid_t val; } kgid_t;
struct list_head { struct list_head *next; struct list_head *prev; };
struct hlist_node { struct hlist_node *next; struct hlist_node **pprev; };
struct callback_head { struct callback_head *next; void (*func)(struct callback_head *); };
struct refcount_struct { atomic_t refs; };
typedef struct refcount_struct refcount_t;

struct ns_common { void *stashed; unsigned int inum; refcount_t count; };
struct user_namespace { struct user_namespace *parent; int level; kuid_t owner; kgid_t group; struct ns_common ns; };
struct pid_namespace { unsigned int level; struct pid_namespace *parent; struct user_namespace *user_ns; struct ns_common ns; };
struct uts_namespace { struct new_utsname { char sysname[65]; char nodename[65]; char release[65]; char version[65]; char machine[65]; char domainname[65]; } name; struct user_namespace *user_ns; struct ns_common ns; };
struct net { refcount_t passive; unsigned int ifindex; u64 net_cookie; struct user_namespace *user_ns; struct ns_common ns; };
struct mnt_namespace { struct ns_common ns; struct user_namespace *user_ns; u64 seq; };
struct cgroup_namespace { struct ns_common ns; struct user_namespace *user_ns; };
struct ipc_namespace { struct user_namespace *user_ns; struct ns_common ns; };
struct nsproxy {
  refcount_t count;
  struct uts_namespace *uts_ns;
  struct ipc_namespace *ipc_ns;
  struct mnt_namespace *mnt_ns;
  struct pid_namespace *pid_ns_for_children;
  struct net *net_ns;
  struct cgroup_namespace *cgroup_ns;
};

struct upid { int nr; struct pid_namespace *ns; };
struct pid { refcount_t count; unsigned int level; u64 ino; struct upid numbers[1]; };

typedef struct { u64 val; } kernel_cap_t;
struct cred {
  atomic64_t usage;
  kuid_t uid; kgid_t gid; kuid_t suid; kgid_t sgid; kuid_t euid; kgid_t egid; kuid_t fsuid; kgid_t fsgid;
  unsigned int securebits;
  kernel_cap_t cap_inheritable; kernel_cap_t cap_permitted; kernel_cap_t cap_effective;
  kernel_cap_t cap_bset; kernel_cap_t cap_ambient;
  struct user_namespace *user_ns;
};

struct kernfs_node { atomic_t count; const char *name; struct kernfs_node *__parent; u64 id; umode_t mode; };
struct cgroup_subsys_state { struct cgroup *cgroup; struct cgroup_subsys *ss; int id; u64 serial_nr; };
struct cgroup { struct cgroup_subsys_state self; unsigned long flags; int level; int max_depth; struct kernfs_node *kn; struct cgroup *ancestors[8]; };
struct css_set { struct cgroup_subsys_state *subsys[14]; refcount_t refcount; struct css_set *dom_cset; struct cgroup *dfl_cgrp; int nr_tasks; };

struct mm_struct {
  struct {
    atomic_t mm_count; atomic_t mm_users;
    unsigned long task_size; unsigned long total_vm; unsigned long hiwater_rss; unsigned long hiwater_vm;
    unsigned long start_code; unsigned long end_code; unsigned long start_data; unsigned long end_data;
    unsigned long start_brk; unsigned long brk; unsigned long start_stack;
    unsigned long arg_start; unsigned long arg_end; unsigned long env_start; unsigned long env_end;
    struct file *exe_file;
    struct task_struct *owner;
  };
};
struct signal_struct { atomic_t live; int nr_threads; int group_exit_code; struct pid *pids[4]; struct tty_struct *tty; unsigned long nvcsw; unsigned long nivcsw; unsigned int flags; };
struct tty_struct { int index; char name[64]; };
struct fs_struct { int users; int umask; int in_exec; struct path { struct vfsmount *mnt; struct dentry *dentry; } root; struct path pwd; };
struct files_struct { atomic_t count; struct fdtable *fdt; unsigned int next_fd; };
struct thread_info { unsigned long flags; unsigned long syscall_work; u32 status; u32 cpu; };
struct sched_entity { u64 exec_start; u64 sum_exec_runtime; u64 prev_sum_exec_runtime; u64 vruntime; u64 nr_migrations; };
struct task_struct {
  struct thread_info thread_info;
  unsigned int __state;
  void *stack;
  refcount_t usage;
  unsigned int flags;
  int on_cpu;
  int recent_used_cpu;
  int on_rq;
  int prio; int static_prio; int normal_prio; unsigned int rt_priority;
  struct sched_entity se;
  unsigned int policy;
  int nr_cpus_allowed;
  struct list_head tasks;
  struct mm_struct *mm; struct mm_struct *active_mm;
  int exit_state; int exit_code; int exit_signal;
  unsigned int sched_reset_on_fork:1;
  unsigned int sched_contributes_to_load:1;
  unsigned int in_execve:1;
  unsigned int no_cgroup_migration:1;
  pid_t pid; pid_t tgid;
  struct task_struct *real_parent; struct task_struct *parent;
  struct list_head children; struct list_head sibling;
  struct task_struct *group_leader;
  struct pid *thread_pid;
  u64 utime; u64 stime; u64 gtime;
  unsigned long nvcsw; unsigned long nivcsw;
  u64 start_time; u64 start_boottime;
  unsigned long min_flt; unsigned long maj_flt;
  const struct cred *ptracer_cred; const struct cred *real_cred; const struct cred *cred;
  char comm[16];
  struct fs_struct *fs; struct files_struct *files; struct nsproxy *nsproxy; struct signal_struct *signal;
  kuid_t loginuid; unsigned int sessionid;
  struct css_set *cgroups;
  u64 parent_exec_id; u64 self_exec_id;
};
struct pt_regs {
  unsigned long r15; unsigned long r14; unsigned long r13; unsigned long r12;
  unsigned long bp; unsigned long bx; unsigned long r11; unsigned long r10; unsigned long r9; unsigned long r8;
  unsigned long ax; unsigned long cx; unsigned long dx; unsigned long si; unsigned long di;
  unsigned long orig_ax; unsigned long ip;
  union { u16 cs; u64 csx; };
  unsigned long flags; unsigned long sp;
  union { u16 ss; u64 ssx; };
};
`
