/**
 * Open-coded iterators (bpf_iter_num and its kind): an object on the stack that a `_new` kfunc
 * makes, `_next` reads until it gives NULL, and `_destroy` gives back.
 *
 * A `_next` call goes two ways: the current path takes NULL and a drained iterator, so that it
 * reaches the end; a copy goes on with an element and an iterator that is one turn deeper.
 *
 * Source: linux v6.18 kernel/bpf/verifier.c process_iter_arg, process_iter_next_call.
 */

import type { Btf } from "../../../btf/index.ts"
import { ERRNO } from "../../../spec/errno.ts"
import {
  BPF_ITER_STATE_ACTIVE,
  BPF_ITER_STATE_DRAINED,
  MEM_RCU,
  PTR_MAYBE_NULL,
  PTR_TO_STACK,
  PTR_UNTRUSTED,
  STACK_ITER,
} from "../../state/register-types.ts"
import {
  aOf,
  bOf,
  cOf,
  framenoOf,
  refObjIdOf,
  setA,
  setB,
  setC,
  setRefObjId,
  setType,
  typeOf,
} from "../../state/registers.ts"
import { inRcuSection } from "../../types/trust.ts"
import type { Verifier } from "../../verifier.ts"
import { checkMemoryAccess } from "../memory/memory-access.ts"
import { releaseReference } from "./references.ts"
import {
  clearSlot,
  setSlot,
  slotHas,
  slotIs,
  stackObjectSlot,
  UNUSED_STACK,
} from "./stack-object.ts"

/** Where the current call's iterator is. */
export interface IteratorPlace {
  readonly frame: number
  /** Slot of its first 8 bytes. */
  readonly spi: number
}

/** How a kfunc uses its iterator. */
export interface IteratorArgument {
  /** Its struct, and the index of that struct's BTF. */
  readonly typeId: number
  readonly btfIndex: number
  readonly slots: number
  /** `num` of `struct bpf_iter_num`. */
  readonly kind: string
  readonly kfunc: string
  readonly creates: boolean
  readonly destroys: boolean
  /** It may only be used inside an RCU section. */
  readonly rcuProtected: boolean
}

/**
 * `struct bpf_iter_<kind>` behind a pointer type: its id and size in slots; null when the
 * parameter is no pointer to such a struct (btf_check_iter_arg).
 */
export function iteratorType(
  btf: Btf,
  parameterType: number,
): { typeId: number; slots: number; kind: string } | null {
  const pointer = btf.resolve(parameterType)
  if (pointer.kind !== "ptr") return null
  const typeId = btf.skipModifiers(pointer.type)
  const type = btf.type(typeId)
  if (type.kind !== "struct" || !type.name.startsWith("bpf_iter_")) return null
  if (type.size === 0 || type.size % 8 !== 0) return null
  return { typeId, slots: type.size / 8, kind: type.name.slice("bpf_iter_".length) }
}

function createIterator(v: Verifier, regno: number, argument: IteratorArgument): void {
  const { domain } = v
  const reg = v.reg(regno)
  const { slots } = argument
  const frame = framenoOf(domain, reg)
  const before = stackObjectSlot(v, reg, "iter", slots)
  let free = before === UNUSED_STACK || before >= 0
  for (let n = 0; before >= 0 && n < slots; n++)
    if (slotHas(v, frame, before - n, STACK_ITER)) free = false
  if (!free)
    v.reject(ERRNO.EINVAL, `expected uninitialized iter_${argument.kind} as arg #${regno - 1}`, {
      rule: "iterator-uninitialised",
      register: regno,
    })
  for (let at = 0; at < slots * 8; at += 8) checkMemoryAccess(v, v.insn, regno, at, 8, true, -1)

  const spi = stackObjectSlot(v, reg, "iter", slots)
  const id = v.acquireReference(v.insn)
  let type = PTR_TO_STACK
  if (argument.rcuProtected) type |= inRcuSection(v) ? MEM_RCU : PTR_UNTRUSTED
  for (let n = 0; n < slots; n++) {
    const slot = v.slot(frame, spi - n)
    domain.markKnownZero(slot)
    setType(domain, slot, type)
    setRefObjId(domain, slot, n === 0 ? id : 0)
    setA(domain, slot, argument.typeId)
    setB(domain, slot, argument.btfIndex)
    setC(domain, slot, BPF_ITER_STATE_ACTIVE)
    setSlot(v, frame, spi - n, STACK_ITER)
    v.scratchSlot(spi - n)
  }
  v.noteStackWrite(frame, spi - slots + 1, spi)
}

function isInitialised(
  v: Verifier,
  frame: number,
  spi: number,
  argument: IteratorArgument,
): boolean {
  const { domain } = v
  for (let n = 0; n < argument.slots; n++) {
    const slot = v.slot(frame, spi - n)
    if (typeOf(domain, slot) & PTR_UNTRUSTED)
      v.reject(ERRNO.EPROTO, `expected an RCU CS when using ${argument.kfunc}`, {
        rule: "iterator-rcu",
        subject: argument.kfunc,
      })
    if ((refObjIdOf(domain, slot) !== 0) !== (n === 0)) return false
    if (bOf(domain, slot) !== argument.btfIndex || aOf(domain, slot) !== argument.typeId)
      return false
    if (!slotIs(v, frame, spi - n, STACK_ITER)) return false
  }
  return true
}

function destroyIterator(v: Verifier, { frame, spi }: IteratorPlace, slots: number): void {
  releaseReference(v, refObjIdOf(v.domain, v.slot(frame, spi)))
  for (let n = 0; n < slots; n++) {
    clearSlot(v, frame, spi - n)
    v.scratchSlot(spi - n)
  }
  v.noteStackWrite(frame, spi - slots + 1, spi)
}

/** Register `regno` is the iterator of the current kfunc call; null when the call creates it. */
export function checkIteratorArgument(
  v: Verifier,
  regno: number,
  argument: IteratorArgument,
): (IteratorPlace & { refObjId: number }) | null {
  const { domain } = v
  const reg = v.reg(regno)
  if (argument.creates) {
    createIterator(v, regno, argument)
    return null
  }
  const { slots } = argument
  const spi = stackObjectSlot(v, reg, "iter", slots)
  const frame = framenoOf(domain, reg)
  if (spi < 0 || !isInitialised(v, frame, spi, argument))
    v.reject(ERRNO.EINVAL, `expected an initialized iter_${argument.kind} as arg #${regno - 1}`, {
      rule: "iterator-initialised",
      register: regno,
    })
  v.noteStackRead(frame, spi - slots + 1, spi)
  for (let n = 0; n < slots; n++) v.scratchSlot(spi - n)
  const refObjId = refObjIdOf(domain, v.slot(frame, spi))
  if (argument.destroys) destroyIterator(v, { frame, spi }, slots)
  return { frame, spi, refObjId }
}

/** The iterator's elements are RCU pointers. */
export function yieldsRcuPointers(v: Verifier, { frame, spi }: IteratorPlace): boolean {
  return (typeOf(v.domain, v.slot(frame, spi)) & MEM_RCU) !== 0
}

/** After a `_next` call gave R0 its type: the two ways to go on. */
export function forkIteratorNext(v: Verifier, { frame, spi }: IteratorPlace): void {
  const { domain } = v
  const iterator = cOf(domain, v.slot(frame, spi))
  if ((iterator & 3) === BPF_ITER_STATE_ACTIVE) {
    const { parent } = v.state
    const previous = parent === null ? null : v.findPreviousEntry(v.insn, parent)
    const queued = v.pushBranch(v.insn + 1, v.insn, false)
    v.within(queued, () => {
      setC(domain, v.slot(frame, spi), iterator + 4)
    })
    if (previous !== null) v.widenImprecise(previous, queued)
    v.within(queued, () => {
      const r0 = v.reg(0)
      setType(domain, r0, typeOf(domain, r0) & ~PTR_MAYBE_NULL)
    })
  }
  setC(domain, v.slot(frame, spi), (iterator & ~3) | BPF_ITER_STATE_DRAINED)
  domain.markKnownZero(v.reg(0))
}
