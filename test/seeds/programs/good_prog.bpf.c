// "Bounded loop". Repaired: the guide's `if` never loops, so it is a `while`; the empty assembler line
// keeps the compiler from leaving nothing of it.

#include <linux/bpf.h>
#include <linux/ptrace.h>
#include <bpf/bpf_helpers.h>

// Always have termination conditions
SEC("kprobe/do_nanosleep")
int good_prog(struct pt_regs *ctx)
{
	int count = 0;

	while (count < 1000) { // Bounded loop
		count++;
		asm volatile("" : "+r"(count));
	}
	return 0;
}

char _license[] SEC("license") = "GPL";
