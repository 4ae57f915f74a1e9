/** Kernel functions that programs may call or attach to, as C declarations. */

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
struct task_struct *bpf_task_acquire(struct task_struct *p);
void bpf_task_release(struct task_struct *p);
struct task_struct *bpf_task_from_pid(s32 pid);
struct cgroup *bpf_cgroup_acquire(struct cgroup *cgrp);
void bpf_cgroup_release(struct cgroup *cgrp);
int bpf_strcmp(const char *s1__ign, const char *s2__ign);
int bpf_strlen(const char *s__ign);
int bpf_strnlen(const char *s__ign, size_t count);
int bpf_strchr(const char *s__ign, char c);
int bpf_strstr(const char *s1__ign, const char *s2__ign);
int bpf_xdp_metadata_rx_timestamp(const struct xdp_md *ctx, u64 *timestamp);
int bpf_xdp_metadata_rx_hash(const struct xdp_md *ctx, u32 *hash, int *rss_type);

long do_unlinkat(int dfd, struct filename *name);
long do_sys_openat2(int dfd, const char *filename, struct open_how *how);
long do_sys_open(int dfd, const char *filename, int flags, umode_t mode);
int do_nanosleep(void *t, int mode);
ssize_t vfs_read(struct file *file, char *buf, size_t count, loff_t *pos);
ssize_t vfs_write(struct file *file, const char *buf, size_t count, loff_t *pos);
int vfs_open(const struct path *path, struct file *file);
int vfs_unlink(void *idmap, struct inode *dir, struct dentry *dentry, struct inode **delegated_inode);
int tcp_connect(struct sock *sk);
void tcp_close(struct sock *sk, long timeout);
int tcp_v4_connect(struct sock *sk, struct sockaddr *uaddr, int addr_len);
int tcp_v6_connect(struct sock *sk, struct sockaddr *uaddr, int addr_len);
int tcp_sendmsg(struct sock *sk, struct msghdr *msg, size_t size);
void tcp_cleanup_rbuf(struct sock *sk, int copied);
int tcp_rcv_established(struct sock *sk, struct sk_buff *skb);
int udp_sendmsg(struct sock *sk, struct msghdr *msg, size_t len);
int ip_rcv(struct sk_buff *skb, struct net_device *dev, void *pt, struct net_device *orig_dev);
void blk_account_io_start(struct request *req);
void blk_account_io_done(struct request *req, u64 now);
`
