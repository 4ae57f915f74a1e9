/** What may be called while a spin lock is held. */

import { BPF_PSEUDO_CALL, BPF_PSEUDO_KFUNC_CALL } from "../../isa/index.ts"
import { HELPERS } from "../../spec/index.ts"
import { kfuncAllowedUnderLock, kfuncAt } from "../rules/calls/kfunc-table.ts"
import type { Explorer } from "./explorer.ts"

/** Whether the current call is allowed with a lock held; global functions are refused elsewhere. */
export function mayCallUnderLock(x: Explorer): boolean {
  const { code, insn } = x
  const kind = code.src[insn]
  if (kind === BPF_PSEUDO_CALL) return true
  if (kind !== BPF_PSEUDO_KFUNC_CALL) return HELPERS[code.imm[insn]]?.name === "spin_unlock"
  const kfunc = kfuncAt(x, insn)
  return kfunc !== null && kfuncAllowedUnderLock(kfunc.name)
}
