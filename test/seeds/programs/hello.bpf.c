// A BCC program: "tracing the openat system call". Repaired: the text for bpf_trace_printk goes
// through libbpf's bpf_printk; the section says what the Python part attached to.

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("kprobe/do_sys_openat2")
int hello(void *ctx)
{
	bpf_printk("openat called!\n");
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
