/* The little that the bench programs share: types, an XDP context, helpers, byte order. They are
 * freestanding on purpose: no kernel header, so that any clang builds them. */
#pragma once
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

#define SEC(x) __attribute__((section(x), used))
#define NOUNROLL _Pragma("clang loop unroll(disable)")
#define __uint(n, v) int (*n)[v]
#define __type(n, v) typeof(v) *n

#define XDP_DROP_ 1
#define XDP_PASS_ 2
enum {
  M_HASH = 1,
  M_ARRAY = 2,
  M_PROG_ARRAY = 3,
  M_PERCPU_HASH = 5,
  M_PERCPU_ARRAY = 6,
  M_LPM = 11,
  M_RINGBUF = 27,
};

static void *(*map_lookup)(void *map, const void *key) = (void *)1;
static long (*map_update)(void *map, const void *key, const void *value, u64 flags) = (void *)2;
static long (*tail_call)(void *ctx, void *map, u32 index) = (void *)12;
static void *(*ringbuf_reserve)(void *ring, u64 size, u64 flags) = (void *)131;
static void (*ringbuf_submit)(void *record, u64 flags) = (void *)132;

struct xdp_md { u32 data, data_end, data_meta, ingress_ifindex, rx_queue_index, egress_ifindex; };
#define CTXDATA(c) ((void *)(long)(c)->data)
#define CTXEND(c) ((void *)(long)(c)->data_end)

/* -DREP=n: the body is called n times in a run, so that what surrounds a run is divided by n. */
#ifdef REP
#define ENTRY                                                                                      \
  static int body(struct xdp_md *c);                                                               \
  SEC("xdp") int prog(struct xdp_md *c) {                                                          \
    u32 r = 0;                                                                                     \
    NOUNROLL for (int i = 0; i < REP; i++) {                                                       \
      r += body(c);                                                                                \
      __asm__ volatile("" ::: "memory");                                                           \
    }                                                                                              \
    return r;                                                                                      \
  }                                                                                                \
  static __attribute__((noinline)) int body
#else
#define ENTRY SEC("xdp") int prog
#endif


char _license[] SEC("license") = "Dual MIT/GPL";

struct eth { u8 d[6], s[6]; u16 proto; };
struct vlan { u16 tci, proto; };
struct ip4 { u8 vihl, tos; u16 len, id, frag; u8 ttl, proto; u16 csum; u32 src, dst; };
struct tcp { u16 sport, dport; u32 seq, ack; u16 flags, win, csum, urg; };
#define BE16(x) __builtin_bswap16(x)
#define BE32(x) __builtin_bswap32(x)
