/**
 * Frames as a whole: saved compactly one after another, restored to their fixed places, walked.
 *
 * Invariant: a frame's slots beyond FRAME_SLOTS hold nothing that is read; growStack() makes each
 * new slot NOT_INIT and STACK_INVALID.
 */

import {
  CURRENT_BASE,
  FRAME_REGS,
  FRAME_SLOTS,
  FRAME_STACK,
  FRAME_STRIDE,
  REG_ID,
  REG_MASK,
  REG_OFF,
  REG_SIZE,
  REG_SUBREG_DEF,
  REG_TYPE,
  REG_VALUE,
  REGS_PER_FRAME,
  SCRATCH_BASE,
  SLOT_SIZE,
  SLOT_TYPES,
} from "../../verifier/state/layout.ts"
import {
  BASE_TYPE_MASK,
  PTR_TO_PACKET,
  PTR_TO_PACKET_END,
  PTR_TO_PACKET_META,
  SCALAR_VALUE,
  STACK_SPILL,
} from "../../verifier/state/register-types.ts"
import { addRanges, addRanges32, zext32 } from "./alu.ts"
import { boundsSync } from "./bounds.ts"
import { copyReg, markUnknown, setConstant } from "./register.ts"
import { tm, tnumAdd, tv } from "./tnum.ts"

const ADD_CONST32: u32 = 0x40000000
const ADD_CONST: u32 = 0xc0000000
const LINKED_MAX: i32 = 6

export function frameBytes(frame: usize): i32 {
  return FRAME_STACK + load<i32>(frame, FRAME_SLOTS) * SLOT_SIZE
}

export function currentBytes(count: i32): i32 {
  let bytes = 0
  let frame: usize = CURRENT_BASE
  for (let i = 0; i < count; i++) {
    bytes += frameBytes(frame)
    frame += FRAME_STRIDE
  }
  return bytes
}

export function blockFrame(block: usize, index: i32): usize {
  let frame = block
  for (let i = 0; i < index; i++) frame += frameBytes(frame)
  return frame
}

export function blockBytes(block: usize, count: i32): i32 {
  return <i32>(blockFrame(block, count) - block)
}

export function storeFrames(block: usize, count: i32): usize {
  let dst = block
  let src: usize = CURRENT_BASE
  for (let i = 0; i < count; i++) {
    const bytes = frameBytes(src)
    memory.copy(dst, src, bytes)
    dst += bytes
    src += FRAME_STRIDE
  }
  return dst
}

export function restoreFrames(block: usize, count: i32): usize {
  let src = block
  let dst: usize = CURRENT_BASE
  for (let i = 0; i < count; i++) {
    const bytes = frameBytes(src)
    memory.copy(dst, src, bytes)
    src += bytes
    dst += FRAME_STRIDE
  }
  return src
}

export function copyFrame(dst: usize, src: usize): void {
  memory.copy(dst, src, frameBytes(src))
}

export function growStack(frame: usize, slots: i32): void {
  const have = load<i32>(frame, FRAME_SLOTS)
  if (slots <= have) return
  store<i32>(frame, slots, FRAME_SLOTS)
  memory.fill(frame + FRAME_STACK + have * SLOT_SIZE, 0, (slots - have) * SLOT_SIZE)
}

function isSpill(slot: usize): bool {
  return load<u8>(slot, SLOT_TYPES + 7) === STACK_SPILL
}

export function collectRegs(count: i32, out: usize): i32 {
  let next = out
  let frame: usize = CURRENT_BASE
  for (let i = 0; i < count; i++) {
    let r = frame + FRAME_REGS
    for (let j = 0; j < REGS_PER_FRAME; j++) {
      store<u32>(next, <u32>r)
      next += 4
      r += REG_SIZE
    }
    const slots = load<i32>(frame, FRAME_SLOTS)
    let slot = frame + FRAME_STACK
    for (let j = 0; j < slots; j++) {
      if (isSpill(slot)) {
        store<u32>(next, <u32>slot)
        next += 4
      }
      slot += SLOT_SIZE
    }
    frame += FRAME_STRIDE
  }
  return <i32>((next - out) >> 2)
}

function clearIfPacket(r: usize): void {
  const base = load<i32>(r, REG_TYPE) & BASE_TYPE_MASK
  if (base === PTR_TO_PACKET || base === PTR_TO_PACKET_META || base === PTR_TO_PACKET_END)
    markUnknown(r)
}

export function clearAllPacketPointers(count: i32): void {
  let frame: usize = CURRENT_BASE
  for (let i = 0; i < count; i++) {
    let r = frame + FRAME_REGS
    for (let j = 0; j < REGS_PER_FRAME; j++) {
      clearIfPacket(r)
      r += REG_SIZE
    }
    const slots = load<i32>(frame, FRAME_SLOTS)
    let slot = frame + FRAME_STACK
    for (let j = 0; j < slots; j++) {
      if (isSpill(slot)) clearIfPacket(slot)
      slot += SLOT_SIZE
    }
    frame += FRAME_STRIDE
  }
}

export function collectLinked(count: i32, id: u32, out: usize, n: i32, live: usize): i32 {
  const wanted = id & ~ADD_CONST
  let length = n
  for (let f = count - 1; f >= 0; f--) {
    const frame: usize = CURRENT_BASE + f * FRAME_STRIDE
    const mask = live === 0 ? -1 : load<i32>(live + f * 4)
    let r = frame + FRAME_REGS
    // R10 is no scalar.
    for (let j = 0; j < REGS_PER_FRAME - 1; j++) {
      if (
        ((mask >> j) & 1) !== 0 &&
        load<i32>(r, REG_TYPE) === SCALAR_VALUE &&
        (load<u32>(r, REG_ID) & ~ADD_CONST) === wanted
      )
        length = appendLinked(out, length, r, f | (j << 8))
      r += REG_SIZE
    }
    const slots = load<i32>(frame, FRAME_SLOTS)
    let slot = frame + FRAME_STACK
    for (let j = 0; j < slots; j++) {
      if (
        isSpill(slot) &&
        load<i32>(slot, REG_TYPE) === SCALAR_VALUE &&
        (load<u32>(slot, REG_ID) & ~ADD_CONST) === wanted
      )
        length = appendLinked(out, length, slot, f | (j << 8) | (1 << 16))
      slot += SLOT_SIZE
    }
  }
  return length
}

function appendLinked(out: usize, length: i32, r: usize, place: i32): i32 {
  if (length >= LINKED_MAX) {
    store<u32>(r, 0, REG_ID)
    return length
  }
  store<u32>(out + length * 8, <u32>r)
  store<i32>(out + length * 8, place, 4)
  return length + 1
}

export function syncLinked(list: usize, n: i32, known: usize): void {
  for (let i = 0; i < n; i++) syncRegister(<usize>load<u32>(list + i * 8), known)
}

/** r = known + (their distance), if they are linked. */
export function syncRegister(r: usize, known: usize): void {
  const id = load<u32>(r, REG_ID)
  const knownId = load<u32>(known, REG_ID)
  if (r === known || load<i32>(r, REG_TYPE) !== SCALAR_VALUE) return
  if (((id ^ knownId) & ~ADD_CONST) !== 0) return
  // One link is of 64-bit numbers, the other of 32-bit ones: their distance says nothing.
  if (((id ^ knownId) & ADD_CONST) === ADD_CONST) return
  const off = load<i32>(r, REG_OFF)
  const knownOff = load<i32>(known, REG_OFF)
  const subregDef = load<i32>(r, REG_SUBREG_DEF)
  copyReg(r, known)
  store<i32>(r, subregDef, REG_SUBREG_DEF)
  if (((id | knownId) & ADD_CONST) === 0 || off === knownOff) return
  store<i32>(r, off, REG_OFF)
  store<u32>(r, id, REG_ID)
  const distance: usize = SCRATCH_BASE - REG_SIZE
  setConstant(distance, <u64>(<i64>off - <i64>knownOff))
  addRanges32(r, distance)
  addRanges(r, distance)
  tnumAdd(
    load<u64>(r, REG_VALUE),
    load<u64>(r, REG_MASK),
    load<u64>(distance, REG_VALUE),
    load<u64>(distance, REG_MASK),
  )
  store<u64>(r, tv, REG_VALUE)
  store<u64>(r, tm, REG_MASK)
  if (((id | knownId) & ADD_CONST32) !== 0) zext32(r)
  boundsSync(r)
}
