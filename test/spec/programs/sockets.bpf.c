#include <linux/bpf.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/tcp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

SEC("cgroup/connect4")
int connect4(struct bpf_sock_addr *ctx)
{
	if (ctx->user_port == bpf_htons(80) && ctx->protocol == IPPROTO_TCP)
		ctx->user_ip4 = bpf_htonl(INADDR_LOOPBACK);
	return 1;
}

SEC("sockops")
int on_sockops(struct bpf_sock_ops *ctx)
{
	int on = 1;

	if (ctx->op == BPF_SOCK_OPS_TCP_CONNECT_CB && ctx->family == AF_INET)
		bpf_setsockopt(ctx, SOL_TCP, TCP_NODELAY, &on, sizeof(on));
	ctx->reply = -1;
	return 1;
}

SEC("sk_lookup")
int lookup(struct bpf_sk_lookup *ctx)
{
	return ctx->local_port == 7777 && ctx->remote_port ? SK_DROP : SK_PASS;
}

SEC("sk_msg")
int message(struct sk_msg_md *msg)
{
	char *data = msg->data;

	return data + 1 > (char *)msg->data_end || data[0] != 'x' ? SK_PASS : SK_DROP;
}

SEC("sk_reuseport")
int choose(struct sk_reuseport_md *ctx)
{
	return ctx->hash & 1 && ctx->sk ? SK_PASS : SK_DROP;
}

SEC("cgroup/setsockopt")
int option(struct bpf_sockopt *ctx)
{
	return ctx->level == SOL_IP && (char *)ctx->optval < (char *)ctx->optval_end;
}

SEC("cgroup/sysctl")
int sysctl(struct bpf_sysctl *ctx)
{
	return !ctx->write;
}

SEC("cgroup/dev")
int device(struct bpf_cgroup_dev_ctx *ctx)
{
	return ctx->major == 1 && (ctx->access_type >> 16) & BPF_DEVCG_ACC_READ;
}

SEC("flow_dissector")
int dissect(struct __sk_buff *skb)
{
	skb->flow_keys->ipv4_src = 1;
	return BPF_OK;
}
