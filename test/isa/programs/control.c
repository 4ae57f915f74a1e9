// Jumps of all kinds: loops, switches, short circuits, calls to helpers and to local functions.
static void *(*map_lookup)(void *map, const void *key) = (void *)1;
static unsigned long long (*now)(void) = (void *)5;

struct {
  int type, key, value;
} counters __attribute__((section("maps")));

int compare(long long a, long long b, unsigned int c, int d) {
  if (a == b || c > 100) return 1;
  if (a > 7 && d >= -3) return 2;
  if (c <= 5u || d < 0) return 3;
  if (a != 0x7fffffff) return 4;
  return a & 0x10 ? 5 : 6;
}

int choose(int what, int value) {
  switch (what) {
    case 0: return value + 1;
    case 1: return value * 3;
    case 2: return value ^ 0x55;
    case 5: return -value;
    case 90: return value >> 2;
    default: return value & 7;
  }
}

int loops(const unsigned char *from, const unsigned char *to) {
  int found = 0;
  while (from < to) {
    if (*from == '\n') found++;
    if (*from++ == 0) break;
  }
  return found;
}

int helpers(int key) {
  long long *count = map_lookup(&counters, &key);
  if (!count) return 0;
  __sync_fetch_and_add(count, 1);
  return *count + now();
}
