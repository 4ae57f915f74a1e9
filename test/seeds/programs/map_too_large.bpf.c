// "Ignoring eBPF Map Limits", the one that is too large. Repaired: struct bpf_map_def is declared
// (libbpf 1.0 has removed it), and so is struct data; a program uses the map.

#include <linux/bpf.h>
#include <linux/ptrace.h>
#include <bpf/bpf_helpers.h>

struct bpf_map_def {
	unsigned int type;
	unsigned int key_size;
	unsigned int value_size;
	unsigned int max_entries;
	unsigned int map_flags;
};

struct data {
	__u64 first_ns;
	__u64 seen;
};

// Creating map without considering limits
struct bpf_map_def SEC("maps") my_hash = {
	.type = BPF_MAP_TYPE_HASH,
	.max_entries = 10000000, // Way too large
	.key_size = sizeof(int),
	.value_size = sizeof(struct data),
};

SEC("kprobe/do_nanosleep")
int remember(struct pt_regs *ctx)
{
	int pid = bpf_get_current_pid_tgid() >> 32;
	struct data fresh = { .first_ns = bpf_ktime_get_ns() };
	struct data *data;

	bpf_map_update_elem(&my_hash, &pid, &fresh, BPF_NOEXIST);
	data = bpf_map_lookup_elem(&my_hash, &pid);
	if (data)
		data->seen++;
	return 0;
}

char _license[] SEC("license") = "GPL";
