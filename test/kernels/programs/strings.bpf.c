#include "common.h"
RESULTS(8)
SEC("syscall")
int strings(void *ctx)
{
	static const char format[] = "%d %x %s %llu %5d|%-4d|%04x";
	char text[64] = "", number[] = "-1234xyz", hex[] = "0x7fff ";
	__u64 args[] = { -5, 255, (__u64)(long)"abc", 1ULL << 40, 42, 7, 0xab };
	long value = 0;
	unsigned long positive = 0;
	result(0, bpf_strtol(number, sizeof(number), 0, &value));
	result(1, value);
	result(2, bpf_strtoul(hex, sizeof(hex), 0, &positive));
	result(3, positive);
	result(4, bpf_strncmp(number, 5, "-1234"));
	result(5, bpf_snprintf(text, sizeof(text), format, args, sizeof(args)));
	for (int i = 0; i < 40; i++)
		result(6, text[i]);
	result(7, bpf_strtol(text + 60, 2, 10, &value));
	return 0;
}
