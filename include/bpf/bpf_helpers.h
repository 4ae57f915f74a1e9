/* SPDX-License-Identifier: MIT */
/*
 * What every eBPF program in C needs: sections, map definitions, attributes, printing, loops.
 * The names are those that eBPF programs have used since libbpf; include <linux/bpf.h> or
 * "vmlinux.h" first, for the types.
 */
#ifndef __BPF_HELPERS__
#define __BPF_HELPERS__

#include "bpf_helper_defs.h"

/* --- Map definitions: members whose types, not values, carry the facts into BTF. --- */

#define __uint(name, val) int (*name)[val]
#define __type(name, val) typeof(val) *name
#define __array(name, val) typeof(val) *name[]
#define __ulong(name, val) enum { ___bpf_concat(__skep_ulong_, __COUNTER__) = val } name

/* How a map is pinned: __uint(pinning, LIBBPF_PIN_BY_NAME). */
enum libbpf_pin_type {
	LIBBPF_PIN_NONE,
	LIBBPF_PIN_BY_NAME,
};

/* What an unresolved Kconfig extern means. */
enum libbpf_tristate {
	TRI_NO = 0,
	TRI_YES = 1,
	TRI_MODULE = 2,
};

/* --- Attributes. --- */

/* Program and map sections are `used`: nothing in the file refers to them. */
#define SEC(name)                                                                              \
	_Pragma("GCC diagnostic push")                                                         \
	_Pragma("GCC diagnostic ignored \"-Wignored-attributes\"")                             \
	__attribute__((section(name), used))                                                   \
	_Pragma("GCC diagnostic pop")

#undef __always_inline
#define __always_inline inline __attribute__((always_inline))
#ifndef __noinline
#define __noinline __attribute__((noinline))
#endif
#ifndef __weak
#define __weak __attribute__((weak))
#endif
/* A global function that is verified with its callers, like a static one. */
#define __hidden __attribute__((visibility("hidden")))

#define __kconfig __attribute__((section(".kconfig")))
#ifndef __ksym
#define __ksym __attribute__((section(".ksyms")))
#endif

#define __kptr_untrusted __attribute__((btf_type_tag("kptr_untrusted")))
#define __kptr __attribute__((btf_type_tag("kptr")))
#define __percpu_kptr __attribute__((btf_type_tag("percpu_kptr")))
#define __uptr __attribute__((btf_type_tag("uptr")))

#define __arg_ctx __attribute__((btf_decl_tag("arg:ctx")))
#define __arg_nonnull __attribute__((btf_decl_tag("arg:nonnull")))
#define __arg_nullable __attribute__((btf_decl_tag("arg:nullable")))
#define __arg_trusted __attribute__((btf_decl_tag("arg:trusted")))
#define __arg_untrusted __attribute__((btf_decl_tag("arg:untrusted")))
#define __arg_arena __attribute__((btf_decl_tag("arg:arena")))

/* Whether a weak __ksym was found. */
#define bpf_ksym_exists(sym) (!!(&(sym)))

/* --- Small things C lacks here. --- */

#ifndef NULL
#define NULL ((void *)0)
#endif
#ifndef KERNEL_VERSION
#define KERNEL_VERSION(a, b, c) (((a) << 16) + ((b) << 8) + ((c) > 255 ? 255 : (c)))
#endif
#ifndef likely
#define likely(x) __builtin_expect(!!(x), 1)
#endif
#ifndef unlikely
#define unlikely(x) __builtin_expect(!!(x), 0)
#endif
#ifndef offsetof
#define offsetof(type, member) __builtin_offsetof(type, member)
#endif
#ifndef container_of
#define container_of(ptr, type, member)                                                        \
	((type *)((void *)(ptr) - __builtin_offsetof(type, member)))
#endif

/* Keeps the compiler from moving memory accesses across this place. */
#ifndef barrier
#define barrier() asm volatile("" ::: "memory")
#endif
/* Makes the compiler forget what it knows of a variable's value, so that it repeats a check. */
#ifndef barrier_var
#define barrier_var(var) asm volatile("" : "+r"(var))
#endif
#ifndef __bpf_unreachable
#define __bpf_unreachable() __builtin_unreachable()
#endif

#ifndef ___bpf_concat
#define ___bpf_concat(a, b) a##b
#endif
#ifndef ___bpf_apply
#define ___bpf_apply(fn, n) ___bpf_concat(fn, n)
#endif
#ifndef ___bpf_nth
#define ___bpf_nth(_, _1, _2, _3, _4, _5, _6, _7, _8, _9, _a, _b, _c, N, ...) N
#endif
/* The number of arguments, 0 to 12. */
#ifndef ___bpf_narg
#define ___bpf_narg(...) \
	___bpf_nth(_, ##__VA_ARGS__, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0)
#endif

/*
 * A tail call whose slot is a constant, written so that the verifier sees the constant and the
 * map in the call's own registers and the JIT can patch a direct jump.
 */
#if defined(__clang__) && defined(__bpf__)
static __attribute__((always_inline)) inline void bpf_tail_call_static(void *ctx, const void *map,
								      const unsigned int slot)
{
	if (!__builtin_constant_p(slot))
		__bpf_unreachable();
	asm volatile("r1 = %[ctx]\n\t"
		     "r2 = %[map]\n\t"
		     "r3 = %[slot]\n\t"
		     "call 12"
		     :
		     : [ctx] "r"(ctx), [map] "r"(map), [slot] "i"(slot)
		     : "r0", "r1", "r2", "r3", "r4", "r5", "memory");
}
#else
#define bpf_tail_call_static(ctx, map, slot) bpf_tail_call(ctx, (void *)(map), slot)
#endif

/* --- Printing. --- */

/* Without global data the format must live on the stack. */
#ifdef BPF_NO_GLOBAL_DATA
#define __skep_fmt_storage
#else
#define __skep_fmt_storage static const
#endif

/* An array of 64-bit arguments; one spare element so that it is never empty. */
#define __skep_args(...)                                                                       \
	unsigned long long ___param[___bpf_narg(__VA_ARGS__) + 1] = {                          \
		___bpf_apply(__skep_cast, ___bpf_narg(__VA_ARGS__))(__VA_ARGS__)               \
	}
#define __skep_cast0() 0
#define __skep_cast1(a) (unsigned long long)(a)
#define __skep_cast2(a, ...) (unsigned long long)(a), __skep_cast1(__VA_ARGS__)
#define __skep_cast3(a, ...) (unsigned long long)(a), __skep_cast2(__VA_ARGS__)
#define __skep_cast4(a, ...) (unsigned long long)(a), __skep_cast3(__VA_ARGS__)
#define __skep_cast5(a, ...) (unsigned long long)(a), __skep_cast4(__VA_ARGS__)
#define __skep_cast6(a, ...) (unsigned long long)(a), __skep_cast5(__VA_ARGS__)
#define __skep_cast7(a, ...) (unsigned long long)(a), __skep_cast6(__VA_ARGS__)
#define __skep_cast8(a, ...) (unsigned long long)(a), __skep_cast7(__VA_ARGS__)
#define __skep_cast9(a, ...) (unsigned long long)(a), __skep_cast8(__VA_ARGS__)
#define __skep_cast10(a, ...) (unsigned long long)(a), __skep_cast9(__VA_ARGS__)
#define __skep_cast11(a, ...) (unsigned long long)(a), __skep_cast10(__VA_ARGS__)
#define __skep_cast12(a, ...) (unsigned long long)(a), __skep_cast11(__VA_ARGS__)

#define __bpf_printk(fmt, ...)                                                                 \
	({                                                                                     \
		__skep_fmt_storage char ____fmt[] = fmt;                                       \
		bpf_trace_printk(____fmt, sizeof(____fmt), ##__VA_ARGS__);                     \
	})
#define __bpf_vprintk(fmt, ...)                                                                \
	({                                                                                     \
		static const char ____fmt[] = fmt;                                             \
		__skep_args(__VA_ARGS__);                                                      \
		bpf_trace_vprintk(____fmt, sizeof(____fmt), ___param,                          \
				  sizeof(___param) - sizeof(___param[0]));                     \
	})
#define __skep_printk_few(fmt, ...) __bpf_printk(fmt, ##__VA_ARGS__)
#define __skep_printk_many(fmt, ...) __bpf_vprintk(fmt, ##__VA_ARGS__)
#define __skep_pick_printk(...)                                                                \
	___bpf_nth(_, ##__VA_ARGS__, __bpf_vprintk, __bpf_vprintk, __bpf_vprintk,              \
		   __bpf_vprintk, __bpf_vprintk, __bpf_vprintk, __bpf_vprintk, __bpf_vprintk,  \
		   __bpf_vprintk, __bpf_printk, __bpf_printk, __bpf_printk, __bpf_printk)
/* Prints to the trace pipe: %d %u %x %s %p and their 64-bit forms; up to 12 arguments. */
#define bpf_printk(fmt, ...) __skep_pick_printk(__VA_ARGS__)(fmt, ##__VA_ARGS__)

/* Prints into the file of an iterator. */
#define BPF_SEQ_PRINTF(seq, fmt, ...)                                                          \
	({                                                                                     \
		static const char ____fmt[] = fmt;                                             \
		__skep_args(__VA_ARGS__);                                                      \
		bpf_seq_printf(seq, ____fmt, sizeof(____fmt), ___param,                        \
			       sizeof(___param) - sizeof(___param[0]));                        \
	})
/* Prints into a buffer; the result is the length with its zero, whether or not it fitted. */
#define BPF_SNPRINTF(out, out_size, fmt, ...)                                                  \
	({                                                                                     \
		static const char ____fmt[] = fmt;                                             \
		__skep_args(__VA_ARGS__);                                                      \
		bpf_snprintf(out, out_size, ____fmt, ___param,                                 \
			     sizeof(___param) - sizeof(___param[0]));                          \
	})

extern int bpf_stream_vprintk_impl(int stream_id, const char *fmt__str, const void *args,
				   __u32 len__sz, void *aux__prog) __ksym __weak;
/* Prints into one of the program's own streams: BPF_STDOUT or BPF_STDERR. */
#define bpf_stream_printk(stream_id, fmt, ...)                                                 \
	({                                                                                     \
		static const char ____fmt[] = fmt;                                             \
		__skep_args(__VA_ARGS__);                                                      \
		bpf_stream_vprintk_impl(stream_id, ____fmt, ___param,                          \
					sizeof(___param) - sizeof(___param[0]), NULL);         \
	})

/* --- Loops over the kernel's open-coded iterators. --- */

struct bpf_iter_num;
extern int bpf_iter_num_new(struct bpf_iter_num *it, int start, int end) __weak __ksym;
extern int *bpf_iter_num_next(struct bpf_iter_num *it) __weak __ksym;
extern void bpf_iter_num_destroy(struct bpf_iter_num *it) __weak __ksym;

/*
 * for each element that the iterator of kind `type` gives: bpf_for_each(task, pos, NULL, 0) {…}.
 * The iterator is destroyed however the loop is left.
 */
#ifndef bpf_for_each
#define bpf_for_each(type, cur, args...)                                                       \
	for (struct bpf_iter_##type ___it                                                      \
		     __attribute__((aligned(8), cleanup(bpf_iter_##type##_destroy))),          \
	     *___once __attribute__((unused)) =                                                \
		     (bpf_iter_##type##_new(&___it, ##args),                                   \
		      (void)bpf_iter_##type##_destroy, (void *)0);                             \
	     ((cur) = bpf_iter_##type##_next(&___it));)
#endif

/* for (i = start; i < end; i++), of any length, walked once by the verifier. */
#ifndef bpf_for
#define bpf_for(i, start, end)                                                                 \
	for (struct bpf_iter_num ___it                                                         \
		     __attribute__((aligned(8), cleanup(bpf_iter_num_destroy))),               \
	     *___once __attribute__((unused)) =                                                \
		     (bpf_iter_num_new(&___it, (start), (end)),                                \
		      (void)bpf_iter_num_destroy, (void *)0);                                  \
	     ({                                                                                \
		     int *___next = bpf_iter_num_next(&___it);                                 \
		     int ___more = !!___next;                                                  \
		     ___more ? ((i) = *___next, (i) >= (start) && (i) < (end)) : 0;            \
	     });)
#endif

/* The body N times. */
#ifndef bpf_repeat
#define bpf_repeat(N)                                                                          \
	for (struct bpf_iter_num ___it                                                         \
		     __attribute__((aligned(8), cleanup(bpf_iter_num_destroy))),               \
	     *___once __attribute__((unused)) =                                                \
		     (bpf_iter_num_new(&___it, 0, (N)),                                        \
		      (void)bpf_iter_num_destroy, (void *)0);                                  \
	     bpf_iter_num_next(&___it);)
#endif

#endif /* __BPF_HELPERS__ */
