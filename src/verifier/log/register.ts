/**
 * One register in the kernel's notation: `ctx()`, `fp-8`, `scalar(id=1,umax=255,var_off=(0x0; 0xff))`.
 *
 * What is as wide as it can be is left out; bounds of the same value share it
 * (`smin=umin=smin32=umin32=1`); numbers beyond 16 bits are hexadecimal.
 *
 * Source: linux v6.18 kernel/bpf/log.c print_reg_state, print_scalar_ranges.
 */

import type { Domain } from "../domain/domain.ts"
import {
  CURRENT_BASE,
  FRAME_STRIDE,
  REG_A,
  REG_B,
  REG_FRAMENO,
  REG_ID,
  REG_MASK,
  REG_OFF,
  REG_PRECISE,
  REG_REF_OBJ_ID,
  REG_S32_MAX,
  REG_S32_MIN,
  REG_SMAX,
  REG_SMIN,
  REG_TYPE,
  REG_U32_MAX,
  REG_U32_MIN,
  REG_UMAX,
  REG_UMIN,
  REG_VALUE,
} from "../state/layout.ts"
import {
  BASE_TYPE_MASK,
  BPF_ADD_CONST32,
  BPF_ADD_CONST64,
  CONST_PTR_TO_DYNPTR,
  CONST_PTR_TO_MAP,
  ID_MASK,
  MEM_ALLOC,
  NON_OWN_REF,
  PTR_TO_ARENA,
  PTR_TO_BTF_ID,
  PTR_TO_MAP_KEY,
  PTR_TO_MAP_VALUE,
  PTR_TO_MEM,
  PTR_TO_PACKET,
  PTR_TO_PACKET_META,
  PTR_TO_STACK,
  SCALAR_VALUE,
} from "../state/register-types.ts"
import { dynptrTypeName, registerTypeName } from "./type-names.ts"

/** What the registers of a state refer to by number. */
export interface RegisterNames {
  readonly domain: Domain
  readonly maps: readonly {
    readonly name: string
    readonly keySize: number
    readonly valueSize: number
  }[]
  readonly btfs: readonly { type(id: number): { readonly name: string } }[]
}

const S16_MIN = -0x8000n
const S16_MAX = 0x7fffn
const U16_MAX = 0xffffn
const U64_MAX = 0xffffffffffffffffn
const S64_MIN = -0x8000000000000000n
const S64_MAX = 0x7fffffffffffffffn
const S32_MIN = -0x80000000
const S32_MAX = 0x7fffffff
const U32_MAX = 0xffffffff

/** A signed number: decimal in 16 bits, else hexadecimal (64-bit two's complement). */
export function signedText(value: bigint): string {
  return value >= S16_MIN && value <= S16_MAX ? `${value}` : hexText(BigInt.asUintN(64, value))
}

/** An unsigned number: decimal in 16 bits, else hexadecimal. */
export function unsignedText(value: bigint): string {
  return value <= U16_MAX ? `${value}` : hexText(value)
}

/** `0x0`, `0x1f`: C's %#llx as the kernel prints it. */
export function hexText(value: bigint): string {
  return `0x${value.toString(16)}`
}

/** `(0x0; 0xff)`: the known bits and the mask of unknown ones. */
export function tnumText(value: bigint, mask: bigint): string {
  return `(${hexText(value)}; ${hexText(mask)})`
}

/**
 * Register `r` as it stands after `R1=`. `frameNumber` is the frame that it belongs to (a stack
 * pointer into another frame says so); by default that of a register of the current state.
 */
export function printRegister(
  names: RegisterNames,
  r: number,
  frameNumber: number = Math.floor((r - CURRENT_BASE) / FRAME_STRIDE),
): string {
  const { domain } = names
  const { i32, u32, u64 } = domain
  const type = i32[(r + REG_TYPE) >> 2]
  const value = u64[(r + REG_VALUE) >> 3]
  const mask = u64[(r + REG_MASK) >> 3]
  const off = i32[(r + REG_OFF) >> 2]
  if (type === SCALAR_VALUE) {
    const precise = i32[(r + REG_PRECISE) >> 2] !== 0 ? "P" : ""
    if (mask === 0n) return precise + signedText(BigInt.asIntN(64, value))
    return `${precise}scalar(${[...scalarId(u32[(r + REG_ID) >> 2], off), ...ranges(domain, r)].join(",")})`
  }
  const name = registerTypeName(type)
  if (type === PTR_TO_ARENA) return name
  const base = type & BASE_TYPE_MASK
  let text = name
  if (type === PTR_TO_STACK) {
    const other = i32[(r + REG_FRAMENO) >> 2]
    if (other !== frameNumber) text += `[${other}]`
    if (mask === 0n) return text + signedText(BigInt.asIntN(64, value + BigInt(off)))
  }
  if (base === PTR_TO_BTF_ID)
    text += names.btfs[i32[(r + REG_B) >> 2]].type(i32[(r + REG_A) >> 2]).name
  const parts = [...scalarId(u32[(r + REG_ID) >> 2], off), ...pointerParts(names, r, type)]
  if (mask !== 0n) parts.push(...ranges(domain, r))
  else if (value !== 0n) parts.push(`imm=${signedText(BigInt.asIntN(64, value))}`)
  return `${text}(${parts.join(",")})`
}

const VIOLATIONS: readonly string[] = [
  "",
  "range bounds violation",
  "const tnum out of sync with range bounds",
  "const subreg tnum out of sync with range bounds",
]

/**
 * What Linux says of a register whose ranges contradict each other, before it forgets them; empty
 * when they do not. `context` is `alu`, `true_reg1`, `true_reg2`, `false_reg1`, `false_reg2`…
 */
export function invariantViolation(domain: Domain, r: number, context: string): string {
  const violation = domain.boundsInsane(r)
  if (violation === 0) return ""
  const { u32, u64 } = domain
  const pair = (min: number, max: number): string =>
    `[${hexText(u64[(r + min) >> 3])}, ${hexText(u64[(r + max) >> 3])}]`
  const pair32 = (min: number, max: number): string =>
    `[0x${u32[(r + min) >> 2].toString(16)}, 0x${u32[(r + max) >> 2].toString(16)}]`
  return (
    `verifier bug: REG INVARIANTS VIOLATION (${context}): ${VIOLATIONS[violation]} ` +
    `u64=${pair(REG_UMIN, REG_UMAX)} s64=${pair(REG_SMIN, REG_SMAX)} ` +
    `u32=${pair32(REG_U32_MIN, REG_U32_MAX)} s32=${pair32(REG_S32_MIN, REG_S32_MAX)} ` +
    `var_off=(${hexText(u64[(r + REG_VALUE) >> 3])}, ${hexText(u64[(r + REG_MASK) >> 3])})`
  )
}

/** The id; of one made by adding a constant, with the constant after it. */
function scalarId(id: number, off: number): string[] {
  const added = (id & (BPF_ADD_CONST32 | BPF_ADD_CONST64)) !== 0
  const distance = added ? (off < 0 ? `${off}` : `+${off}`) : ""
  return id === 0 ? [] : [`id=${id & ID_MASK}${distance}`]
}

/** What a pointer says of its object, in the kernel's order. */
function pointerParts(names: RegisterNames, r: number, type: number): string[] {
  const { i32, u32 } = names.domain
  const base = type & BASE_TYPE_MASK
  const a = i32[(r + REG_A) >> 2]
  const off = i32[(r + REG_OFF) >> 2]
  const refObjId = u32[(r + REG_REF_OBJ_ID) >> 2]
  const parts: string[] = []
  if (refObjId !== 0) parts.push(`ref_obj_id=${refObjId}`)
  if (base === PTR_TO_BTF_ID && type & MEM_ALLOC && type & NON_OWN_REF) parts.push("non_own_ref")
  if (base === CONST_PTR_TO_MAP || base === PTR_TO_MAP_KEY || base === PTR_TO_MAP_VALUE) {
    const map = names.maps[a]
    if (map.name !== "") parts.push(`map=${map.name}`)
    parts.push(`ks=${map.keySize},vs=${map.valueSize}`)
  }
  if (off !== 0) parts.push(`off=${signedText(BigInt(off))}`)
  if (type === PTR_TO_PACKET || type === PTR_TO_PACKET_META)
    parts.push(`r=${unsignedText(BigInt.asUintN(64, BigInt(a)))}`)
  if (base === PTR_TO_MEM) parts.push(`sz=${unsignedText(BigInt(a >>> 0))}`)
  if (type === CONST_PTR_TO_DYNPTR) parts.push(`type=${dynptrTypeName(a)}`)
  return parts
}

/** The bounds that say something, and var_off when it does. */
function ranges(domain: Domain, r: number): string[] {
  const { i32, u32, i64, u64 } = domain
  const smin = i64[(r + REG_SMIN) >> 3]
  const smax = i64[(r + REG_SMAX) >> 3]
  const umin = u64[(r + REG_UMIN) >> 3]
  const umax = u64[(r + REG_UMAX) >> 3]
  const smin32 = i32[(r + REG_S32_MIN) >> 2]
  const smax32 = i32[(r + REG_S32_MAX) >> 2]
  const umin32 = u32[(r + REG_U32_MIN) >> 2]
  const umax32 = u32[(r + REG_U32_MAX) >> 2]
  // As 64-bit patterns; a signed half is extended only where it prints as a decimal.
  const bounds: { name: string; bits: bigint; negative: boolean; left: boolean }[] = []
  const add = (name: string, value: bigint, signed: boolean, say: boolean): void => {
    const bits = BigInt.asUintN(64, value)
    bounds.push({ name, bits, negative: signed && bits >> 63n !== 0n, left: !say })
  }
  add("smin", smin, true, smin !== S64_MIN)
  add("smax", smax, true, smax !== S64_MAX)
  add("umin", umin, false, umin !== 0n)
  add("umax", umax, false, umax !== U64_MAX)
  add("smin32", half(smin32), true, smin32 !== S32_MIN)
  add("smax32", half(smax32), true, smax32 !== S32_MAX)
  add("umin32", BigInt(umin32), false, umin32 !== 0)
  add("umax32", BigInt(umax32), false, umax32 !== U32_MAX)
  const parts: string[] = []
  for (let i = 0; i < bounds.length; i++) {
    const first = bounds[i]
    if (first.left) continue
    let text = `${first.name}=`
    for (let j = i + 2; j < bounds.length; j += 2) {
      const other = bounds[j]
      if (other.left || other.bits !== first.bits || other.negative !== first.negative) continue
      other.left = true
      text += `${other.name}=`
    }
    const signed = first.name.startsWith("s")
    parts.push(
      text + (signed ? signedText(BigInt.asIntN(64, first.bits)) : unsignedText(first.bits)),
    )
  }
  const value = u64[(r + REG_VALUE) >> 3]
  const mask = u64[(r + REG_MASK) >> 3]
  if (mask !== U64_MAX || value !== 0n) parts.push(`var_off=${tnumText(value, mask)}`)
  return parts
}

function half(value: number): bigint {
  const wide = BigInt(value)
  return wide >= S16_MIN && wide <= S16_MAX ? wide : BigInt(value >>> 0)
}
