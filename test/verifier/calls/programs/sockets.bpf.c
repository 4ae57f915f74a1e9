// Sockets and packets: references from lookups, casts, storage, maps of maps.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

struct value {
	__u64 count;
};
struct inner {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, struct value);
} inner SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 4);
	__type(key, __u32);
	__array(values, struct inner);
} outer SEC(".maps") = { .values = { &inner } };
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct value);
} storage SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u32);
} sockets SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_SOCKHASH);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u32);
} socket_hash SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u32);
} xsks SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_REUSEPORT_SOCKARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64);
} reuseport SEC(".maps");

static struct bpf_sock *look_up(void *ctx)
{
	struct bpf_sock_tuple tuple = {};

	return bpf_sk_lookup_tcp(ctx, &tuple, sizeof(tuple.ipv4), -1, 0);
}
SEC("tc") int a_socket_is_looked_up_and_released(struct __sk_buff *ctx)
{
	struct bpf_sock *sk = look_up(ctx);
	int family;

	if (!sk)
		return 0;
	family = sk->family;
	bpf_sk_release(sk);
	return family;
}
SEC("tc") int a_socket_is_leaked(struct __sk_buff *ctx)
{
	return look_up(ctx) != 0;
}
SEC("tc") int a_socket_that_may_be_null_is_not_released(struct __sk_buff *ctx)
{
	bpf_sk_release(look_up(ctx));
	return 0;
}
SEC("tc") int a_socket_is_released_twice(struct __sk_buff *ctx)
{
	struct bpf_sock *sk = look_up(ctx);

	if (!sk)
		return 0;
	bpf_sk_release(sk);
	bpf_sk_release(sk);
	return 0;
}
SEC("tc") int a_socket_is_read_after_its_release(struct __sk_buff *ctx)
{
	struct bpf_sock *sk = look_up(ctx);

	if (!sk)
		return 0;
	bpf_sk_release(sk);
	return sk->family;
}
SEC("tc") int the_socket_of_the_context_is_not_released(struct __sk_buff *ctx)
{
	struct bpf_sock *sk = ctx->sk;

	if (!sk)
		return 0;
	sk = bpf_sk_fullsock(sk);
	if (sk)
		bpf_sk_release(sk);
	return 0;
}
SEC("tc") int a_cast_socket_dies_with_the_one_it_was(struct __sk_buff *ctx)
{
	struct bpf_sock *sk = look_up(ctx);
	struct bpf_tcp_sock *tcp;

	if (!sk)
		return 0;
	tcp = bpf_tcp_sock(sk);
	bpf_sk_release(sk);
	return tcp ? tcp->snd_cwnd : 0;
}
SEC("tc") int a_cast_socket_is_released_instead(struct __sk_buff *ctx)
{
	struct bpf_sock *sk = look_up(ctx), *full;

	if (!sk)
		return 0;
	full = bpf_sk_fullsock(sk);
	if (!full) {
		bpf_sk_release(sk);
		return 0;
	}
	bpf_sk_release(full);
	return 0;
}
SEC("tc") int a_listener_of_a_socket(struct __sk_buff *ctx)
{
	struct bpf_sock *sk = ctx->sk;

	if (!sk)
		return 0;
	sk = bpf_get_listener_sock(sk);
	return sk ? sk->src_port : 0;
}
SEC("tc") int a_socket_that_may_be_null_is_no_listener(struct __sk_buff *ctx)
{
	return bpf_get_listener_sock(ctx->sk) != 0;
}
SEC("tc") int a_kernel_socket_by_cast(struct __sk_buff *ctx)
{
	struct bpf_sock *sk = ctx->sk;

	if (!sk)
		return 0;
	return bpf_skc_to_tcp_sock(sk) != 0;
}
SEC("tc") int storage_of_a_socket(struct __sk_buff *ctx)
{
	struct bpf_sock *sk = ctx->sk;
	struct value *value;

	if (!sk)
		return 0;
	sk = bpf_sk_fullsock(sk);
	if (!sk)
		return 0;
	value = bpf_sk_storage_get(&storage, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	return value ? value->count : 0;
}
SEC("tc") int storage_needs_a_socket(struct __sk_buff *ctx)
{
	return bpf_sk_storage_get(&storage, ctx, 0, 0) != 0;
}
SEC("tc") int storage_is_not_looked_up(struct __sk_buff *ctx)
{
	int key = 0;

	return bpf_map_lookup_elem(&storage, &key) != 0;
}
SEC("cgroup/sock_create") int storage_of_the_context(struct bpf_sock *ctx)
{
	struct value *value = bpf_sk_storage_get(&storage, ctx, 0, 1);

	return value ? value->count & 1 : 0;
}
SEC("xdp") int a_map_in_a_map(void *ctx)
{
	__u32 key = bpf_get_prandom_u32();
	void *map = bpf_map_lookup_elem(&outer, &key);
	struct value *value;

	if (!map)
		return 0;
	value = bpf_map_lookup_elem(map, &key);
	return value ? value->count & 1 : 0;
}
SEC("xdp") int a_map_in_a_map_may_be_null(void *ctx)
{
	__u32 key = bpf_get_prandom_u32();

	return bpf_map_lookup_elem(bpf_map_lookup_elem(&outer, &key), &key) != 0;
}
SEC("xdp") int a_map_in_a_map_with_a_constant_key(void *ctx)
{
	__u32 key = 0;
	void *map = bpf_map_lookup_elem(&outer, &key);

	return map ? bpf_map_delete_elem(map, &key) & 1 : 0;
}
SEC("xdp") int a_map_in_a_map_is_not_moved(void *ctx)
{
	__u32 key = bpf_get_prandom_u32();
	void *map = bpf_map_lookup_elem(&outer, &key);

	return map ? bpf_map_lookup_elem(map + 8, &key) != 0 : 0;
}
SEC("xdp") int a_map_of_maps_is_not_updated(void *ctx)
{
	__u32 key = 0;

	return bpf_map_update_elem(&outer, &key, &key, 0);
}
SEC("xdp") int an_xdp_socket(void *ctx)
{
	__u32 key = 0;
	struct bpf_xdp_sock *sk = bpf_map_lookup_elem(&xsks, &key);

	return sk ? sk->queue_id & 1 : 0;
}
SEC("xdp") int an_xdp_socket_is_not_written(void *ctx)
{
	__u32 key = 0;
	struct bpf_xdp_sock *sk = bpf_map_lookup_elem(&xsks, &key);

	if (sk)
		sk->queue_id = 1;
	return 0;
}
SEC("sk_skb/stream_verdict") int a_packet_is_redirected_to_a_socket(struct __sk_buff *ctx)
{
	return bpf_sk_redirect_map(ctx, &sockets, 0, 0);
}
SEC("sk_skb/stream_verdict") int a_packet_is_redirected_by_the_right_map(struct __sk_buff *ctx)
{
	return bpf_sk_redirect_map(ctx, &socket_hash, 0, 0);
}
SEC("sk_msg") int a_message_is_redirected_by_hash(struct sk_msg_md *ctx)
{
	__u32 key = 0;

	return bpf_msg_redirect_hash(ctx, &socket_hash, &key, 0);
}
SEC("sk_reuseport") int a_socket_is_selected(void *ctx)
{
	__u32 key = 0;

	return bpf_sk_select_reuseport(ctx, &reuseport, &key, 0);
}
SEC("sockops") int a_socket_goes_into_a_map(struct bpf_sock_ops *ctx)
{
	__u32 key = 0;

	return bpf_sock_map_update(ctx, &sockets, &key, 0) & 1;
}
SEC("sk_lookup") int a_socket_is_assigned(struct bpf_sk_lookup *ctx)
{
	__u32 key = 0;
	struct bpf_sock *sk = bpf_map_lookup_elem(&sockets, &key);

	if (!sk)
		return 1;
	bpf_sk_assign(ctx, sk, 0);
	bpf_sk_release(sk);
	return 1;
}
SEC("cgroup/setsockopt") int an_option_is_not_set_here(struct bpf_sockopt *ctx)
{
	int one = 1;

	return bpf_setsockopt(ctx->sk, 1, 2, &one, sizeof(one)) & 1;
}
SEC("sockops") int an_option_is_set(struct bpf_sock_ops *ctx)
{
	int one = 1;

	return bpf_setsockopt(ctx, 1, 2, &one, sizeof(one)) & 1;
}
SEC("cgroup/connect4") int the_return_value_is_set(struct bpf_sock_addr *ctx)
{
	bpf_set_retval(-1);
	return bpf_get_retval() & 1;
}
SEC("cgroup/getpeername4") int the_return_value_is_not_set_here(struct bpf_sock_addr *ctx)
{
	bpf_set_retval(-1);
	return 1;
}
SEC("xdp") int an_unaligned_number(struct xdp_md *ctx)
{
	char bytes[16];

	return bpf_strtol("7", 2, 0, (long *)(bytes + 4));
}
SEC("xdp") int a_number_in_a_map_value(struct xdp_md *ctx)
{
	__u32 key = 0;
	struct value *value;
	void *map = bpf_map_lookup_elem(&outer, &key);

	if (!map)
		return 0;
	value = bpf_map_lookup_elem(map, &key);
	if (!value)
		return 0;
	return bpf_strtoul("7", 2, 0, (void *)&value->count) & 1;
}
SEC("xdp") int the_route_of_a_packet(struct xdp_md *ctx)
{
	struct bpf_fib_lookup parameters = {};

	return bpf_fib_lookup(ctx, &parameters, sizeof(parameters), 0) & 1;
}
SEC("xdp") int the_head_of_a_frame_moves(struct xdp_md *ctx)
{
	char *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;

	if (data + 14 > end)
		return 0;
	if (bpf_xdp_adjust_head(ctx, -14))
		return 0;
	return data[0];
}
SEC("xdp") int the_head_of_a_frame_is_read_again(struct xdp_md *ctx)
{
	char *data, *end;

	if (bpf_xdp_adjust_head(ctx, -14))
		return 0;
	data = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	if (data + 14 > end)
		return 0;
	return data[0] & 1;
}
SEC("tc") int syn_cookies_take_headers(struct __sk_buff *ctx)
{
	char *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;

	if (data + 40 > end)
		return 0;
	return bpf_tcp_raw_check_syncookie_ipv4((void *)data, (void *)(data + 20));
}
SEC("tc") int syn_cookies_take_whole_headers(struct __sk_buff *ctx)
{
	char *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;

	if (data + 39 > end)
		return 0;
	return bpf_tcp_raw_check_syncookie_ipv4((void *)data, (void *)(data + 20));
}
char LICENSE[] SEC("license") = "GPL";
