/**
 * Tracepoint records (`trace_event_raw_NAME`, what tracepoint programs get), tracepoint
 * prototypes (`btf_trace_NAME`, what raw tracepoint and tp_btf programs get), as C declarations.
 */

export const EVENT_TYPES = `
struct trace_entry { unsigned short type; unsigned char flags; unsigned char preempt_count; int pid; };
struct trace_event_raw_sys_enter { struct trace_entry ent; long id; unsigned long args[6]; char __data[0]; };
struct trace_event_raw_sys_exit { struct trace_entry ent; long id; long ret; char __data[0]; };
struct trace_event_raw_sched_switch { struct trace_entry ent; char prev_comm[16]; pid_t prev_pid; int prev_prio; long prev_state; char next_comm[16]; pid_t next_pid; int next_prio; char __data[0]; };
struct trace_event_raw_sched_wakeup_template { struct trace_entry ent; char comm[16]; pid_t pid; int prio; int target_cpu; char __data[0]; };
struct trace_event_raw_sched_process_template { struct trace_entry ent; char comm[16]; pid_t pid; int prio; char __data[0]; };
struct trace_event_raw_sched_process_exit { struct trace_entry ent; char comm[16]; pid_t pid; int prio; bool group_dead; char __data[0]; };
struct trace_event_raw_sched_process_fork { struct trace_entry ent; u32 __data_loc_parent_comm; pid_t parent_pid; u32 __data_loc_child_comm; pid_t child_pid; char __data[0]; };
struct trace_event_raw_sched_process_exec { struct trace_entry ent; u32 __data_loc_filename; pid_t pid; pid_t old_pid; char __data[0]; };
struct trace_event_raw_sched_migrate_task { struct trace_entry ent; char comm[16]; pid_t pid; int prio; int orig_cpu; int dest_cpu; char __data[0]; };
struct trace_event_raw_signal_generate { struct trace_entry ent; int sig; int errno; int code; char comm[16]; pid_t pid; int group; int result; char __data[0]; };
struct trace_event_raw_block_rq { struct trace_entry ent; dev_t dev; sector_t sector; unsigned int nr_sector; unsigned int bytes; unsigned short ioprio; char rwbs[10]; char comm[16]; u32 __data_loc_cmd; char __data[0]; };
struct trace_event_raw_block_rq_completion { struct trace_entry ent; dev_t dev; sector_t sector; unsigned int nr_sector; int error; unsigned short ioprio; char rwbs[10]; u32 __data_loc_cmd; char __data[0]; };
struct trace_event_raw_inet_sock_set_state { struct trace_entry ent; const void *skaddr; int oldstate; int newstate; __u16 sport; __u16 dport; __u16 family; __u16 protocol; __u8 saddr[4]; __u8 daddr[4]; __u8 saddr_v6[16]; __u8 daddr_v6[16]; char __data[0]; };
struct trace_event_raw_tcp_event_sk_skb { struct trace_entry ent; const void *skbaddr; const void *skaddr; int state; __u16 sport; __u16 dport; __u16 family; __u8 saddr[4]; __u8 daddr[4]; __u8 saddr_v6[16]; __u8 daddr_v6[16]; char __data[0]; };
struct trace_event_raw_tcp_probe { struct trace_entry ent; __u8 saddr[28]; __u8 daddr[28]; __u16 sport; __u16 dport; __u16 family; __u32 mark; __u16 data_len; __u32 snd_nxt; __u32 snd_una; __u32 snd_cwnd; __u32 ssthresh; __u32 snd_wnd; __u32 srtt; __u32 rcv_wnd; __u64 sock_cookie; char __data[0]; };
struct trace_event_raw_net_dev_template { struct trace_entry ent; void *skbaddr; unsigned int len; u32 __data_loc_name; char __data[0]; };
struct trace_event_raw_kfree_skb { struct trace_entry ent; void *skbaddr; void *location; void *rx_sk; unsigned short protocol; int reason; char __data[0]; };
struct trace_event_raw_exceptions { struct trace_entry ent; unsigned long address; unsigned long ip; unsigned long error_code; char __data[0]; };
struct trace_event_raw_kmem_alloc { struct trace_entry ent; unsigned long call_site; const void *ptr; size_t bytes_req; size_t bytes_alloc; unsigned long gfp_flags; int node; char __data[0]; };
struct trace_event_raw_irq_handler_entry { struct trace_entry ent; int irq; u32 __data_loc_name; char __data[0]; };
struct trace_event_raw_softirq { struct trace_entry ent; unsigned int vec; char __data[0]; };
struct trace_event_raw_sched_process_wait { struct trace_entry ent; char comm[16]; pid_t pid; int prio; char __data[0]; };
struct trace_event_raw_signal_deliver { struct trace_entry ent; int sig; int errno; int code; unsigned long sa_handler; unsigned long sa_flags; char __data[0]; };
struct trace_event_raw_task_newtask { struct trace_entry ent; pid_t pid; char comm[16]; u64 clone_flags; short oom_score_adj; char __data[0]; };
struct trace_event_raw_task_rename { struct trace_entry ent; pid_t pid; char oldcomm[16]; char newcomm[16]; short oom_score_adj; char __data[0]; };
struct trace_event_raw_node_gc { struct trace_entry ent; int kind; int flags; u64 duration_ns; char __data[0]; };
struct trace_event_raw_node_loop { struct trace_entry ent; u64 min_ns; u64 mean_ns; u64 max_ns; char __data[0]; };
struct trace_event_raw_node_net { struct trace_entry ent; u32 __data_loc_host; int port; u64 duration_ns; char __data[0]; };
struct trace_event_raw_node_http { struct trace_entry ent; u32 __data_loc_method; u32 __data_loc_url; int status; u64 duration_ns; char __data[0]; };

typedef void (*btf_trace_sys_enter)(void *, struct pt_regs *regs, long id);
typedef void (*btf_trace_sys_exit)(void *, struct pt_regs *regs, long ret);
typedef void (*btf_trace_sched_switch)(void *, bool preempt, struct task_struct *prev, struct task_struct *next, unsigned int prev_state);
typedef void (*btf_trace_sched_wakeup)(void *, struct task_struct *p);
typedef void (*btf_trace_sched_wakeup_new)(void *, struct task_struct *p);
typedef void (*btf_trace_sched_waking)(void *, struct task_struct *p);
typedef void (*btf_trace_sched_process_exit)(void *, struct task_struct *p, bool group_dead);
typedef void (*btf_trace_sched_process_fork)(void *, struct task_struct *parent, struct task_struct *child);
typedef void (*btf_trace_sched_process_exec)(void *, struct task_struct *p, pid_t old_pid, struct linux_binprm *bprm);
typedef void (*btf_trace_sched_process_free)(void *, struct task_struct *p);
typedef void (*btf_trace_sched_process_wait)(void *, struct pid *pid);
typedef void (*btf_trace_signal_deliver)(void *, int sig, void *info, void *ka);
typedef void (*btf_trace_sched_migrate_task)(void *, struct task_struct *p, int dest_cpu);
typedef void (*btf_trace_signal_generate)(void *, int sig, void *info, struct task_struct *task, int group, int result);
typedef void (*btf_trace_block_rq_issue)(void *, struct request *rq);
typedef void (*btf_trace_block_rq_insert)(void *, struct request *rq);
typedef void (*btf_trace_block_rq_complete)(void *, struct request *rq, u8 error, unsigned int nr_bytes);
typedef void (*btf_trace_inet_sock_set_state)(void *, const struct sock *sk, const int oldstate, const int newstate);
typedef void (*btf_trace_tcp_retransmit_skb)(void *, const struct sock *sk, const struct sk_buff *skb);
typedef void (*btf_trace_tcp_probe)(void *, struct sock *sk, struct sk_buff *skb);
typedef void (*btf_trace_netif_receive_skb)(void *, struct sk_buff *skb);
typedef void (*btf_trace_net_dev_queue)(void *, struct sk_buff *skb);
typedef void (*btf_trace_net_dev_start_xmit)(void *, const struct sk_buff *skb, const struct net_device *dev);
typedef void (*btf_trace_kfree_skb)(void *, struct sk_buff *skb, void *location, int reason, struct sock *rx_sk);
typedef void (*btf_trace_page_fault_user)(void *, unsigned long address, struct pt_regs *regs, unsigned long error_code);
typedef void (*btf_trace_kmalloc)(void *, unsigned long call_site, const void *ptr, size_t bytes_req, size_t bytes_alloc, gfp_t gfp_flags, int node);
typedef void (*btf_trace_irq_handler_entry)(void *, int irq, void *action);
typedef void (*btf_trace_softirq_entry)(void *, unsigned int vec_nr);
typedef void (*btf_trace_task_newtask)(void *, struct task_struct *task, u64 clone_flags);
typedef void (*btf_trace_task_rename)(void *, struct task_struct *task, const char *comm);

`
