#include <linux/bpf.h>
#include <linux/bpf_perf_event.h>
#include <bpf/bpf_helpers.h>

struct inner {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} first SEC(".maps"), second SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 2);
	__type(key, __u32);
	__array(values, struct inner);
} outer SEC(".maps") = {
	.values = { &first, &second },
};

struct timed {
	struct bpf_timer timer;
	struct bpf_spin_lock lock;
	__u64 fired;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct timed);
} timers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARENA);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 10);
	__ulong(map_extra, 1ull << 44);
} arena SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_STACK_TRACE);
	__uint(max_entries, 100);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, 127 * sizeof(__u64));
} stacks SEC(".maps");

static int fired(void *map, int *key, struct timed *value)
{
	value->fired++;
	bpf_timer_start(&value->timer, 1000000, 0);
	return 0;
}

__noinline int global(__u32 x)
{
	return x + 1;
}

__weak __hidden int hidden(__u32 x)
{
	return x + 2;
}

SEC("syscall")
int start(void *ctx)
{
	__u32 key = 0;
	struct timed *value = bpf_map_lookup_elem(&timers, &key);
	void *map = bpf_map_lookup_elem(&outer, &key);
	__u64 *slot;

	if (!value || !map)
		return 1;
	bpf_timer_init(&value->timer, &timers, 1);
	bpf_timer_set_callback(&value->timer, fired);
	bpf_spin_lock(&value->lock);
	value->fired = 0;
	bpf_spin_unlock(&value->lock);
	slot = bpf_map_lookup_elem(map, &key);
	return slot ? global(*slot) + hidden(1) : 0;
}

SEC("perf_event")
int sample(struct bpf_perf_event_data *ctx)
{
	return bpf_get_stackid(ctx, &stacks, BPF_F_USER_STACK) + ctx->sample_period;
}

char LICENSE[] SEC("license") = "GPL";
