/**
 * Loads and stores that the dispatch loop does not do itself: the first ones of a region, those of
 * contexts, those that are not allowed, and the kernel's probing loads.
 */

import { WORD_DST, WORD_OFF, WORD_SRC, WORD_WIRE } from "./code.ts"
import { REGION_CONTEXT, REGION_READ, REGION_WRITE } from "./machine.ts"
import { isAllowed, type State } from "./state.ts"

/** Modes of loads: the high three bits of the opcode (linux v6.18 include/linux/filter.h). */
const MODE_MEMSX = 0x80
const MODE_PROBE_MEM = 0x20
const MODE_PROBE_MEMSX = 0x40

/** Bytes of an access by bits 3 and 4 of the opcode: W, H, B, DW. */
const SIZES: readonly number[] = [4, 2, 1, 8]

/** Bytes that the access with opcode `wire` covers. */
export function accessSize(wire: number): number {
  return SIZES[(wire >> 3) & 3]
}

/**
 * `base + off` as a 64-bit address: the carry matters, because it would leave the region. Returns
 * the low half; {@link carried} the high one.
 */
function displaced(low: number, off: number): number {
  return (low + off) | 0
}

/** The high half of `base + off` whose low half is `at`. */
function carried(high: number, off: number, at: number): number {
  return (high + (off >> 31) + (at >>> 0 < off >>> 0 ? 1 : 0)) | 0
}

/** LDX in all modes; false after a fault. */
export function load<E>(state: State<E>, pc: number): boolean {
  const { registers: r, space } = state
  const { words } = state.code
  const wire = words[pc + WORD_WIRE]
  const s = words[pc + WORD_SRC]
  const d = words[pc + WORD_DST]
  const off = words[pc + WORD_OFF]
  const size = accessSize(wire)
  const mode = wire & 0xe0
  const at = displaced(r[s], off)
  const high = carried(r[s + 1], off, at)
  if (!isAllowed(space, at, high, size, REGION_READ)) {
    if (mode !== MODE_PROBE_MEM && mode !== MODE_PROBE_MEMSX && !state.isProbed(high)) {
      state.raiseAccess(at, high, size, REGION_READ)
      return false
    }
    r[d] = 0
    r[d + 1] = 0
    return true
  }
  fetch(state, d, at, size, mode === MODE_MEMSX || mode === MODE_PROBE_MEMSX)
  const region = high & 0x7fff
  if ((space.regionFlags[region] & REGION_CONTEXT) === 0) state.remember(high, REGION_READ)
  else if (size === 4 && mode !== MODE_MEMSX)
    r[d + 1] = space.contextTag(region, at - space.regionStart[region])
  return true
}

/** r[d] = `size` bytes at `at`, which are known to be readable. */
function fetch<E>(state: State<E>, d: number, at: number, size: number, signed: boolean): void {
  const { registers: r } = state
  const { u8, view } = state.space
  if (size === 8) {
    r[d] = view.getInt32(at, true)
    r[d + 1] = view.getInt32(at + 4, true)
    return
  }
  if (size === 4) r[d] = view.getInt32(at, true)
  else if (size === 2) r[d] = signed ? view.getInt16(at, true) : view.getUint16(at, true)
  else r[d] = signed ? (u8[at] << 24) >> 24 : u8[at]
  r[d + 1] = signed ? r[d] >> 31 : 0
}

/** ST and STX; false after a fault. */
export function store<E>(state: State<E>, pc: number): boolean {
  const { registers: r, space } = state
  const { words } = state.code
  const wire = words[pc + WORD_WIRE]
  const d = words[pc + WORD_DST]
  const s = words[pc + WORD_SRC]
  const off = words[pc + WORD_OFF]
  const size = accessSize(wire)
  const at = displaced(r[d], off)
  const high = carried(r[d + 1], off, at)
  if (!isAllowed(space, at, high, size, REGION_WRITE)) {
    state.raiseAccess(at, high, size, REGION_WRITE)
    return false
  }
  put(state, at, size, r[s], r[s + 1])
  state.remember(high, REGION_WRITE)
  return true
}

/** Writes the low `size` bytes of (`low`, `high`) to `at`, which is known to be writable. */
function put<E>(state: State<E>, at: number, size: number, low: number, high: number): void {
  const { u8, view } = state.space
  if (size === 1) u8[at] = low
  else if (size === 2) view.setInt16(at, low, true)
  else view.setInt32(at, low, true)
  if (size === 8) view.setInt32(at + 4, high, true)
}

/**
 * The checked offset of an aligned access through register `base`, or -1 after a fault. Atomics
 * must be aligned to their size (linux v6.18 kernel/bpf/verifier.c check_atomic: strict alignment).
 */
export function alignedAccess<E>(
  state: State<E>,
  pc: number,
  base: number,
  size: number,
  way: number,
): number {
  const { registers: r, space } = state
  const off = state.code.words[pc + WORD_OFF]
  const at = displaced(r[base], off)
  const high = carried(r[base + 1], off, at)
  if (!isAllowed(space, at, high, size, way)) {
    // A store through memory that may only be read is a fault of writing.
    state.raiseAccess(at, high, size, way === REGION_READ ? REGION_READ : REGION_WRITE)
    return -1
  }
  if ((at & (size - 1)) === 0) return at
  state.raise(
    way === REGION_READ ? "read" : "write",
    `atomic access of ${size} bytes at 0x${(at >>> 0).toString(16)}, which is not aligned to them`,
    { address: (BigInt(high >>> 0) << 32n) | BigInt(at >>> 0), size },
  )
  return -1
}

/** Load-acquire: loads are in order here anyway, so it is a load that must be aligned. */
export function loadAcquire<E>(state: State<E>, pc: number): boolean {
  const { words } = state.code
  const size = accessSize(words[pc + WORD_WIRE])
  const at = alignedAccess(state, pc, words[pc + WORD_SRC], size, REGION_READ)
  if (at < 0) return false
  fetch(state, words[pc + WORD_DST], at, size, false)
  return true
}

/** Store-release. */
export function storeRelease<E>(state: State<E>, pc: number): boolean {
  const { words } = state.code
  const size = accessSize(words[pc + WORD_WIRE])
  const at = alignedAccess(state, pc, words[pc + WORD_DST], size, REGION_WRITE)
  if (at < 0) return false
  const s = words[pc + WORD_SRC]
  put(state, at, size, state.registers[s], state.registers[s + 1])
  return true
}
