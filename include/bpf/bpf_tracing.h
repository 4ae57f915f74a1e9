/* SPDX-License-Identifier: MIT */
/*
 * Tracing programs: arguments by name instead of by slot or register. Kprobes and uprobes need
 * the machine, from -D__TARGET_ARCH_x86 or -D__TARGET_ARCH_arm64 (or the compiler's own target).
 */
#ifndef __BPF_TRACING_H__
#define __BPF_TRACING_H__

#include "bpf_helpers.h"

#if defined(__TARGET_ARCH_x86)
#define bpf_target_x86
#elif defined(__TARGET_ARCH_arm64)
#define bpf_target_arm64
#elif defined(__x86_64__)
#define bpf_target_x86
#elif defined(__aarch64__)
#define bpf_target_arm64
#endif

/* --- struct pt_regs: which field is which argument. --- */

#if defined(bpf_target_x86)

/* The kernel's names; those of the UAPI header have an r in front. */
#if defined(__KERNEL__) || defined(__VMLINUX_H__) || defined(__SKEP_PTRACE_H__)
#define __PT_PARM1_REG di
#define __PT_PARM2_REG si
#define __PT_PARM3_REG dx
#define __PT_PARM4_REG cx
#define __PT_PARM5_REG r8
#define __PT_PARM6_REG r9
#define __PT_RET_REG sp
#define __PT_FP_REG bp
#define __PT_RC_REG ax
#define __PT_SP_REG sp
#define __PT_IP_REG ip
#else
#define __PT_PARM1_REG rdi
#define __PT_PARM2_REG rsi
#define __PT_PARM3_REG rdx
#define __PT_PARM4_REG rcx
#define __PT_PARM5_REG r8
#define __PT_PARM6_REG r9
#define __PT_RET_REG rsp
#define __PT_FP_REG rbp
#define __PT_RC_REG rax
#define __PT_SP_REG rsp
#define __PT_IP_REG rip
#endif
/* System calls pass the fourth argument in r10: the instruction itself needs rcx. */
#define __PT_PARM4_SYSCALL_REG r10
#define PT_REGS_SYSCALL_REGS(ctx) ((struct pt_regs *)PT_REGS_PARM1(ctx))
#define __skep_pt(x) ((const struct pt_regs *)(x))

#elif defined(bpf_target_arm64)

/* Programs see the UAPI structure; vmlinux.h names its CO-RE twin. */
struct pt_regs___arm64 {
	unsigned long orig_x0;
} __attribute__((preserve_access_index));

#define __PT_PARM1_REG regs[0]
#define __PT_PARM2_REG regs[1]
#define __PT_PARM3_REG regs[2]
#define __PT_PARM4_REG regs[3]
#define __PT_PARM5_REG regs[4]
#define __PT_PARM6_REG regs[5]
#define __PT_PARM7_REG regs[6]
#define __PT_PARM8_REG regs[7]
#define __PT_PARM4_SYSCALL_REG __PT_PARM4_REG
#define __PT_RET_REG regs[30]
#define __PT_FP_REG regs[29]
#define __PT_RC_REG regs[0]
#define __PT_SP_REG sp
#define __PT_IP_REG pc
#define PT_REGS_SYSCALL_REGS(ctx) ((struct pt_regs *)PT_REGS_PARM1(ctx))
#define __skep_pt(x) ((const struct user_pt_regs *)(x))
/* By the time the call is traced x0 may hold its result: the first argument is kept apart. */
#define PT_REGS_PARM1_SYSCALL(x) PT_REGS_PARM1_CORE_SYSCALL(x)
#define PT_REGS_PARM1_CORE_SYSCALL(x) \
	BPF_CORE_READ((const struct pt_regs___arm64 *)(x), orig_x0)

#endif

#if defined(bpf_target_x86) || defined(bpf_target_arm64)

#define PT_REGS_PARM1(x) (__skep_pt(x)->__PT_PARM1_REG)
#define PT_REGS_PARM2(x) (__skep_pt(x)->__PT_PARM2_REG)
#define PT_REGS_PARM3(x) (__skep_pt(x)->__PT_PARM3_REG)
#define PT_REGS_PARM4(x) (__skep_pt(x)->__PT_PARM4_REG)
#define PT_REGS_PARM5(x) (__skep_pt(x)->__PT_PARM5_REG)
#define PT_REGS_PARM6(x) (__skep_pt(x)->__PT_PARM6_REG)
#if defined(bpf_target_arm64)
#define PT_REGS_PARM7(x) (__skep_pt(x)->__PT_PARM7_REG)
#define PT_REGS_PARM8(x) (__skep_pt(x)->__PT_PARM8_REG)
#else
#define PT_REGS_PARM7(x) 0UL
#define PT_REGS_PARM8(x) 0UL
#endif
#define PT_REGS_RET(x) (__skep_pt(x)->__PT_RET_REG)
#define PT_REGS_FP(x) (__skep_pt(x)->__PT_FP_REG)
#define PT_REGS_RC(x) (__skep_pt(x)->__PT_RC_REG)
#define PT_REGS_SP(x) (__skep_pt(x)->__PT_SP_REG)
#define PT_REGS_IP(x) (__skep_pt(x)->__PT_IP_REG)

#define PT_REGS_PARM1_CORE(x) BPF_CORE_READ(__skep_pt(x), __PT_PARM1_REG)
#define PT_REGS_PARM2_CORE(x) BPF_CORE_READ(__skep_pt(x), __PT_PARM2_REG)
#define PT_REGS_PARM3_CORE(x) BPF_CORE_READ(__skep_pt(x), __PT_PARM3_REG)
#define PT_REGS_PARM4_CORE(x) BPF_CORE_READ(__skep_pt(x), __PT_PARM4_REG)
#define PT_REGS_PARM5_CORE(x) BPF_CORE_READ(__skep_pt(x), __PT_PARM5_REG)
#define PT_REGS_PARM6_CORE(x) BPF_CORE_READ(__skep_pt(x), __PT_PARM6_REG)
#define PT_REGS_RET_CORE(x) BPF_CORE_READ(__skep_pt(x), __PT_RET_REG)
#define PT_REGS_FP_CORE(x) BPF_CORE_READ(__skep_pt(x), __PT_FP_REG)
#define PT_REGS_RC_CORE(x) BPF_CORE_READ(__skep_pt(x), __PT_RC_REG)
#define PT_REGS_SP_CORE(x) BPF_CORE_READ(__skep_pt(x), __PT_SP_REG)
#define PT_REGS_IP_CORE(x) BPF_CORE_READ(__skep_pt(x), __PT_IP_REG)

#ifndef PT_REGS_PARM1_SYSCALL
#define PT_REGS_PARM1_SYSCALL(x) PT_REGS_PARM1(x)
#define PT_REGS_PARM1_CORE_SYSCALL(x) PT_REGS_PARM1_CORE(x)
#endif
#define PT_REGS_PARM2_SYSCALL(x) PT_REGS_PARM2(x)
#define PT_REGS_PARM3_SYSCALL(x) PT_REGS_PARM3(x)
#define PT_REGS_PARM4_SYSCALL(x) (__skep_pt(x)->__PT_PARM4_SYSCALL_REG)
#define PT_REGS_PARM5_SYSCALL(x) PT_REGS_PARM5(x)
#define PT_REGS_PARM6_SYSCALL(x) PT_REGS_PARM6(x)
#define PT_REGS_PARM2_CORE_SYSCALL(x) PT_REGS_PARM2_CORE(x)
#define PT_REGS_PARM3_CORE_SYSCALL(x) PT_REGS_PARM3_CORE(x)
#define PT_REGS_PARM4_CORE_SYSCALL(x) BPF_CORE_READ(__skep_pt(x), __PT_PARM4_SYSCALL_REG)
#define PT_REGS_PARM5_CORE_SYSCALL(x) PT_REGS_PARM5_CORE(x)
#define PT_REGS_PARM6_CORE_SYSCALL(x) PT_REGS_PARM6_CORE(x)

/* The return address: on entry, and in a return probe. */
#if defined(bpf_target_arm64)
#define BPF_KPROBE_READ_RET_IP(ip, ctx) ({ (ip) = PT_REGS_RET(ctx); })
#define BPF_KRETPROBE_READ_RET_IP BPF_KPROBE_READ_RET_IP
#else
#define BPF_KPROBE_READ_RET_IP(ip, ctx) \
	({ bpf_probe_read_kernel(&(ip), sizeof(ip), (void *)PT_REGS_RET(ctx)); })
#define BPF_KRETPROBE_READ_RET_IP(ip, ctx) \
	({ bpf_probe_read_kernel(&(ip), sizeof(ip), (void *)(PT_REGS_FP(ctx) + sizeof(ip))); })
#endif

#else /* no machine given: an error where the registers are used, not before */

#define __skep_no_target(x)                                                                    \
	({                                                                                     \
		_Pragma("GCC error \"define __TARGET_ARCH_x86 or __TARGET_ARCH_arm64\"") 0UL;  \
	})
#define PT_REGS_PARM1(x) __skep_no_target(x)
#define PT_REGS_PARM2(x) __skep_no_target(x)
#define PT_REGS_PARM3(x) __skep_no_target(x)
#define PT_REGS_PARM4(x) __skep_no_target(x)
#define PT_REGS_PARM5(x) __skep_no_target(x)
#define PT_REGS_PARM6(x) __skep_no_target(x)
#define PT_REGS_PARM7(x) __skep_no_target(x)
#define PT_REGS_PARM8(x) __skep_no_target(x)
#define PT_REGS_RET(x) __skep_no_target(x)
#define PT_REGS_FP(x) __skep_no_target(x)
#define PT_REGS_RC(x) __skep_no_target(x)
#define PT_REGS_SP(x) __skep_no_target(x)
#define PT_REGS_IP(x) __skep_no_target(x)
#define PT_REGS_PARM1_CORE(x) __skep_no_target(x)
#define PT_REGS_PARM2_CORE(x) __skep_no_target(x)
#define PT_REGS_PARM3_CORE(x) __skep_no_target(x)
#define PT_REGS_PARM4_CORE(x) __skep_no_target(x)
#define PT_REGS_PARM5_CORE(x) __skep_no_target(x)
#define PT_REGS_PARM6_CORE(x) __skep_no_target(x)
#define PT_REGS_RET_CORE(x) __skep_no_target(x)
#define PT_REGS_FP_CORE(x) __skep_no_target(x)
#define PT_REGS_RC_CORE(x) __skep_no_target(x)
#define PT_REGS_SP_CORE(x) __skep_no_target(x)
#define PT_REGS_IP_CORE(x) __skep_no_target(x)
#define PT_REGS_PARM1_SYSCALL(x) __skep_no_target(x)
#define PT_REGS_PARM1_CORE_SYSCALL(x) __skep_no_target(x)
#define PT_REGS_PARM2_SYSCALL(x) __skep_no_target(x)
#define PT_REGS_PARM2_CORE_SYSCALL(x) __skep_no_target(x)
#define PT_REGS_PARM3_SYSCALL(x) __skep_no_target(x)
#define PT_REGS_PARM3_CORE_SYSCALL(x) __skep_no_target(x)
#define PT_REGS_PARM4_SYSCALL(x) __skep_no_target(x)
#define PT_REGS_PARM4_CORE_SYSCALL(x) __skep_no_target(x)
#define PT_REGS_PARM5_SYSCALL(x) __skep_no_target(x)
#define PT_REGS_PARM5_CORE_SYSCALL(x) __skep_no_target(x)
#define PT_REGS_PARM6_SYSCALL(x) __skep_no_target(x)
#define PT_REGS_PARM6_CORE_SYSCALL(x) __skep_no_target(x)
#define PT_REGS_SYSCALL_REGS(ctx) ((struct pt_regs *)__skep_no_target(ctx))
#define BPF_KPROBE_READ_RET_IP(ip, ctx) __skep_no_target(ctx)
#define BPF_KRETPROBE_READ_RET_IP(ip, ctx) __skep_no_target(ctx)

#endif

/* --- Programs with named arguments. --- */

/*
 * Each macro below makes two functions: the program itself, which takes the context, and an
 * inlined one with the user's parameters, called with the context's slots or registers. The
 * arguments arrive as 64-bit integers; the warnings about making pointers of them are silenced.
 */
#define __skep_program(context, name, call, ...)                                            \
	name(context ctx);                                                                  \
	static __attribute__((always_inline)) inline typeof(name(0)) ____##name(               \
		context ctx, ##__VA_ARGS__);                                                \
	typeof(name(0)) name(context ctx)                                                   \
	{                                                                                      \
		_Pragma("GCC diagnostic push")                                                 \
		_Pragma("GCC diagnostic ignored \"-Wint-conversion\"")                         \
		return ____##name(call);                                                       \
		_Pragma("GCC diagnostic pop")                                                  \
	}                                                                                      \
	static __attribute__((always_inline)) inline typeof(name(0)) ____##name(               \
		context ctx, ##__VA_ARGS__)

#define __skep_slots0() ctx
#define __skep_slots1(a) __skep_slots0(), ctx[0]
#define __skep_slots2(a, ...) __skep_slots1(__VA_ARGS__), ctx[1]
#define __skep_slots3(a, ...) __skep_slots2(__VA_ARGS__), ctx[2]
#define __skep_slots4(a, ...) __skep_slots3(__VA_ARGS__), ctx[3]
#define __skep_slots5(a, ...) __skep_slots4(__VA_ARGS__), ctx[4]
#define __skep_slots6(a, ...) __skep_slots5(__VA_ARGS__), ctx[5]
#define __skep_slots7(a, ...) __skep_slots6(__VA_ARGS__), ctx[6]
#define __skep_slots8(a, ...) __skep_slots7(__VA_ARGS__), ctx[7]
#define __skep_slots9(a, ...) __skep_slots8(__VA_ARGS__), ctx[8]
#define __skep_slots10(a, ...) __skep_slots9(__VA_ARGS__), ctx[9]
#define __skep_slots11(a, ...) __skep_slots10(__VA_ARGS__), ctx[10]
#define __skep_slots12(a, ...) __skep_slots11(__VA_ARGS__), ctx[11]
#define __skep_slots(...) \
	___bpf_apply(__skep_slots, ___bpf_narg(__VA_ARGS__))(__VA_ARGS__)

/* fentry, fexit, fmod_ret, tp_btf, lsm, iter, struct_ops: 64-bit slots. BPF_PROG(name, int a, …) */
#define BPF_PROG(name, ...)                                                                    \
	__skep_program(unsigned long long *, name, __skep_slots(__VA_ARGS__), ##__VA_ARGS__)

struct pt_regs;

#define __skep_parms0() ctx
#define __skep_parms1(a) __skep_parms0(), (unsigned long long)PT_REGS_PARM1(ctx)
#define __skep_parms2(a, ...) __skep_parms1(__VA_ARGS__), (unsigned long long)PT_REGS_PARM2(ctx)
#define __skep_parms3(a, ...) __skep_parms2(__VA_ARGS__), (unsigned long long)PT_REGS_PARM3(ctx)
#define __skep_parms4(a, ...) __skep_parms3(__VA_ARGS__), (unsigned long long)PT_REGS_PARM4(ctx)
#define __skep_parms5(a, ...) __skep_parms4(__VA_ARGS__), (unsigned long long)PT_REGS_PARM5(ctx)
#define __skep_parms6(a, ...) __skep_parms5(__VA_ARGS__), (unsigned long long)PT_REGS_PARM6(ctx)
#define __skep_parms7(a, ...) __skep_parms6(__VA_ARGS__), (unsigned long long)PT_REGS_PARM7(ctx)
#define __skep_parms8(a, ...) __skep_parms7(__VA_ARGS__), (unsigned long long)PT_REGS_PARM8(ctx)
#define __skep_parms(...) \
	___bpf_apply(__skep_parms, ___bpf_narg(__VA_ARGS__))(__VA_ARGS__)

/* kprobe, uprobe: the function's arguments in registers, 6 on x86-64, 8 on arm64. */
#define BPF_KPROBE(name, ...)                                                                  \
	__skep_program(struct pt_regs *, name, __skep_parms(__VA_ARGS__), ##__VA_ARGS__)

#define __skep_result0() ctx
#define __skep_result1(a) ctx, (unsigned long long)PT_REGS_RC(ctx)
#define __skep_result(...) \
	___bpf_apply(__skep_result, ___bpf_narg(__VA_ARGS__))(__VA_ARGS__)

/* kretprobe, uretprobe: the result, if asked for. */
#define BPF_KRETPROBE(name, ...)                                                               \
	__skep_program(struct pt_regs *, name, __skep_result(__VA_ARGS__), ##__VA_ARGS__)

#define BPF_UPROBE(name, ...) BPF_KPROBE(name, ##__VA_ARGS__)
#define BPF_URETPROBE(name, ...) BPF_KRETPROBE(name, ##__VA_ARGS__)

/* ksyscall: kernels with system call wrappers pass the user's registers in the first argument. */
extern _Bool LINUX_HAS_SYSCALL_WRAPPER __kconfig;

#define __skep_sysargs0() regs
#define __skep_sysargs1(a) __skep_sysargs0(), (unsigned long long)PT_REGS_PARM1_SYSCALL(regs)
#define __skep_sysargs2(a, ...) __skep_sysargs1(__VA_ARGS__), (unsigned long long)PT_REGS_PARM2_SYSCALL(regs)
#define __skep_sysargs3(a, ...) __skep_sysargs2(__VA_ARGS__), (unsigned long long)PT_REGS_PARM3_SYSCALL(regs)
#define __skep_sysargs4(a, ...) __skep_sysargs3(__VA_ARGS__), (unsigned long long)PT_REGS_PARM4_SYSCALL(regs)
#define __skep_sysargs5(a, ...) __skep_sysargs4(__VA_ARGS__), (unsigned long long)PT_REGS_PARM5_SYSCALL(regs)
#define __skep_sysargs6(a, ...) __skep_sysargs5(__VA_ARGS__), (unsigned long long)PT_REGS_PARM6_SYSCALL(regs)
#define __skep_sysargs(...) \
	___bpf_apply(__skep_sysargs, ___bpf_narg(__VA_ARGS__))(__VA_ARGS__)
#define __skep_syswrap0() regs
#define __skep_syswrap1(a) __skep_syswrap0(), (unsigned long long)PT_REGS_PARM1_CORE_SYSCALL(regs)
#define __skep_syswrap2(a, ...) __skep_syswrap1(__VA_ARGS__), (unsigned long long)PT_REGS_PARM2_CORE_SYSCALL(regs)
#define __skep_syswrap3(a, ...) __skep_syswrap2(__VA_ARGS__), (unsigned long long)PT_REGS_PARM3_CORE_SYSCALL(regs)
#define __skep_syswrap4(a, ...) __skep_syswrap3(__VA_ARGS__), (unsigned long long)PT_REGS_PARM4_CORE_SYSCALL(regs)
#define __skep_syswrap5(a, ...) __skep_syswrap4(__VA_ARGS__), (unsigned long long)PT_REGS_PARM5_CORE_SYSCALL(regs)
#define __skep_syswrap6(a, ...) __skep_syswrap5(__VA_ARGS__), (unsigned long long)PT_REGS_PARM6_CORE_SYSCALL(regs)
#define __skep_syswrap(...) \
	___bpf_apply(__skep_syswrap, ___bpf_narg(__VA_ARGS__))(__VA_ARGS__)

#define BPF_KSYSCALL(name, ...)                                                                \
	name(struct pt_regs *ctx);                                                             \
	extern _Bool LINUX_HAS_SYSCALL_WRAPPER __kconfig;                                      \
	static __attribute__((always_inline)) inline typeof(name(0)) ____##name(               \
		struct pt_regs *ctx, ##__VA_ARGS__);                                           \
	typeof(name(0)) name(struct pt_regs *ctx)                                              \
	{                                                                                      \
		struct pt_regs *regs =                                                         \
			LINUX_HAS_SYSCALL_WRAPPER ? PT_REGS_SYSCALL_REGS(ctx) : ctx;           \
		_Pragma("GCC diagnostic push")                                                 \
		_Pragma("GCC diagnostic ignored \"-Wint-conversion\"")                         \
		if (LINUX_HAS_SYSCALL_WRAPPER)                                                 \
			return ____##name(__skep_syswrap(__VA_ARGS__));                        \
		return ____##name(__skep_sysargs(__VA_ARGS__));                                \
		_Pragma("GCC diagnostic pop")                                                  \
	}                                                                                      \
	static __attribute__((always_inline)) inline typeof(name(0)) ____##name(               \
		struct pt_regs *ctx, ##__VA_ARGS__)
#define BPF_KPROBE_SYSCALL BPF_KSYSCALL

#endif /* __BPF_TRACING_H__ */
