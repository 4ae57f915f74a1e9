/* Counter in an array, atomic add (the kernel inlines the look-up) */
#include "bench.h"
struct {
  __uint(type, M_ARRAY);
  __type(key, u32);
  __type(value, u64);
  __uint(max_entries, 256);
} counters SEC(".maps");
ENTRY(struct xdp_md *c) {
  u8 *p = CTXDATA(c), *e = CTXEND(c);
  if (p + 34 > e) return 0;
  u32 key = p[23];
  u64 *value = map_lookup(&counters, &key);
  if (!value) return 0;
  __sync_fetch_and_add(value, 1);
  return key;
}
