#include "common.h"
RESULTS(5)
SEC("xdp")
int xdp_bytes(struct xdp_md *ctx)
{
	__u8 bytes[12] = {};
	result(0, bpf_xdp_load_bytes(ctx, 2, bytes, sizeof(bytes)));
	result(1, bytes[0] + bytes[11] * 256);
	bytes[3] ^= 0xff;
	result(2, bpf_xdp_store_bytes(ctx, 4, bytes, sizeof(bytes)));
	result(3, bpf_xdp_load_bytes(ctx, 100, bytes, sizeof(bytes)));
	result(4, bpf_xdp_get_buff_len(ctx));
	return XDP_PASS;
}
