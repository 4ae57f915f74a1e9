// "Block suspicious file operations". Repaired: the arguments are unpacked by BPF_PROG; EPERM is
// defined; `allow` is the security logic that a comment stood for: nobody but root opens a file
// called "shadow"; a licence is added (LSM programs must be GPL).

#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#define EPERM 1

// Block suspicious file operations
SEC("lsm/file_open")
int BPF_PROG(lsm_file_open, struct file *file)
{
	// Security logic here
	const unsigned char *text = BPF_CORE_READ(file, f_path.dentry, d_name.name);
	__u32 uid = bpf_get_current_uid_gid();
	char name[8] = {};
	int allow;

	bpf_probe_read_kernel_str(name, sizeof(name), text);
	allow = uid == 0 || bpf_strncmp(name, sizeof(name), "shadow") != 0;
	return allow ? 0 : -EPERM;
}

char LICENSE[] SEC("license") = "GPL";
