/** `struct pt_regs` of x86-64: its size and the offsets of the registers that programs look at. */
export const PT_REGS = {
  size: 168,
  r10: 56,
  r9: 64,
  r8: 72,
  ax: 80,
  cx: 88,
  dx: 96,
  si: 104,
  di: 112,
  orig_ax: 120,
  ip: 128,
  sp: 152,
} as const

/** Offsets of the registers that carry the arguments of a function (System V ABI). */
export const FUNCTION_REGISTERS: readonly number[] = [
  PT_REGS.di,
  PT_REGS.si,
  PT_REGS.dx,
  PT_REGS.cx,
  PT_REGS.r8,
  PT_REGS.r9,
]

/** Offsets of the registers that carry the arguments of a system call. */
export const SYSCALL_REGISTERS: readonly number[] = [
  PT_REGS.di,
  PT_REGS.si,
  PT_REGS.dx,
  PT_REGS.r10,
  PT_REGS.r8,
  PT_REGS.r9,
]
