// Watches TCP connections open and close by the tracepoint sock:inet_sock_set_state, and reports
// each with its duration and the task that was running.

#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

#define AF_INET 2

struct connection {
	__u64 start_ns;
	__u32 pid;
	char comm[16];
};

struct connection_event {
	__u64 duration_ns;
	__u32 pid;
	__u16 sport;
	__u16 dport;
	__u8 saddr[4];
	__u8 daddr[4];
	char comm[16];
};

// Connections in progress, by address of the kernel's socket.
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, struct connection);
} open_connections SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 16);
	__type(value, struct connection_event);
} events SEC(".maps");

SEC("tracepoint/sock/inet_sock_set_state")
int connections(struct trace_event_raw_inet_sock_set_state *ctx)
{
	__u64 socket = (__u64)ctx->skaddr;

	if (ctx->family != AF_INET)
		return 0;
	if (ctx->newstate == TCP_SYN_SENT || ctx->newstate == TCP_ESTABLISHED) {
		struct connection fresh = {};

		fresh.start_ns = bpf_ktime_get_ns();
		fresh.pid = bpf_get_current_pid_tgid() >> 32;
		bpf_get_current_comm(fresh.comm, sizeof(fresh.comm));
		// A connection that was begun here keeps the time and the task of its beginning.
		bpf_map_update_elem(&open_connections, &socket, &fresh, BPF_NOEXIST);
		return 0;
	}
	if (ctx->newstate != TCP_CLOSE)
		return 0;

	struct connection *connection = bpf_map_lookup_elem(&open_connections, &socket);

	if (!connection)
		return 0;
	struct connection_event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);

	if (event) {
		event->duration_ns = bpf_ktime_get_ns() - connection->start_ns;
		event->pid = connection->pid;
		event->sport = ctx->sport;
		event->dport = ctx->dport;
		__builtin_memcpy(event->saddr, ctx->saddr, sizeof(event->saddr));
		__builtin_memcpy(event->daddr, ctx->daddr, sizeof(event->daddr));
		__builtin_memcpy(event->comm, connection->comm, sizeof(event->comm));
		bpf_ringbuf_submit(event, 0);
	}
	bpf_map_delete_elem(&open_connections, &socket);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
