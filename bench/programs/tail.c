/* 16 tail calls of itself; the count is kept in the packet */
#include "bench.h"
struct {
  __uint(type, M_PROG_ARRAY);
  __type(key, u32);
  __type(value, u32);
  __uint(max_entries, 4);
} programs SEC(".maps");
ENTRY(struct xdp_md *c) {
  u8 *p = CTXDATA(c), *e = CTXEND(c);
  if (p + 64 > e) return 0;
  u32 hops = *(u32 *)(p + 60);
  if (hops >= 16) {
    *(u32 *)(p + 60) = 0;
    return XDP_PASS_;
  }
  *(u32 *)(p + 60) = hops + 1;
  tail_call(c, &programs, 0);
  return 0;
}
