/**
 * Functions of the kernel that programs are attached to, and iterators with what they show, as C
 * declarations. The virtual world runs those of files and processes; others are there to be fired
 * by name (linux v6.18; prototypes are those of its own types).
 */

export const FUNCTION_TYPES = `
enum hrtimer_mode { HRTIMER_MODE_ABS, HRTIMER_MODE_REL };
typedef int clockid_t;
typedef void *fl_owner_t;
typedef unsigned int vm_fault_t;
struct kernel_clone_args { u64 flags; int exit_signal; };
struct bpf_fentry_test_t { struct bpf_fentry_test_t *a; };

int do_unlinkat(int dfd, struct filename *name);
int do_rmdir(int dfd, struct filename *name);
int do_mkdirat(int dfd, struct filename *name, umode_t mode);
int do_symlinkat(struct filename *from, int newdfd, struct filename *to);
int do_renameat2(int olddfd, struct filename *from, int newdfd, struct filename *to, unsigned int flags);
int do_sys_openat2(int dfd, const char *filename, struct open_how *how);
long do_sys_open(int dfd, const char *filename, int flags, umode_t mode);
struct file *do_filp_open(int dfd, struct filename *pathname, const struct open_flags *op);
int do_nanosleep(struct hrtimer_sleeper *t, enum hrtimer_mode mode);
long hrtimer_nanosleep(ktime_t rqtp, const enum hrtimer_mode mode, const clockid_t clockid);
void do_exit(long code);
pid_t kernel_clone(struct kernel_clone_args *args);
void wake_up_new_task(struct task_struct *p);
int try_to_wake_up(struct task_struct *p, unsigned int state, int wake_flags);
int bprm_execve(struct linux_binprm *bprm);
int chmod_common(const struct path *path, umode_t mode);
int chown_common(const struct path *path, uid_t user, gid_t group);
int filp_close(struct file *filp, fl_owner_t id);
vm_fault_t handle_mm_fault(struct vm_area_struct *vma, unsigned long address, unsigned int flags, struct pt_regs *regs);
int iterate_dir(struct file *file, struct dir_context *ctx);
ssize_t vfs_read(struct file *file, char *buf, size_t count, loff_t *pos);
ssize_t vfs_write(struct file *file, const char *buf, size_t count, loff_t *pos);
int vfs_open(const struct path *path, struct file *file);
int vfs_fsync(struct file *file, int datasync);
int vfs_fstatat(int dfd, const char *filename, struct kstat *stat, int flags);
int vfs_unlink(struct mnt_idmap *idmap, struct inode *dir, struct dentry *dentry, struct inode **delegated_inode);
int vfs_rmdir(struct mnt_idmap *idmap, struct inode *dir, struct dentry *dentry);
struct dentry *vfs_mkdir(struct mnt_idmap *idmap, struct inode *dir, struct dentry *dentry, umode_t mode);
int vfs_symlink(struct mnt_idmap *idmap, struct inode *dir, struct dentry *dentry, const char *oldname);
int vfs_rename(struct renamedata *rd);
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

int bpf_fentry_test1(int a);
int bpf_fentry_test2(int a, u64 b);
int bpf_fentry_test3(char a, int b, u64 c);
int bpf_fentry_test4(void *a, char b, int c, u64 d);
int bpf_fentry_test5(u64 a, void *b, short c, int d, u64 e);
int bpf_fentry_test6(u64 a, void *b, short c, int d, void *e, u64 f);
int bpf_fentry_test7(struct bpf_fentry_test_t *arg);
int bpf_fentry_test8(struct bpf_fentry_test_t *arg);
u32 bpf_fentry_test9(u32 *a);
int bpf_fentry_test10(const void *a);
int bpf_modify_return_test(int a, int *b);
int bpf_modify_return_test2(int a, int *b, short c, int d, void *e, char f, int g);

struct seq_file { char *buf; size_t size; size_t from; size_t count; size_t pad_until; loff_t index; loff_t read_pos; const struct seq_operations *op; int poll_event; const struct file *file; void *private; };
struct bpf_iter_meta { union { struct seq_file *seq; __u64 :64; }; u64 session_id; u64 seq_num; };
struct bpf_map { u32 map_type; u32 key_size; u32 value_size; u32 max_entries; u64 map_extra; u32 map_flags; u32 id; struct btf *btf; u32 btf_key_type_id; u32 btf_value_type_id; char name[16]; struct { s64 counter; } refcnt; bool frozen; };
struct bpf_prog_aux { struct { s64 counter; } refcnt; u32 used_map_cnt; u32 id; u32 attach_btf_id; const char *attach_func_name; char name[16]; u64 load_time; u32 verified_insns; };
struct bpf_prog { u16 pages; u32 type; u32 expected_attach_type; u32 len; u32 jited_len; u8 tag[8]; struct bpf_prog_aux *aux; };
struct bpf_link { struct { s64 counter; } refcnt; u32 id; u32 type; const struct bpf_link_ops *ops; struct bpf_prog *prog; };
struct kallsym_iter { loff_t pos; loff_t pos_mod_end; unsigned long value; unsigned int nameoff; char type; char name[512]; char module_name[56]; int exported; int show_value; };
struct bpf_iter__task { union { struct bpf_iter_meta *meta; __u64 :64; }; union { struct task_struct *task; __u64 :64; }; };
struct bpf_iter__task_file { union { struct bpf_iter_meta *meta; __u64 :64; }; union { struct task_struct *task; __u64 :64; }; u32 fd; union { struct file *file; __u64 :64; }; };
struct bpf_iter__task_vma { union { struct bpf_iter_meta *meta; __u64 :64; }; union { struct task_struct *task; __u64 :64; }; union { struct vm_area_struct *vma; __u64 :64; }; };
struct bpf_iter__bpf_map { union { struct bpf_iter_meta *meta; __u64 :64; }; union { struct bpf_map *map; __u64 :64; }; };
struct bpf_iter__bpf_map_elem { union { struct bpf_iter_meta *meta; __u64 :64; }; union { struct bpf_map *map; __u64 :64; }; union { void *key; __u64 :64; }; union { void *value; __u64 :64; }; };
struct bpf_iter__bpf_prog { union { struct bpf_iter_meta *meta; __u64 :64; }; union { struct bpf_prog *prog; __u64 :64; }; };
struct bpf_iter__bpf_link { union { struct bpf_iter_meta *meta; __u64 :64; }; union { struct bpf_link *link; __u64 :64; }; };
struct bpf_iter__cgroup { union { struct bpf_iter_meta *meta; __u64 :64; }; union { struct cgroup *cgroup; __u64 :64; }; };
struct bpf_iter__ksym { union { struct bpf_iter_meta *meta; __u64 :64; }; union { struct kallsym_iter *ksym; __u64 :64; }; };
int bpf_iter_task(struct bpf_iter_meta *meta, struct task_struct *task);
int bpf_iter_task_file(struct bpf_iter_meta *meta, struct task_struct *task, u32 fd, struct file *file);
int bpf_iter_task_vma(struct bpf_iter_meta *meta, struct task_struct *task, struct vm_area_struct *vma);
int bpf_iter_bpf_map(struct bpf_iter_meta *meta, struct bpf_map *map);
int bpf_iter_bpf_map_elem(struct bpf_iter_meta *meta, struct bpf_map *map, void *key, void *value);
int bpf_iter_bpf_prog(struct bpf_iter_meta *meta, struct bpf_prog *prog);
int bpf_iter_bpf_link(struct bpf_iter_meta *meta, struct bpf_link *link);
int bpf_iter_cgroup(struct bpf_iter_meta *meta, struct cgroup *cgroup);
int bpf_iter_ksym(struct bpf_iter_meta *meta, struct kallsym_iter *ksym);
`
