/* Flow table of 10,000 five-tuples: a hash with 16-byte keys, updated in place */
#include "bench.h"
struct tuple { u32 src, dst; u16 sport, dport; u32 proto; };
struct flow { u64 packets, bytes; u32 flags, seq; };
struct {
  __uint(type, M_HASH);
  __type(key, struct tuple);
  __type(value, struct flow);
  __uint(max_entries, 65536);
} flows SEC(".maps");
ENTRY(struct xdp_md *c) {
  u8 *p = CTXDATA(c), *e = CTXEND(c);
  struct eth *eth = (void *)p;
  struct ip4 *ip = (void *)(eth + 1);
  struct tcp *tcp = (void *)(ip + 1);
  if ((u8 *)(tcp + 1) > e) return XDP_DROP_;
  if (eth->proto != BE16(0x0800) || ip->vihl != 0x45 || ip->proto != 6) return XDP_PASS_;
  struct tuple key = {ip->src, ip->dst, tcp->sport, tcp->dport, 6};
  struct flow *flow = map_lookup(&flows, &key);
  if (flow) {
    flow->packets++;
    flow->bytes += e - p;
    flow->flags |= tcp->flags;
    flow->seq = tcp->seq;
    return XDP_PASS_;
  }
  struct flow first = {1, e - p, tcp->flags, tcp->seq};
  map_update(&flows, &key, &first, 0);
  return XDP_DROP_;
}
