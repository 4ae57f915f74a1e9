/**
 * Pointer arithmetic of programs that must not leak by speculation: a variable offset is masked at
 * run time to what it may be, so the limit must be the same on all paths; and the path on which
 * the mask made it zero is explored too.
 *
 * Source: linux v6.18 kernel/bpf/verifier.c sanitize_ptr_alu, sanitize_check_bounds.
 */

import { BPF_ADD, BPF_X } from "../../../isa/opcode.ts"
import { opcodeOperation } from "../../../isa/predicates.ts"
import { ERRNO } from "../../../spec/errno.ts"
import { MAX_BPF_STACK } from "../../../spec/limits.ts"
import { ALLOW_UNINIT_STACK, EXPLORE_ALU_LIMITS } from "../../domain/domain.ts"
import { NOSPEC } from "../../program/code.ts"
import { Rejection } from "../../rejection.ts"
import { PTR_TO_MAP_VALUE, PTR_TO_STACK } from "../../state/register-types.ts"
import {
  aOf,
  isConstant,
  offOf,
  smaxNumber,
  sminNumber,
  typeOf,
  umaxNumber,
} from "../../state/registers.ts"
import type { Verifier } from "../../verifier.ts"
import { checkMapAccess } from "../memory/map-value.ts"
import { constantNumber, variableText } from "../memory/values.ts"

const NEGATIVE = 1
const IMMEDIATE = 2
const MASK_SOURCE = 4
const MASK_DESTINATION = 8

/** Scratch register for the destination while a path is copied. */
const SAVED = 1

/** Addresses of the operands. */
export interface PointerOperands {
  readonly dstReg: number
  readonly ptrReg: number
  readonly scalarReg: number
}

/** What masks the instruction: the same on all paths. */
interface Mask {
  readonly state: number
  readonly limit: number
}

/** What was found before the addition, for after it. */
export interface Sanitation {
  readonly mask: Mask
  readonly left: boolean
}

const masks = new WeakMap<Verifier, Map<number, Mask>>()

/** Before the addition. Null when nothing is masked: constants, or speculative paths. */
export function sanitisePointer(v: Verifier, operands: PointerOperands): Sanitation | null {
  const { code, domain: d, insn } = v
  const { dstReg, ptrReg, scalarReg } = operands
  if (isExempt(v)) return null
  const constant = isConstant(d, scalarReg)
  let sanitation: Sanitation | null = null
  if (!v.state.speculative) {
    const negative = sminNumber(d, scalarReg) < 0
    if (!constant && negative !== smaxNumber(d, scalarReg) < 0) {
      const regno = scalarReg === dstReg ? code.dst[insn] : code.src[insn]
      refuse(v, `R${regno} has unknown scalar with mixed signed bounds`)
    }
    const left = (opcodeOperation(code.opcode[insn]) === BPF_ADD) === negative
    const limit = limitOf(v, ptrReg, left, scalarReg === dstReg ? code.src[insn] : code.dst[insn])
    let state = ptrReg === dstReg ? MASK_SOURCE : MASK_DESTINATION
    if (negative) state |= NEGATIVE
    if (constant) state |= IMMEDIATE
    else d.configure((v.allowUninitStack ? ALLOW_UNINIT_STACK : 0) | EXPLORE_ALU_LIMITS)
    sanitation = { mask: { state, limit }, left }
  }
  if (!constant) exploreZero(v, operands)
  return sanitation
}

function isExempt(v: Verifier): boolean {
  const { code, insn } = v
  return v.bypassSpecV1 || (code.opcode[insn] & 0x08) !== BPF_X || (code.marks[insn] & NOSPEC) !== 0
}

/** The path on which the offset was masked to zero: the pointer alone is in the destination. */
function exploreZero(v: Verifier, { dstReg, ptrReg }: PointerOperands): void {
  const d = v.domain
  if (ptrReg === dstReg) {
    d.setUnbounded32(dstReg)
    v.pushBranch(v.insn + 1, v.insn, true)
    return
  }
  const saved = v.scratch(SAVED)
  d.copyReg(saved, dstReg)
  d.copyReg(dstReg, ptrReg)
  v.pushBranch(v.insn + 1, v.insn, true)
  d.copyReg(dstReg, saved)
}

/** How far the pointer may go in a direction. Linux: retrieve_ptr_limit. */
function limitOf(v: Verifier, reg: number, left: boolean, regno: number): number {
  const d = v.domain
  let max: number
  let limit: number
  switch (typeOf(d, reg)) {
    case PTR_TO_STACK:
      max = MAX_BPF_STACK + (left ? 1 : 0)
      limit = -(constantNumber(d, reg) + offOf(d, reg)) >>> 0
      break
    case PTR_TO_MAP_VALUE:
      max = v.maps[aOf(d, reg)].valueSize
      limit = ((left ? sminNumber(d, reg) : umaxNumber(d, reg)) + offOf(d, reg)) >>> 0
      break
    default:
      refuse(v, `R${regno} has pointer with unsupported alu operation`)
  }
  if (limit >= max)
    refuse(v, `R${v.code.dst[v.insn]} tried to ${operationName(v)} beyond pointer bounds`)
  return limit
}

function operationName(v: Verifier): string {
  return opcodeOperation(v.code.opcode[v.insn]) === BPF_ADD ? "add" : "sub"
}

function refuse(v: Verifier, what: string): never {
  v.reject(ERRNO.EACCES, `${what}, pointer arithmetic with it prohibited for !root`, {
    rule: "speculation",
  })
}

/** After the addition: the pointer is in bounds, and the mask is the distance it went. */
export function commitSanitation(
  v: Verifier,
  dst: number,
  dstReg: number,
  sanitation: Sanitation | null,
): void {
  checkInBounds(v, dst, dstReg)
  if (sanitation === null || v.state.speculative || isExempt(v)) return
  const limit = Math.abs(sanitation.mask.limit - limitOf(v, dstReg, sanitation.left, dst))
  const { state } = sanitation.mask
  let known = masks.get(v)
  if (known === undefined) masks.set(v, (known = new Map()))
  const before = known.get(v.insn)
  if (before !== undefined && (before.state !== state || before.limit !== limit))
    refuse(v, `R${dst} tried to ${operationName(v)} from different maps, paths or scalars`)
  known.set(v.insn, { state, limit })
}

function checkInBounds(v: Verifier, dst: number, dstReg: number): void {
  const d = v.domain
  switch (typeOf(d, dstReg)) {
    case PTR_TO_STACK: {
      const off = offOf(d, dstReg) + constantNumber(d, dstReg)
      if (!isConstant(d, dstReg))
        v.reject(
          ERRNO.EACCES,
          `R${dst} variable stack access prohibited for !root, var_off=${variableText(d, dstReg)} off=${off}`,
          { rule: "speculation", register: dst },
        )
      if (off >= 0 || off < -MAX_BPF_STACK)
        v.reject(
          ERRNO.EACCES,
          `R${dst} stack pointer arithmetic goes out of range, prohibited for !root; off=${off}`,
          { rule: "speculation", register: dst, offset: off },
        )
      return
    }
    case PTR_TO_MAP_VALUE:
      checkMapBounds(v, dst, dstReg)
  }
}

function checkMapBounds(v: Verifier, dst: number, dstReg: number): void {
  try {
    checkMapAccess(v, dst, offOf(v.domain, dstReg), 1, false, true)
  } catch (error) {
    if (!(error instanceof Rejection)) throw error
    v.reject(
      ERRNO.EACCES,
      `R${dst} pointer arithmetic of map value goes out of range, prohibited for !root`,
      { rule: "speculation", register: dst },
    )
  }
}
