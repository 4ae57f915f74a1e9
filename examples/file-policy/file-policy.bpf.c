// A file-open policy as an LSM program: users other than root may not open files with certain
// names, and every refusal is reported.

#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#define EPERM 1
#define NAME_MAX 64

struct name {
	char text[NAME_MAX];
};

struct refusal {
	__u32 pid;
	__u32 uid;
	char comm[16];
	struct name name;
};

// Names (without directory) that only root may open, and how often somebody else tried.
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256);
	__type(key, struct name);
	__type(value, __u64);
} protected_names SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 16);
	__type(value, struct refusal);
} refusals SEC(".maps");

SEC("lsm/file_open")
int BPF_PROG(file_policy, struct file *file, int ret)
{
	struct name name = {};
	__u32 uid = bpf_get_current_uid_gid();

	// Another program has refused already.
	if (ret)
		return ret;
	if (uid == 0)
		return 0;
	const unsigned char *text = BPF_CORE_READ(file, f_path.dentry, d_name.name);

	bpf_probe_read_kernel_str(name.text, sizeof(name.text), text);
	__u64 *tries = bpf_map_lookup_elem(&protected_names, &name);

	if (!tries)
		return 0;
	__sync_fetch_and_add(tries, 1);
	struct refusal *refusal = bpf_ringbuf_reserve(&refusals, sizeof(*refusal), 0);

	if (refusal) {
		refusal->pid = bpf_get_current_pid_tgid() >> 32;
		refusal->uid = uid;
		bpf_get_current_comm(refusal->comm, sizeof(refusal->comm));
		refusal->name = name;
		bpf_ringbuf_submit(refusal, 0);
	}
	return -EPERM;
}

char LICENSE[] SEC("license") = "GPL";
