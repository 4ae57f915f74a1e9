/* SPDX-License-Identifier: MIT */
/*
 * CO-RE: reading kernel structures whose layout is found at load time, and asking whether a
 * field, type or enumerator exists. The numbers are those of `enum bpf_core_relo_kind`; the
 * compiler records each use, and the loader patches the instruction.
 */
#ifndef __BPF_CORE_READ_H__
#define __BPF_CORE_READ_H__

#include "bpf_helpers.h"

enum bpf_field_info_kind {
	BPF_FIELD_BYTE_OFFSET = 0,
	BPF_FIELD_BYTE_SIZE = 1,
	BPF_FIELD_EXISTS = 2,
	BPF_FIELD_SIGNED = 3,
	BPF_FIELD_LSHIFT_U64 = 4,
	BPF_FIELD_RSHIFT_U64 = 5,
};

enum bpf_type_id_kind {
	BPF_TYPE_ID_LOCAL = 0,
	BPF_TYPE_ID_TARGET = 1,
};

enum bpf_type_info_kind {
	BPF_TYPE_EXISTS = 0,
	BPF_TYPE_SIZE = 1,
	BPF_TYPE_MATCHES = 2,
};

enum bpf_enum_value_kind {
	BPF_ENUMVAL_EXISTS = 0,
	BPF_ENUMVAL_VALUE = 1,
};

/* A field is given as an expression (p->a.b) or as a type and a path (struct t, a.b). */
#define __core_nth(_1, _2, _3, _4, _5, _6, _7, _8, _9, _10, N, ...) N
#define __core_count(...) __core_nth(__VA_ARGS__, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1)
#define __core_paste(a, b) a##b
#define __core_join(a, b) __core_paste(a, b)

#if defined(__clang__) && __clang_major__ >= 19
#define __core_typeof(expr) __typeof_unqual__(expr)
#else
#define __core_typeof(expr) typeof(expr)
#endif

#define __core_null(type) ((typeof(type) *)0)
#define __core_field1(field) (field)
#define __core_field2(type, field) (__core_null(type)->field)
#define __core_field(...) __core_join(__core_field, __core_count(__VA_ARGS__))(__VA_ARGS__)

#define bpf_core_field_exists(...) \
	__builtin_preserve_field_info(__core_field(__VA_ARGS__), BPF_FIELD_EXISTS)
#define bpf_core_field_size(...) \
	__builtin_preserve_field_info(__core_field(__VA_ARGS__), BPF_FIELD_BYTE_SIZE)
#define bpf_core_field_offset(...) \
	__builtin_preserve_field_info(__core_field(__VA_ARGS__), BPF_FIELD_BYTE_OFFSET)

#define bpf_core_type_id_local(type) \
	__builtin_btf_type_id(*__core_null(type), BPF_TYPE_ID_LOCAL)
#define bpf_core_type_id_kernel(type) \
	__builtin_btf_type_id(*__core_null(type), BPF_TYPE_ID_TARGET)
#define bpf_core_type_exists(type) \
	__builtin_preserve_type_info(*__core_null(type), BPF_TYPE_EXISTS)
#define bpf_core_type_size(type) \
	__builtin_preserve_type_info(*__core_null(type), BPF_TYPE_SIZE)
#define bpf_core_type_matches(type) \
	__builtin_preserve_type_info(*__core_null(type), BPF_TYPE_MATCHES)

#define bpf_core_enum_value_exists(enum_type, value) \
	__builtin_preserve_enum_value(*(typeof(enum_type) *)value, BPF_ENUMVAL_EXISTS)
#define bpf_core_enum_value(enum_type, value) \
	__builtin_preserve_enum_value(*(typeof(enum_type) *)value, BPF_ENUMVAL_VALUE)

/* --- Reading. `src` is an lvalue of kernel (or user) memory, given by its address. --- */

#define __core_access(src) ((const void *)__builtin_preserve_access_index(src))

#define bpf_core_read(dst, sz, src) bpf_probe_read_kernel(dst, sz, __core_access(src))
#define bpf_core_read_user(dst, sz, src) bpf_probe_read_user(dst, sz, __core_access(src))
#define bpf_core_read_str(dst, sz, src) bpf_probe_read_kernel_str(dst, sz, __core_access(src))
#define bpf_core_read_user_str(dst, sz, src) bpf_probe_read_user_str(dst, sz, __core_access(src))

extern void *bpf_rdonly_cast(const void *obj, __u32 btf_id) __ksym __weak;
/* A pointer of the kernel's type, read-only, without a check that it is one. */
#define bpf_core_cast(ptr, type) \
	((typeof(type) *)bpf_rdonly_cast((ptr), bpf_core_type_id_kernel(type)))

/*
 * A chain src->a->b->c: every step but the last reads a pointer with `step`, the last reads the
 * field itself with `last` into *dst. Each step has a variable of its own, so none reads itself.
 */
#define __core_chain1(step, last, dst, src, a) \
	last((void *)(dst), sizeof(*(dst)), &(src)->a)
#define __core_hop(n, step, src, a)       \
	__core_typeof((src)->a) __hop##n; \
	step((void *)&__hop##n, sizeof(__hop##n), &(src)->a)
#define __core_chain2(s, l, dst, src, a, ...) \
	({ __core_hop(1, s, src, a); __core_chain1(s, l, dst, __hop1, __VA_ARGS__); })
#define __core_chain3(s, l, dst, src, a, ...) \
	({ __core_hop(2, s, src, a); __core_chain2(s, l, dst, __hop2, __VA_ARGS__); })
#define __core_chain4(s, l, dst, src, a, ...) \
	({ __core_hop(3, s, src, a); __core_chain3(s, l, dst, __hop3, __VA_ARGS__); })
#define __core_chain5(s, l, dst, src, a, ...) \
	({ __core_hop(4, s, src, a); __core_chain4(s, l, dst, __hop4, __VA_ARGS__); })
#define __core_chain6(s, l, dst, src, a, ...) \
	({ __core_hop(5, s, src, a); __core_chain5(s, l, dst, __hop5, __VA_ARGS__); })
#define __core_chain7(s, l, dst, src, a, ...) \
	({ __core_hop(6, s, src, a); __core_chain6(s, l, dst, __hop6, __VA_ARGS__); })
#define __core_chain8(s, l, dst, src, a, ...) \
	({ __core_hop(7, s, src, a); __core_chain7(s, l, dst, __hop7, __VA_ARGS__); })
#define __core_chain9(s, l, dst, src, a, ...) \
	({ __core_hop(8, s, src, a); __core_chain8(s, l, dst, __hop8, __VA_ARGS__); })
#define __core_chain(step, last, dst, src, ...)                                                \
	__core_join(__core_chain, __core_count(__VA_ARGS__))(step, last, dst, src, __VA_ARGS__)

/* src->a->b, as an expression for its type only. */
#define __core_path1(a) a
#define __core_path2(a, ...) a->__core_path1(__VA_ARGS__)
#define __core_path3(a, ...) a->__core_path2(__VA_ARGS__)
#define __core_path4(a, ...) a->__core_path3(__VA_ARGS__)
#define __core_path5(a, ...) a->__core_path4(__VA_ARGS__)
#define __core_path6(a, ...) a->__core_path5(__VA_ARGS__)
#define __core_path7(a, ...) a->__core_path6(__VA_ARGS__)
#define __core_path8(a, ...) a->__core_path7(__VA_ARGS__)
#define __core_path9(a, ...) a->__core_path8(__VA_ARGS__)
#define __core_path(...) __core_join(__core_path, __core_count(__VA_ARGS__))(__VA_ARGS__)

#define __core_value(into, src, ...)                                                           \
	({                                                                                     \
		__core_typeof((src)->__core_path(__VA_ARGS__)) __value;                        \
		into(&__value, src, __VA_ARGS__);                                              \
		__value;                                                                       \
	})

/* Into *dst, which must not be larger than the field (for _STR_: the size of the buffer). */
#define BPF_CORE_READ_INTO(dst, src, ...) \
	__core_chain(bpf_core_read, bpf_core_read, dst, src, __VA_ARGS__)
#define BPF_CORE_READ_USER_INTO(dst, src, ...) \
	__core_chain(bpf_core_read_user, bpf_core_read_user, dst, src, __VA_ARGS__)
#define BPF_CORE_READ_STR_INTO(dst, src, ...) \
	__core_chain(bpf_core_read, bpf_core_read_str, dst, src, __VA_ARGS__)
#define BPF_CORE_READ_USER_STR_INTO(dst, src, ...) \
	__core_chain(bpf_core_read_user, bpf_core_read_user_str, dst, src, __VA_ARGS__)
/* The same without CO-RE: the layout is the one that was compiled. */
#define BPF_PROBE_READ_INTO(dst, src, ...) \
	__core_chain(bpf_probe_read_kernel, bpf_probe_read_kernel, dst, src, __VA_ARGS__)
#define BPF_PROBE_READ_USER_INTO(dst, src, ...) \
	__core_chain(bpf_probe_read_user, bpf_probe_read_user, dst, src, __VA_ARGS__)
#define BPF_PROBE_READ_STR_INTO(dst, src, ...) \
	__core_chain(bpf_probe_read_kernel, bpf_probe_read_kernel_str, dst, src, __VA_ARGS__)
#define BPF_PROBE_READ_USER_STR_INTO(dst, src, ...) \
	__core_chain(bpf_probe_read_user, bpf_probe_read_user_str, dst, src, __VA_ARGS__)

/* BPF_CORE_READ(task, mm, exe_file, f_inode, i_ino) is task->mm->exe_file->f_inode->i_ino. */
#define BPF_CORE_READ(src, ...) __core_value(BPF_CORE_READ_INTO, src, __VA_ARGS__)
#define BPF_CORE_READ_USER(src, ...) __core_value(BPF_CORE_READ_USER_INTO, src, __VA_ARGS__)
#define BPF_PROBE_READ(src, ...) __core_value(BPF_PROBE_READ_INTO, src, __VA_ARGS__)
#define BPF_PROBE_READ_USER(src, ...) __core_value(BPF_PROBE_READ_USER_INTO, src, __VA_ARGS__)

/* --- Bit-fields: whole bytes are read, then shifted as the loader says. --- */

#define __core_info(src, field, info) __builtin_preserve_field_info((src)->field, BPF_FIELD_##info)

#define __core_shift(value, src, field)                                                        \
	({                                                                                     \
		unsigned long long __bits = (value) << __core_info(src, field, LSHIFT_U64);    \
		if (__core_info(src, field, SIGNED))                                           \
			__bits = (long long)__bits >> __core_info(src, field, RSHIFT_U64);     \
		else                                                                           \
			__bits = __bits >> __core_info(src, field, RSHIFT_U64);                \
		__bits;                                                                        \
	})

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define __core_bits_start(value, size) ((void *)(value))
#else
#define __core_bits_start(value, size) ((void *)(value) + (8 - (size)))
#endif

/* From memory that only bpf_probe_read_kernel() may read. */
#define BPF_CORE_READ_BITFIELD_PROBED(src, field)                                              \
	({                                                                                     \
		unsigned long long __raw = 0;                                                  \
		unsigned int __size = __core_info(src, field, BYTE_SIZE);                      \
		bpf_probe_read_kernel(__core_bits_start(&__raw, __size), __size,               \
				      (const void *)(src) +                                    \
					      __core_info(src, field, BYTE_OFFSET));           \
		__core_shift(__raw, src, field);                                               \
	})

/* From memory that the program may load from directly. */
#define BPF_CORE_READ_BITFIELD(src, field)                                                     \
	({                                                                                     \
		const void *__at = (const void *)(src) + __core_info(src, field, BYTE_OFFSET); \
		unsigned long long __raw = 0;                                                  \
		asm volatile("" : "+r"(__at));                                                 \
		switch (__core_info(src, field, BYTE_SIZE)) {                                  \
		case 1:                                                                        \
			__raw = *(const unsigned char *)__at;                                  \
			break;                                                                 \
		case 2:                                                                        \
			__raw = *(const unsigned short *)__at;                                 \
			break;                                                                 \
		case 4:                                                                        \
			__raw = *(const unsigned int *)__at;                                   \
			break;                                                                 \
		case 8:                                                                        \
			__raw = *(const unsigned long long *)__at;                             \
			break;                                                                 \
		}                                                                              \
		__core_shift(__raw, src, field);                                               \
	})

/* Into memory that the program may write directly. */
#define BPF_CORE_WRITE_BITFIELD(dst, field, new_value)                                         \
	({                                                                                     \
		void *__at = (void *)(dst) + __core_info(dst, field, BYTE_OFFSET);             \
		unsigned int __left = __core_info(dst, field, LSHIFT_U64);                     \
		unsigned int __right = __core_info(dst, field, RSHIFT_U64);                    \
		unsigned int __place = __right - __left;                                       \
		unsigned long long __field = (~0ULL >> __right) << __place;                    \
		unsigned long long __mask = ~__field;                                          \
		unsigned long long __new =                                                     \
			((unsigned long long)(new_value) << __place) & __field;                \
		asm volatile("" : "+r"(__at));                                                 \
		switch (__core_info(dst, field, BYTE_SIZE)) {                                  \
		case 1:                                                                        \
			*(unsigned char *)__at = (*(unsigned char *)__at & __mask) | __new;    \
			break;                                                                 \
		case 2:                                                                        \
			*(unsigned short *)__at = (*(unsigned short *)__at & __mask) | __new;  \
			break;                                                                 \
		case 4:                                                                        \
			*(unsigned int *)__at = (*(unsigned int *)__at & __mask) | __new;      \
			break;                                                                 \
		case 8:                                                                        \
			*(unsigned long long *)__at =                                          \
				(*(unsigned long long *)__at & __mask) | __new;                \
			break;                                                                 \
		}                                                                              \
	})

#endif /* __BPF_CORE_READ_H__ */
