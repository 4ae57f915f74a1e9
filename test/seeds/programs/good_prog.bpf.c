// "Bounded loop". Repaired: the guide's `if` never loops, so it is a `while`; the count is volatile,
// or the compiler would leave nothing of it.

#include <linux/bpf.h>
#include <linux/ptrace.h>
#include <bpf/bpf_helpers.h>

// Always have termination conditions
SEC("kprobe/do_nanosleep")
int good_prog(struct pt_regs *ctx)
{
	volatile int count = 0;

	while (count < 1000) { // Bounded loop
		count++;
	}
	return 0;
}

char _license[] SEC("license") = "GPL";
