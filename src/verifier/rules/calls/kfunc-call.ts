/**
 * Calls of kernel functions: whether this program may make this call here, its arguments, the
 * sections that it opens and closes, what it releases, and its result.
 *
 * Source: linux v6.18 kernel/bpf/verifier.c check_kfunc_call, add_kfunc_call.
 */

import { BPF_CALL, BPF_JMP, BPF_PSEUDO_KFUNC_CALL } from "../../../isa/index.ts"
import { ERRNO } from "../../../spec/errno.ts"
import { MAX_KFUNC_DESCS } from "../../../spec/limits.ts"
import { DEF_NOT_SUBREG } from "../../state/register-types.ts"
import { refObjIdOf, setSubregDef } from "../../state/registers.ts"
import { inRcuSection } from "../../types/trust.ts"
import type { Verifier } from "../../verifier.ts"
import { checkReturnValue } from "../exit/return-value.ts"
import { inTreeCallback, pushCallback, pushElementCallback } from "./callbacks.ts"
import { forgetPacket, releaseDynptr } from "./dynptr.ts"
import { checkExceptionCallback } from "./exception-callback.ts"
import { giveToGraph, markGraphNode, markNonOwning } from "./graph.ts"
import { forkIteratorNext } from "./iterators.ts"
import { checkKfuncArguments } from "./kfunc-arguments.ts"
import { createKfuncMeta, type KfuncMeta } from "./kfunc-meta.ts"
import { markKfuncResult } from "./kfunc-result.ts"
import { type KfuncRule, kfuncAt } from "./kfunc-table.ts"
import { releaseReference, untrustRcuPointers } from "./references.ts"

const S32_MIN = -0x80000000
const S32_MAX = 0x7fffffff

/** Kfuncs that only programs bound to a device may call. */
const METADATA = /^bpf_xdp_metadata_/

/** That the function which a call names exists, whoever may call it; `seen`: those before. */
function checkReference(v: Verifier, insn: number, seen: Set<number>): void {
  const { code, input } = v
  const refuse = (errno: number, text: string): never =>
    v.reject(errno, text, { rule: "kfunc-reference" })
  if (!input.gplCompatible)
    refuse(ERRNO.EINVAL, "cannot call kernel function from non-GPL compatible program")
  const id = code.imm[insn]
  const offset = code.off[insn]
  // An unresolved call may still turn out to be dead.
  if (id === 0 && offset === 0) return
  if (seen.has(id) && offset === 0) return
  if (seen.size === MAX_KFUNC_DESCS) refuse(ERRNO.E2BIG, "too many different kernel function calls")
  if (offset < 0)
    refuse(
      ERRNO.EINVAL,
      "negative offset disallowed for kernel module function call\nfailed to find BTF for kernel function",
    )
  if (offset > 0)
    refuse(
      ERRNO.EPROTO,
      "kfunc offset > 0 without fd_array is invalid\nfailed to find BTF for kernel function",
    )
  const rule = kfuncAt(v, insn)
  if (rule === null) refuse(ERRNO.EINVAL, `kernel btf_id ${id >>> 0} is not a function`)
  if (METADATA.test(rule?.name ?? ""))
    refuse(ERRNO.EINVAL, "metadata kfuncs require device-bound program")
  seen.add(id)
}

function isKfuncCall({ code }: Verifier, insn: number): boolean {
  return code.opcode[insn] === (BPF_JMP | BPF_CALL) && code.src[insn] === BPF_PSEUDO_KFUNC_CALL
}

/** Before exploration: all functions that the program calls, or that handle it, exist. */
export function checkKfuncReferences(v: Verifier): void {
  const seen = new Set<number>()
  for (let insn = 0; insn < v.code.length; insn++)
    if (isKfuncCall(v, insn)) checkReference(v, insn, seen)
  checkExceptionCallback(v)
}

/** After exploration: instruction `insn`, which is not dead, calls a function that nobody resolved. */
export function isUnresolvedKfunc(v: Verifier, insn: number): boolean {
  return v.code.imm[insn] === 0 && isKfuncCall(v, insn)
}

function permitted(v: Verifier): KfuncRule {
  const rule = kfuncAt(v, v.insn)
  if (rule === null)
    return v.reject(ERRNO.EINVAL, `kernel btf_id ${v.code.imm[v.insn] >>> 0} is not a function`)
  if (!rule.allowed)
    v.reject(ERRNO.EACCES, `calling kernel function ${rule.name} is not allowed`, {
      rule: "kfunc",
      subject: rule.name,
    })
  return rule
}

/** A resilient lock may not be taken after all: that way goes on with an error in R0. */
function forkFailedLock(v: Verifier): void {
  const branch = v.pushBranch(v.insn + 1, v.insn, false)
  const { domain } = v
  v.within(branch, () => {
    for (let n = 0; n <= 5; n++) domain.markNotInit(v.reg(n))
    domain.markUnknown(v.reg(0))
    domain.setBounds(v.reg(0), -4095, -1, -1, -1)
    setSubregDef(domain, v.reg(0), v.insn + 1)
  })
}

function pushCallbacks(v: Verifier, rule: KfuncRule, meta: KfuncMeta): void {
  const { subprogram } = meta
  switch (rule.name) {
    case "bpf_rbtree_add_impl": {
      const graph = meta.root?.graph
      if (!graph) return
      const pass = (_from: (n: number) => number, to: (n: number) => number): void => {
        for (const n of [1, 2]) {
          markGraphNode(v, to(n), graph)
          markNonOwning(v, to(n))
        }
      }
      pushCallback(v, { subprogram, later: null, min: 0, max: 1, pass })
      break
    }
    case "bpf_wq_set_callback_impl":
      pushElementCallback(v, { subprogram, element: 1, sleepable: true, min: 0, max: 0 })
      break
    case "bpf_task_work_schedule_signal_impl":
    case "bpf_task_work_schedule_resume_impl":
      pushElementCallback(v, {
        subprogram,
        element: 3,
        sleepable: true,
        min: S32_MIN,
        max: S32_MAX,
      })
      break
  }
}

function passRcu(v: Verifier, rule: KfuncRule, sleepable: boolean): void {
  const { state } = v
  const { name } = rule
  const locks = name === "bpf_rcu_read_lock"
  const unlocks = name === "bpf_rcu_read_unlock"
  if (state.activeRcuLocks === 0) {
    if (locks) state.activeRcuLocks = 1
    if (unlocks) v.reject(ERRNO.EINVAL, `unmatched rcu read unlock (kernel function ${name})`)
    return
  }
  if ((locks || unlocks) && inTreeCallback(v))
    v.reject(ERRNO.EACCES, "Calling bpf_rcu_read_{lock,unlock} in unnecessary rbtree callback")
  if (locks) v.reject(ERRNO.EINVAL, `nested rcu read lock (kernel function ${name})`)
  if (unlocks) {
    untrustRcuPointers(v)
    state.activeRcuLocks = 0
  } else if (sleepable)
    v.reject(ERRNO.EACCES, `kernel func ${name} is sleepable within rcu_read_lock region`)
}

function passPreemption(v: Verifier, rule: KfuncRule, sleepable: boolean): void {
  const { state } = v
  const { name } = rule
  if (name === "bpf_preempt_disable") state.activePreemptLocks++
  else if (name === "bpf_preempt_enable") {
    if (state.activePreemptLocks === 0)
      v.reject(ERRNO.EINVAL, `unmatched attempt to enable preemption (kernel function ${name})`)
    state.activePreemptLocks--
  } else if (sleepable && state.activePreemptLocks > 0)
    v.reject(ERRNO.EACCES, `kernel func ${name} is sleepable within non-preemptible region`)
}

/** Sections that the kfunc opens or closes, or may not be called in. */
function passSections(v: Verifier, rule: KfuncRule, sleepable: boolean): void {
  passRcu(v, rule, sleepable)
  passPreemption(v, rule, sleepable)
  if (sleepable && v.state.activeIrqId !== 0)
    v.reject(ERRNO.EACCES, `kernel func ${rule.name} is sleepable within IRQ-disabled region`)
  if (rule.has("rcu_protected") && !inRcuSection(v))
    v.reject(ERRNO.EACCES, `kernel func ${rule.name} requires RCU critical section protection`)
}

function release(v: Verifier, rule: KfuncRule, meta: KfuncMeta): void {
  const { domain } = v
  const missing = (): never =>
    v.reject(ERRNO.EINVAL, `kfunc ${rule.name}#${rule.id} reference has not been acquired before`, {
      rule: "release",
      subject: rule.name,
    })
  if (meta.releaseRegno !== 0) {
    const reg = v.reg(meta.releaseRegno)
    if (meta.dynptr !== null && meta.dynptr.refObjId !== 0) releaseDynptr(v, reg)
    else if (!releaseReference(v, refObjIdOf(domain, reg))) missing()
  }
  const moves =
    rule.name === "bpf_list_push_front_impl" ||
    rule.name === "bpf_list_push_back_impl" ||
    rule.name === "bpf_rbtree_add_impl"
  if (!moves) return
  const id = refObjIdOf(domain, v.reg(2))
  giveToGraph(v, id)
  if (!releaseReference(v, id)) missing()
}

/** Checks the current instruction, a call of a kernel function, and gives R0 its result. */
export function checkKfuncCall(v: Verifier): void {
  const { code, domain, insn } = v
  // A call that was not resolved is refused at the end, unless it is dead.
  if (code.imm[insn] === 0) return
  const rule = permitted(v)
  if (rule.name === "bpf_res_spin_lock" || rule.name === "bpf_res_spin_lock_irqsave")
    forkFailedLock(v)
  else if (rule.name === "__bpf_trap")
    v.reject(ERRNO.EFAULT, "unexpected __bpf_trap() due to uninitialized variable?", {
      rule: "trap",
    })
  const sleepable = rule.has("sleepable")
  if (sleepable && !v.state.inSleepable)
    v.reject(ERRNO.EACCES, `program must be sleepable to call sleepable kfunc ${rule.name}`, {
      rule: "sleep",
      subject: rule.name,
    })
  const meta = createKfuncMeta()
  checkKfuncArguments(v, rule, meta)
  if (rule.name === "bpf_session_cookie") meta.resultSize = 8
  pushCallbacks(v, rule, meta)
  passSections(v, rule, sleepable)
  release(v, rule, meta)
  if (rule.name === "bpf_throw" && !code.subprograms.some((known) => known.isExceptionCallback))
    checkReturnValue(v, 1)
  for (let n = 0; n <= 5; n++) {
    domain.markNotInit(v.reg(n))
    setSubregDef(domain, v.reg(n), DEF_NOT_SUBREG)
  }
  markKfuncResult(v, rule, meta)
  if (rule.name === "bpf_xdp_pull_data") forgetPacket(v)
  v.scratchRegister(0)
  if (rule.has("iter_next") && meta.iterator !== null) forkIteratorNext(v, meta.iterator)
}
