/**
 * Dynptrs: two slots of the stack, or CONST_PTR_TO_DYNPTR, the argument of a callback or global
 * function. A slice of one carries its id (`b` of PTR_TO_MEM) and dies with it; of a ring buffer's
 * record, which must be given back, all clones share the reference.
 *
 * Invariant: both slots of a dynptr are STACK_DYNPTR whole; a store to a part destroys both.
 *
 * Source: linux v6.18 kernel/bpf/verifier.c mark_stack_slots_dynptr, process_dynptr_func.
 */

import { ERRNO } from "../../../spec/errno.ts"
import { dynptrTypeName } from "../../log/type-names.ts"
import {
  BASE_TYPE_MASK,
  BPF_DYNPTR_TYPE_RINGBUF,
  BPF_DYNPTR_TYPE_SKB,
  BPF_DYNPTR_TYPE_SKB_META,
  BPF_DYNPTR_TYPE_XDP,
  CONST_PTR_TO_DYNPTR,
  DYNPTR_TYPE_LOCAL,
  DYNPTR_TYPE_RINGBUF,
  DYNPTR_TYPE_SKB,
  DYNPTR_TYPE_SKB_META,
  DYNPTR_TYPE_XDP,
  PTR_TO_MEM,
  PTR_TO_STACK,
  STACK_DYNPTR,
} from "../../state/register-types.ts"
import {
  aOf,
  bOf,
  framenoOf,
  refObjIdOf,
  setA,
  setB,
  setId,
  setRefObjId,
  setType,
  typeOf,
} from "../../state/registers.ts"
import type { Verifier } from "../../verifier.ts"
import { checkMemoryAccess } from "../memory/memory-access.ts"
import { clearDynptr, destroyDynptrAtSlot } from "./dynptr-slots.ts"
import { invalidateRegister, releaseReference } from "./references.ts"
import { MISPLACED, setSlot, slotIs, stackObjectSlot } from "./stack-object.ts"

const DYNPTR_SIZE = 16
const DYNPTR_SLOTS = 2
const PACKET_SLICE = DYNPTR_TYPE_SKB | DYNPTR_TYPE_XDP | DYNPTR_TYPE_SKB_META

/** The flag that memory of a dynptr of a type carries. */
export function dynptrTypeFlag(type: number): number {
  switch (type) {
    case BPF_DYNPTR_TYPE_RINGBUF:
      return DYNPTR_TYPE_RINGBUF
    case BPF_DYNPTR_TYPE_SKB:
      return DYNPTR_TYPE_SKB
    case BPF_DYNPTR_TYPE_XDP:
      return DYNPTR_TYPE_XDP
    case BPF_DYNPTR_TYPE_SKB_META:
      return DYNPTR_TYPE_SKB_META
    default:
      return DYNPTR_TYPE_LOCAL
  }
}

function markDynptr(v: Verifier, reg: number, type: number, first: boolean, id: number): void {
  const { domain } = v
  domain.markKnownZero(reg)
  setType(domain, reg, CONST_PTR_TO_DYNPTR)
  setId(domain, reg, id)
  setA(domain, reg, type)
  setB(domain, reg, first ? 1 : 0)
}

/** Register `reg` (address) becomes a dynptr that a callback or global function is given. */
export function markDynptrArgument(v: Verifier, reg: number, type: number): void {
  markDynptr(v, reg, type, true, v.newId())
}

/** What an argument that is a dynptr must be. */
export interface DynptrArgument {
  /** The call makes it: any place on the stack will do. */
  readonly uninit: boolean
  /** The call does not change the dynptr itself: constant ones are accepted. */
  readonly readonly: boolean
  /** BPF_DYNPTR_TYPE_… that is wanted or made; 0 for any. */
  readonly type: number
  /** A clone shares the reference of the dynptr it is made of. */
  readonly cloneRefObjId?: number
}

function createDynptr(v: Verifier, regno: number, argument: DynptrArgument): void {
  const { domain } = v
  const reg = v.reg(regno)
  const place =
    typeOf(domain, reg) === CONST_PTR_TO_DYNPTR
      ? MISPLACED
      : stackObjectSlot(v, reg, "dynptr", DYNPTR_SLOTS)
  if (place === MISPLACED)
    v.reject(ERRNO.EINVAL, "Dynptr has to be an uninitialized dynptr", {
      rule: "dynptr-uninitialised",
      register: regno,
    })
  for (let at = 0; at < DYNPTR_SIZE; at += 8) checkMemoryAccess(v, v.insn, regno, at, 8, true, -1)

  const spi = stackObjectSlot(v, reg, "dynptr", DYNPTR_SLOTS)
  const frame = framenoOf(domain, reg)
  destroyDynptrAtSlot(v, frame, spi)
  destroyDynptrAtSlot(v, frame, spi - 1)
  setSlot(v, frame, spi, STACK_DYNPTR)
  setSlot(v, frame, spi - 1, STACK_DYNPTR)
  const id = v.newId()
  const first = v.slot(frame, spi)
  const second = v.slot(frame, spi - 1)
  markDynptr(v, first, argument.type, true, id)
  markDynptr(v, second, argument.type, false, id)
  if (argument.type === BPF_DYNPTR_TYPE_RINGBUF) {
    const reference = argument.cloneRefObjId || v.acquireReference(v.insn)
    setRefObjId(domain, first, reference)
    setRefObjId(domain, second, reference)
  }
  v.noteStackWrite(frame, spi - 1, spi)
}

/** The first slot of an initialised dynptr on the stack, or -1. */
function initialisedSlot(v: Verifier, reg: number): number {
  const spi = stackObjectSlot(v, reg, "dynptr", DYNPTR_SLOTS)
  if (spi < 0) return -1
  const frame = framenoOf(v.domain, reg)
  if (bOf(v.domain, v.slot(frame, spi)) === 0) return -1
  const whole = slotIs(v, frame, spi, STACK_DYNPTR) && slotIs(v, frame, spi - 1, STACK_DYNPTR)
  return whole ? spi : -1
}

/** Register `regno` is a dynptr argument of the current call. */
export function checkDynptrArgument(v: Verifier, regno: number, argument: DynptrArgument): void {
  const { domain } = v
  const reg = v.reg(regno)
  const type = typeOf(domain, reg)
  const refuse = (text: string): never =>
    v.reject(ERRNO.EINVAL, text, { rule: "dynptr-argument", register: regno })
  if (type !== PTR_TO_STACK && type !== CONST_PTR_TO_DYNPTR)
    refuse(`arg#${regno - 1} expected pointer to stack or const struct bpf_dynptr`)
  if (argument.uninit) {
    createDynptr(v, regno, argument)
    return
  }
  if (type === CONST_PTR_TO_DYNPTR && !argument.readonly)
    refuse("cannot pass pointer to const bpf_dynptr, the helper mutates it")
  const spi = type === CONST_PTR_TO_DYNPTR ? 0 : initialisedSlot(v, reg)
  if (spi < 0) refuse(`Expected an initialized dynptr as arg #${regno - 1}`)
  if (argument.type !== 0 && aOf(domain, dynptrObject(v, reg)) !== argument.type)
    refuse(`Expected a dynptr of type ${dynptrTypeName(argument.type)} as arg #${regno - 1}`)
  if (type !== PTR_TO_STACK) return
  v.noteStackRead(framenoOf(domain, reg), spi - 1, spi)
  v.scratchSlot(spi)
  v.scratchSlot(spi - 1)
}

/** Address of the register that says what an initialised dynptr is: id, reference, type (`a`). */
export function dynptrObject(v: Verifier, reg: number): number {
  const { domain } = v
  if (typeOf(domain, reg) === CONST_PTR_TO_DYNPTR) return reg
  return v.slot(framenoOf(domain, reg), stackObjectSlot(v, reg, "dynptr", DYNPTR_SLOTS))
}

/** Before the argument is checked: the dynptr on the stack owns a reference. */
export function ownsReference(v: Verifier, reg: number): boolean {
  const spi = stackObjectSlot(v, reg, "dynptr", DYNPTR_SLOTS)
  return spi >= 0 && refObjIdOf(v.domain, v.slot(framenoOf(v.domain, reg), spi)) !== 0
}

/** The call gives up the dynptr at register `reg` (address), with its slices and its clones. */
export function releaseDynptr(v: Verifier, reg: number): void {
  const { domain } = v
  const frame = framenoOf(domain, reg)
  const spi = stackObjectSlot(v, reg, "dynptr", DYNPTR_SLOTS)
  const object = v.slot(frame, spi)
  if (aOf(domain, object) !== BPF_DYNPTR_TYPE_RINGBUF) {
    clearDynptr(v, frame, spi)
    return
  }
  const reference = refObjIdOf(domain, object)
  releaseReference(v, reference)
  for (let slot = 1; slot < v.slots(frame); slot++) {
    if (v.slotType(frame, slot, 0) !== STACK_DYNPTR) continue
    const clone = v.slot(frame, slot)
    if (refObjIdOf(domain, clone) === reference && bOf(domain, clone) !== 0)
      clearDynptr(v, frame, slot)
  }
}

/** The packet may have moved: pointers into it, and slices of its dynptrs, are gone. */
export function forgetPacket(v: Verifier): void {
  const { domain } = v
  v.clearPacketPointers()
  v.forEachRegister((reg) => {
    const type = typeOf(domain, reg)
    if ((type & BASE_TYPE_MASK) === PTR_TO_MEM && type & PACKET_SLICE) invalidateRegister(v, reg)
  })
}
