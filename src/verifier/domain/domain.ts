/**
 * The verifier's abstract values: registers, stack slots and frames as structs in one linear
 * memory (state/layout.ts), and what is done with them in bulk. The work is done by AssemblyScript
 * (src/wasm/verifier); this file gives it a memory, types and an allocator of saved states.
 *
 * Invariants: a register is named by its byte offset `r`; a view (`i32`…) is valid until the next
 * {@link Domain.allocate}, which may grow the memory and then replaces all of them; the functions
 * never allocate, so that they never move anything. Results that are truth values are 0 or 1.
 */

import { wasmModule } from "../../base/index.ts"
import { FRAME_SLOTS, FRAME_STACK, SAVED_BASE, SLOT_SIZE } from "../state/layout.ts"
import { WASM_BASE64 } from "./domain.wasm.ts"

/** Flags of {@link DomainFunctions.configure}. */
export const ALLOW_UNINIT_STACK = 1
/** Scalars are compared bit by bit, as for programs whose pointer arithmetic is masked. */
export const EXPLORE_ALU_LIMITS = 2

/** {@link DomainFunctions.pointerAlu}: the offset became variable. */
export const POINTER_VARIABLE = 1

/** Bytes of an entry that {@link DomainFunctions.collectLinked} writes. */
export const LINKED_ENTRY_SIZE = 8
/** Registers that share an id and are still told apart: LINKED_REGS_MAX. */
export const LINKED_MAX = 6

/** What the WebAssembly module exports. */
export interface DomainFunctions {
  // Marks. All of them leave `subreg_def` and the provenance node as they are.

  /** NOT_INIT, and nothing else known. */
  markNotInit(r: number): void
  /** SCALAR_VALUE that may be anything: no id, no precision mark. */
  markUnknown(r: number): void
  /** SCALAR_VALUE of the constant `hi:lo`. */
  markKnown(r: number, lo: number, hi: number): void
  /** SCALAR_VALUE 0; set another type afterwards for a pointer without a variable part. */
  markKnownZero(r: number): void
  /** var_off and bounds become the constant; type, id, off and the rest stay. */
  setKnown(r: number, lo: number, hi: number): void
  /** All bounds become the widest; var_off stays. */
  setUnbounded(r: number): void
  /** Bounds of the lower half become the widest; var_off stays. */
  setUnbounded32(r: number): void
  /** Sets the signed 64-bit bounds of a helper's result to `min..max`, then syncs. */
  setBounds(r: number, minLo: number, minHi: number, maxLo: number, maxHi: number): void

  /** var_off is one value (of any type of register). */
  isConst(r: number): number
  /** The lower half of var_off is one value. */
  isConst32(r: number): number
  /** SCALAR_VALUE of the constant 0 (register_is_null). */
  isNull(r: number): number
  /** Nothing is known of a scalar's value. */
  isUnknown(r: number): number

  /** Copies all 112 bytes. */
  copyReg(dst: number, src: number): void

  // Bounds.

  /** Makes var_off and the four ranges learn from each other (reg_bounds_sync). */
  boundsSync(r: number): void
  /**
   * 0 when the ranges are proper; 1 range bounds violation, 2 const tnum out of sync with range
   * bounds, 3 const subreg tnum out of sync (reg_bounds_sanity_check, which then prints its line
   * and calls {@link setUnbounded}).
   */
  boundsInsane(r: number): number
  /** 1 when {@link boundsInsane} is 0. */
  boundsSane(r: number): number

  // Arithmetic on scalars, in place, without ids and precision.

  /** dst op= src; op is opcode & 0xf0, off 1 makes division signed; synced. src may be dst. */
  alu(dst: number, src: number, op: number, is64: number, off: number): void
  /** What a scalar addition of a constant (or anything else) does to the id of dst; call after {@link alu}. */
  linkAfterAlu(dst: number, src: number, op: number, is64: number): void
  /**
   * 64 or 32 when Linux explores `dst op src` twice, before {@link alu}: dst is 0 or -1 (in that many
   * bits), op AND or OR, src a constant (maybe_fork_scalars). The same instruction is pushed with
   * {@link setFork} 0, and goes on here with {@link setFork} -1. Otherwise 0.
   */
  forkWidth(dst: number, src: number, op: number): number
  /** dst (or its lower half) becomes `value`, not synced. */
  setFork(dst: number, bits: number, value: number): void
  /** Upper half becomes zero (zext_32_to_64), not synced. */
  zext32(r: number): void
  /** The 64-bit bounds become those of the lower half. */
  assign32into64(r: number): void
  /** Keeps the lower `size` bytes, the rest becomes zero; synced. */
  coerceToSize(r: number, size: number): void
  /** Sign-extends the lower `size` bytes (1, 2, 4) to 64 bits. */
  coerceSext(r: number, size: number): void
  /** Sign-extends the lower `size` bytes (1, 2) to 32 bits; call {@link zext32} and {@link boundsSync} after. */
  coerceSubregSext(r: number, size: number): void
  /**
   * BPF_END: keeps the lower `bits` (16, 32, 64), reversed when `swap` is 1 (bswap, and be on a
   * little-endian machine); its link to others ends, unless nothing changed; synced.
   */
  byteOrder(r: number, bits: number, swap: number): void
  /** An unknown scalar of `size` bytes, as read from memory; synced. */
  unknownByLoad(r: number, size: number): void
  /** Bits a scalar may need: 64 when umax is beyond 2^32, … (fls64 of umax). */
  width(r: number): number

  // Pointers.

  /**
   * dst = ptr ± scalar: type, id, off, a, b, c, var_off and bounds, not synced (check the offset
   * first, then call {@link boundsSync}). dst may be ptr or scalar. Returns POINTER_VARIABLE when a
   * variable offset was added: a packet pointer needs a new id then, and its range is already 0
   * where Linux forgets it.
   */
  pointerAlu(dst: number, ptr: number, scalar: number, isSub: number): number
  /** smin + off. Exact up to 2^53. */
  minOffset(r: number): number
  /** umax + off. Exact up to 2^53. */
  maxOffset(r: number): number
  /** Whether var_off + off + extra is a multiple of size (a power of two). */
  alignedTo(r: number, extra: number, size: number): number

  // Branches.

  /** Of two scalars: 1 always taken, 0 never, -1 unknown; op = opcode & 0xf0. */
  branchTaken(r1: number, r2: number, op: number, is32: number): number
  /**
   * Refines the operands of a conditional jump where it is taken (t1, t2) and where it is not (f1,
   * f2), and syncs them; they must be four distinct registers, except that both operands may be
   * the same register on each side. Returns a bit for each that is not sane any more: 1 t1, 2 t2, 4 f1,
   * 8 f2.
   */
  branchRefine(t1: number, t2: number, f1: number, f2: number, op: number, is32: number): number

  // Comparing.

  /** ALLOW_UNINIT_STACK (the default) and EXPLORE_ALU_LIMITS. */
  configure(flags: number): void
  /** Empties the ID map; temporary ids start above nextId. */
  idmapReset(nextId: number): void
  /** Whether old and cur can mean the same object, given what was compared before. */
  checkIds(old: number, cur: number): number
  /** Whether cur is covered by old; exact is NOT_EXACT, EXACT or RANGE_WITHIN. */
  regsafe(old: number, cur: number, exact: number): number
  /** Slots of two frames, as {@link regsafe}. */
  stacksafe(oldFrame: number, curFrame: number, exact: number): number
  /** Callback depth, the registers in the mask (bit n: Rn) and the stack; uses the ID map. */
  frameEqual(oldFrame: number, curFrame: number, regsMask: number, exact: number): number
  /** Imprecise scalars of curFrame that differ from oldFrame's become unknown; uses the ID map. */
  widenImprecise(oldFrame: number, curFrame: number): void
  /** A hash of types (registers and slots), equal for frames that could be EXACT equal. */
  hashFrame(frame: number): number

  // Frames. The current state's are FRAME_STRIDE apart from CURRENT_BASE; a block has compact ones.

  /** Header, registers and the slots in use. */
  frameBytes(frame: number): number
  /** The size of a block of the current state's first `count` frames. */
  currentBytes(count: number): number
  /** The size of a block of `count` frames. */
  blockBytes(block: number, count: number): number
  /** Address of frame `index` in a block. */
  blockFrame(block: number, index: number): number
  /** Copies the current state's frames into a block of currentBytes(count). Returns its end. */
  storeFrames(block: number, count: number): number
  /** Makes a block's frames the current state. Returns the block's end. */
  restoreFrames(block: number, count: number): number
  /** Copies one frame; dst must have room. */
  copyFrame(dst: number, src: number): void
  /** Makes room for `slots` slots of a current frame; new ones are STACK_INVALID and NOT_INIT. */
  growStack(frame: number, slots: number): void

  // All registers of the current state's `count` frames, spilled ones too.

  /** Writes the addresses of R0 to R10 and of spilled registers, frame by frame; returns how many. */
  collectRegs(count: number, out: number): number
  /** Packet pointers (data, meta, end) become unknown scalars. */
  clearAllPacketPointers(count: number): void
  /**
   * Appends the scalars that share `id` (without its flags) to the list at `out` that has `n`
   * entries of LINKED_ENTRY_SIZE bytes: address, then frame | index << 8 | isSpilled << 16. From
   * the innermost frame outwards; of the registers only those in the frame's mask (bit n: Rn) in
   * the `count` words at `live`, when there is one: dead ones are neither collected nor changed.
   * Scalars beyond LINKED_MAX entries lose their id. Returns the new n.
   */
  collectLinked(count: number, id: number, out: number, n: number, live?: number): number
  /** The list's scalars that share the id of `known` learn its value, plus their distance. */
  syncLinked(list: number, n: number, known: number): void
  /** As {@link syncLinked} for one register (of any state). */
  syncRegister(r: number, known: number): void
}

/** The functions, their memory, and the allocator of saved states. */
export interface Domain extends DomainFunctions {
  readonly memory: WebAssembly.Memory
  u8: Uint8Array
  i32: Int32Array
  u32: Uint32Array
  i64: BigInt64Array
  u64: BigUint64Array

  /** The address of `bytes` bytes (64-byte aligned, not cleared); may grow the memory. */
  allocate(bytes: number): number
  /** Gives back what {@link allocate} gave for the same number of bytes. */
  free(address: number, bytes: number): void
  /** Frees everything and zeroes {@link peak}. */
  reset(): void
  /** Allocates a block and copies the current state's first `count` frames there. */
  saveFrames(count: number): number
  /** Frees a block of `count` frames. */
  freeFrames(block: number, count: number): void
  /** Bytes allocated now. */
  readonly bytesInUse: number
  /** The most that {@link bytesInUse} was since the last reset. */
  readonly peak: number
}

const PAGE = 65536
const INITIAL_PAGES = 64
const GRAIN = 64

let compiled: WebAssembly.Module | undefined

/**
 * A domain with a memory of its own (4 MiB, grows).
 *
 * @throws RangeError from `allocate` when the memory cannot grow (4 GiB, or the host's limit).
 */
export function createDomain(): Domain {
  const memory = new WebAssembly.Memory({ initial: INITIAL_PAGES })
  const instance = new WebAssembly.Instance((compiled ??= wasmModule(WASM_BASE64)), {
    env: { memory, abort },
  })
  const functions = instance.exports as unknown as DomainFunctions
  /** Free blocks by size / GRAIN. */
  let freeLists: (number[] | undefined)[] = []
  let top = SAVED_BASE
  let bytesInUse = 0
  let peak = 0

  const refresh = (): void => {
    domain.u8 = new Uint8Array(memory.buffer)
    domain.i32 = new Int32Array(memory.buffer)
    domain.u32 = new Uint32Array(memory.buffer)
    domain.i64 = new BigInt64Array(memory.buffer)
    domain.u64 = new BigUint64Array(memory.buffer)
  }
  const grow = (end: number): void => {
    const have = memory.buffer.byteLength / PAGE
    const need = Math.ceil(end / PAGE)
    if (need <= have) return
    memory.grow(Math.max(need - have, Math.min(have, 1024)))
    refresh()
  }
  const allocate = (bytes: number): number => {
    const grains = (bytes + GRAIN - 1) >>> 6
    const size = grains * GRAIN
    bytesInUse += size
    if (bytesInUse > peak) peak = bytesInUse
    const reused = freeLists[grains]?.pop()
    if (reused !== undefined) return reused
    const address = top
    grow(address + size)
    top = address + size
    return address
  }
  const free = (address: number, bytes: number): void => {
    const grains = (bytes + GRAIN - 1) >>> 6
    bytesInUse -= grains * GRAIN
    const list = freeLists[grains]
    if (list === undefined) freeLists[grains] = [address]
    else list.push(address)
  }

  const domain: Domain = {
    ...functions,
    memory,
    u8: new Uint8Array(memory.buffer),
    i32: new Int32Array(memory.buffer),
    u32: new Uint32Array(memory.buffer),
    i64: new BigInt64Array(memory.buffer),
    u64: new BigUint64Array(memory.buffer),
    allocate,
    free,
    reset() {
      freeLists = []
      top = SAVED_BASE
      bytesInUse = 0
      peak = 0
    },
    saveFrames(count) {
      const block = allocate(functions.currentBytes(count))
      functions.storeFrames(block, count)
      return block
    },
    freeFrames(block, count) {
      free(block, functions.blockBytes(block, count))
    },
    get bytesInUse() {
      return bytesInUse
    },
    get peak() {
      return peak
    },
  }
  return domain
}

/** The size of a frame of `slots` stack slots, in bytes. */
export function sizeOfFrame(slots: number): number {
  return FRAME_STACK + slots * SLOT_SIZE
}

/** The stack slots that a frame has. */
export function slotsOf(domain: Domain, frame: number): number {
  return domain.i32[(frame + FRAME_SLOTS) >> 2]!
}

function abort(): never {
  throw new Error("the verifier's domain aborted")
}
