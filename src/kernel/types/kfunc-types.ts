/** Kernel functions that programs may call, as C declarations. */

export const KFUNC_TYPES = `
struct bpf_iter_num { __u64 __opaque[1]; };
struct bpf_dynptr { __u64 __opaque[2]; };
struct bpf_dynptr_kern { void *data; u32 size; u32 offset; };
void *bpf_rdonly_cast(const void *obj__ign, u32 btf_id__k);
void *bpf_cast_to_kern_ctx(void *obj);
void bpf_rcu_read_lock(void);
void bpf_rcu_read_unlock(void);
void bpf_preempt_disable(void);
void bpf_preempt_enable(void);
int bpf_iter_num_new(struct bpf_iter_num *it, int start, int end);
int *bpf_iter_num_next(struct bpf_iter_num *it);
void bpf_iter_num_destroy(struct bpf_iter_num *it);
int bpf_dynptr_from_skb(struct __sk_buff *s, u64 flags, struct bpf_dynptr *ptr__uninit);
int bpf_dynptr_from_xdp(struct xdp_md *x, u64 flags, struct bpf_dynptr *ptr__uninit);
void *bpf_dynptr_slice(const struct bpf_dynptr *p, u32 offset, void *buffer__opt, u32 buffer__szk);
void *bpf_dynptr_slice_rdwr(const struct bpf_dynptr *p, u32 offset, void *buffer__opt, u32 buffer__szk);
int bpf_dynptr_adjust(const struct bpf_dynptr *p, u32 start, u32 end);
bool bpf_dynptr_is_null(const struct bpf_dynptr *p);
bool bpf_dynptr_is_rdonly(const struct bpf_dynptr *p);
u32 bpf_dynptr_size(const struct bpf_dynptr *p);
int bpf_dynptr_clone(const struct bpf_dynptr *p, struct bpf_dynptr *clone__uninit);
int bpf_dynptr_copy(struct bpf_dynptr *dst_ptr, u32 dst_off, struct bpf_dynptr *src_ptr, u32 src_off, u32 size);
int bpf_dynptr_memset(struct bpf_dynptr *p, u32 offset, u32 size, u8 val);
struct task_struct *bpf_task_acquire(struct task_struct *p);
void bpf_task_release(struct task_struct *p);
struct task_struct *bpf_task_from_pid(s32 pid);
struct task_struct *bpf_task_from_vpid(s32 vpid);
struct cgroup *bpf_cgroup_acquire(struct cgroup *cgrp);
void bpf_cgroup_release(struct cgroup *cgrp);
int bpf_strcmp(const char *s1__ign, const char *s2__ign);
int bpf_strcasecmp(const char *s1__ign, const char *s2__ign);
int bpf_strlen(const char *s__ign);
int bpf_strnlen(const char *s__ign, size_t count);
int bpf_strchr(const char *s__ign, char c);
int bpf_strchrnul(const char *s__ign, char c);
int bpf_strnchr(const char *s__ign, size_t count, char c);
int bpf_strrchr(const char *s__ign, int c);
int bpf_strspn(const char *s__ign, const char *accept__ign);
int bpf_strcspn(const char *s__ign, const char *reject__ign);
int bpf_strnstr(const char *s1__ign, const char *s2__ign, size_t len);
int bpf_strstr(const char *s1__ign, const char *s2__ign);
int bpf_xdp_metadata_rx_timestamp(const struct xdp_md *ctx, u64 *timestamp);
int bpf_xdp_metadata_rx_hash(const struct xdp_md *ctx, u32 *hash, int *rss_type);
int bpf_xdp_metadata_rx_vlan_tag(const struct xdp_md *ctx, u16 *vlan_proto, u16 *vlan_tci);
`
