// A helper that only programs under the GPL may call.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("kprobe/do_unlinkat") int gpl_only(void *ctx)
{
	char b[8];
	return bpf_probe_read_kernel(b, sizeof(b), (void *)64);
}

char LICENSE[] SEC("license") = "Proprietary";
