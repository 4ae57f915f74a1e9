/** Kernel types of files, directories, block devices and program execution, as C declarations. */

export const FILE_TYPES = `
struct qstr { union { struct { u32 hash; u32 len; }; u64 hash_len; }; const unsigned char *name; };
typedef __s64 time64_t;
struct timespec64 { time64_t tv_sec; long tv_nsec; };
struct super_block { struct list_head s_list; dev_t s_dev; unsigned long s_blocksize; loff_t s_maxbytes; struct file_system_type *s_type; unsigned long s_flags; unsigned long s_magic; struct dentry *s_root; char s_id[32]; struct user_namespace *s_user_ns; };
struct file_system_type { const char *name; int fs_flags; };
struct inode {
  umode_t i_mode; unsigned short i_opflags; kuid_t i_uid; kgid_t i_gid; unsigned int i_flags;
  struct super_block *i_sb; unsigned long i_ino;
  union { const unsigned int i_nlink; unsigned int __i_nlink; };
  dev_t i_rdev; loff_t i_size; s64 i_atime_sec; s64 i_mtime_sec; s64 i_ctime_sec; u32 i_generation;
};
struct dentry { unsigned int d_flags; struct dentry *d_parent; union { struct qstr __d_name; const struct qstr d_name; }; struct inode *d_inode; union { unsigned char d_iname[40]; struct { unsigned char string[40]; } d_shortname; }; struct super_block *d_sb; };
struct vfsmount { struct dentry *mnt_root; struct super_block *mnt_sb; int mnt_flags; };
struct mount { struct hlist_node mnt_hash; struct mount *mnt_parent; struct dentry *mnt_mountpoint; struct vfsmount mnt; int mnt_id; int mnt_group_id; };
struct file {
  fmode_t f_mode; const struct file_operations *f_op; void *private_data; struct inode *f_inode;
  unsigned int f_flags; unsigned int f_iocb_flags; const struct cred *f_cred;
  union { const struct path f_path; struct path __f_path; };
  loff_t f_pos;
};
struct file_operations { void *owner; };
struct fdtable { unsigned int max_fds; struct file **fd; };
struct filename { const char *name; const char *uptr; atomic_t refcnt; const char iname[1]; };
struct linux_binprm { struct mm_struct *mm; unsigned long p; unsigned int have_execfd:1; unsigned int secureexec:1; struct file *executable; struct file *interpreter; struct file *file; struct cred *cred; int unsafe; int argc; int envc; const char *filename; const char *interp; const char *fdpath; };
struct open_how { __u64 flags; __u64 mode; __u64 resolve; };
struct iattr { unsigned int ia_valid; umode_t ia_mode; kuid_t ia_uid; kgid_t ia_gid; loff_t ia_size; };
struct gendisk { int major; int first_minor; int minors; char disk_name[32]; };
struct block_device { sector_t bd_start_sect; sector_t bd_nr_sectors; dev_t bd_dev; struct gendisk *bd_disk; };
struct bio { struct block_device *bi_bdev; unsigned int bi_opf; unsigned short bi_flags; struct { sector_t bi_sector; unsigned int bi_size; unsigned int bi_idx; } bi_iter; };
struct request { unsigned int cmd_flags; unsigned int __data_len; sector_t __sector; struct bio *bio; struct block_device *part; u64 start_time_ns; u64 io_start_time_ns; };
struct vm_area_struct { unsigned long vm_start; unsigned long vm_end; struct mm_struct *vm_mm; unsigned long vm_flags; unsigned long vm_pgoff; struct file *vm_file; };
union bpf_attr { __u32 map_type; __u64 raw[20]; };
`
