// Every operator on every width, with constants and variables.
typedef unsigned long long u64;
typedef long long s64;
typedef unsigned int u32;
typedef int s32;
typedef unsigned short u16;
typedef signed char s8;

u64 unsigned_64(u64 a, u64 b) {
  u64 r = a + b;
  r -= a ^ 0x1234;
  r *= b | 7;
  r /= (a & 0xffff) + 1;
  r <<= b & 63;
  r >>= 3;
  return r ^ ~b;
}

s64 signed_64(s64 a, s64 b) {
  s64 r = -a >> 5;
  r += b >> (a & 63);
  return r < -100 ? -b : r - 0x7fffffff;
}

u32 unsigned_32(u32 a, u32 b) {
  u32 r = a * b + 0x80000001u;
  r ^= a >> (b & 31);
  r |= b << 11;
  r &= 0xf0f0f0f0u;
  return r / (b | 1);
}

s32 signed_32(s32 a, s32 b) {
  if (a < b && b > -7) return a >> 4;
  return a <= 12 ? -a : b - a;
}

s64 extensions(s8 a, short b, s32 c, u16 d) { return a + b * 3 + (s64)c + d; }

u64 constants(void) { return 0x1122334455667788ull ^ 0xffffffff00000000ull; }

u64 swaps(u64 a, u32 b, u16 c) {
  return __builtin_bswap64(a) + __builtin_bswap32(b) + __builtin_bswap16(c);
}
