/* Two counters in a per-CPU array, plain adds */
#include "bench.h"
struct traffic { u64 packets, bytes; };
struct {
  __uint(type, M_PERCPU_ARRAY);
  __type(key, u32);
  __type(value, struct traffic);
  __uint(max_entries, 256);
} counters SEC(".maps");
ENTRY(struct xdp_md *c) {
  u8 *p = CTXDATA(c), *e = CTXEND(c);
  if (p + 34 > e) return 0;
  u32 key = p[23];
  struct traffic *value = map_lookup(&counters, &key);
  if (!value) return 0;
  value->packets++;
  value->bytes += e - p;
  return key;
}
