/**
 * The fields of an opcode byte and their values, with the kernel's names
 * (RFC 9669 §3.1, §4, §5; linux v6.18 include/uapi/linux/bpf.h and bpf_common.h).
 */

/** Instruction classes: the low three bits. */
export const BPF_LD = 0x00
export const BPF_LDX = 0x01
export const BPF_ST = 0x02
export const BPF_STX = 0x03
export const BPF_ALU = 0x04
export const BPF_JMP = 0x05
export const BPF_JMP32 = 0x06
export const BPF_ALU64 = 0x07
/** Classic BPF's names for classes 6 and 7. */
export const BPF_RET = 0x06
export const BPF_MISC = 0x07

/** Source operand of ALU and JMP: immediate or register. */
export const BPF_K = 0x00
export const BPF_X = 0x08

/** Operand size of loads and stores. */
export const BPF_W = 0x00
export const BPF_H = 0x08
export const BPF_B = 0x10
export const BPF_DW = 0x18

/** Addressing modes of loads and stores: the high three bits. */
export const BPF_IMM = 0x00
export const BPF_ABS = 0x20
export const BPF_IND = 0x40
export const BPF_MEM = 0x60
export const BPF_MEMSX = 0x80
export const BPF_ATOMIC = 0xc0
/** Classic BPF only. */
export const BPF_LEN = 0x80
export const BPF_MSH = 0xa0

/** ALU operations: the high four bits. */
export const BPF_ADD = 0x00
export const BPF_SUB = 0x10
export const BPF_MUL = 0x20
export const BPF_DIV = 0x30
export const BPF_OR = 0x40
export const BPF_AND = 0x50
export const BPF_LSH = 0x60
export const BPF_RSH = 0x70
export const BPF_NEG = 0x80
export const BPF_MOD = 0x90
export const BPF_XOR = 0xa0
export const BPF_MOV = 0xb0
export const BPF_ARSH = 0xc0
export const BPF_END = 0xd0
/** Direction of BPF_END in class ALU: to little or to big endian (the bit that is BPF_X). */
export const BPF_TO_LE = 0x00
export const BPF_TO_BE = 0x08

/** Jump operations: the high four bits. */
export const BPF_JA = 0x00
export const BPF_JEQ = 0x10
export const BPF_JGT = 0x20
export const BPF_JGE = 0x30
export const BPF_JSET = 0x40
export const BPF_JNE = 0x50
export const BPF_JSGT = 0x60
export const BPF_JSGE = 0x70
export const BPF_CALL = 0x80
export const BPF_EXIT = 0x90
export const BPF_JLT = 0xa0
export const BPF_JLE = 0xb0
export const BPF_JSLT = 0xc0
export const BPF_JSLE = 0xd0
export const BPF_JCOND = 0xe0
/** `src` of BPF_JCOND: may_goto. */
export const BPF_MAY_GOTO = 0

/** `imm` of BPF_ATOMIC: an ALU operation, or one of these, with BPF_FETCH or not. */
export const BPF_FETCH = 0x01
export const BPF_XCHG = 0xe1
export const BPF_CMPXCHG = 0xf1
export const BPF_LOAD_ACQ = 0x100
export const BPF_STORE_REL = 0x110

/** `off` of BPF_MOV with BPF_X in class ALU64: address-space cast. */
export const BPF_ADDR_SPACE_CAST = 1

/** `src` of ld_imm64: what its immediate means. */
export const BPF_PSEUDO_MAP_FD = 1
export const BPF_PSEUDO_MAP_VALUE = 2
export const BPF_PSEUDO_BTF_ID = 3
export const BPF_PSEUDO_FUNC = 4
export const BPF_PSEUDO_MAP_IDX = 5
export const BPF_PSEUDO_MAP_IDX_VALUE = 6

/** `src` of BPF_CALL: 0 is a helper by id. */
export const BPF_PSEUDO_CALL = 1
export const BPF_PSEUDO_KFUNC_CALL = 2

/** The opcode of ld_imm64, the only two-slot instruction. */
export const BPF_LD_IMM64: number = BPF_LD | BPF_IMM | BPF_DW

/** The frame pointer, read-only: r10. */
export const BPF_REG_FP = 10
/** Registers that a program can name: r0 to r10. */
export const MAX_BPF_REG = 11
