/**
 * The kernel functions that programs may call by BTF (kfuncs), grouped by who may call them: name,
 * flags, prototype. Parameters' suffixes carry rules: `__sz` and `__szk` are the size of the
 * memory before them, `__k` a constant, `__str` a constant string, `__ign` anything, `__uninit`,
 * `__nullable` and `__opt` what they say, `__prog` and `__map` are filled in by the verifier.
 *
 * Left out: functions of the kernel's own tests and of its congestion control algorithms.
 *
 * Source: linux v6.18, a kernel's BTF (declaration tag `bpf_kfunc`) and its BTF_KFUNCS sets.
 */

/** Every program type. */
export const commonKfuncs = `
  bpf_arena_alloc_pages: trusted_args sleepable arena_ret arena_arg2
    void *(void *p__map, void *addr__ign, u32 page_cnt, int node_id, u64 flags);
  bpf_arena_free_pages: trusted_args sleepable arena_arg2
    void (void *p__map, void *ptr__ign, u32 page_cnt);
  bpf_arena_reserve_pages: trusted_args sleepable arena_arg2
    int (void *p__map, void *ptr__ign, u32 page_cnt);
  bpf_cast_to_kern_ctx: fastcall
    void *(void *obj);
  bpf_cgroup_read_xattr: rcu
    int (struct cgroup *cgroup, const char *name__str, struct bpf_dynptr *value_p);
  bpf_copy_from_user_dynptr: sleepable
    int (struct bpf_dynptr *dptr, u32 off, u32 size, const void *unsafe_ptr__ign);
  bpf_copy_from_user_str: sleepable
    int (void *dst, u32 dst__sz, const void *unsafe_ptr__ign, u64 flags);
  bpf_copy_from_user_str_dynptr: sleepable
    int (struct bpf_dynptr *dptr, u32 off, u32 size, const void *unsafe_ptr__ign);
  bpf_copy_from_user_task_dynptr: trusted_args sleepable
    int (struct bpf_dynptr *dptr, u32 off, u32 size, const void *unsafe_ptr__ign, struct
      task_struct *tsk);
  bpf_copy_from_user_task_str: sleepable
    int (void *dst, u32 dst__sz, const void *unsafe_ptr__ign, struct task_struct *tsk, u64
      flags);
  bpf_copy_from_user_task_str_dynptr: trusted_args sleepable
    int (struct bpf_dynptr *dptr, u32 off, u32 size, const void *unsafe_ptr__ign, struct
      task_struct *tsk);
  bpf_dynptr_adjust:
    int (const struct bpf_dynptr *p, u32 start, u32 end);
  bpf_dynptr_clone:
    int (const struct bpf_dynptr *p, struct bpf_dynptr *clone__uninit);
  bpf_dynptr_copy:
    int (struct bpf_dynptr *dst_ptr, u32 dst_off, struct bpf_dynptr *src_ptr, u32 src_off, u32
      size);
  bpf_dynptr_is_null:
    bool (const struct bpf_dynptr *p);
  bpf_dynptr_is_rdonly:
    bool (const struct bpf_dynptr *p);
  bpf_dynptr_memset:
    int (struct bpf_dynptr *p, u32 offset, u32 size, u8 val);
  bpf_dynptr_size:
    __u32 (const struct bpf_dynptr *p);
  bpf_dynptr_slice: ret_null
    void *(const struct bpf_dynptr *p, u32 offset, void *buffer__opt, u32 buffer__szk);
  bpf_dynptr_slice_rdwr: ret_null
    void *(const struct bpf_dynptr *p, u32 offset, void *buffer__opt, u32 buffer__szk);
  bpf_get_kmem_cache:
    struct kmem_cache *(u64 addr);
  bpf_iter_bits_destroy: iter_destroy
    void (struct bpf_iter_bits *it);
  bpf_iter_bits_new: iter_new
    int (struct bpf_iter_bits *it, const u64 *unsafe_ptr__ign, u32 nr_words);
  bpf_iter_bits_next: ret_null iter_next
    int *(struct bpf_iter_bits *it);
  bpf_iter_css_destroy: iter_destroy
    void (struct bpf_iter_css *it);
  bpf_iter_css_new: trusted_args iter_new rcu_protected
    int (struct bpf_iter_css *it, struct cgroup_subsys_state *start, unsigned int flags);
  bpf_iter_css_next: ret_null iter_next
    struct cgroup_subsys_state *(struct bpf_iter_css *it);
  bpf_iter_css_task_destroy: iter_destroy
    void (struct bpf_iter_css_task *it);
  bpf_iter_css_task_new: trusted_args iter_new
    int (struct bpf_iter_css_task *it, struct cgroup_subsys_state *css, unsigned int flags);
  bpf_iter_css_task_next: ret_null iter_next
    struct task_struct *(struct bpf_iter_css_task *it);
  bpf_iter_dmabuf_destroy: sleepable iter_destroy
    void (struct bpf_iter_dmabuf *it);
  bpf_iter_dmabuf_new: sleepable iter_new
    int (struct bpf_iter_dmabuf *it);
  bpf_iter_dmabuf_next: ret_null sleepable iter_next
    struct dma_buf *(struct bpf_iter_dmabuf *it);
  bpf_iter_kmem_cache_destroy: sleepable iter_destroy
    void (struct bpf_iter_kmem_cache *it);
  bpf_iter_kmem_cache_new: sleepable iter_new
    int (struct bpf_iter_kmem_cache *it);
  bpf_iter_kmem_cache_next: ret_null sleepable iter_next
    struct kmem_cache *(struct bpf_iter_kmem_cache *it);
  bpf_iter_num_destroy: iter_destroy
    void (struct bpf_iter_num *it);
  bpf_iter_num_new: iter_new
    int (struct bpf_iter_num *it, int start, int end);
  bpf_iter_num_next: ret_null iter_next
    int *(struct bpf_iter_num *it);
  bpf_iter_task_destroy: iter_destroy
    void (struct bpf_iter_task *it);
  bpf_iter_task_new: trusted_args iter_new rcu_protected
    int (struct bpf_iter_task *it, struct task_struct *task__nullable, unsigned int flags);
  bpf_iter_task_next: ret_null iter_next
    struct task_struct *(struct bpf_iter_task *it);
  bpf_iter_task_vma_destroy: iter_destroy
    void (struct bpf_iter_task_vma *it);
  bpf_iter_task_vma_new: rcu iter_new
    int (struct bpf_iter_task_vma *it, struct task_struct *task, u64 addr);
  bpf_iter_task_vma_next: ret_null iter_next
    struct vm_area_struct *(struct bpf_iter_task_vma *it);
  bpf_local_irq_restore:
    void (unsigned long *flags__irq_flag);
  bpf_local_irq_save:
    void (unsigned long *flags__irq_flag);
  bpf_map_sum_elem_count: trusted_args
    s64 (const struct bpf_map *map);
  bpf_preempt_disable:
    void (void);
  bpf_preempt_enable:
    void (void);
  bpf_probe_read_kernel_dynptr:
    int (struct bpf_dynptr *dptr, u32 off, u32 size, const void *unsafe_ptr__ign);
  bpf_probe_read_kernel_str_dynptr:
    int (struct bpf_dynptr *dptr, u32 off, u32 size, const void *unsafe_ptr__ign);
  bpf_probe_read_user_dynptr:
    int (struct bpf_dynptr *dptr, u32 off, u32 size, const void *unsafe_ptr__ign);
  bpf_probe_read_user_str_dynptr:
    int (struct bpf_dynptr *dptr, u32 off, u32 size, const void *unsafe_ptr__ign);
  bpf_rcu_read_lock:
    void (void);
  bpf_rcu_read_unlock:
    void (void);
  bpf_rdonly_cast: fastcall
    void *(const void *obj__ign, u32 btf_id__k);
  bpf_res_spin_lock: ret_null
    int (struct bpf_res_spin_lock *lock);
  bpf_res_spin_lock_irqsave: ret_null
    int (struct bpf_res_spin_lock *lock, unsigned long *flags__irq_flag);
  bpf_res_spin_unlock:
    void (struct bpf_res_spin_lock *lock);
  bpf_res_spin_unlock_irqrestore:
    void (struct bpf_res_spin_lock *lock, unsigned long *flags__irq_flag);
  bpf_strcasecmp:
    int (const char *s1__ign, const char *s2__ign);
  bpf_strchr:
    int (const char *s__ign, char c);
  bpf_strchrnul:
    int (const char *s__ign, char c);
  bpf_strcmp:
    int (const char *s1__ign, const char *s2__ign);
  bpf_strcspn:
    int (const char *s__ign, const char *reject__ign);
  bpf_stream_vprintk_impl: trusted_args
    int (int stream_id, const char *fmt__str, const void *args, u32 len__sz, void *aux__prog);
  bpf_strlen:
    int (const char *s__ign);
  bpf_strnchr:
    int (const char *s__ign, size_t count, char c);
  bpf_strnlen:
    int (const char *s__ign, size_t count);
  bpf_strnstr:
    int (const char *s1__ign, const char *s2__ign, size_t len);
  bpf_strrchr:
    int (const char *s__ign, int c);
  bpf_strspn:
    int (const char *s__ign, const char *accept__ign);
  bpf_strstr:
    int (const char *s1__ign, const char *s2__ign);
  bpf_task_work_schedule_resume_impl: trusted_args
    int (struct task_struct *task, struct bpf_task_work *tw, void *map__map,
      bpf_task_work_callback_t callback, void *aux__prog);
  bpf_task_work_schedule_signal_impl: trusted_args
    int (struct task_struct *task, struct bpf_task_work *tw, void *map__map,
      bpf_task_work_callback_t callback, void *aux__prog);
  bpf_wq_init:
    int (struct bpf_wq *wq, void *p__map, unsigned int flags);
  bpf_wq_set_callback_impl:
    int (struct bpf_wq *wq, int (*callback_fn)(void *, int *, void *),
      unsigned int flags, void *aux__prog);
  bpf_wq_start:
    int (struct bpf_wq *wq, unsigned int flags);
  bpf_xdp_metadata_rx_hash: trusted_args
    int (const struct xdp_md *ctx, u32 *hash, enum xdp_rss_hash_type *rss_type);
  bpf_xdp_metadata_rx_timestamp: trusted_args
    int (const struct xdp_md *ctx, u64 *timestamp);
  bpf_xdp_metadata_rx_vlan_tag: trusted_args
    int (const struct xdp_md *ctx, __be16 *vlan_proto, u16 *vlan_tci);
`

/** Objects, lists, trees, tasks and cgroups: tc, XDP, tracing, struct_ops, cgroup and syscall programs. */
export const genericKfuncs = `
  bpf_cgroup_acquire: acquire ret_null rcu
    struct cgroup *(struct cgroup *cgrp);
  bpf_cgroup_ancestor: acquire ret_null rcu
    struct cgroup *(struct cgroup *cgrp, int level);
  bpf_cgroup_from_id: acquire ret_null
    struct cgroup *(u64 cgid);
  bpf_cgroup_release: release
    void (struct cgroup *cgrp);
  bpf_key_put: release
    void (struct bpf_key *bkey);
  bpf_list_back: ret_null
    struct bpf_list_node *(struct bpf_list_head *head);
  bpf_list_front: ret_null
    struct bpf_list_node *(struct bpf_list_head *head);
  bpf_list_pop_back: acquire ret_null
    struct bpf_list_node *(struct bpf_list_head *head);
  bpf_list_pop_front: acquire ret_null
    struct bpf_list_node *(struct bpf_list_head *head);
  bpf_list_push_back_impl:
    int (struct bpf_list_head *head, struct bpf_list_node *node, void *meta__ign, u64 off);
  bpf_list_push_front_impl:
    int (struct bpf_list_head *head, struct bpf_list_node *node, void *meta__ign, u64 off);
  bpf_lookup_system_key: acquire ret_null
    struct bpf_key *(u64 id);
  bpf_lookup_user_key: acquire ret_null sleepable
    struct bpf_key *(s32 serial, u64 flags);
  bpf_obj_drop_impl: release
    void (void *p__alloc, void *meta__ign);
  bpf_obj_new_impl: acquire ret_null
    void *(u64 local_type_id__k, void *meta__ign);
  bpf_percpu_obj_drop_impl: release
    void (void *p__alloc, void *meta__ign);
  bpf_percpu_obj_new_impl: acquire ret_null
    void *(u64 local_type_id__k, void *meta__ign);
  bpf_rbtree_add_impl:
    int (struct bpf_rb_root *root, struct bpf_rb_node *node, bool (*less)(struct bpf_rb_node
      *, const struct bpf_rb_node *), void *meta__ign, u64 off);
  bpf_rbtree_first: ret_null
    struct bpf_rb_node *(struct bpf_rb_root *root);
  bpf_rbtree_left: ret_null
    struct bpf_rb_node *(struct bpf_rb_root *root, struct bpf_rb_node *node);
  bpf_rbtree_remove: acquire ret_null
    struct bpf_rb_node *(struct bpf_rb_root *root, struct bpf_rb_node *node);
  bpf_rbtree_right: ret_null
    struct bpf_rb_node *(struct bpf_rb_root *root, struct bpf_rb_node *node);
  bpf_rbtree_root: ret_null
    struct bpf_rb_node *(struct bpf_rb_root *root);
  bpf_refcount_acquire_impl: acquire ret_null rcu
    void *(void *p__refcounted_kptr, void *meta__ign);
  bpf_send_signal_task: trusted_args
    int (struct task_struct *task, int sig, enum pid_type type, u64 value);
  bpf_task_acquire: acquire ret_null rcu
    struct task_struct *(struct task_struct *p);
  bpf_task_from_pid: acquire ret_null
    struct task_struct *(s32 pid);
  bpf_task_from_vpid: acquire ret_null
    struct task_struct *(s32 vpid);
  bpf_task_get_cgroup1: acquire ret_null rcu
    struct cgroup *(struct task_struct *task, int hierarchy_id);
  bpf_task_release: release
    void (struct task_struct *p);
  bpf_task_under_cgroup: rcu
    long (struct task_struct *task, struct cgroup *ancestor);
  bpf_throw:
    void (u64 cookie);
`

/** CPU masks: tracing, struct_ops and syscall programs. */
export const cpumaskKfuncs = `
  bpf_cpumask_acquire: acquire trusted_args
    struct bpf_cpumask *(struct bpf_cpumask *cpumask);
  bpf_cpumask_and: rcu
    bool (struct bpf_cpumask *dst, const struct cpumask *src1, const struct cpumask *src2);
  bpf_cpumask_any_and_distribute: rcu
    u32 (const struct cpumask *src1, const struct cpumask *src2);
  bpf_cpumask_any_distribute: rcu
    u32 (const struct cpumask *cpumask);
  bpf_cpumask_clear: rcu
    void (struct bpf_cpumask *cpumask);
  bpf_cpumask_clear_cpu: rcu
    void (u32 cpu, struct bpf_cpumask *cpumask);
  bpf_cpumask_copy: rcu
    void (struct bpf_cpumask *dst, const struct cpumask *src);
  bpf_cpumask_create: acquire ret_null
    struct bpf_cpumask *(void);
  bpf_cpumask_empty: rcu
    bool (const struct cpumask *cpumask);
  bpf_cpumask_equal: rcu
    bool (const struct cpumask *src1, const struct cpumask *src2);
  bpf_cpumask_first: rcu
    u32 (const struct cpumask *cpumask);
  bpf_cpumask_first_and: rcu
    u32 (const struct cpumask *src1, const struct cpumask *src2);
  bpf_cpumask_first_zero: rcu
    u32 (const struct cpumask *cpumask);
  bpf_cpumask_full: rcu
    bool (const struct cpumask *cpumask);
  bpf_cpumask_intersects: rcu
    bool (const struct cpumask *src1, const struct cpumask *src2);
  bpf_cpumask_or: rcu
    void (struct bpf_cpumask *dst, const struct cpumask *src1, const struct cpumask *src2);
  bpf_cpumask_populate: rcu
    int (struct cpumask *cpumask, void *src, size_t src__sz);
  bpf_cpumask_release: release
    void (struct bpf_cpumask *cpumask);
  bpf_cpumask_set_cpu: rcu
    void (u32 cpu, struct bpf_cpumask *cpumask);
  bpf_cpumask_setall: rcu
    void (struct bpf_cpumask *cpumask);
  bpf_cpumask_subset: rcu
    bool (const struct cpumask *src1, const struct cpumask *src2);
  bpf_cpumask_test_and_clear_cpu: rcu
    bool (u32 cpu, struct bpf_cpumask *cpumask);
  bpf_cpumask_test_and_set_cpu: rcu
    bool (u32 cpu, struct bpf_cpumask *cpumask);
  bpf_cpumask_test_cpu: rcu
    bool (u32 cpu, const struct cpumask *cpumask);
  bpf_cpumask_weight: rcu
    u32 (const struct cpumask *cpumask);
  bpf_cpumask_xor: rcu
    void (struct bpf_cpumask *dst, const struct cpumask *src1, const struct cpumask *src2);
`

/** Tracing programs. */
export const tracingKfuncs = `
  css_rstat_flush: sleepable
    void (struct cgroup_subsys_state *css);
  css_rstat_updated:
    void (struct cgroup_subsys_state *css, int cpu);
`

/** Iterators of sockets. */
export const iterKfuncs = `
  bpf_sock_destroy: trusted_args
    int (struct sock_common *sock);
`

/** Session probes: entry and return in one program. */
export const sessionKfuncs = `
  bpf_session_cookie:
    __u64 *(void);
  bpf_session_is_return:
    bool (void);
`

/** LSM programs. */
export const lsmKfuncs = `
  bpf_get_dentry_xattr: trusted_args sleepable
    int (struct dentry *dentry, const char *name__str, struct bpf_dynptr *value_p);
  bpf_get_file_xattr: trusted_args sleepable
    int (struct file *file, const char *name__str, struct bpf_dynptr *value_p);
  bpf_get_task_exe_file: acquire ret_null trusted_args
    struct file *(struct task_struct *task);
  bpf_path_d_path: trusted_args
    int (const struct path *path, char *buf, size_t buf__sz);
  bpf_put_file: release
    void (struct file *file);
  bpf_remove_dentry_xattr: trusted_args sleepable
    int (struct dentry *dentry, const char *name__str);
  bpf_set_dentry_xattr: trusted_args sleepable
    int (struct dentry *dentry, const char *name__str, const struct bpf_dynptr *value_p, int
      flags);
`

/** Syscall programs. */
export const syscallKfuncs = `
  bpf_crypto_ctx_acquire: acquire ret_null rcu
    struct bpf_crypto_ctx *(struct bpf_crypto_ctx *ctx);
  bpf_crypto_ctx_create: acquire ret_null sleepable
    struct bpf_crypto_ctx *(const struct bpf_crypto_params *params, u32 params__sz, int *err);
  bpf_crypto_ctx_release: release
    void (struct bpf_crypto_ctx *ctx);
`

/** Encryption of packets: tc and XDP. */
export const cryptoKfuncs = `
  bpf_crypto_decrypt: rcu
    int (struct bpf_crypto_ctx *ctx, const struct bpf_dynptr *src, const struct bpf_dynptr *dst,
      const struct bpf_dynptr *siv__nullable);
  bpf_crypto_encrypt: rcu
    int (struct bpf_crypto_ctx *ctx, const struct bpf_dynptr *src, const struct bpf_dynptr *dst,
      const struct bpf_dynptr *siv__nullable);
`

/** Programs with a socket buffer, and tracing programs that meet one. */
export const skbKfuncs = `
  bpf_dynptr_from_skb: trusted_args
    int (struct __sk_buff *s, u64 flags, struct bpf_dynptr *ptr__uninit);
`

/** tc. */
export const skbMetaKfuncs = `
  bpf_dynptr_from_skb_meta: trusted_args
    int (struct __sk_buff *skb_, u64 flags, struct bpf_dynptr *ptr__uninit);
`

/** sched_cls alone. */
export const tcKfuncs = `
  bpf_sk_assign_tcp_reqsk: trusted_args
    int (struct __sk_buff *s, struct sock *sk, struct bpf_tcp_req_attrs *attrs, int attrs__sz);
`

/** Connection tracking: sched_cls and XDP. */
export const conntrackKfuncs = `
  bpf_ct_change_status: trusted_args
    int (struct nf_conn *nfct, u32 status);
  bpf_ct_change_timeout: trusted_args
    int (struct nf_conn *nfct, u32 timeout);
  bpf_ct_insert_entry: acquire release ret_null
    struct nf_conn *(struct nf_conn___init *nfct_i);
  bpf_ct_release: release
    void (struct nf_conn *nfct);
  bpf_ct_set_nat_info: trusted_args
    int (struct nf_conn___init *nfct, union nf_inet_addr *addr, int port, enum nf_nat_manip_type
      manip);
  bpf_ct_set_status: trusted_args
    int (const struct nf_conn___init *nfct, u32 status);
  bpf_ct_set_timeout: trusted_args
    void (struct nf_conn___init *nfct, u32 timeout);
  bpf_skb_ct_alloc: acquire ret_null
    struct nf_conn___init *(struct __sk_buff *skb_ctx, struct bpf_sock_tuple *bpf_tuple, u32
      tuple__sz, struct bpf_ct_opts *opts, u32 opts__sz);
  bpf_skb_ct_lookup: acquire ret_null
    struct nf_conn *(struct __sk_buff *skb_ctx, struct bpf_sock_tuple *bpf_tuple, u32 tuple__sz,
      struct bpf_ct_opts *opts, u32 opts__sz);
  bpf_xdp_ct_alloc: acquire ret_null
    struct nf_conn___init *(struct xdp_md *xdp_ctx, struct bpf_sock_tuple *bpf_tuple, u32
      tuple__sz, struct bpf_ct_opts *opts, u32 opts__sz);
  bpf_xdp_ct_lookup: acquire ret_null
    struct nf_conn *(struct xdp_md *xdp_ctx, struct bpf_sock_tuple *bpf_tuple, u32 tuple__sz,
      struct bpf_ct_opts *opts, u32 opts__sz);
`

/** XDP. */
export const xdpKfuncs = `
  bpf_dynptr_from_xdp:
    int (struct xdp_md *x, u64 flags, struct bpf_dynptr *ptr__uninit);
  bpf_xdp_get_xfrm_state: acquire ret_null
    struct xfrm_state *(struct xdp_md *ctx, struct bpf_xfrm_state_opts *opts, u32 opts__sz);
  bpf_xdp_pull_data:
    int (struct xdp_md *x, u32 len);
  bpf_xdp_xfrm_state_release: release
    void (struct xfrm_state *x);
`

/** cgroup programs. */
export const cgroupKfuncs = `
  bpf_sock_addr_set_sun_path:
    int (struct bpf_sock_addr_kern *sa_kern, const u8 *sun_path, u32 sun_path__sz);
  bpf_sock_ops_enable_tx_tstamp: trusted_args
    int (struct bpf_sock_ops_kern *skops, u64 flags);
`

/** Congestion control algorithms. */
export const structOpsKfuncs = `
  tcp_cong_avoid_ai:
    void (struct tcp_sock *tp, u32 w, u32 acked);
  tcp_reno_cong_avoid:
    void (struct sock *sk, u32 ack, u32 acked);
  tcp_reno_ssthresh:
    u32 (struct sock *sk);
  tcp_reno_undo_cwnd:
    u32 (struct sock *sk);
  tcp_slow_start:
    u32 (struct tcp_sock *tp, u32 acked);
`
