// The three maps of "Hash Maps", "Arrays" and "Ring Buffers". Repaired: u32 and u64 are __u32 and
// __u64; struct data_t is defined; a program uses them.

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct data_t {
	__u64 timestamp;
	char comm[16];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, __u32);
	__type(value, struct data_t);
	__uint(max_entries, 1024);
} my_map SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, __u64);
	__uint(max_entries, 256);
} counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 24);
} events SEC(".maps");

SEC("tracepoint/sched/sched_process_exec")
int use_maps(void *ctx)
{
	__u32 pid = bpf_get_current_pid_tgid() >> 32;
	__u32 slot = pid % 256;
	__u64 *counter = bpf_map_lookup_elem(&counters, &slot);
	struct data_t data = { .timestamp = bpf_ktime_get_ns() };

	bpf_get_current_comm(data.comm, sizeof(data.comm));
	bpf_map_update_elem(&my_map, &pid, &data, BPF_ANY);
	if (counter)
		__sync_fetch_and_add(counter, 1);
	bpf_ringbuf_output(&events, &data, sizeof(data), 0);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
