/**
 * The arguments of a helper, from R1 to R5: each must be initialised, of a type that its kind
 * accepts, and point to what the helper reads or writes.
 *
 * Source: linux v6.18 kernel/bpf/verifier.c check_func_arg.
 */

import { ERRNO } from "../../../spec/errno.ts"
import { BPF_MAP_TYPE } from "../../../spec/map-types.ts"
import {
  BASE_TYPE_MASK,
  BPF_DYNPTR_TYPE_LOCAL,
  BPF_DYNPTR_TYPE_RINGBUF,
  PTR_TO_PACKET,
  PTR_TO_PACKET_META,
  PTR_TO_STACK,
  SCALAR_VALUE,
  STACK_SPILL,
  STACK_ZERO,
} from "../../state/register-types.ts"
import {
  aOf,
  bOf,
  constantHigh,
  constantLow,
  framenoOf,
  isConstant,
  offOf,
  refObjIdOf,
  typeOf,
} from "../../state/registers.ts"
import { SRC_OP, type Verifier } from "../../verifier.ts"
import { checkSpinLock } from "../locks/spin-lock.ts"
import { checkAlignment } from "../memory/alignment.ts"
import { checkConstString } from "../memory/const-string.ts"
import { checkHelperMemory, checkMemorySizePair } from "../memory/helper-memory.ts"
import { mayAccessPacket } from "../memory/packet.ts"
import { checkArgumentOffset } from "../pointers/offset.ts"
import type { CallMeta } from "./call-meta.ts"
import { inTreeCallback } from "./callbacks.ts"
import { checkDynptrArgument, ownsReference } from "./dynptr.ts"
import { type ArgumentRule, type HelperRule, SOCKET_VALUE } from "./helper-table.ts"
import { checkKptrDestination, checkMapField } from "./map-fields.ts"
import { checkRegisterType } from "./register-match.ts"

/** What `value` is depends on the map: a socket for sock maps, an input for bloom filters. */
function resolveValue(
  v: Verifier,
  rule: ArgumentRule,
  helper: string,
  meta: CallMeta,
): ArgumentRule {
  const { type } = v.maps[meta.mapIndex]
  if (type === BPF_MAP_TYPE.BPF_MAP_TYPE_SOCKMAP || type === BPF_MAP_TYPE.BPF_MAP_TYPE_SOCKHASH) {
    if (rule.nullable || rule.uninit || rule.write || rule.readonly)
      v.reject(ERRNO.EINVAL, "invalid arg_type for sockmap/sockhash")
    return SOCKET_VALUE
  }
  if (type === BPF_MAP_TYPE.BPF_MAP_TYPE_BLOOM_FILTER && helper === "map_peek_elem")
    return { ...rule, uninit: false, write: false }
  return rule
}

/** The argument gives up a reference, so it must hold one. */
function checkRelease(v: Verifier, regno: number, rule: ArgumentRule, meta: CallMeta): void {
  const { domain } = v
  const reg = v.reg(regno)
  const refuse = (text: string): never =>
    v.reject(ERRNO.EINVAL, text, { rule: "release", register: regno })
  if (rule.kind === "dynptr") {
    if (typeOf(domain, reg) !== PTR_TO_STACK) refuse("cannot release unowned const bpf_dynptr")
    if (!ownsReference(v, reg)) refuse(`arg ${regno} is an unacquired reference`)
  } else if (refObjIdOf(domain, reg) === 0 && !domain.isNull(reg)) {
    refuse(`R${regno} must be referenced when passed to release function`)
  }
  meta.releaseRegno = regno
}

function checkMapArgument(v: Verifier, reg: number, meta: CallMeta): void {
  const index = aOf(v.domain, reg)
  const uid = bOf(v.domain, reg)
  if (meta.mapIndex >= 0 && (meta.mapIndex !== index || meta.mapUid !== uid))
    v.reject(
      ERRNO.EINVAL,
      `timer pointer in R1 map_uid=${meta.mapUid} doesn't match map pointer in R2 map_uid=${uid}`,
      { rule: "map-mismatch" },
    )
  meta.mapIndex = index
  meta.mapUid = uid
}

/** Whether a lookup by a key known to be in range gives no NULL. */
export function indexNeverMisses(mapType: number): boolean {
  return (
    mapType === BPF_MAP_TYPE.BPF_MAP_TYPE_ARRAY ||
    mapType === BPF_MAP_TYPE.BPF_MAP_TYPE_PERCPU_ARRAY
  )
}

/** The constant key on the stack that register `reg` (address) points to, or -1. */
function constantKey(v: Verifier, reg: number, keySize: number): number {
  const { domain } = v
  if (!v.bpfCapable || typeOf(domain, reg) !== PTR_TO_STACK || !isConstant(domain, reg)) return -1
  const position = -(offOf(domain, reg) + constantLow(domain, reg)) - 1
  const spi = position >> 3
  const frame = framenoOf(domain, reg)
  const count = (type: number): number => {
    let bytes = 0
    for (let byte = position & 7; byte >= 0; byte--) {
      if (v.slotType(frame, spi, byte) !== type) break
      bytes++
    }
    return bytes
  }
  if (count(STACK_ZERO) >= keySize) return 0
  const spilled = v.slot(frame, spi)
  if (v.slotType(frame, spi, 7) !== STACK_SPILL || typeOf(domain, spilled) !== SCALAR_VALUE)
    return -1
  if (count(STACK_SPILL) !== keySize || !isConstant(domain, spilled)) return -1
  v.markSlotPrecise(frame, spi)
  return constantHigh(domain, spilled) * 2 ** 32 + (constantLow(domain, spilled) >>> 0)
}

function checkKey(v: Verifier, regno: number, meta: CallMeta): void {
  const map = v.maps[meta.mapIndex]
  checkHelperMemory(v, regno, map.keySize, false, false, null)
  if (indexNeverMisses(map.type)) meta.constantKey = constantKey(v, v.reg(regno), map.keySize)
}

function checkAllocationSize(v: Verifier, regno: number, meta: CallMeta): void {
  const reg = v.reg(regno)
  if (!isConstant(v.domain, reg))
    v.reject(ERRNO.EACCES, `R${regno} is not a known constant'`, {
      rule: "argument-constant",
      register: regno,
    })
  meta.memorySize = constantLow(v.domain, reg)
  v.markPrecise(regno)
}

function checkLock(v: Verifier, regno: number, takes: boolean): void {
  if (inTreeCallback(v))
    v.reject(ERRNO.EACCES, "can't spin_{lock,unlock} in rbtree cb", { rule: "lock" })
  checkSpinLock(v, regno, { take: takes, resilient: false, irq: false })
}

function dynptrTypeOf(rule: ArgumentRule): number {
  if (rule.dynptr === null) return 0
  return rule.dynptr === "local" ? BPF_DYNPTR_TYPE_LOCAL : BPF_DYNPTR_TYPE_RINGBUF
}

/** What the argument's kind demands beyond its register type. */
function checkKind(
  v: Verifier,
  regno: number,
  rule: ArgumentRule,
  helper: HelperRule,
  meta: CallMeta,
): void {
  const { domain } = v
  const reg = v.reg(regno)
  switch (rule.kind) {
    case "map":
      checkMapArgument(v, reg, meta)
      break
    case "key":
      checkKey(v, regno, meta)
      break
    case "value":
      if (rule.nullable && domain.isNull(reg)) break
      meta.memory.rawMode = rule.uninit
      checkHelperMemory(v, regno, v.maps[meta.mapIndex].valueSize, rule.write, false, meta.memory)
      break
    case "mem":
      // Checked with the size that follows.
      meta.memory.rawMode = rule.uninit
      break
    case "fixed":
      meta.memory.rawMode = rule.uninit
      checkHelperMemory(v, regno, rule.sizeBytes, rule.write, false, meta.memory)
      if (rule.aligned) checkAlignment(v, regno, 0, rule.sizeBytes, true)
      break
    case "size":
    case "size0": {
      const { write } = helper.arguments[regno - 2]
      checkMemorySizePair(v, regno - 1, regno, write, rule.kind === "size0", meta.memory)
      break
    }
    case "alloc_size0":
      checkAllocationSize(v, regno, meta)
      break
    case "percpu":
      meta.returnBtf = bOf(domain, reg)
      meta.returnTypeId = aOf(domain, reg)
      break
    case "spin_lock":
      checkLock(v, regno, helper.name === "spin_lock")
      break
    case "timer":
      checkMapField(v, regno, "bpf_timer")
      meta.mapIndex = aOf(domain, reg)
      meta.mapUid = bOf(domain, reg)
      break
    case "func":
      meta.subprogram = aOf(domain, reg)
      break
    case "dynptr":
      checkDynptrArgument(v, regno, { ...rule, type: dynptrTypeOf(rule) })
      break
    case "str":
      checkConstString(v, regno)
      break
    case "kptr":
      meta.kptr = checkKptrDestination(v, regno)
      break
  }
}

/** Checks argument `index` (0: R1) of a helper. */
export function checkArgument(
  v: Verifier,
  helper: HelperRule,
  index: number,
  meta: CallMeta,
): void {
  const { domain } = v
  const regno = index + 1
  v.checkRegister(regno, SRC_OP)
  let rule = helper.arguments[index]
  const reg = v.reg(regno)
  const type = typeOf(domain, reg)
  if (rule.kind === "any") {
    if (!v.allowPtrLeaks && type !== SCALAR_VALUE)
      v.reject(ERRNO.EACCES, `R${regno} leaks addr into helper function`, { register: regno })
    return
  }
  const base = type & BASE_TYPE_MASK
  if (base === PTR_TO_PACKET || base === PTR_TO_PACKET_META) {
    if (!mayAccessPacket(v, meta.memory, false))
      v.reject(ERRNO.EACCES, "helper access to the packet is not allowed", {
        rule: "packet-argument",
      })
  }
  if (rule.kind === "value") rule = resolveValue(v, rule, helper.name, meta)
  if (!(rule.nullable && domain.isNull(reg))) {
    checkRegisterType(v, regno, rule, helper.name, meta.kptr)
    checkArgumentOffset(v, reg, regno, { release: rule.release, dynptr: rule.kind === "dynptr" })
  }
  if (rule.release) checkRelease(v, regno, rule, meta)
  const reference = refObjIdOf(domain, reg)
  if (reference !== 0 && rule.kind !== "kptr") {
    if (meta.refObjId !== 0)
      v.reject(
        ERRNO.EACCES,
        `more than one arg with ref_obj_id R${regno} ${reference} ${meta.refObjId}`,
      )
    meta.refObjId = reference
  }
  checkKind(v, regno, rule, helper, meta)
}
