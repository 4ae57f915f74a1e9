/**
 * What must be given back before a program ends, or leaves by a tail call.
 *
 * Source: linux v6.18 kernel/bpf/verifier.c check_resource_leak, check_reference_leak.
 */

import { ERRNO } from "../../../spec/errno.ts"
import { BPF_PROG_TYPE } from "../../../spec/program-types.ts"
import { refObjIdOf } from "../../state/registers.ts"
import type { Verifier } from "../../verifier.ts"

/** A struct_ops program may return a reference to the kernel: its type is checked with R0. */
function isReturned(v: Verifier, id: number): boolean {
  return (
    v.input.type === BPF_PROG_TYPE.BPF_PROG_TYPE_STRUCT_OPS && refObjIdOf(v.domain, v.reg(0)) === id
  )
}

function checkReferences(v: Verifier, exceptionExit: boolean, prefix: string): void {
  if (v.state.refs.length === 0) return
  if (!exceptionExit && v.currentFrameNumber > 0) return
  let leaked = false
  for (const { kind, id, insn } of v.state.refs) {
    if (kind !== "ptr" || (!exceptionExit && isReturned(v, id))) continue
    v.verbose(`Unreleased reference id=${id} alloc_insn=${insn}\n`)
    leaked = true
  }
  if (leaked)
    v.reject(ERRNO.EINVAL, `${prefix} would lead to reference leak`, { rule: "reference-leak" })
}

/**
 * Rejects when references, and with `checkLock` locks or sections, are still held. `prefix` is how
 * the message calls the place: "BPF_EXIT instruction in main prog", "tail_call", "bpf_throw".
 */
export function checkResourceLeak(
  v: Verifier,
  exceptionExit: boolean,
  checkLock: boolean,
  prefix: string,
): void {
  const { state } = v
  const refuse = (region: string): never =>
    v.reject(ERRNO.EINVAL, `${prefix} cannot be used inside ${region}-ed region`, {
      rule: "held-section",
      subject: region,
    })
  if (checkLock && state.activeLocks > 0) refuse("bpf_spin_lock")
  checkReferences(v, exceptionExit, prefix)
  if (!checkLock) return
  if (state.activeIrqId !== 0) refuse("bpf_local_irq_save")
  if (state.activeRcuLocks > 0) refuse("bpf_rcu_read_lock")
  if (state.activePreemptLocks > 0) refuse("bpf_preempt_disable")
}
