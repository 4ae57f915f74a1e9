/**
 * Whether a state that was found safe covers the current one, register by register and slot by
 * slot; and the map of ids that makes "the same object" a relation between the two.
 *
 * Invariant: a map entry pairs one old id with one current id, and each occurs once.
 *
 * Source: linux v6.18 kernel/bpf/verifier.c regsafe, stacksafe, func_states_equal, check_ids,
 * widen_imprecise_scalars.
 */

import {
  FRAME_CALLBACK_DEPTH,
  FRAME_REGS,
  FRAME_SLOTS,
  FRAME_STACK,
  IDMAP_BASE,
  IDMAP_ENTRIES,
  REG_A,
  REG_C,
  REG_FRAMENO,
  REG_ID,
  REG_MASK,
  REG_OFF,
  REG_PRECISE,
  REG_REF_OBJ_ID,
  REG_S32_MAX,
  REG_S32_MIN,
  REG_SIZE,
  REG_SMAX,
  REG_SMIN,
  REG_TYPE,
  REG_U32_MAX,
  REG_U32_MIN,
  REG_UMAX,
  REG_UMIN,
  REG_VALUE,
  REGS_PER_FRAME,
  SCRATCH_BASE,
  SLOT_SIZE,
  SLOT_TYPES,
} from "../../verifier/state/layout.ts"
import {
  BASE_TYPE_MASK,
  EXACT,
  NOT_EXACT,
  NOT_INIT,
  PTR_TO_ARENA,
  PTR_TO_BUF,
  PTR_TO_MAP_KEY,
  PTR_TO_MAP_VALUE,
  PTR_TO_MEM,
  PTR_TO_PACKET,
  PTR_TO_PACKET_META,
  PTR_TO_STACK,
  PTR_TO_TP_BUFFER,
  SCALAR_VALUE,
  STACK_DYNPTR,
  STACK_INVALID,
  STACK_IRQ_FLAG,
  STACK_ITER,
  STACK_MISC,
  STACK_SPILL,
  STACK_ZERO,
} from "../../verifier/state/register-types.ts"
import { markUnknown } from "./register.ts"
import { tnumContains } from "./tnum.ts"

const ALLOW_UNINIT_STACK: i32 = 1
const EXPLORE_ALU_LIMITS: i32 = 2
const ADD_CONST: u32 = 0xc0000000
const ALL_MISC: u64 = ((<u64>0x02020202) << 32) | <u64>0x02020202

let allowUninitStack: bool = true
let exploreAluLimits: bool = false
/** Pairs in the ID map. */
let idmapCount: i32 = 0
/** The last temporary id. */
let lastId: u32 = 0

export function configure(flags: i32): void {
  allowUninitStack = (flags & ALLOW_UNINIT_STACK) !== 0
  exploreAluLimits = (flags & EXPLORE_ALU_LIMITS) !== 0
}

export function idmapReset(nextId: u32): void {
  idmapCount = 0
  lastId = nextId
}

export function checkIds(old: u32, cur: u32): i32 {
  if ((old === 0) !== (cur === 0)) return 0
  if (old === 0) return 1
  const end = IDMAP_BASE + idmapCount * 8
  for (let entry: usize = IDMAP_BASE; entry < <usize>end; entry += 8) {
    if (load<u32>(entry) === old) return i32(load<u32>(entry, 4) === cur)
    if (load<u32>(entry, 4) === cur) return 0
  }
  if (idmapCount >= IDMAP_ENTRIES) return 0
  store<u32>(end, old)
  store<u32>(end, cur, 4)
  idmapCount++
  return 1
}

/**
 * An old scalar without an id relied on no link. One that was made by adding a constant belongs to
 * the same object as its base.
 */
function checkScalarIds(old: u32, cur: u32): bool {
  if (old === 0) return true
  if (cur === 0) cur = ++lastId
  if (checkIds(old, cur) === 0) return false
  return (old & ADD_CONST) === 0 || checkIds(old & ~ADD_CONST, cur & ~ADD_CONST) !== 0
}

/** Type, fixed offset, and what the type keeps beside its ids. */
function sameKind(a: usize, b: usize): bool {
  return (
    load<u64>(a) === load<u64>(b) &&
    load<u64>(a, REG_A) === load<u64>(b, REG_A) &&
    load<u32>(a, REG_C) === load<u32>(b, REG_C)
  )
}

function sameValue(a: usize, b: usize): bool {
  return (
    load<u64>(a, REG_VALUE) === load<u64>(b, REG_VALUE) &&
    load<u64>(a, REG_MASK) === load<u64>(b, REG_MASK) &&
    load<u64>(a, REG_SMIN) === load<u64>(b, REG_SMIN) &&
    load<u64>(a, REG_SMAX) === load<u64>(b, REG_SMAX) &&
    load<u64>(a, REG_UMIN) === load<u64>(b, REG_UMIN) &&
    load<u64>(a, REG_UMAX) === load<u64>(b, REG_UMAX) &&
    load<u64>(a, REG_S32_MIN) === load<u64>(b, REG_S32_MIN) &&
    load<u64>(a, REG_U32_MIN) === load<u64>(b, REG_U32_MIN)
  )
}

function regsExact(old: usize, cur: usize): bool {
  return (
    sameKind(old, cur) &&
    sameValue(old, cur) &&
    checkIds(load<u32>(old, REG_ID), load<u32>(cur, REG_ID)) !== 0 &&
    checkIds(load<u32>(old, REG_REF_OBJ_ID), load<u32>(cur, REG_REF_OBJ_ID)) !== 0
  )
}

/** Every value of cur is one of old. */
function valueWithin(old: usize, cur: usize): bool {
  return (
    load<u64>(old, REG_UMIN) <= load<u64>(cur, REG_UMIN) &&
    load<u64>(old, REG_UMAX) >= load<u64>(cur, REG_UMAX) &&
    load<i64>(old, REG_SMIN) <= load<i64>(cur, REG_SMIN) &&
    load<i64>(old, REG_SMAX) >= load<i64>(cur, REG_SMAX) &&
    load<u32>(old, REG_U32_MIN) <= load<u32>(cur, REG_U32_MIN) &&
    load<u32>(old, REG_U32_MAX) >= load<u32>(cur, REG_U32_MAX) &&
    load<i32>(old, REG_S32_MIN) <= load<i32>(cur, REG_S32_MIN) &&
    load<i32>(old, REG_S32_MAX) >= load<i32>(cur, REG_S32_MAX) &&
    tnumContains(
      load<u64>(old, REG_VALUE),
      load<u64>(old, REG_MASK),
      load<u64>(cur, REG_VALUE),
      load<u64>(cur, REG_MASK),
    )
  )
}

export function regsafe(old: usize, cur: usize, exact: i32): i32 {
  if (exact === EXACT) return i32(regsExact(old, cur))
  const type = load<i32>(old, REG_TYPE)
  if (type === NOT_INIT) return 1
  if (type !== load<i32>(cur, REG_TYPE)) return 0
  switch (type & BASE_TYPE_MASK) {
    case SCALAR_VALUE:
      return i32(scalarSafe(old, cur, exact))
    case PTR_TO_MAP_KEY:
    case PTR_TO_MAP_VALUE:
    case PTR_TO_MEM:
    case PTR_TO_BUF:
    case PTR_TO_TP_BUFFER:
      return i32(
        sameKind(old, cur) &&
          valueWithin(old, cur) &&
          checkIds(load<u32>(old, REG_ID), load<u32>(cur, REG_ID)) !== 0 &&
          checkIds(load<u32>(old, REG_REF_OBJ_ID), load<u32>(cur, REG_REF_OBJ_ID)) !== 0,
      )
    case PTR_TO_PACKET_META:
    case PTR_TO_PACKET:
      return i32(
        load<i32>(old, REG_A) <= load<i32>(cur, REG_A) &&
          load<i32>(old, REG_OFF) === load<i32>(cur, REG_OFF) &&
          checkIds(load<u32>(old, REG_ID), load<u32>(cur, REG_ID)) !== 0 &&
          valueWithin(old, cur),
      )
    case PTR_TO_STACK:
      return i32(regsExact(old, cur) && load<i32>(old, REG_FRAMENO) === load<i32>(cur, REG_FRAMENO))
    case PTR_TO_ARENA:
      return 1
  }
  return i32(regsExact(old, cur))
}

function scalarSafe(old: usize, cur: usize, exact: i32): bool {
  const oldId = load<u32>(old, REG_ID)
  const curId = load<u32>(cur, REG_ID)
  if (exploreAluLimits)
    return sameKind(old, cur) && sameValue(old, cur) && checkScalarIds(oldId, curId)
  if (exact === NOT_EXACT && load<i32>(old, REG_PRECISE) === 0) return true
  if (oldId !== 0 && ((oldId ^ curId) & ADD_CONST) !== 0) return false
  if ((oldId & ADD_CONST) !== 0 && load<i32>(old, REG_OFF) !== load<i32>(cur, REG_OFF)) return false
  return checkScalarIds(oldId, curId) && valueWithin(old, cur)
}

function byteType(slot: usize, index: usize): i32 {
  return <i32>load<u8>(slot + index, SLOT_TYPES)
}

/** All bytes are STACK_MISC (or, when such reads are allowed, STACK_INVALID). */
function allMisc(slot: usize): bool {
  const types = load<u64>(slot, SLOT_TYPES)
  if (types === ALL_MISC) return true
  // Bytes are 0 or 2 exactly when nothing but bit 1 is set.
  return allowUninitStack && (types & ~ALL_MISC) === 0
}

function scalarOf(slot: usize): bool {
  return byteType(slot, 0) === STACK_SPILL && load<i32>(slot, REG_TYPE) === SCALAR_VALUE
}

/** A slot of unknown bytes is read as this scalar. */
const UNKNOWN: usize = SCRATCH_BASE - REG_SIZE

export function stacksafe(oldFrame: usize, curFrame: usize, exact: i32): i32 {
  const oldSlots = load<i32>(oldFrame, FRAME_SLOTS)
  const curSlots = load<i32>(curFrame, FRAME_SLOTS)
  let old = oldFrame + FRAME_STACK
  let cur = curFrame + FRAME_STACK
  for (let i = 0; i < oldSlots; i++) {
    const beyond = i >= curSlots
    if (!slotSafe(old, cur, beyond, exact)) return 0
    old += SLOT_SIZE
    cur += SLOT_SIZE
  }
  return 1
}

function slotSafe(old: usize, cur: usize, beyond: bool, exact: i32): bool {
  const oldTypes = load<u64>(old, SLOT_TYPES)
  if (exact === EXACT) {
    if (beyond) return false
  } else if (oldTypes === 0) return true
  for (let i: usize = 0; i < 8; i++) {
    const type = byteType(old, i)
    if (exact === EXACT && type !== byteType(cur, i)) return false
    if (type === STACK_INVALID) continue
    if (allowUninitStack && type === STACK_MISC) continue
    if (beyond) return false
    const oldScalar = scalarOf(old)
    const curScalar = scalarOf(cur)
    const oldMisc = !oldScalar && allMisc(old)
    const curMisc = !curScalar && allMisc(cur)
    if ((oldScalar || oldMisc) && (curScalar || curMisc)) {
      if (oldMisc || curMisc) markUnknown(UNKNOWN)
      return regsafe(oldMisc ? UNKNOWN : old, curMisc ? UNKNOWN : cur, exact) !== 0
    }
    const curType = byteType(cur, i)
    if (type === STACK_MISC && curType === STACK_ZERO) continue
    if (type !== curType) return false
    if (i === 7) return specialSafe(old, cur, type, exact)
  }
  return true
}

/** What a slot holds as a whole, when the type of its last byte is the same in both. */
function specialSafe(old: usize, cur: usize, type: i32, exact: i32): bool {
  switch (type) {
    case STACK_SPILL:
      return regsafe(old, cur, exact) !== 0
    case STACK_DYNPTR:
      return (
        load<u64>(old, REG_A) === load<u64>(cur, REG_A) &&
        checkIds(load<u32>(old, REG_REF_OBJ_ID), load<u32>(cur, REG_REF_OBJ_ID)) !== 0
      )
    case STACK_ITER:
      // The state counts, the depth does not.
      return (
        load<u64>(old, REG_A) === load<u64>(cur, REG_A) &&
        (load<u32>(old, REG_C) & 3) === (load<u32>(cur, REG_C) & 3) &&
        checkIds(load<u32>(old, REG_REF_OBJ_ID), load<u32>(cur, REG_REF_OBJ_ID)) !== 0
      )
    case STACK_IRQ_FLAG:
      return (
        checkIds(load<u32>(old, REG_REF_OBJ_ID), load<u32>(cur, REG_REF_OBJ_ID)) !== 0 &&
        load<u32>(old, REG_A) === load<u32>(cur, REG_A)
      )
  }
  return true
}

export function frameEqual(oldFrame: usize, curFrame: usize, regsMask: i32, exact: i32): i32 {
  if (load<i32>(oldFrame, FRAME_CALLBACK_DEPTH) > load<i32>(curFrame, FRAME_CALLBACK_DEPTH))
    return 0
  let old = oldFrame + FRAME_REGS
  let cur = curFrame + FRAME_REGS
  for (let mask = regsMask; mask !== 0; mask >>>= 1) {
    if ((mask & 1) !== 0 && regsafe(old, cur, exact) === 0) return 0
    old += REG_SIZE
    cur += REG_SIZE
  }
  return stacksafe(oldFrame, curFrame, exact)
}

export function widenImprecise(oldFrame: usize, curFrame: usize): void {
  let old = oldFrame + FRAME_REGS
  let cur = curFrame + FRAME_REGS
  for (let i = 0; i < REGS_PER_FRAME; i++) {
    widen(old, cur)
    old += REG_SIZE
    cur += REG_SIZE
  }
  const slots = min(load<i32>(oldFrame, FRAME_SLOTS), load<i32>(curFrame, FRAME_SLOTS))
  old = oldFrame + FRAME_STACK
  cur = curFrame + FRAME_STACK
  for (let i = 0; i < slots; i++) {
    if (byteType(old, 7) === STACK_SPILL && byteType(cur, 7) === STACK_SPILL) widen(old, cur)
    old += SLOT_SIZE
    cur += SLOT_SIZE
  }
}

function widen(old: usize, cur: usize): void {
  if (load<i32>(old, REG_TYPE) !== SCALAR_VALUE || load<i32>(cur, REG_TYPE) !== SCALAR_VALUE) return
  if ((load<i32>(old, REG_PRECISE) | load<i32>(cur, REG_PRECISE)) !== 0) return
  if (!regsExact(old, cur)) markUnknown(cur)
}

/** FNV-1a over the types: of registers, and of the slots' bytes. */
export function hashFrame(frame: usize): u32 {
  let hash: u32 = 0x811c9dc5
  let r = frame + FRAME_REGS
  for (let i = 0; i < REGS_PER_FRAME; i++) {
    hash = (hash ^ load<u32>(r, REG_TYPE)) * 0x01000193
    r += REG_SIZE
  }
  const slots = load<i32>(frame, FRAME_SLOTS)
  let slot = frame + FRAME_STACK
  for (let i = 0; i < slots; i++) {
    const types = load<u64>(slot, SLOT_TYPES)
    hash = (hash ^ <u32>types) * 0x01000193
    hash = (hash ^ <u32>(types >> 32)) * 0x01000193
    slot += SLOT_SIZE
  }
  return hash
}
