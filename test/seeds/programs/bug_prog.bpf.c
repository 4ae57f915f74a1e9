// "Infinite loop - REJECTED". Nothing repaired; it is meant to be refused.

#include <linux/bpf.h>
#include <linux/ptrace.h>
#include <bpf/bpf_helpers.h>

// This will be rejected by verifier
SEC("kprobe/do_nanosleep")
int bug_prog(struct pt_regs *ctx)
{
	while (1) {
	} // Infinite loop - REJECTED
	return 0;
}

char _license[] SEC("license") = "GPL";
