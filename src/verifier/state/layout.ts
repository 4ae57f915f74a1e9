/**
 * Where the verifier's states lie in its linear memory. This file is read by TypeScript and by
 * AssemblyScript (src/wasm/verifier): plain constants only.
 *
 * Register, 112 bytes:
 *
 *    0 type (register-types.ts: base type | flags)   56 s32_min   60 s32_max
 *    4 off: fixed offset of a pointer; of a scalar   64 u32_min   68 u32_max
 *      with an id, its distance from the others      72 id        76 ref_obj_id
 *      that share the id                             80 a         84 b         (by type, below)
 *    8 var_off.value   16 var_off.mask               88 frame number of a stack pointer
 *   24 smin            32 smax                       92 subreg_def
 *   40 umin            48 umax                       96 precise (0 or 1)
 *                                                   100 c         (by type, below)
 *                                                   104 provenance node      108 unused
 *
 *   a, b, c by type:
 *     packet pointers                 a = range proven (bytes; -2 beyond, -1 at the end)
 *     PTR_TO_MAP_VALUE, MAP_KEY,
 *       CONST_PTR_TO_MAP              a = index in the list of maps, b = map uid (inner maps)
 *     PTR_TO_BTF_ID                   a = type id, b = index in the list of BTFs (0 the kernel's)
 *     PTR_TO_MEM, PTR_TO_BUF          a = size in bytes
 *     PTR_TO_FUNC                     a = subprogram
 *     dynptr (stack slot, CONST_PTR)  a = BPF_DYNPTR_TYPE_…, b = first slot (0 or 1)
 *     iterator (stack slot)           a = type id, b = BTF index, c = state | depth << 2
 *     saved IRQ flags (stack slot)    a = kfunc class
 *
 * Stack slot, 120 bytes: the spilled register, then the types of its 8 bytes. Byte i of the types
 * belongs to the stack byte at -(8 * slot + i + 1) from the frame pointer.
 *
 * Frame: header, R0 to R10, then its stack slots, nearest to the frame pointer first.
 */

export const REG_SIZE = 112
export const REG_TYPE = 0
export const REG_OFF = 4
export const REG_VALUE = 8
export const REG_MASK = 16
export const REG_SMIN = 24
export const REG_SMAX = 32
export const REG_UMIN = 40
export const REG_UMAX = 48
export const REG_S32_MIN = 56
export const REG_S32_MAX = 60
export const REG_U32_MIN = 64
export const REG_U32_MAX = 68
export const REG_ID = 72
export const REG_REF_OBJ_ID = 76
export const REG_A = 80
export const REG_B = 84
export const REG_FRAMENO = 88
export const REG_SUBREG_DEF = 92
export const REG_PRECISE = 96
export const REG_C = 100
export const REG_PROVENANCE = 104

/** R0 to R10. */
export const REGS_PER_FRAME = 11

export const SLOT_SIZE = 120
/** Types of the slot's bytes, inside a slot. */
export const SLOT_TYPES = 112

/** Instruction after which the caller goes on; BPF_MAIN_FUNC's is -1. */
export const FRAME_CALLSITE = 0
export const FRAME_FRAMENO = 4
export const FRAME_SUBPROGNO = 8
export const FRAME_ASYNC_ENTRY_CNT = 12
/** Range of what a callback may return (i32 each). */
export const FRAME_RET_MIN = 16
export const FRAME_RET_MAX = 20
/** FRAME_IN_… bits. */
export const FRAME_FLAGS = 24
export const FRAME_CALLBACK_DEPTH = 28
/** Stack slots in use (8 bytes each, at most 64). */
export const FRAME_SLOTS = 32
export const FRAME_HEADER_SIZE = 64
export const FRAME_REGS = 64
export const FRAME_STACK = 1296
/** Bytes of a frame with all 64 slots. */
export const FRAME_STRIDE = 8976

export const FRAME_IN_CALLBACK_FN = 1
export const FRAME_IN_ASYNC_CALLBACK = 2
export const FRAME_IN_EXCEPTION_CALLBACK = 4

/** Slots of a frame: MAX_BPF_STACK / 8. */
export const SLOTS_MAX = 64
/** MAX_CALL_FRAMES. */
export const FRAMES_MAX = 8

/** The memory's plan: ID map (pairs of u32), scratch registers, the current state, saved states. */
export const IDMAP_BASE = 1024
/** (MAX_BPF_REG + MAX_BPF_STACK / 8) * MAX_CALL_FRAMES pairs. */
export const IDMAP_ENTRIES = 608
export const SCRATCH_BASE = 8192
/** Registers that rules may use for constants and results in between. */
export const SCRATCH_REGS = 32
export const CURRENT_BASE = 16384
/** Saved states are allocated from here on. */
export const SAVED_BASE = 98304
