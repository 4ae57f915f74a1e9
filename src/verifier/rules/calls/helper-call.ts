/**
 * Calls of helpers: whether this program may make this call here, its arguments, what it releases,
 * what is special about it, and its result.
 *
 * Source: linux v6.18 kernel/bpf/verifier.c check_helper_call.
 */

import { ERRNO } from "../../../spec/errno.ts"
import { BPF_MAP_FLAG, BPF_MAP_TYPE } from "../../../spec/map-types.ts"
import { BPF_ATTACH_TYPE, BPF_PROG_TYPE } from "../../../spec/program-types.ts"
import type { VerifierMap } from "../../input.ts"
import { registerTypeName } from "../../log/type-names.ts"
import { FRAME_CALLBACK_DEPTH } from "../../state/layout.ts"
import {
  BPF_DYNPTR_TYPE_SKB,
  BPF_DYNPTR_TYPE_SKB_META,
  MEM_ALLOC,
  MEM_PERCPU,
  MEM_RCU,
  PTR_TO_MAP_VALUE,
} from "../../state/register-types.ts"
import {
  aOf,
  constantHigh,
  constantLow,
  idOf,
  isConstant,
  refObjIdOf,
  setRefObjId,
  setType,
  typeOf,
  umaxNumber,
} from "../../state/registers.ts"
import { inRcuSection } from "../../types/trust.ts"
import type { Verifier } from "../../verifier.ts"
import { attachPrototype } from "../exit/attach-prototype.ts"
import { checkResourceLeak } from "../exit/leaks.ts"
import { checkConstString } from "../memory/const-string.ts"
import { checkMemoryAccess } from "../memory/memory-access.ts"
import { checkArgument } from "./arguments.ts"
import { type CallMeta, createMeta, resetMeta } from "./call-meta.ts"
import {
  pushElementCallback,
  pushLoopCallback,
  pushMapCallback,
  pushRingCallback,
  pushVmaCallback,
} from "./callbacks.ts"
import { clobberCallerSaved } from "./clobber.ts"
import { dynptrObject, forgetPacket, releaseDynptr } from "./dynptr.ts"
import { validFormat } from "./format.ts"
import { markResult } from "./helper-result.ts"
import { HELPER_ID_END, type HelperRule, helperLabel, helperRule } from "./helper-table.ts"
import { checkMapCompatibility } from "./map-compatibility.ts"
import { invalidateRegister, releaseReference } from "./references.ts"
import { prepareFunctionExit } from "./subprogram.ts"

/** No helper call is checked inside another's check. */
const meta: CallMeta = createMeta()

/** The rule of the helper, if the program may call it at all, and here. */
function permitted(v: Verifier, id: number): HelperRule {
  const { input, state } = v
  const refuse = (text: string): never =>
    v.reject(ERRNO.EINVAL, text, { rule: "helper", subject: helperLabel(id) })
  if (id < 0 || id >= HELPER_ID_END) refuse(`invalid func ${helperLabel(id)}`)
  const rule = helperRule(input, id)
  if (rule === null || rule.refusal === "absent")
    return refuse(`program of this type cannot use helper ${helperLabel(id)}`)
  const { helper, label } = rule
  if (!input.gplCompatible && helper.gplOnly)
    refuse("cannot call GPL-restricted function from non-GPL compatible program")
  if (rule.refusal === "not_in_probe") refuse("helper call is not allowed in probe")
  if (!helper.mightSleep) return rule
  if (!state.inSleepable) refuse("helper call might sleep in a non-sleepable prog")
  if (state.activeRcuLocks > 0) refuse(`sleepable helper ${label} in rcu_read_lock region`)
  if (state.activePreemptLocks > 0) refuse(`sleepable helper ${label} in non-preemptible region`)
  if (state.activeIrqId !== 0) refuse(`sleepable helper ${label} in IRQ-disabled region`)
  return rule
}

/** Programs may not change the map; of device maps Linux says so itself. */
function isReadonly({ type, flags }: VerifierMap): boolean {
  return (
    (flags & BPF_MAP_FLAG.BPF_F_RDONLY_PROG) !== 0 ||
    type === BPF_MAP_TYPE.BPF_MAP_TYPE_DEVMAP ||
    type === BPF_MAP_TYPE.BPF_MAP_TYPE_DEVMAP_HASH
  )
}

function refuseWithoutNewline(v: Verifier, text: string): never {
  v.verbose(text)
  return v.rejectQuietly(ERRNO.EINVAL, text)
}

/** Maps that programs may only read, and constant indices of tail calls. */
function checkMapUse(v: Verifier, rule: HelperRule): void {
  const { domain } = v
  const map = meta.mapIndex < 0 ? null : v.maps[meta.mapIndex]
  switch (rule.name) {
    case "map_update_elem":
    case "map_delete_elem":
    case "map_push_elem":
    case "map_pop_elem":
      if (map !== null && isReadonly(map))
        v.reject(ERRNO.EACCES, "write into map forbidden", { map: meta.mapIndex })
      break
    case "tail_call": {
      if (map?.type !== BPF_MAP_TYPE.BPF_MAP_TYPE_PROG_ARRAY)
        refuseWithoutNewline(v, "expected prog array map for tail call")
      const index = v.reg(3)
      const known = isConstant(domain, index) && constantHigh(domain, index) === 0
      if (known && constantLow(domain, index) >>> 0 < (map?.maxEntries ?? 0)) v.markPrecise(3)
      break
    }
  }
}

/** A reference that moves into a kptr: per-CPU objects stay readable inside an RCU section. */
function releaseIntoKptr(v: Verifier, id: number): boolean {
  const { domain } = v
  const inRcu = inRcuSection(v)
  if (!v.releaseReference(id)) return false
  v.forEachRegister((reg) => {
    if (refObjIdOf(domain, reg) !== id) return
    const type = typeOf(domain, reg)
    if (!(inRcu && type & MEM_ALLOC && type & MEM_PERCPU)) {
      invalidateRegister(v, reg)
      return
    }
    setRefObjId(domain, reg, 0)
    setType(domain, reg, (type & ~MEM_ALLOC) | MEM_RCU)
  })
  return true
}

function release(v: Verifier, rule: HelperRule): void {
  const { releaseRegno, refObjId } = meta
  if (releaseRegno === 0) return
  const reg = v.reg(releaseRegno)
  let released: boolean
  if (rule.arguments[releaseRegno - 1].kind === "dynptr") {
    releaseDynptr(v, reg)
    return
  }
  if (refObjId === 0) released = v.domain.isNull(reg) !== 0
  else if (rule.name === "kptr_xchg") released = releaseIntoKptr(v, refObjId)
  else released = releaseReference(v, refObjId)
  if (!released)
    v.reject(ERRNO.EINVAL, `func ${rule.label} reference has not been acquired before`, {
      rule: "release",
      register: releaseRegno,
    })
}

function dynptrRegister(rule: HelperRule): number {
  return rule.arguments.findIndex((argument) => argument.kind === "dynptr") + 1
}

/** bpf_loop() runs its callback until the state no longer changes, or the count is reached. */
function checkLoop(v: Verifier): void {
  const { domain } = v
  // A loop that takes no flags may be inlined: Linux wants to rely on the zero.
  if (domain.isNull(v.reg(4))) v.markPrecise(4)
  v.markPrecise(1)
  const depth = (v.currentFrame() + FRAME_CALLBACK_DEPTH) >> 2
  if (domain.u32[depth] < umaxNumber(domain, v.reg(1))) {
    pushLoopCallback(v, meta.subprogram)
    return
  }
  domain.i32[depth] = 0
  if (v.log.level & 2) v.verbose(`frame${v.currentFrameNumber} bpf_loop iteration limit reached\n`)
}

function checkSetReturnValue(v: Verifier): void {
  const { type, expectedAttachType } = v.input
  if (type !== BPF_PROG_TYPE.BPF_PROG_TYPE_LSM) return
  if (expectedAttachType !== BPF_ATTACH_TYPE.BPF_LSM_CGROUP) return
  if (attachPrototype(v)?.returnType === 0)
    v.reject(
      ERRNO.EINVAL,
      "BPF_LSM_CGROUP that attach to void LSM hooks can't modify return value!",
    )
}

function checkFormat(v: Verifier): void {
  const bytes = constantLow(v.domain, v.reg(5))
  if (bytes % 8 !== 0) v.rejectQuietly(ERRNO.EINVAL, "the values of a format have 8 bytes each")
  if (!validFormat(checkConstString(v, 3), bytes / 8))
    v.reject(ERRNO.EINVAL, "Invalid format string", { rule: "format" })
}

/** What one helper demands alone. True when packet pointers die although they usually do not. */
function checkSpecial(v: Verifier, rule: HelperRule): boolean {
  const { domain } = v
  switch (rule.name) {
    case "tail_call":
      checkResourceLeak(v, false, true, "tail_call")
      break
    case "get_local_storage":
      if (!domain.isNull(v.reg(2)))
        v.reject(ERRNO.EINVAL, "get_local_storage() doesn't support non-zero flags")
      break
    case "for_each_map_elem":
      pushMapCallback(v, meta.subprogram, meta.mapIndex)
      break
    case "timer_set_callback":
      pushElementCallback(v, {
        subprogram: meta.subprogram,
        element: 1,
        sleepable: false,
        min: 0,
        max: 0,
      })
      break
    case "find_vma":
      pushVmaCallback(v, meta.subprogram)
      break
    case "user_ringbuf_drain":
      pushRingCallback(v, meta.subprogram)
      break
    case "loop":
      checkLoop(v)
      break
    case "snprintf":
      checkFormat(v)
      break
    case "set_retval":
      checkSetReturnValue(v)
      break
    case "dynptr_from_mem": {
      const type = typeOf(domain, v.reg(1))
      if (type !== PTR_TO_MAP_VALUE)
        v.reject(
          ERRNO.EACCES,
          `Unsupported reg type ${registerTypeName(type)} for bpf_dynptr_from_mem data`,
          { register: 1 },
        )
      break
    }
    case "dynptr_data": {
      const object = dynptrObject(v, v.reg(dynptrRegister(rule)))
      meta.dynptrId = idOf(domain, object)
      meta.refObjId = refObjIdOf(domain, object)
      break
    }
    case "dynptr_write": {
      const type = aOf(domain, dynptrObject(v, v.reg(dynptrRegister(rule))))
      return type === BPF_DYNPTR_TYPE_SKB || type === BPF_DYNPTR_TYPE_SKB_META
    }
  }
  return false
}

function checkFunctionAddress(v: Verifier, rule: HelperRule): void {
  if (rule.refusal === "only_trampolines")
    v.reject(ERRNO.ENOTSUPP, `func ${rule.label} supported only for fentry/fexit/fmod_ret programs`)
  if (rule.refusal === "not_for_type")
    v.reject(ERRNO.ENOTSUPP, `func ${rule.label} not supported for program type ${v.input.type}`)
}

/** In a subprogram: the tail call may fail, or another program returns to the caller. */
function leaveByTailCall(v: Verifier): void {
  v.scratchRegister(0)
  v.pushBranch(v.insn + 1, v.insn, false)
  forgetPacket(v)
  v.markUnknown(0)
  prepareFunctionExit(v)
}

/** Checks the current instruction, a call of a helper, and gives R0 its result. */
export function checkHelperCall(v: Verifier): void {
  const { insn } = v
  const id = v.code.imm[insn]
  const rule = permitted(v, id)
  resetMeta(meta, rule.helper.packetAccess)
  for (let index = 0; index < rule.arguments.length; index++) checkArgument(v, rule, index, meta)
  checkMapUse(v, rule)
  // Linux writes what is filled byte by byte.
  const { accessSize, regno } = meta.memory
  for (let at = 0; at < accessSize; at++) checkMemoryAccess(v, insn, regno, at, 1, true, -1)
  release(v, rule)
  const dynptrMoves = checkSpecial(v, rule)
  const allocated =
    rule.helper.result.kind === "mem_or_btf" && (typeOf(v.domain, v.reg(1)) & MEM_RCU) !== 0
  clobberCallerSaved(v)
  markResult(v, rule, allocated, meta)
  if (meta.mapIndex >= 0) checkMapCompatibility(v, rule, meta.mapIndex)
  if (rule.name === "get_func_ip") checkFunctionAddress(v, rule)
  v.scratchRegister(0)
  if (rule.name === "tail_call") {
    if (v.currentFrameNumber > 0) leaveByTailCall(v)
    return
  }
  if (rule.helper.movesPacket || dynptrMoves) forgetPacket(v)
}
