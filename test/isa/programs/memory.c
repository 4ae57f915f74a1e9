// Loads, stores and stack copies of every size, with negative and positive displacements.
struct record {
  unsigned char tag;
  unsigned short port;
  unsigned int address;
  unsigned long long cookie;
  signed char delta;
  int level;
  char name[16];
};

unsigned long long sum(struct record *r, int count) {
  unsigned long long total = 0;
  for (int i = 0; i < count; i++) {
    total += r[i].tag + r[i].port + r[i].address + r[i].cookie;
    total -= r[i].delta + r[i].level;
    r[i].port = total;
    r[i].tag = 1;
    r[i].cookie ^= total;
  }
  return total;
}

static __attribute__((noinline)) int fill(struct record *r, int seed) {
  r->level = seed * 3;
  r->name[3] = seed;
  return r->address + r[-1].level;
}

int copies(struct record *source) {
  struct record local[2];
  __builtin_memcpy(&local[1], source, sizeof local[1]);
  __builtin_memset(&local[0], 0, sizeof local[0]);
  return fill(&local[1], source->level) + fill(&local[0], 9);
}

int global_counter;
const char text[] = "hello";

int globals(int index) {
  global_counter += text[index & 3];
  return global_counter;
}
