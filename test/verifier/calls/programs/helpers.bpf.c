// Calls of helpers, accepted and refused. Each program is one rule; Linux says what happens.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct value {
	__u64 count;
	char buffer[64];
};
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, struct value);
} hash SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, struct value);
} array SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__uint(map_flags, BPF_F_RDONLY_PROG);
	__type(key, __u32);
	__type(value, struct value);
} readonly SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u32);
} programs SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__type(key, __u32);
	__type(value, __u32);
} events SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_STACK_TRACE);
	__uint(max_entries, 4);
	__uint(key_size, 4);
	__uint(value_size, 1016);
} traces SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} ring SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 4);
	__type(value, __u64);
} queue SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_BLOOM_FILTER);
	__uint(max_entries, 4);
	__type(value, __u64);
} bloom SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_CGROUP_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u32);
} cgroups SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, struct value);
} percpu SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u32);
} devices SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u32);
} sockets SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_CGROUP_STORAGE);
	__type(key, struct bpf_cgroup_storage_key);
	__type(value, __u64);
} storage SEC(".maps");

char format[] SEC(".rodata.format") = "%d %s";

SEC("socket") int a_lookup_gives_a_value_or_null(void *ctx)
{
	__u32 key = 1;
	struct value *value = bpf_map_lookup_elem(&hash, &key);

	return value ? value->count : 0;
}
SEC("socket") int a_value_that_may_be_null_is_not_read(void *ctx)
{
	__u32 key = 1;
	struct value *value = bpf_map_lookup_elem(&hash, &key);

	return value->count;
}
SEC("socket") int a_constant_index_of_an_array_gives_no_null(void *ctx)
{
	__u32 key = 1;
	struct value *value = bpf_map_lookup_elem(&array, &key);

	return value->count;
}
SEC("socket") int an_index_zero_of_an_array_gives_no_null(void *ctx)
{
	__u32 key = 0;
	struct value *value = bpf_map_lookup_elem(&percpu, &key);

	return value->count;
}
SEC("socket") int a_constant_index_beyond_the_array_may_give_null(void *ctx)
{
	__u32 key = 4;
	struct value *value = bpf_map_lookup_elem(&array, &key);

	return value->count;
}
SEC("socket") int an_unknown_index_may_give_null(void *ctx)
{
	__u32 key = bpf_get_prandom_u32();
	struct value *value = bpf_map_lookup_elem(&array, &key);

	return value->count;
}
SEC("socket") int the_value_of_an_update_may_be_a_value(void *ctx)
{
	__u32 key = 1;
	struct value *value = bpf_map_lookup_elem(&hash, &key);

	if (!value)
		return 0;
	return bpf_map_update_elem(&array, &key, value, 0);
}
SEC("socket") int the_key_may_be_a_value(void *ctx)
{
	__u32 key = 1;
	struct value *value = bpf_map_lookup_elem(&hash, &key);

	if (!value)
		return 0;
	return bpf_map_delete_elem(&hash, value->buffer + 60);
}
SEC("socket") int the_key_must_lie_within_the_value(void *ctx)
{
	__u32 key = 1;
	struct value *value = bpf_map_lookup_elem(&hash, &key);

	if (!value)
		return 0;
	return bpf_map_delete_elem(&hash, value->buffer + 61);
}
SEC("socket") int a_map_that_programs_may_only_read_is_not_updated(void *ctx)
{
	__u32 key = 1;
	struct value value = {};

	return bpf_map_update_elem(&readonly, &key, &value, 0);
}
SEC("socket") int a_map_that_programs_may_only_read_is_looked_up(void *ctx)
{
	__u32 key = bpf_get_prandom_u32();
	struct value *value = bpf_map_lookup_elem(&readonly, &key);

	return value ? value->count : 0;
}
SEC("socket") int the_context_is_no_key(void *ctx)
{
	return bpf_map_delete_elem(&hash, ctx);
}
SEC("socket") int a_number_is_no_key(void *ctx)
{
	return bpf_map_delete_elem(&hash, (void *)bpf_get_prandom_u32());
}
SEC("socket") int a_map_is_not_looked_up_in_a_program_array(void *ctx)
{
	__u32 key = 1;

	return bpf_map_lookup_elem(&programs, &key) != 0;
}
SEC("socket") int a_stack_trace_map_is_not_looked_up(void *ctx)
{
	__u32 key = 1;

	return bpf_map_lookup_elem(&traces, &key) != 0;
}
SEC("xdp") int a_device_map_is_looked_up(void *ctx)
{
	__u32 key = 1;

	return bpf_map_lookup_elem(&devices, &key) != 0;
}
SEC("xdp") int a_device_map_is_not_updated(void *ctx)
{
	__u32 key = 1;

	return bpf_map_update_elem(&devices, &key, &key, 0);
}
SEC("xdp") int packets_are_redirected_by_a_device_map(void *ctx)
{
	return bpf_redirect_map(&devices, 0, 0);
}
SEC("xdp") int packets_are_not_redirected_by_an_array(void *ctx)
{
	return bpf_redirect_map(&array, 0, 0);
}
SEC("socket") int a_queue_is_popped_into_uninitialised_memory(void *ctx)
{
	__u64 value;

	return bpf_map_pop_elem(&queue, &value) ? 0 : value;
}
SEC("socket") int a_hash_is_not_pushed(void *ctx)
{
	struct value value = {};

	return bpf_map_push_elem(&hash, &value, 0);
}
SEC("socket") int a_bloom_filter_is_asked(void *ctx)
{
	__u64 value = 5;

	return bpf_map_peek_elem(&bloom, &value);
}
SEC("socket") int a_per_cpu_value_of_another_cpu(void *ctx)
{
	__u32 key = 1;
	struct value *value = bpf_map_lookup_percpu_elem(&percpu, &key, 0);

	return value ? value->count : 0;
}
SEC("socket") int an_array_has_no_values_of_other_cpus(void *ctx)
{
	__u32 key = 1;
	struct value *value = bpf_map_lookup_percpu_elem(&array, &key, 0);

	return value ? value->count : 0;
}
SEC("tc") int a_tail_call(void *ctx)
{
	bpf_tail_call(ctx, &programs, 1);
	return 0;
}
SEC("tc") int a_tail_call_needs_a_program_array(void *ctx)
{
	bpf_tail_call(ctx, &hash, 1);
	return 0;
}
SEC("tc") int a_tail_call_needs_the_context(void *ctx)
{
	bpf_tail_call(&array, &programs, 1);
	return 0;
}
SEC("tc") int a_socket_is_looked_up_in_a_sock_map_and_released(void *ctx)
{
	__u32 key = 1;
	struct bpf_sock *socket = bpf_map_lookup_elem(&sockets, &key);

	if (socket)
		bpf_sk_release(socket);
	return 0;
}
SEC("tc") int a_socket_of_a_sock_map_is_leaked(void *ctx)
{
	__u32 key = 1;
	struct bpf_sock *socket = bpf_map_lookup_elem(&sockets, &key);

	return socket != 0;
}
SEC("kprobe/f") int a_sock_map_is_not_updated_here(void *ctx)
{
	__u32 key = 1;

	return bpf_map_delete_elem(&sockets, &key);
}
SEC("tc") int a_sock_map_takes_sockets(struct __sk_buff *ctx)
{
	__u32 key = 1;
	struct bpf_sock *socket = ctx->sk;

	if (!socket)
		return 0;
	return bpf_map_update_elem(&sockets, &key, socket, 0);
}
SEC("tc") int a_sock_map_takes_no_memory(struct __sk_buff *ctx)
{
	__u32 key = 1;

	return bpf_map_update_elem(&sockets, &key, &key, 0);
}
SEC("kprobe/f") int a_read_fills_memory(void *ctx)
{
	char buffer[16];

	bpf_probe_read_kernel(buffer, sizeof(buffer), (void *)bpf_get_current_task());
	return buffer[3];
}
SEC("kprobe/f") int a_size_that_is_bounded(void *ctx)
{
	char buffer[16];
	__u32 size = bpf_get_prandom_u32() & 15;

	return bpf_probe_read_kernel(buffer, size, ctx);
}
SEC("kprobe/f") int a_size_beyond_the_stack(void *ctx)
{
	char buffer[16];
	__u32 size = bpf_get_prandom_u32() & 31;

	return bpf_probe_read_kernel(buffer, size, ctx);
}
SEC("kprobe/f") int a_size_without_a_bound(void *ctx)
{
	char buffer[16];

	return bpf_probe_read_kernel(buffer, bpf_get_prandom_u32(), ctx);
}
SEC("kprobe/f") int a_size_that_may_be_negative(void *ctx)
{
	char buffer[16];
	long size = (int)bpf_get_prandom_u32();

	if (size > 16)
		size = 16;
	asm volatile("" : "+r"(size));
	return bpf_probe_read_kernel(buffer, size, ctx);
}
SEC("tc") int a_size_that_may_be_zero(struct __sk_buff *ctx)
{
	char buffer[16];

	return bpf_skb_load_bytes(ctx, 0, buffer, ctx->len & 15);
}
SEC("kprobe/f") int a_string_read_returns_at_most_its_size(void *ctx)
{
	char buffer[16] = {};
	long length = bpf_probe_read_kernel_str(buffer, 16, ctx);

	if (length <= 0)
		return 0;
	return buffer[length - 1];
}
SEC("kprobe/f") int a_string_read_may_fail(void *ctx)
{
	char buffer[16] = {};
	long length = bpf_probe_read_kernel_str(buffer, 16, ctx);

	return buffer[length & 31];
}
SEC("kprobe/f") int a_stack_of_bounded_length(void *ctx)
{
	__u32 key = 0;
	struct value *value = bpf_map_lookup_elem(&array, &key);
	long length;

	if (!value)
		return 0;
	length = bpf_get_stack(ctx, value->buffer, 64, 0);
	if (length <= 0)
		return 0;
	return value->buffer[length - 1];
}
SEC("kprobe/f") int the_processor_number_is_bounded(void *ctx)
{
	__u32 cpu = bpf_get_smp_processor_id();
	char buffer[512 - 64] = {};

	return buffer[cpu];
}
SEC("kprobe/f") int events_are_written(void *ctx)
{
	__u64 data = 1;

	return bpf_perf_event_output(ctx, &events, BPF_F_CURRENT_CPU, &data, sizeof(data));
}
SEC("kprobe/f") int events_are_not_written_to_a_hash(void *ctx)
{
	__u64 data = 1;

	return bpf_perf_event_output(ctx, &hash, BPF_F_CURRENT_CPU, &data, sizeof(data));
}
SEC("kprobe/f") int a_stack_trace_is_taken(void *ctx)
{
	return bpf_get_stackid(ctx, &traces, 0);
}
SEC("kprobe/f") int a_stack_trace_needs_its_map(void *ctx)
{
	return bpf_get_stackid(ctx, &array, 0);
}
SEC("kprobe/f") int membership_of_a_cgroup(void *ctx)
{
	return bpf_current_task_under_cgroup(&cgroups, 0);
}
SEC("xdp") int a_helper_of_another_program_type(void *ctx)
{
	char buffer[16];

	return bpf_skb_load_bytes(ctx, 0, buffer, 16);
}
SEC("kprobe/f") int a_helper_that_sleeps(void *ctx)
{
	char buffer[16];

	return bpf_copy_from_user(buffer, 16, ctx);
}
SEC("kprobe.multi/f") int a_helper_that_does_not_exist(void *ctx)
{
	return ((long (*)(void))1000)();
}
SEC("kprobe/f") int the_address_of_the_function(void *ctx)
{
	return bpf_get_func_ip(ctx);
}
SEC("tracepoint/a/b") int a_tracepoint_has_no_function(void *ctx)
{
	return bpf_get_func_ip(ctx);
}
SEC("tc") int packet_pointers_die_when_the_packet_moves(struct __sk_buff *ctx)
{
	char *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;

	if (data + 14 > end)
		return 0;
	bpf_skb_pull_data(ctx, 0);
	return data[3];
}
SEC("tc") int packet_memory_for_a_helper_that_takes_it(struct __sk_buff *ctx)
{
	char *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;

	if (data + 16 > end)
		return 0;
	return bpf_csum_diff(0, 0, (void *)data, 16, 0);
}
SEC("tc") int packet_memory_for_a_helper_that_does_not(struct __sk_buff *ctx)
{
	char *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;

	if (data + 16 > end)
		return 0;
	return bpf_skb_store_bytes(ctx, 0, data, 16, 0);
}
SEC("tc") int packet_memory_is_a_key_only_within_the_packet(struct __sk_buff *ctx)
{
	char *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;

	if (data + 3 > end)
		return 0;
	return bpf_map_lookup_elem(&hash, data) != 0;
}
SEC("tc") int a_format_must_be_constant(struct __sk_buff *ctx)
{
	char out[16], own[] = "%d";
	__u64 data[1] = { 1 };

	return bpf_snprintf(out, sizeof(out), own, data, sizeof(data));
}
SEC("tc") int a_format_with_all_its_values(struct __sk_buff *ctx)
{
	static const char text[] = "%d %pI4 %5lx%%";
	char out[16];
	__u64 data[3] = { 1, 2, 3 };

	return bpf_snprintf(out, sizeof(out), text, data, sizeof(data));
}
SEC("tc") int a_format_with_too_few_values(struct __sk_buff *ctx)
{
	static const char text[] = "%d %d";
	char out[16];
	__u64 data[1] = { 1 };

	return bpf_snprintf(out, sizeof(out), text, data, sizeof(data));
}
SEC("tc") int a_format_that_is_none(struct __sk_buff *ctx)
{
	static const char text[] = "%q";
	char out[16];
	__u64 data[1] = { 1 };

	return bpf_snprintf(out, sizeof(out), text, data, sizeof(data));
}
SEC("tc") int a_format_with_values_of_other_sizes(struct __sk_buff *ctx)
{
	static const char text[] = "%d";
	char out[16];
	__u64 data[1] = { 1 };

	return bpf_snprintf(out, sizeof(out), text, data, 7);
}
SEC("tc") int a_number_is_read_into_aligned_memory(struct __sk_buff *ctx)
{
	static const char text[] = "77";
	long number;

	return bpf_strtol("77", 2, 0, &number) < 0 ? 0 : number;
}
SEC("cgroup/dev") int local_storage(void *ctx)
{
	__u64 *count = bpf_get_local_storage(&storage, 0);

	return (*count)++ & 1;
}
SEC("cgroup/dev") int local_storage_takes_no_flags(void *ctx)
{
	__u64 *count = bpf_get_local_storage(&storage, 1);

	return (*count)++ & 1;
}
SEC("cgroup/dev") int local_storage_needs_its_map(void *ctx)
{
	__u64 *count = bpf_get_local_storage(&array, 0);

	return (*count)++ & 1;
}
SEC("tc") int a_record_is_submitted(void *ctx)
{
	__u64 *record = bpf_ringbuf_reserve(&ring, 8, 0);

	if (!record)
		return 0;
	*record = 1;
	bpf_ringbuf_submit(record, 0);
	return 0;
}
SEC("tc") int a_record_is_leaked(void *ctx)
{
	__u64 *record = bpf_ringbuf_reserve(&ring, 8, 0);

	if (!record)
		return 0;
	*record = 1;
	return 0;
}
SEC("tc") int a_record_is_submitted_twice(void *ctx)
{
	__u64 *record = bpf_ringbuf_reserve(&ring, 8, 0);

	if (!record)
		return 0;
	bpf_ringbuf_submit(record, 0);
	bpf_ringbuf_submit(record, 0);
	return 0;
}
SEC("tc") int a_record_is_written_after_it_was_submitted(void *ctx)
{
	__u64 *record = bpf_ringbuf_reserve(&ring, 8, 0);

	if (!record)
		return 0;
	bpf_ringbuf_discard(record, 0);
	*record = 1;
	return 0;
}
SEC("tc") int a_record_is_submitted_from_its_middle(void *ctx)
{
	__u64 *record = bpf_ringbuf_reserve(&ring, 16, 0);

	if (!record)
		return 0;
	bpf_ringbuf_submit(record + 1, 0);
	return 0;
}
SEC("tc") int a_record_that_may_be_null_is_not_submitted(void *ctx)
{
	bpf_ringbuf_submit(bpf_ringbuf_reserve(&ring, 8, 0), 0);
	return 0;
}
SEC("tc") int the_size_of_a_record_is_constant(void *ctx)
{
	__u64 *record = bpf_ringbuf_reserve(&ring, bpf_get_prandom_u32() & 15, 0);

	if (record)
		bpf_ringbuf_submit(record, 0);
	return 0;
}
SEC("tc") int the_stack_is_no_record(void *ctx)
{
	__u64 value = 0;

	bpf_ringbuf_submit(&value, 0);
	return 0;
}
SEC("tc") int a_record_is_memory_for_helpers(void *ctx)
{
	char *record = bpf_ringbuf_reserve(&ring, 16, 0);

	if (!record)
		return 0;
	bpf_skb_load_bytes(ctx, 0, record, 16);
	bpf_ringbuf_submit(record, 0);
	return 0;
}
SEC("tc") int a_record_is_too_short_for_a_helper(void *ctx)
{
	char *record = bpf_ringbuf_reserve(&ring, 16, 0);

	if (!record)
		return 0;
	bpf_skb_load_bytes(ctx, 0, record, 17);
	bpf_ringbuf_submit(record, 0);
	return 0;
}
SEC("tc") int a_tail_call_with_a_record(void *ctx)
{
	char *record = bpf_ringbuf_reserve(&ring, 16, 0);

	if (!record)
		return 0;
	bpf_tail_call(ctx, &programs, 1);
	bpf_ringbuf_submit(record, 0);
	return 0;
}
char LICENSE[] SEC("license") = "GPL";
