/* SPDX-License-Identifier: MIT */
/*
 * USDT probes: arguments of user-space tracepoints by number. The loader parses each probe's
 * argument descriptions into a `__bpf_usdt_spec`, puts it into a map, and gives its index to the
 * program as the attach cookie (or, on kernels without cookies, by the instruction pointer).
 * Names and layouts are the contract with loaders.
 */
#ifndef __USDT_BPF_H__
#define __USDT_BPF_H__

#include <linux/errno.h>
#include "bpf_helpers.h"
#include "bpf_tracing.h"

#ifndef BPF_USDT_MAX_SPEC_CNT
#define BPF_USDT_MAX_SPEC_CNT 256
#endif
#ifndef BPF_USDT_MAX_IP_CNT
#define BPF_USDT_MAX_IP_CNT (4 * BPF_USDT_MAX_SPEC_CNT)
#endif
#define BPF_USDT_MAX_ARG_CNT 12

/* Where an argument is: a constant, a register, memory at register + offset, or at
 * base + (index << scale) + offset. */
enum __bpf_usdt_arg_type {
	BPF_USDT_ARG_CONST,
	BPF_USDT_ARG_REG,
	BPF_USDT_ARG_REG_DEREF,
	BPF_USDT_ARG_SIB,
};

struct __bpf_usdt_arg_spec {
	__u64 val_off; /* the constant, or the offset from the address */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	enum __bpf_usdt_arg_type arg_type : 8;
	__u16 idx_reg_off : 12; /* bytes into struct pt_regs */
	__u16 scale_bitshift : 4;
	__u8 __reserved : 8;
#else
	__u8 __reserved : 8;
	__u16 idx_reg_off : 12;
	__u16 scale_bitshift : 4;
	enum __bpf_usdt_arg_type arg_type : 8;
#endif
	short reg_off; /* bytes into struct pt_regs */
	_Bool arg_signed;
	char arg_bitshift; /* 64 less the argument's bits */
};

struct __bpf_usdt_spec {
	struct __bpf_usdt_arg_spec args[BPF_USDT_MAX_ARG_CNT];
	__u64 usdt_cookie;
	short arg_cnt;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, BPF_USDT_MAX_SPEC_CNT);
	__type(key, int);
	__type(value, struct __bpf_usdt_spec);
} __bpf_usdt_specs SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, BPF_USDT_MAX_IP_CNT);
	__type(key, long);
	__type(value, __u32);
} __bpf_usdt_ip_to_spec_id SEC(".maps") __weak;

extern const _Bool LINUX_HAS_BPF_COOKIE __kconfig;

static __always_inline struct __bpf_usdt_spec *__bpf_usdt_spec_of(struct pt_regs *ctx)
{
	int id = -1;

	if (LINUX_HAS_BPF_COOKIE) {
		id = (int)bpf_get_attach_cookie(ctx);
	} else {
		long ip = PT_REGS_IP(ctx);
		__u32 *found = bpf_map_lookup_elem(&__bpf_usdt_ip_to_spec_id, &ip);

		if (found)
			id = (int)*found;
	}
	return id < 0 ? (void *)0 : bpf_map_lookup_elem(&__bpf_usdt_specs, &id);
}

/* How many arguments the probe has; -ESRCH if it is unknown. */
__weak __hidden int bpf_usdt_arg_cnt(struct pt_regs *ctx)
{
	struct __bpf_usdt_spec *spec = __bpf_usdt_spec_of(ctx);

	return spec ? spec->arg_cnt : -ESRCH;
}

/* Bytes of argument `arg_num`, counted from 0; -ESRCH or -ENOENT. */
static __always_inline int bpf_usdt_arg_size(struct pt_regs *ctx, __u64 arg_num)
{
	struct __bpf_usdt_spec *spec = __bpf_usdt_spec_of(ctx);

	if (!spec)
		return -ESRCH;
	if (arg_num >= BPF_USDT_MAX_ARG_CNT)
		return -ENOENT;
	barrier_var(arg_num);
	if (arg_num >= (__u64)spec->arg_cnt)
		return -ENOENT;
	return (unsigned int)(64 - spec->args[arg_num].arg_bitshift) / 8;
}

/* Argument `arg_num`, counted from 0, extended to 64 bits, in *res; an error leaves 0 there. */
__weak __hidden int bpf_usdt_arg(struct pt_regs *ctx, __u64 arg_num, long *res)
{
	struct __bpf_usdt_spec *spec = __bpf_usdt_spec_of(ctx);
	struct __bpf_usdt_arg_spec *arg;
	unsigned long value = 0, index = 0;
	int error = 0;

	*res = 0;
	if (!spec)
		return -ESRCH;
	if (arg_num >= BPF_USDT_MAX_ARG_CNT)
		return -ENOENT;
	barrier_var(arg_num);
	if (arg_num >= (__u64)spec->arg_cnt)
		return -ENOENT;
	arg = &spec->args[arg_num];

	if (arg->arg_type == BPF_USDT_ARG_CONST) {
		value = arg->val_off;
	} else {
		/* All others start from a register of the traced task. */
		error = bpf_probe_read_kernel(&value, sizeof(value), (void *)ctx + arg->reg_off);
		if (error)
			return error;
	}
	switch (arg->arg_type) {
	case BPF_USDT_ARG_CONST:
	case BPF_USDT_ARG_REG:
		break;
	case BPF_USDT_ARG_SIB:
		error = bpf_probe_read_kernel(&index, sizeof(index), (void *)ctx + arg->idx_reg_off);
		if (error)
			return error;
		value += index << arg->scale_bitshift;
		/* fall through */
	case BPF_USDT_ARG_REG_DEREF:
		error = bpf_probe_read_user(&value, sizeof(value), (void *)(value + arg->val_off));
		if (error)
			return error;
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
		value >>= arg->arg_bitshift;
#endif
		break;
	default:
		return -EINVAL;
	}
	value <<= arg->arg_bitshift;
	*res = arg->arg_signed ? (long)value >> arg->arg_bitshift : (long)(value >> arg->arg_bitshift);
	return 0;
}

/* What the user attached the probe with; 0 if nothing. */
__weak __hidden long bpf_usdt_cookie(struct pt_regs *ctx)
{
	struct __bpf_usdt_spec *spec = __bpf_usdt_spec_of(ctx);

	return spec ? (long)spec->usdt_cookie : 0;
}

#define __skep_usdt0() ctx
#define __skep_usdt_arg(n)                      \
	({                                      \
		long __value;                   \
		bpf_usdt_arg(ctx, n, &__value); \
		(void *)__value;                \
	})
#define __skep_usdt1(a) __skep_usdt0(), __skep_usdt_arg(0)
#define __skep_usdt2(a, ...) __skep_usdt1(__VA_ARGS__), __skep_usdt_arg(1)
#define __skep_usdt3(a, ...) __skep_usdt2(__VA_ARGS__), __skep_usdt_arg(2)
#define __skep_usdt4(a, ...) __skep_usdt3(__VA_ARGS__), __skep_usdt_arg(3)
#define __skep_usdt5(a, ...) __skep_usdt4(__VA_ARGS__), __skep_usdt_arg(4)
#define __skep_usdt6(a, ...) __skep_usdt5(__VA_ARGS__), __skep_usdt_arg(5)
#define __skep_usdt7(a, ...) __skep_usdt6(__VA_ARGS__), __skep_usdt_arg(6)
#define __skep_usdt8(a, ...) __skep_usdt7(__VA_ARGS__), __skep_usdt_arg(7)
#define __skep_usdt9(a, ...) __skep_usdt8(__VA_ARGS__), __skep_usdt_arg(8)
#define __skep_usdt10(a, ...) __skep_usdt9(__VA_ARGS__), __skep_usdt_arg(9)
#define __skep_usdt11(a, ...) __skep_usdt10(__VA_ARGS__), __skep_usdt_arg(10)
#define __skep_usdt12(a, ...) __skep_usdt11(__VA_ARGS__), __skep_usdt_arg(11)
#define __skep_usdt(...) ___bpf_apply(__skep_usdt, ___bpf_narg(__VA_ARGS__))(__VA_ARGS__)

/* BPF_USDT(name, int a, char *b): the probe's arguments by name. */
#define BPF_USDT(name, ...)                                                                    \
	__skep_program(struct pt_regs *, name, __skep_usdt(__VA_ARGS__), ##__VA_ARGS__)

#endif /* __USDT_BPF_H__ */
