// The programs of the socket scenarios: each notes what it was called with, and answers what the
// scenario has put into `config`.

#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define EVENTS 1024

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, EVENTS);
	__type(key, __u32);
	__type(value, __u64);
} events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} event_count SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 32);
	__type(key, __u32);
	__type(value, __u64);
} config SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, __u64);
} sockets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SOCKHASH);
	__uint(max_entries, 8);
	__type(key, __u64);
	__type(value, __u64);
} socket_hash SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_REUSEPORT_SOCKARRAY);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, __u64);
} members SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_CGROUP_STORAGE);
	__type(key, struct bpf_cgroup_storage_key);
	__type(value, __u64);
} per_cgroup SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_CLONE);
	__type(key, int);
	__type(value, __u64);
} per_socket SEC(".maps");

static __always_inline void note(__u64 value)
{
	__u32 zero = 0, *count = bpf_map_lookup_elem(&event_count, &zero);
	__u32 index;

	if (!count)
		return;
	index = *count;
	if (index >= EVENTS)
		return;
	*count = index + 1;
	bpf_map_update_elem(&events, &index, &value, 0);
}

static __always_inline __u64 answer(__u32 index)
{
	__u64 *value = bpf_map_lookup_elem(&config, &index);

	return value ? *value : 0;
}

// Two numbers. The compiler must not make one load of two neighbours.
#define NOTE2(a, b)                                                  \
	do {                                                         \
		__u64 first_ = (__u32)(a);                           \
		asm volatile("" : "+r"(first_));                     \
		note(first_ << 32 | (__u32)(b));                     \
	} while (0)

// ---- cgroup ------------------------------------------------------------------------------------

static __always_inline int packet(struct __sk_buff *skb, __u32 direction, __u32 index)
{
	NOTE2(direction, skb->len);
	NOTE2(skb->protocol, skb->pkt_type);
	NOTE2(skb->family, skb->mark);
	NOTE2(skb->local_port, skb->remote_port);
	NOTE2(skb->local_ip4, skb->remote_ip4);
	NOTE2(skb->ifindex, skb->priority);
	return answer(index);
}

SEC("cgroup_skb/ingress")
int ingress(struct __sk_buff *skb)
{
	int verdict = packet(skb, 1, 0);
	return verdict & 1;
}

SEC("cgroup_skb/egress")
int egress(struct __sk_buff *skb)
{
	int verdict = packet(skb, 2, 1);
	return verdict & 1;
}

// Two that only say who they are: for order and inheritance.
SEC("cgroup_skb/egress")
int egress_a(struct __sk_buff *skb)
{
	note(0xa);
	return answer(2) & 1;
}

SEC("cgroup_skb/egress")
int egress_b(struct __sk_buff *skb)
{
	note(0xb);
	return answer(3) & 1;
}

SEC("cgroup_skb/egress")
int egress_c(struct __sk_buff *skb)
{
	__u64 *count = bpf_get_local_storage(&per_cgroup, 0);

	__sync_fetch_and_add(count, 1);
	note(0xc00 + *count);
	return 1;
}

SEC("cgroup/sock_create")
int sock_create(struct bpf_sock *sk)
{
	NOTE2(sk->family, sk->type);
	NOTE2(sk->protocol, sk->state);
	NOTE2(sk->mark, sk->priority);
	sk->mark = 0x77;
	sk->priority = 5;
	if (answer(6))
		bpf_set_retval(-13);
	return answer(5) & 1;
}

SEC("cgroup/sock_release")
int sock_release(struct bpf_sock *sk)
{
	NOTE2(sk->mark, sk->priority);
	NOTE2(sk->family, sk->state);
	return 1;
}

SEC("cgroup/post_bind4")
int post_bind4(struct bpf_sock *sk)
{
	NOTE2(sk->src_ip4, sk->src_port);
	return answer(7) & 1;
}

SEC("cgroup/bind4")
int bind4(struct bpf_sock_addr *ctx)
{
	NOTE2(ctx->user_family, ctx->user_ip4);
	NOTE2(ctx->user_port, ctx->type);
	NOTE2(ctx->protocol, ctx->family);
	if (answer(8)) {
		ctx->user_port = bpf_htons(answer(8));
		ctx->user_ip4 = bpf_htonl(0x7f000001);
	}
	return answer(9) & 3;
}

SEC("cgroup/connect4")
int connect4(struct bpf_sock_addr *ctx)
{
	NOTE2(ctx->user_ip4, ctx->user_port);
	NOTE2(ctx->type, ctx->protocol);
	if (answer(10)) {
		ctx->user_ip4 = bpf_htonl(0x7f000001);
		ctx->user_port = bpf_htons(answer(10));
	}
	if (answer(12)) {
		struct {
			__u16 family;
			__u16 port;
			__u32 address;
			__u64 zero;
		} from = { 2, 0, bpf_htonl(answer(12)), 0 };
		note(bpf_bind(ctx, (void *)&from, sizeof(from)));
	}
	if (answer(13))
		note(bpf_set_retval(-(int)answer(13)));
	return answer(11) & 1;
}

SEC("cgroup/connect6")
int connect6(struct bpf_sock_addr *ctx)
{
	NOTE2(ctx->user_ip6[0], ctx->user_ip6[1]);
	NOTE2(ctx->user_ip6[2], ctx->user_ip6[3]);
	NOTE2(ctx->user_port, ctx->user_family);
	if (answer(10)) {
		ctx->user_ip6[0] = 0;
		ctx->user_ip6[1] = 0;
		ctx->user_ip6[2] = 0;
		ctx->user_ip6[3] = bpf_htonl(1);
		ctx->user_port = bpf_htons(answer(10));
	}
	return answer(11) & 1;
}

SEC("cgroup/connect_unix")
int connect_unix(struct bpf_sock_addr *ctx)
{
	NOTE2(ctx->user_family, ctx->family);
	NOTE2(ctx->type, ctx->protocol);
	if (answer(13))
		note(bpf_set_retval(-(int)answer(13)));
	return answer(11) & 1;
}

SEC("cgroup/bind6")
int bind6(struct bpf_sock_addr *ctx)
{
	NOTE2(ctx->user_ip6[0], ctx->user_ip6[3]);
	NOTE2(ctx->user_port, ctx->family);
	if (answer(8))
		ctx->user_port = bpf_htons(answer(8));
	return answer(9) & 3;
}

SEC("cgroup/post_bind6")
int post_bind6(struct bpf_sock *sk)
{
	NOTE2(sk->src_ip6[0], sk->src_ip6[3]);
	note(sk->src_port);
	return answer(7) & 1;
}

SEC("cgroup/sendmsg6")
int sendmsg6(struct bpf_sock_addr *ctx)
{
	NOTE2(ctx->user_ip6[0], ctx->user_ip6[3]);
	NOTE2(ctx->msg_src_ip6[2], ctx->msg_src_ip6[3]);
	NOTE2(ctx->user_port, ctx->user_family);
	if (answer(14)) {
		ctx->user_ip6[0] = 0;
		ctx->user_ip6[1] = 0;
		ctx->user_ip6[2] = 0;
		ctx->user_ip6[3] = bpf_htonl(1);
		ctx->user_port = bpf_htons(answer(14));
	}
	return answer(16) & 1;
}

SEC("cgroup/recvmsg6")
int recvmsg6(struct bpf_sock_addr *ctx)
{
	NOTE2(ctx->user_ip6[0], ctx->user_ip6[3]);
	if (answer(17)) {
		ctx->user_ip6[0] = bpf_htonl(0x20010db8);
		ctx->user_port = bpf_htons(answer(17));
	}
	return 1;
}

SEC("cgroup/getpeername6")
int getpeername6(struct bpf_sock_addr *ctx)
{
	NOTE2(ctx->user_ip6[3], ctx->user_port);
	ctx->user_ip6[0] = bpf_htonl(0x20010db8);
	return 1;
}

SEC("cgroup/getsockname6")
int getsockname6(struct bpf_sock_addr *ctx)
{
	NOTE2(ctx->user_ip6[3], ctx->user_family);
	ctx->user_port = bpf_htons(97);
	return 1;
}

SEC("cgroup/sendmsg4")
int sendmsg4(struct bpf_sock_addr *ctx)
{
	NOTE2(ctx->user_ip4, ctx->user_port);
	NOTE2(ctx->msg_src_ip4, ctx->type);
	if (answer(14))
		ctx->user_port = bpf_htons(answer(14));
	if (answer(15))
		ctx->msg_src_ip4 = bpf_htonl(answer(15));
	return answer(16) & 1;
}

SEC("cgroup/recvmsg4")
int recvmsg4(struct bpf_sock_addr *ctx)
{
	NOTE2(ctx->user_ip4, ctx->type);
	if (answer(17)) {
		ctx->user_ip4 = bpf_htonl(0x0a0b0c0d);
		ctx->user_port = bpf_htons(answer(17));
	}
	return 1;
}

SEC("cgroup/getpeername4")
int getpeername4(struct bpf_sock_addr *ctx)
{
	NOTE2(ctx->user_ip4, ctx->user_port);
	ctx->user_ip4 = bpf_htonl(0x01020304);
	ctx->user_port = bpf_htons(99);
	return 1;
}

SEC("cgroup/getsockname4")
int getsockname4(struct bpf_sock_addr *ctx)
{
	NOTE2(ctx->user_ip4, ctx->user_family);
	ctx->user_port = bpf_htons(98);
	return 1;
}

SEC("cgroup/setsockopt")
int setsockopt(struct bpf_sockopt *ctx)
{
	__u8 *value = ctx->optval, *end = ctx->optval_end;

	NOTE2(ctx->level, ctx->optname);
	NOTE2(ctx->optlen, value + 4 <= end ? *(__u32 *)value : 0xffffffff);
	switch (answer(18)) {
	case 1: // another value
		if (value + 4 <= end)
			*(__u32 *)value = 9;
		break;
	case 2: // the kernel does not hear of it
		ctx->optlen = -1;
		break;
	case 3: // too long
		ctx->optlen = 5000;
		break;
	case 4: // another option
		*(volatile __s32 *)&ctx->level = 1;
		*(volatile __s32 *)&ctx->optname = 36;
		break;
	}
	return answer(19) & 1;
}

SEC("cgroup/getsockopt")
int getsockopt(struct bpf_sockopt *ctx)
{
	__u8 *value = ctx->optval, *end = ctx->optval_end;

	NOTE2(ctx->level, ctx->optname);
	NOTE2(ctx->optlen, ctx->retval);
	note(bpf_get_retval());
	switch (answer(18)) {
	case 1:
		if (value + 4 <= end)
			*(__u32 *)value = 0x55;
		break;
	case 2:
		*(volatile __s32 *)&ctx->retval = 0;
		*(volatile __s32 *)&ctx->optlen = 4;
		if (value + 4 <= end)
			*(__u32 *)value = 0x66;
		break;
	case 3:
		ctx->optlen = 100;
		break;
	case 4:
		note(bpf_set_retval(-7));
		break;
	}
	return answer(19) & 1;
}

SEC("cgroup/sysctl")
int sysctl(struct bpf_sysctl *ctx)
{
	char text[32] = {};

	NOTE2(ctx->write, ctx->file_pos);
	note(bpf_sysctl_get_name(ctx, text, sizeof(text), BPF_F_SYSCTL_BASE_NAME));
	note(*(__u64 *)text);
	note(*(__u64 *)(text + 8));
	note(bpf_sysctl_get_name(ctx, text, 5, 0));
	note(*(__u64 *)text);
	note(bpf_sysctl_get_current_value(ctx, text, sizeof(text)));
	note(*(__u64 *)text);
	note(bpf_sysctl_get_new_value(ctx, text, sizeof(text)));
	note(*(__u64 *)text);
	if (answer(18)) {
		text[0] = '0' + answer(18);
		note(bpf_sysctl_set_new_value(ctx, text, 1));
	}
	return answer(19) & 1;
}

SEC("cgroup/dev")
int device(struct bpf_cgroup_dev_ctx *ctx)
{
	NOTE2(ctx->access_type, ctx->major);
	note(ctx->minor);
	return ctx->minor != 7;
}

// What programs know of whose socket a packet is.
SEC("cgroup_skb/egress")
int identity(struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk;
	__u64 *count, cookie = bpf_get_socket_cookie(skb);

	note(cookie == bpf_get_socket_cookie(skb));
	note(bpf_get_socket_uid(skb));
	note(bpf_skb_cgroup_id(skb) == bpf_skb_ancestor_cgroup_id(skb, answer(29)));
	note(bpf_skb_ancestor_cgroup_id(skb, 0) == bpf_skb_cgroup_id(skb));
	note(bpf_skb_ancestor_cgroup_id(skb, 60));
	if (!sk)
		return 1;
	sk = bpf_sk_fullsock(sk);
	if (!sk)
		return 1;
	NOTE2(sk->state, sk->protocol);
	NOTE2(sk->mark, sk->src_port);
	note(bpf_sk_cgroup_id(sk) == bpf_skb_cgroup_id(skb));
	count = bpf_sk_storage_get(&per_socket, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (count)
		note(++*count);
	if (sk->mark == 0x51)
		note(bpf_sk_storage_delete(&per_socket, sk));
	return 1;
}

// ---- connections ---------------------------------------------------------------------------------

SEC("sockops")
int sock_ops(struct bpf_sock_ops *ctx)
{
	struct bpf_tcp_sock *tcp;
	struct bpf_sock *sk;
	__u32 key = 0;

	if (ctx->op == BPF_SOCK_OPS_TIMEOUT_INIT || ctx->op == BPF_SOCK_OPS_RWND_INIT ||
	    ctx->op == BPF_SOCK_OPS_NEEDS_ECN || ctx->op == BPF_SOCK_OPS_BASE_RTT) {
		if (answer(20) & 1)
			NOTE2(0x0500 + ctx->op, ctx->is_fullsock);
		ctx->reply = -1;
		return 1;
	}
	NOTE2(0x0500 + ctx->op, ctx->state);
	if (ctx->op == BPF_SOCK_OPS_STATE_CB)
		NOTE2(ctx->args[0], ctx->args[1]);
	switch (ctx->op) {
	case BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB:
	case BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB:
		NOTE2(ctx->family, ctx->remote_ip4);
		NOTE2(ctx->local_ip4, ctx->is_fullsock);
		NOTE2(ctx->skb_tcp_flags, ctx->mss_cache);
		NOTE2(ctx->bpf_sock_ops_cb_flags, ctx->rcv_nxt != 0);
		if (answer(20) & 2)
			note(bpf_sock_ops_cb_flags_set(ctx, BPF_SOCK_OPS_STATE_CB_FLAG | 0x100));
		sk = ctx->sk;
		if (sk) {
			tcp = bpf_tcp_sock(sk);
			if (tcp)
				NOTE2(tcp->mss_cache, tcp->bytes_received);
		}
		if (answer(20) & 4) {
			int value = 0;
			note(bpf_setsockopt(ctx, 1, 36, &(int){0x99}, 4));
			note(bpf_getsockopt(ctx, 1, 36, &value, 4));
			note(value);
			note(bpf_setsockopt(ctx, 6, 4, &(int){17}, 4));
			note(bpf_getsockopt(ctx, 6, 4, &value, 4));
			note(value);
			note(bpf_setsockopt(ctx, 6, 9, &value, 4));
			note(bpf_setsockopt(ctx, 1, 36, &value, 2));
			note(bpf_setsockopt(ctx, 41, 67, &value, 4));
			note(bpf_getsockopt(ctx, 1, 3, &value, 4));
		}
		if (answer(20) & 8) {
			key = ctx->op == BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB ? 0 : 1;
			note(bpf_sock_map_update(ctx, &sockets, &key, BPF_ANY));
		}
		break;
	case BPF_SOCK_OPS_TCP_CONNECT_CB:
		if (answer(20) & 8)
			note(bpf_sock_map_update(ctx, &sockets, &key, BPF_ANY));
		break;
	}
	return 1;
}

SEC("sockops")
int header_options(struct bpf_sock_ops *ctx)
{
	__u8 option[8] = { 253, 6, 0xab, 0xcd, 1, 2, 0, 0 };
	__u8 found[8] = { 253, 4, 0xab, 0xcd };
	__u8 mss[4] = { 2, 0 };

	switch (ctx->op) {
	case BPF_SOCK_OPS_TCP_CONNECT_CB:
	case BPF_SOCK_OPS_TCP_LISTEN_CB:
		note(bpf_sock_ops_cb_flags_set(ctx, BPF_SOCK_OPS_WRITE_HDR_OPT_CB_FLAG |
						    BPF_SOCK_OPS_PARSE_UNKNOWN_HDR_OPT_CB_FLAG));
		note(bpf_reserve_hdr_opt(ctx, 8, 0));
		break;
	case BPF_SOCK_OPS_HDR_OPT_LEN_CB:
		if (ctx->skb_tcp_flags & 2) {
			NOTE2(0x0600, ctx->args[0]);
			note(bpf_reserve_hdr_opt(ctx, 1, 0));
			note(bpf_reserve_hdr_opt(ctx, 41, 0));
			note(bpf_reserve_hdr_opt(ctx, 6, 0));
		}
		break;
	case BPF_SOCK_OPS_WRITE_HDR_OPT_CB:
		if (ctx->skb_tcp_flags & 2) {
			NOTE2(0x0700, ctx->args[0]);
			note(bpf_store_hdr_opt(ctx, option, sizeof(option), 0));
			note(bpf_store_hdr_opt(ctx, option, sizeof(option), 0));
			note(bpf_load_hdr_opt(ctx, mss, sizeof(mss), 0));
		}
		break;
	case BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB:
		note(bpf_load_hdr_opt(ctx, found, sizeof(found), BPF_LOAD_HDR_OPT_TCP_SYN));
		note(*(__u64 *)found);
		break;
	case BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB:
		note(bpf_load_hdr_opt(ctx, found, sizeof(found), 0));
		note(*(__u64 *)found);
		note(bpf_load_hdr_opt(ctx, mss, sizeof(mss), 0));
		mss[0] = 77;
		mss[1] = 0;
		note(bpf_load_hdr_opt(ctx, mss, sizeof(mss), 0));
		note(bpf_load_hdr_opt(ctx, mss, 1, 0));
		break;
	}
	return 1;
}

SEC("sk_lookup")
int look_up(struct bpf_sk_lookup *ctx)
{
	struct bpf_sock *sk;
	__u32 key = answer(21);
	int result;

	NOTE2(ctx->family, ctx->protocol);
	NOTE2(ctx->local_ip4, ctx->local_port);
	NOTE2(ctx->remote_ip4, ctx->ingress_ifindex);
	if (answer(22) == 2)
		return SK_DROP;
	if (!answer(22))
		return SK_PASS;
	sk = bpf_map_lookup_elem(&sockets, &key);
	if (!sk) {
		note(0x404);
		return SK_PASS;
	}
	NOTE2(sk->src_port, sk->state);
	result = bpf_sk_assign(ctx, sk, 0);
	note(result);
	note(bpf_sk_assign(ctx, sk, 0));
	note(bpf_sk_assign(ctx, sk, 8));
	note(bpf_sk_assign(ctx, sk, BPF_SK_LOOKUP_F_REPLACE));
	bpf_sk_release(sk);
	return SK_PASS;
}

SEC("sk_reuseport")
int choose(struct sk_reuseport_md *ctx)
{
	__u32 key = answer(21);
	__u8 byte = 0;

	NOTE2(ctx->ip_protocol, ctx->bind_inany);
	NOTE2(ctx->eth_protocol, ctx->len);
	note(bpf_skb_load_bytes(ctx, 8, &byte, 1));
	note(byte);
	if (answer(22) == 2)
		return SK_DROP;
	note(bpf_sk_select_reuseport(ctx, &members, &key, 0));
	return SK_PASS;
}

SEC("socket")
int keep(struct __sk_buff *skb)
{
	NOTE2(skb->len, skb->protocol);
	return answer(22);
}

// ---- streams -------------------------------------------------------------------------------------------

SEC("sk_skb/stream_parser")
int parser(struct __sk_buff *skb)
{
	note(0x1000 + skb->len);
	return skb->len < 4 ? 0 : 4;
}

SEC("sk_skb/stream_verdict")
int verdict(struct __sk_buff *skb)
{
	NOTE2(0x2000 + skb->len, skb->family);
	if (answer(22) == 1)
		return bpf_sk_redirect_map(skb, &sockets, answer(21), answer(23));
	return answer(22) == 2 ? SK_DROP : SK_PASS;
}

SEC("sk_msg")
int message(struct sk_msg_md *msg)
{
	__u8 *data, *end;

	NOTE2(0x3000 + msg->size, msg->family);
	switch (answer(22)) {
	case 1:
		return bpf_msg_redirect_map(msg, &sockets, answer(21), answer(23));
	case 2:
		return SK_DROP;
	case 3: // the first bytes alone
		note(bpf_msg_apply_bytes(msg, 3));
		return SK_PASS;
	case 4: // wait for more
		note(bpf_msg_cork_bytes(msg, 8));
		return SK_PASS;
	case 5: // longer
		note(bpf_msg_push_data(msg, 2, 3, 0));
		note(bpf_msg_pull_data(msg, 0, 5, 0));
		data = msg->data;
		end = msg->data_end;
		if (data + 5 <= end) {
			data[2] = 'x';
			data[3] = 'y';
			data[4] = 'z';
		}
		note(end - data);
		return SK_PASS;
	case 6: // shorter
		note(bpf_msg_pop_data(msg, 1, 2, 0));
		note(bpf_msg_pop_data(msg, 1, 200, 0));
		note(bpf_msg_push_data(msg, 200, 2, 0));
		note(bpf_msg_pull_data(msg, 3, 1, 0));
		NOTE2(msg->size, 0);
		return SK_PASS;
	}
	return SK_PASS;
}

SEC("sk_msg")
int message_hash(struct sk_msg_md *msg)
{
	__u64 key = answer(21);

	return bpf_msg_redirect_hash(msg, &socket_hash, &key, answer(23));
}

SEC("sk_skb/stream_verdict")
int verdict_hash(struct __sk_buff *skb)
{
	__u64 key = answer(21);

	NOTE2(skb->len, skb->local_port == answer(24));
	return bpf_sk_redirect_hash(skb, &socket_hash, &key, answer(23));
}

// ---- packets that ask for sockets ----------------------------------------------------------------------

SEC("tc")
int ask(struct __sk_buff *skb)
{
	struct bpf_sock_tuple tuple = {};
	struct bpf_sock *sk, *other;
	struct bpf_tcp_sock *tcp;

	tuple.ipv4.daddr = bpf_htonl(0x7f000001);
	tuple.ipv4.saddr = bpf_htonl(0x7f000001);
	tuple.ipv4.dport = bpf_htons(answer(24));
	tuple.ipv4.sport = bpf_htons(answer(25));
	sk = bpf_sk_lookup_tcp(skb, &tuple, sizeof(tuple.ipv4), BPF_F_CURRENT_NETNS, 0);
	note(sk != 0);
	if (sk) {
		NOTE2(sk->state, sk->src_port);
		NOTE2(sk->family, sk->type);
		NOTE2(sk->protocol, sk->dst_port);
		NOTE2(sk->src_ip4, sk->dst_ip4);
		NOTE2(sk->mark, sk->priority);
		NOTE2(sk->bound_dev_if, 0);
		other = bpf_get_listener_sock(sk);
		note(other != 0);
		tcp = bpf_tcp_sock(sk);
		note(tcp != 0);
		if (tcp)
			NOTE2(tcp->bytes_received, tcp->data_segs_in);
		note(bpf_skc_to_tcp_sock(sk) != 0);
		note(bpf_skc_to_tcp6_sock(sk) != 0);
		note(bpf_skc_to_udp6_sock(sk) != 0);
		note(bpf_skc_to_tcp_request_sock(sk) != 0);
		note(bpf_sk_fullsock(sk) != 0);
		bpf_sk_release(sk);
	}
	sk = bpf_skc_lookup_tcp(skb, &tuple, sizeof(tuple.ipv4), BPF_F_CURRENT_NETNS, 0);
	note(sk != 0);
	if (sk) {
		note(sk->state);
		bpf_sk_release(sk);
	}
	sk = bpf_sk_lookup_udp(skb, &tuple, sizeof(tuple.ipv4), BPF_F_CURRENT_NETNS, 0);
	note(sk != 0);
	if (sk) {
		NOTE2(sk->state, sk->src_port);
		bpf_sk_release(sk);
	}
	// Sizes and flags that are not.
	sk = bpf_sk_lookup_tcp(skb, &tuple, 8, BPF_F_CURRENT_NETNS, 0);
	note(sk != 0);
	if (sk)
		bpf_sk_release(sk);
	sk = bpf_sk_lookup_tcp(skb, &tuple, sizeof(tuple.ipv4), BPF_F_CURRENT_NETNS, 1);
	note(sk != 0);
	if (sk)
		bpf_sk_release(sk);
	sk = bpf_sk_lookup_tcp(skb, &tuple, sizeof(tuple.ipv4), 12345, 0);
	note(sk != 0);
	if (sk)
		bpf_sk_release(sk);
	return 0;
}

// Packets for one port go to the socket of another.
SEC("tc")
int give(struct __sk_buff *skb)
{
	struct bpf_sock_tuple tuple = {};
	struct bpf_sock *sk;
	__u16 port;

	if (bpf_skb_load_bytes(skb, 36, &port, 2) || port != bpf_htons(answer(24)))
		return 0;
	tuple.ipv4.daddr = bpf_htonl(0x7f000001);
	tuple.ipv4.dport = bpf_htons(answer(25));
	if (answer(26) == 6)
		sk = bpf_skc_lookup_tcp(skb, &tuple, sizeof(tuple.ipv4), BPF_F_CURRENT_NETNS, 0);
	else
		sk = bpf_sk_lookup_udp(skb, &tuple, sizeof(tuple.ipv4), BPF_F_CURRENT_NETNS, 0);
	if (!sk) {
		note(0x404);
		return 0;
	}
	note(bpf_sk_assign(skb, sk, 1));
	note(bpf_sk_assign(skb, sk, 0));
	bpf_sk_release(sk);
	return 0;
}

SEC("tc")
int route(struct __sk_buff *skb)
{
	struct bpf_fib_lookup fib = {};
	__u32 flags = answer(27);

	fib.family = 2;
	fib.ifindex = answer(26);
	fib.ipv4_dst = bpf_htonl(answer(24));
	fib.ipv4_src = bpf_htonl(0x0a010001);
	fib.tot_len = answer(25);
	if (flags & BPF_FIB_LOOKUP_TBID)
		fib.tbid = answer(28);
	note(bpf_fib_lookup(skb, &fib, sizeof(fib), flags));
	NOTE2(fib.ifindex, fib.ipv4_dst);
	NOTE2(fib.rt_metric, fib.ipv4_src);
	NOTE2(fib.mtu_result, fib.h_vlan_TCI);
	note(*(__u32 *)fib.dmac);
	return 0;
}

SEC("tc")
int syncookie(struct __sk_buff *skb)
{
	struct {
		__u8 ip[20];
		__u16 source, dest;
		__u32 seq, ack;
		__u16 flags;
		__u16 window, check, urgent;
		__u8 options[4];
	} __attribute__((packed)) syn = {
		.ip = { 0x45, 0, 0, 44, 0, 0, 0, 0, 64, 6, 0, 0, 10, 1, 2, 3, 10, 1, 2, 4 },
		.source = bpf_htons(1234), .dest = bpf_htons(80),
		.seq = bpf_htonl(1000), .flags = 0x0260,
		.options = { 2, 4, 5, 0xb4 },
	};
	__s64 cookie;

	cookie = bpf_tcp_raw_gen_syncookie_ipv4((void *)syn.ip, (void *)&syn.source, 24);
	note((__u64)cookie >> 32);
	note(bpf_tcp_raw_gen_syncookie_ipv4((void *)syn.ip, (void *)&syn.source, 20));
	syn.flags = 0x1050;
	syn.seq = bpf_htonl(1001);
	syn.ack = bpf_htonl((__u32)cookie + 1);
	note(bpf_tcp_raw_check_syncookie_ipv4((void *)syn.ip, (void *)&syn.source));
	syn.ack = bpf_htonl((__u32)cookie + 2000);
	note(bpf_tcp_raw_check_syncookie_ipv4((void *)syn.ip, (void *)&syn.source));
	return 0;
}

// Cookies of a listening socket.
SEC("tc")
int cookie_for(struct __sk_buff *skb)
{
	struct {
		__u8 ip[20];
		__u16 source, dest;
		__u32 seq, ack;
		__u16 flags;
		__u16 window, check, urgent;
		__u8 options[4];
	} __attribute__((packed)) syn = {
		.ip = { 0x45, 0, 0, 44, 0, 0, 0, 0, 64, 6, 0, 0, 10, 1, 2, 3, 10, 1, 2, 4 },
		.source = bpf_htons(1234), .dest = bpf_htons(80),
		.seq = bpf_htonl(1000), .flags = 0x0260,
		.options = { 2, 4, 5, 0xb4 },
	};
	struct bpf_sock_tuple tuple = {};
	struct bpf_sock *sk;
	__s64 cookie;

	tuple.ipv4.daddr = bpf_htonl(0x7f000001);
	tuple.ipv4.dport = bpf_htons(answer(24));
	sk = bpf_sk_lookup_tcp(skb, &tuple, sizeof(tuple.ipv4), BPF_F_CURRENT_NETNS, 0);
	if (!sk)
		return 0;
	cookie = bpf_tcp_gen_syncookie(sk, syn.ip, 20, (void *)&syn.source, 24);
	note((__u64)cookie >> 32);
	note(bpf_tcp_gen_syncookie(sk, syn.ip, 20, (void *)&syn.source, 20));
	note(bpf_tcp_check_syncookie(sk, syn.ip, 20, (void *)&syn.source, 24));
	syn.flags = 0x1050;
	syn.seq = bpf_htonl(1001);
	syn.ack = bpf_htonl((__u32)cookie + 1);
	note(bpf_tcp_gen_syncookie(sk, syn.ip, 20, (void *)&syn.source, 24) == -22);
	note(bpf_tcp_check_syncookie(sk, syn.ip, 20, (void *)&syn.source, 20));
	syn.ack = bpf_htonl((__u32)cookie + 3000);
	note(bpf_tcp_check_syncookie(sk, syn.ip, 20, (void *)&syn.source, 20));
	syn.ip[0] = 0x75;
	note(bpf_tcp_check_syncookie(sk, syn.ip, 20, (void *)&syn.source, 20));
	bpf_sk_release(sk);
	return 0;
}

SEC("lwt_xmit")
int encapsulate(struct __sk_buff *skb)
{
	__u8 four[20] = { 0x45, 0, 0, 60, 0, 0, 0, 0, 64, 4, 0, 0, 10, 9, 8, 7, 10, 9, 8, 6 };
	__u8 wrong[20] = { 0x55 };

	note(bpf_lwt_push_encap(skb, BPF_LWT_ENCAP_IP, four, 10));
	note(bpf_lwt_push_encap(skb, BPF_LWT_ENCAP_IP, wrong, 20));
	note(bpf_lwt_push_encap(skb, BPF_LWT_ENCAP_IP, four, 20));
	NOTE2(skb->len, skb->protocol);
	return 0;
}

SEC("flow_dissector")
int dissect(struct __sk_buff *skb)
{
	struct bpf_flow_keys *keys = skb->flow_keys;

	NOTE2(keys->nhoff, keys->thoff);
	NOTE2(keys->n_proto, keys->flags);
	keys->addr_proto = 0x800;
	keys->n_proto = bpf_htons(0x0800);
	keys->ip_proto = 17;
	keys->thoff = keys->nhoff + 20;
	keys->sport = bpf_htons(answer(24));
	return answer(22) ? BPF_FLOW_DISSECTOR_CONTINUE : BPF_OK;
}

SEC("tc")
int hash(struct __sk_buff *skb)
{
	__u32 first = bpf_get_hash_recalc(skb);

	bpf_set_hash_invalid(skb);
	note(first == bpf_get_hash_recalc(skb));
	return 0;
}

// ---- netfilter ------------------------------------------------------------------------------------------

struct nf_hook_state {
	__u8 hook;
	__u8 pf;
} __attribute__((preserve_access_index));

struct bpf_nf_ctx {
	const struct nf_hook_state *state;
	struct sk_buff *skb;
} __attribute__((preserve_access_index));

SEC("netfilter")
int filter(struct bpf_nf_ctx *ctx)
{
	NOTE2(ctx->state->hook, ctx->state->pf);
	return answer(22) != 2;
}

char LICENSE[] SEC("license") = "GPL";
