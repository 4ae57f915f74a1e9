// "libbpf example: tracing openat()". Repaired: struct trace_event_raw_sys_enter is a type of the
// kernel, so vmlinux.h stands in the place of <linux/bpf.h>.

#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

SEC("tracepoint/syscalls/sys_enter_openat")
int handle_openat(struct trace_event_raw_sys_enter *ctx)
{
	char comm[16];

	bpf_get_current_comm(&comm, sizeof(comm));
	bpf_printk("openat by %s\n", comm);
	return 0;
}
