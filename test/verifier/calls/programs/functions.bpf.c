// Functions of the program: static, global, callbacks; what programs of each type may return.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define noinline __attribute__((noinline))
#define tag(text) __attribute__((btf_decl_tag("arg:" text)))

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
struct timed {
	__u64 count;
	struct bpf_timer timer;
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct timed);
} timers SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct timed);
} others SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_USER_RINGBUF);
	__uint(max_entries, 4096);
} user_ring SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} ring SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u32);
} programs SEC(".maps");

// ---- static functions ----

static noinline int add(int a, int b)
{
	return a + b;
}
static noinline int read_through(int *p)
{
	return *p;
}
static noinline __u64 read_value(struct value *value)
{
	return value->count;
}
static noinline long tail(struct __sk_buff *ctx)
{
	bpf_tail_call(ctx, &programs, 1);
	return bpf_get_prandom_u32();
}
static noinline int deep8(int n) { volatile int x = n; return x; }
static noinline int deep7(int n) { volatile int x = n; return deep8(x) + 1; }
static noinline int deep6(int n) { volatile int x = n; return deep7(x) + 1; }
static noinline int deep5(int n) { volatile int x = n; return deep6(x) + 1; }
static noinline int deep4(int n) { volatile int x = n; return deep5(x) + 1; }
static noinline int deep3(int n) { volatile int x = n; return deep4(x) + 1; }
static noinline int deep2(int n) { volatile int x = n; return deep3(x) + 1; }
static noinline int deep1(int n) { volatile int x = n; return deep2(x) + 1; }
static noinline int even(int n);
static noinline int odd(int n) { volatile int x = n; return x ? even(x - 1) : 0; }
static noinline int even(int n) { volatile int x = n; return x ? odd(x - 1) : 1; }

SEC("tc") int a_static_function_is_called(struct __sk_buff *ctx)
{
	return add(ctx->len, ctx->mark);
}
SEC("tc") int a_static_function_reads_the_callers_stack(struct __sk_buff *ctx)
{
	int n = ctx->len;

	return read_through(&n);
}
SEC("tc") int a_static_function_reads_a_null(struct __sk_buff *ctx)
{
	__u32 key = 1;

	return read_value(bpf_map_lookup_elem(&hash, &key));
}
SEC("tc") int seven_functions_deep(struct __sk_buff *ctx)
{
	return deep2(ctx->len);
}
SEC("tc") int eight_functions_deep(struct __sk_buff *ctx)
{
	return deep1(ctx->len);
}
SEC("tc") int functions_do_not_recurse(struct __sk_buff *ctx)
{
	return even(ctx->len);
}
SEC("tc") int a_tail_call_in_a_function(struct __sk_buff *ctx)
{
	return tail(ctx);
}
SEC("tc") int packet_pointers_die_by_a_tail_call_in_a_function(struct __sk_buff *ctx)
{
	char *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;

	if (data + 14 > end)
		return 0;
	tail(ctx);
	return data[2];
}

// ---- global functions ----

noinline int global_scalar(int a)
{
	return a * 2;
}
noinline int global_memory(struct value *value)
{
	return value ? value->count : 0;
}
noinline int global_memory_unchecked(struct value *value)
{
	return value->count;
}
noinline int global_nonnull(struct value *value tag("nonnull"))
{
	return value->count;
}
noinline int global_context(struct __sk_buff *ctx)
{
	return ctx->len;
}
noinline int global_pull(struct __sk_buff *ctx)
{
	return bpf_skb_pull_data(ctx, 0);
}
noinline struct value *global_pointer(int a)
{
	return (struct value *)(long)a;
}
noinline int global_beyond(struct value *value)
{
	return value ? value->buffer[80] : 0;
}
noinline int global_void_pointer(void *p)
{
	return p != 0;
}
noinline int global_any_context(void *ctx tag("ctx"))
{
	return bpf_skb_pull_data(ctx, 0);
}
noinline int global_unknown_tag(void *p tag("nothing"))
{
	return p != 0;
}
noinline int global_number_tag(int p tag("nonnull"))
{
	return p;
}
noinline int global_two_tags(struct value *p tag("nonnull") tag("ctx"))
{
	return p != 0;
}
noinline int global_dynptr(const struct bpf_dynptr *p)
{
	char byte = 0;

	bpf_dynptr_read(&byte, 1, (void *)p, 0, 0);
	return byte;
}

SEC("tc") int a_global_function_takes_a_number(struct __sk_buff *ctx)
{
	return global_scalar(ctx->len);
}
SEC("tc") int a_global_function_takes_no_pointer_for_a_number(struct __sk_buff *ctx)
{
	return ((int (*)(void *))global_scalar)(ctx);
}
SEC("tc") int a_global_function_takes_memory(struct __sk_buff *ctx)
{
	struct value value = {};

	return global_memory(&value);
}
SEC("tc") int a_global_function_takes_null(struct __sk_buff *ctx)
{
	return global_memory(0);
}
SEC("tc") int a_global_function_takes_a_value_or_null(struct __sk_buff *ctx)
{
	__u32 key = 1;

	return global_memory(bpf_map_lookup_elem(&hash, &key));
}
SEC("tc") int a_global_function_takes_no_short_memory(struct __sk_buff *ctx)
{
	__u64 n = 1;

	return global_memory((void *)&n);
}
SEC("tc") int a_global_function_must_test_its_pointers(struct __sk_buff *ctx)
{
	struct value value = {};

	return global_memory_unchecked(&value);
}
SEC("tc") int a_global_function_whose_pointer_is_never_null(struct __sk_buff *ctx)
{
	struct value value = {};

	return global_nonnull(&value);
}
SEC("tc") int a_pointer_that_may_be_null_where_it_never_is(struct __sk_buff *ctx)
{
	__u32 key = 1;

	return global_nonnull(bpf_map_lookup_elem(&hash, &key));
}
SEC("tc") int a_global_function_reads_beyond_its_memory(struct __sk_buff *ctx)
{
	struct value value = {};

	return global_beyond(&value);
}
SEC("tc") int a_global_function_takes_the_context(struct __sk_buff *ctx)
{
	return global_context(ctx);
}
SEC("tc") int a_global_function_takes_only_the_context(struct __sk_buff *ctx)
{
	struct value value = {};

	return global_context((void *)&value);
}
SEC("tc") int a_global_function_moves_the_packet(struct __sk_buff *ctx)
{
	char *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;

	if (data + 14 > end)
		return 0;
	global_pull(ctx);
	return data[2];
}
SEC("tc") int a_global_function_returns_a_number(struct __sk_buff *ctx)
{
	return global_pointer(ctx->len) != 0;
}
SEC("tc") int a_global_function_with_a_pointer_to_void(struct __sk_buff *ctx)
{
	return global_void_pointer(ctx);
}
SEC("tc") int a_global_function_with_a_tagged_context(struct __sk_buff *ctx)
{
	return global_any_context(ctx);
}
SEC("tc") int a_global_function_with_an_unknown_tag(struct __sk_buff *ctx)
{
	return global_unknown_tag(ctx);
}
SEC("tc") int a_global_function_with_a_tag_on_a_number(struct __sk_buff *ctx)
{
	return global_number_tag(ctx->len);
}
SEC("tc") int a_global_function_with_tags_that_exclude_each_other(struct __sk_buff *ctx)
{
	return global_two_tags(0);
}
SEC("tc") int a_global_function_takes_a_dynptr(struct __sk_buff *ctx)
{
	struct bpf_dynptr d;
	__u32 key = 1;
	struct value *value = bpf_map_lookup_elem(&hash, &key);

	if (!value)
		return 0;
	bpf_dynptr_from_mem(value->buffer, 64, 0, &d);
	return global_dynptr(&d);
}
SEC("tc") int a_global_function_takes_no_uninitialised_dynptr(struct __sk_buff *ctx)
{
	struct bpf_dynptr d;

	return global_dynptr(&d);
}

// ---- callbacks ----

struct state {
	int sum;
	int steps;
};
static long step(__u32 index, struct state *state)
{
	state->sum += index;
	return 0;
}
static long step_badly(__u32 index, struct state *state)
{
	return 2;
}
static long step_unbounded(__u32 index, struct state *state)
{
	return bpf_get_prandom_u32();
}
static long step_bounded(__u32 index, struct state *state)
{
	return bpf_get_prandom_u32() & 1;
}
static long step_without_state(__u32 index, void *nothing)
{
	return 0;
}
static long step_with_record(__u32 index, void *nothing)
{
	bpf_ringbuf_reserve(&ring, 8, 0);
	return 0;
}
static long step_array(__u32 index, int *array)
{
	if (index < 4)
		array[index] = 1;
	return 0;
}
static long step_array_unchecked(__u32 index, int *array)
{
	array[index] = 1;
	return 0;
}
static long for_element(void *map, __u32 *key, struct value *value, struct state *state)
{
	state->sum += value->count + *key;
	return 0;
}
static long for_key_writing(void *map, __u32 *key, struct value *value, void *state)
{
	*key = 1;
	return 0;
}
static long for_element_deleting(void *map, __u32 *key, struct value *value, void *state)
{
	bpf_map_delete_elem(map, key);
	return 0;
}

SEC("tc") int a_loop_runs_its_callback(struct __sk_buff *ctx)
{
	struct state state = {};

	bpf_loop(ctx->len, step, &state, 0);
	return state.sum;
}
SEC("tc") int a_loop_of_known_length(struct __sk_buff *ctx)
{
	struct state state = {};

	bpf_loop(3, step, &state, 0);
	return state.sum;
}
SEC("tc") int a_loop_without_turns(struct __sk_buff *ctx)
{
	bpf_loop(0, step_badly, 0, 0);
	return 0;
}
SEC("tc") int a_callback_returns_zero_or_one(struct __sk_buff *ctx)
{
	bpf_loop(3, step_badly, 0, 0);
	return 0;
}
SEC("tc") int a_callback_returns_something_unknown(struct __sk_buff *ctx)
{
	bpf_loop(3, step_unbounded, 0, 0);
	return 0;
}
SEC("tc") int a_callback_returns_something_masked(struct __sk_buff *ctx)
{
	bpf_loop(3, step_bounded, 0, 0);
	return 0;
}
SEC("tc") int a_callback_without_context(struct __sk_buff *ctx)
{
	bpf_loop(3, step_without_state, 0, 0);
	return 0;
}
SEC("tc") int a_callback_needs_its_context(struct __sk_buff *ctx)
{
	bpf_loop(3, step, 0, 0);
	return 0;
}
SEC("tc") int a_callback_keeps_a_record(struct __sk_buff *ctx)
{
	bpf_loop(3, step_with_record, 0, 0);
	return 0;
}
SEC("tc") int a_callback_fills_an_array(struct __sk_buff *ctx)
{
	int array[4] = {};

	bpf_loop(4, step_array, array, 0);
	return array[2];
}
SEC("tc") int a_callback_does_not_know_the_range_of_its_index(struct __sk_buff *ctx)
{
	int array[4] = {};

	bpf_loop(4, step_array_unchecked, array, 0);
	return array[2];
}
SEC("tc") int a_callback_is_a_function(struct __sk_buff *ctx)
{
	bpf_loop(4, (void *)1, 0, 0);
	return 0;
}
SEC("tc") int the_elements_of_a_hash(struct __sk_buff *ctx)
{
	struct state state = {};

	bpf_for_each_map_elem(&hash, for_element, &state, 0);
	return state.sum;
}
SEC("tc") int the_keys_of_a_hash_are_not_written(struct __sk_buff *ctx)
{
	bpf_for_each_map_elem(&hash, for_key_writing, 0, 0);
	return 0;
}
SEC("tc") int elements_are_deleted_on_the_way(struct __sk_buff *ctx)
{
	bpf_for_each_map_elem(&hash, for_element_deleting, 0, 0);
	return 0;
}
SEC("tc") int a_ring_has_no_elements(struct __sk_buff *ctx)
{
	bpf_for_each_map_elem(&ring, for_element_deleting, 0, 0);
	return 0;
}
SEC("tc") int a_program_array_has_no_elements(struct __sk_buff *ctx)
{
	bpf_for_each_map_elem(&programs, for_element_deleting, 0, 0);
	return 0;
}

static long drain(struct bpf_dynptr *record, void *state)
{
	int n = 0;

	bpf_dynptr_read(&n, sizeof(n), record, 0, 0);
	return n & 1;
}
static long drain_badly(struct bpf_dynptr *record, void *state)
{
	bpf_ringbuf_submit_dynptr(record, 0);
	return 0;
}
SEC("tc") int records_from_user_space(struct __sk_buff *ctx)
{
	return bpf_user_ringbuf_drain(&user_ring, drain, 0, 0);
}
SEC("tc") int records_from_user_space_are_not_submitted(struct __sk_buff *ctx)
{
	return bpf_user_ringbuf_drain(&user_ring, drain_badly, 0, 0);
}
SEC("tc") int records_from_user_space_come_by_their_own_ring(struct __sk_buff *ctx)
{
	return bpf_user_ringbuf_drain(&ring, drain, 0, 0);
}

static int on_time(void *map, int *key, struct timed *timed)
{
	timed->count++;
	bpf_timer_start(&timed->timer, 1000, 0);
	return 0;
}
static int on_time_badly(void *map, int *key, struct timed *timed)
{
	return 1;
}
static int on_time_with_record(void *map, int *key, struct timed *timed)
{
	bpf_ringbuf_reserve(&ring, 8, 0);
	return 0;
}
SEC("tc") int a_timer(struct __sk_buff *ctx)
{
	int key = 0;
	struct timed *timed = bpf_map_lookup_elem(&timers, &key);

	if (!timed)
		return 0;
	bpf_timer_init(&timed->timer, &timers, 0);
	bpf_timer_set_callback(&timed->timer, on_time);
	bpf_timer_start(&timed->timer, 0, 0);
	bpf_timer_cancel(&timed->timer);
	return 0;
}
SEC("tc") int a_timer_returns_zero(struct __sk_buff *ctx)
{
	int key = 0;
	struct timed *timed = bpf_map_lookup_elem(&timers, &key);

	if (!timed)
		return 0;
	bpf_timer_set_callback(&timed->timer, on_time_badly);
	return 0;
}
SEC("tc") int a_timer_leaks(struct __sk_buff *ctx)
{
	int key = 0;
	struct timed *timed = bpf_map_lookup_elem(&timers, &key);

	if (!timed)
		return 0;
	bpf_timer_set_callback(&timed->timer, on_time_with_record);
	return 0;
}
SEC("tc") int a_timer_belongs_to_its_map(struct __sk_buff *ctx)
{
	int key = 0;
	struct timed *timed = bpf_map_lookup_elem(&timers, &key);

	if (!timed)
		return 0;
	bpf_timer_init(&timed->timer, &others, 0);
	return 0;
}
SEC("tc") int a_timer_lies_where_it_lies(struct __sk_buff *ctx)
{
	int key = 0;
	struct timed *timed = bpf_map_lookup_elem(&timers, &key);

	if (!timed)
		return 0;
	bpf_timer_cancel((void *)&timed->count);
	return 0;
}
SEC("tc") int a_value_without_a_timer(struct __sk_buff *ctx)
{
	int key = 0;
	struct value *value = bpf_map_lookup_elem(&hash, &key);

	if (!value)
		return 0;
	bpf_timer_cancel((void *)&value->count);
	return 0;
}
SEC("tc") int a_timer_is_not_on_the_stack(struct __sk_buff *ctx)
{
	struct bpf_timer timer = {};

	bpf_timer_cancel(&timer);
	return 0;
}

// ---- what programs return ----

SEC("cgroup/connect4") int a_connect_hook_returns_zero_or_one(void *ctx) { return 1; }
SEC("cgroup/connect4") int a_connect_hook_returns_two(void *ctx) { return 2; }
SEC("cgroup/connect4") int a_connect_hook_returns_anything(struct bpf_sock_addr *ctx)
{
	return ctx->user_port;
}
SEC("cgroup/bind4") int a_bind_hook_returns_three(void *ctx) { return 3; }
SEC("cgroup/bind4") int a_bind_hook_returns_four(void *ctx) { return 4; }
SEC("cgroup/recvmsg4") int a_receive_hook_returns_one(void *ctx) { return 1; }
SEC("cgroup/recvmsg4") int a_receive_hook_returns_zero(void *ctx) { return 0; }
SEC("cgroup_skb/egress") int an_egress_hook_returns_three(void *ctx) { return 3; }
SEC("cgroup_skb/ingress") int an_ingress_hook_returns_three(void *ctx) { return 3; }
SEC("cgroup/sysctl") int a_sysctl_hook_returns_two(void *ctx) { return 2; }
SEC("cgroup/dev") int a_device_hook_returns_minus_one(void *ctx) { return -1; }
SEC("cgroup/setsockopt") int an_option_hook_returns_a_pointer(void *ctx) { return (long)ctx; }
SEC("sk_lookup") int a_lookup_hook_returns_two(void *ctx) { return 2; }
SEC("sockops") int a_socket_hook_returns_two(void *ctx) { return 2; }
SEC("xdp") int a_packet_hook_returns_anything(struct xdp_md *ctx) { return ctx->rx_queue_index; }
SEC("raw_tp/a") int a_raw_tracepoint_returns_anything(__u64 *ctx) { return ctx[0]; }
SEC("tp_btf/sched_switch") int a_typed_tracepoint_returns_anything(__u64 *ctx) { return 7; }
SEC("kprobe.session/f") int a_session_returns_two(void *ctx) { return 2; }
SEC("netfilter") int a_netfilter_hook_returns_two(void *ctx) { return 2; }
SEC("cgroup/sendmsg4") int a_masked_value_is_in_range(struct bpf_sock_addr *ctx)
{
	return ctx->user_port & 1;
}
SEC("cgroup/sendmsg4") int a_masked_value_is_beyond_the_range(struct bpf_sock_addr *ctx)
{
	return ctx->user_port & 3;
}
char LICENSE[] SEC("license") = "GPL";
