/* SPDX-License-Identifier: MIT */
/*
 * Registers of a probed task, as kprobe, uprobe and perf_event programs see them. On x86-64 the
 * kernel's names (di) and the UAPI's (rdi) are both there.
 */
#ifndef __SKEP_PTRACE_H__
#define __SKEP_PTRACE_H__

#if defined(__TARGET_ARCH_arm64) || defined(__aarch64__)

struct user_pt_regs {
	unsigned long long regs[31];
	unsigned long long sp;
	unsigned long long pc;
	unsigned long long pstate;
};
struct pt_regs {
	union {
		struct user_pt_regs user_regs;
		struct {
			unsigned long long regs[31];
			unsigned long long sp;
			unsigned long long pc;
			unsigned long long pstate;
		};
	};
	unsigned long long orig_x0;
};
typedef struct user_pt_regs bpf_user_pt_regs_t;

#else

#define __skep_reg(kernel, user)  \
	union {                   \
		unsigned long kernel; \
		unsigned long user;   \
	}

struct pt_regs {
	unsigned long r15;
	unsigned long r14;
	unsigned long r13;
	unsigned long r12;
	__skep_reg(bp, rbp);
	__skep_reg(bx, rbx);
	unsigned long r11;
	unsigned long r10;
	unsigned long r9;
	unsigned long r8;
	__skep_reg(ax, rax);
	__skep_reg(cx, rcx);
	__skep_reg(dx, rdx);
	__skep_reg(si, rsi);
	__skep_reg(di, rdi);
	__skep_reg(orig_ax, orig_rax);
	__skep_reg(ip, rip);
	unsigned long cs;
	__skep_reg(flags, eflags);
	__skep_reg(sp, rsp);
	unsigned long ss;
};
typedef struct pt_regs bpf_user_pt_regs_t;

#endif

#endif
