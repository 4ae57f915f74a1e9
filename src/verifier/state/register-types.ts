/**
 * What a register or a stack byte can be, with the kernel's names and the kernel's words for them.
 * Read by TypeScript and by AssemblyScript: plain constants only; words are in log/.
 *
 * Source: linux v6.18 include/linux/bpf.h enum bpf_reg_type and bpf_type_flag, bpf_verifier.h
 * enum bpf_stack_slot_type. The numbers are ours.
 */

export const NOT_INIT = 0
export const SCALAR_VALUE = 1
export const PTR_TO_CTX = 2
export const CONST_PTR_TO_MAP = 3
export const PTR_TO_MAP_VALUE = 4
export const PTR_TO_MAP_KEY = 5
export const PTR_TO_STACK = 6
export const PTR_TO_PACKET_META = 7
export const PTR_TO_PACKET = 8
export const PTR_TO_PACKET_END = 9
export const PTR_TO_FLOW_KEYS = 10
export const PTR_TO_SOCKET = 11
export const PTR_TO_SOCK_COMMON = 12
export const PTR_TO_TCP_SOCK = 13
export const PTR_TO_TP_BUFFER = 14
export const PTR_TO_XDP_SOCK = 15
export const PTR_TO_BTF_ID = 16
export const PTR_TO_MEM = 17
export const PTR_TO_ARENA = 18
export const PTR_TO_BUF = 19
export const PTR_TO_FUNC = 20
export const CONST_PTR_TO_DYNPTR = 21

/** Mask of the base type; what is above are flags. */
export const BASE_TYPE_MASK = 0xff

export const PTR_MAYBE_NULL = 0x100
export const MEM_RDONLY = 0x200
export const MEM_RINGBUF = 0x400
export const MEM_USER = 0x800
export const MEM_PERCPU = 0x1000
export const OBJ_RELEASE = 0x2000
export const PTR_UNTRUSTED = 0x4000
export const MEM_UNINIT = 0x8000
export const DYNPTR_TYPE_LOCAL = 0x10000
export const DYNPTR_TYPE_RINGBUF = 0x20000
export const MEM_FIXED_SIZE = 0x40000
export const MEM_ALLOC = 0x80000
export const PTR_TRUSTED = 0x100000
export const MEM_RCU = 0x200000
export const NON_OWN_REF = 0x400000
export const DYNPTR_TYPE_SKB = 0x800000
export const DYNPTR_TYPE_XDP = 0x1000000
export const MEM_ALIGNED = 0x2000000
export const MEM_WRITE = 0x4000000
export const DYNPTR_TYPE_SKB_META = 0x8000000

/** enum bpf_stack_slot_type: what a byte of the stack holds. */
export const STACK_INVALID = 0
export const STACK_SPILL = 1
export const STACK_MISC = 2
export const STACK_ZERO = 3
export const STACK_DYNPTR = 4
export const STACK_ITER = 5
export const STACK_IRQ_FLAG = 6

/** enum bpf_dynptr_type. */
export const BPF_DYNPTR_TYPE_INVALID = 0
export const BPF_DYNPTR_TYPE_LOCAL = 1
export const BPF_DYNPTR_TYPE_RINGBUF = 2
export const BPF_DYNPTR_TYPE_SKB = 3
export const BPF_DYNPTR_TYPE_XDP = 4
export const BPF_DYNPTR_TYPE_SKB_META = 5

/** enum bpf_iter_state. */
export const BPF_ITER_STATE_INVALID = 0
export const BPF_ITER_STATE_ACTIVE = 1
export const BPF_ITER_STATE_DRAINED = 2

/** `subreg_def` of a register whose upper half nobody defined separately. */
export const DEF_NOT_SUBREG = 0

/** A scalar's id carries this when it was made by adding a constant to a linked register. */
export const BPF_ADD_CONST64 = 0x80000000
/** As above, by a 32-bit addition. */
export const BPF_ADD_CONST32 = 0x40000000
/** Mask of the id itself. */
export const ID_MASK = 0x3fffffff

/** How states are compared (states_equal). */
export const NOT_EXACT = 0
export const EXACT = 1
export const RANGE_WITHIN = 2
