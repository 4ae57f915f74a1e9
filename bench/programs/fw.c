/* Firewall: a blocklist of 10,000 IPv4 addresses (hash), and per-CPU counters by source address */
#include "bench.h"
struct traffic { u64 packets, bytes; };
struct {
  __uint(type, M_HASH);
  __type(key, u32);
  __type(value, u64);
  __uint(max_entries, 16384);
} blocklist SEC(".maps");
struct {
  __uint(type, M_PERCPU_HASH);
  __type(key, u32);
  __type(value, struct traffic);
  __uint(max_entries, 1024);
} sources SEC(".maps");
ENTRY(struct xdp_md *c) {
  u8 *p = CTXDATA(c), *e = CTXEND(c);
  struct eth *eth = (void *)p;
  struct ip4 *ip = (void *)(eth + 1);
  if ((u8 *)(ip + 1) > e) return XDP_DROP_;
  if (eth->proto != BE16(0x0800)) return XDP_PASS_;
  u32 source = ip->src;
  u64 *hits = map_lookup(&blocklist, &source);
  if (hits) {
    __sync_fetch_and_add(hits, 1);
    return XDP_DROP_;
  }
  struct traffic *seen = map_lookup(&sources, &source);
  if (seen) {
    seen->packets++;
    seen->bytes += e - p;
  } else {
    struct traffic first = {1, e - p};
    map_update(&sources, &source, &first, 0);
  }
  return XDP_PASS_;
}
