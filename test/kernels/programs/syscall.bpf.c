#include "common.h"
struct request { __u32 a, b; __u64 sum; };
RESULTS(1)
SEC("syscall")
int run_syscall(struct request *request)
{
	request->sum = (__u64)request->a * request->b;
	result(0, request->sum);
	request->a = 7;
	return request->b;
}
