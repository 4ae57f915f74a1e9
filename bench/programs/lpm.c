/* Longest prefix of the destination address among 1000 */
#include "bench.h"
struct prefix { u32 length, address; };
struct {
  __uint(type, M_LPM);
  __type(key, struct prefix);
  __type(value, u32);
  __uint(max_entries, 2048);
  __uint(map_flags, 1);
} routes SEC(".maps");
ENTRY(struct xdp_md *c) {
  u8 *p = CTXDATA(c), *e = CTXEND(c);
  struct ip4 *ip = (void *)(p + 14);
  if ((u8 *)(ip + 1) > e) return 0;
  struct prefix key = {32, ip->dst};
  u32 *next = map_lookup(&routes, &key);
  return next ? *next : 0;
}
