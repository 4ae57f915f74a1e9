/* byte-granular memory in a map value: sieve of Eratosthenes below 1024 */
#include "bench.h"
struct scratch { u8 f[1024]; };
struct { __uint(type, M_ARRAY); __type(key, u32); __type(value, struct scratch); __uint(max_entries, 1); } scratch_map SEC(".maps");
ENTRY(struct xdp_md *c) {
  u32 z = 0, n = 0;
  struct scratch *s = map_lookup(&scratch_map, &z);
  if (!s) return 0;
  u64 *w = (u64 *)s->f;
  NOUNROLL for (int i = 0; i < 128; i++) w[i] = 0;
  NOUNROLL for (u32 i = 2; i < 32; i++) {
    if (s->f[i]) continue;
    NOUNROLL for (u32 j = i * i; j < 1024; j += i) s->f[j] = 1;
  }
  NOUNROLL for (u32 k = 2; k < 1024; k++) if (!s->f[k]) n++;
  return n;
}
