/**
 * Whether the program may be for the target that it names, and whether programs of its kind may
 * sleep. What only a running kernel knows (lists of functions that may not be traced, addresses)
 * is not checked.
 *
 * Source: linux v6.18 kernel/bpf/verifier.c check_attach_btf_id, kernel/bpf/bpf_lsm.c
 * bpf_lsm_verify_prog.
 */

import { ERRNO } from "../../../spec/errno.ts"
import {
  BPF_ATTACH_TYPE as AT,
  BPF_PROG_FLAG,
  BPF_PROG_TYPE as PT,
} from "../../../spec/program-types.ts"
import type { AttachTarget } from "../../input.ts"
import type { Verifier } from "../../verifier.ts"

/** Hooks that no BPF program may be attached to. */
const DISABLED_HOOKS: ReadonlySet<string> = new Set(
  `vm_enough_memory inode_need_killpriv inode_getsecurity inode_listsecurity inode_copy_up_xattr
   getselfattr getprocattr setprocattr key_getsecurity audit_rule_match ismaclabel`
    .split(/\s+/)
    .filter((name) => name !== ""),
)

/** Linux: check_attach_btf_id. Throws a Rejection when the program cannot be for its target. */
export function checkAttachTarget(v: Verifier): void {
  const { type, flags, target } = v.input
  const sleepable = (flags & BPF_PROG_FLAG.BPF_F_SLEEPABLE) !== 0
  if (type === PT.BPF_PROG_TYPE_SYSCALL) {
    if (!sleepable) refuse(v, "Syscall programs can only be sleepable")
    return
  }
  if (sleepable && !canSleep(v))
    refuse(
      v,
      "Only fentry/fexit/fmod_ret, lsm, iter, uprobe, and struct_ops programs can be sleepable",
    )
  if (target === null) return
  if (type === PT.BPF_PROG_TYPE_LSM) checkHook(v, target)
  else if (type === PT.BPF_PROG_TYPE_TRACING) checkKind(v, target)
}

function refuse(v: Verifier, message: string): never {
  v.insn = -1
  v.reject(ERRNO.EINVAL, message, { rule: "attach-target" })
}

function canSleep(v: Verifier): boolean {
  const { type, expectedAttachType } = v.input
  switch (type) {
    case PT.BPF_PROG_TYPE_TRACING:
      return (
        expectedAttachType === AT.BPF_TRACE_FENTRY ||
        expectedAttachType === AT.BPF_TRACE_FEXIT ||
        expectedAttachType === AT.BPF_MODIFY_RETURN ||
        expectedAttachType === AT.BPF_TRACE_ITER
      )
    case PT.BPF_PROG_TYPE_LSM:
    case PT.BPF_PROG_TYPE_KPROBE: // uprobes
    case PT.BPF_PROG_TYPE_STRUCT_OPS:
      return true
    default:
      return false
  }
}

function checkHook(v: Verifier, target: AttachTarget): void {
  if (!v.input.gplCompatible) refuse(v, "LSM programs must have a GPL compatible license")
  const name = target.name.replace(/^bpf_lsm_/, "")
  if (DISABLED_HOOKS.has(name))
    refuse(v, `attach_btf_id ${target.btfId} points to disabled hook bpf_lsm_${name}`)
}

function checkKind(v: Verifier, { btf, btfId }: AttachTarget): void {
  if (btfId <= 0 || btfId >= btf.typeCount) return
  const { kind, name } = btf.type(btfId)
  if (v.input.expectedAttachType !== AT.BPF_TRACE_RAW_TP) {
    if (kind !== "func") refuse(v, `attach_btf_id ${btfId} is not a function`)
    return
  }
  if (kind !== "typedef") refuse(v, `attach_btf_id ${btfId} is not a typedef`)
  if (!name.startsWith("btf_trace_"))
    refuse(v, `attach_btf_id ${btfId} points to wrong type name ${name}`)
}
