/**
 * BPF_LD_ABS and BPF_LD_IND: classic BPF's packet loads, through the socket buffer in R6.
 *
 * Source: linux v6.18 kernel/bpf/verifier.c check_ld_abs.
 */

import { BPF_ABS, BPF_DW, BPF_IND } from "../../../isa/opcode.ts"
import { opcodeMode, opcodeSize } from "../../../isa/predicates.ts"
import { ERRNO } from "../../../spec/errno.ts"
import { BPF_PROG_TYPE as PT } from "../../../spec/program-types.ts"
import { FRAME_SUBPROGNO } from "../../state/layout.ts"
import { PTR_TO_CTX } from "../../state/register-types.ts"
import { setSubregDef, typeOf } from "../../state/registers.ts"
import { DST_OP_NO_MARK, SRC_OP, type Verifier } from "../../verifier.ts"
import { prepareFunctionExit } from "../calls/subprogram.ts"
import { checkResourceLeak } from "../exit/leaks.ts"
import { checkPointerOffset } from "../pointers/offset.ts"

const CONTEXT_REGISTER = 6

/** The current instruction is BPF_LD | BPF_ABS or BPF_LD | BPF_IND. */
export function checkLegacyLoad(v: Verifier): void {
  const { code, insn } = v
  const opcode = code.opcode[insn]
  const mode = opcodeMode(opcode)
  const { type } = v.input
  if (
    type !== PT.BPF_PROG_TYPE_SOCKET_FILTER &&
    type !== PT.BPF_PROG_TYPE_SCHED_CLS &&
    type !== PT.BPF_PROG_TYPE_SCHED_ACT
  )
    v.reject(ERRNO.EINVAL, "BPF_LD_[ABS|IND] instructions not allowed for this program type", {
      rule: "legacy-load",
    })
  if (
    code.dst[insn] !== 0 ||
    code.off[insn] !== 0 ||
    opcodeSize(opcode) === BPF_DW ||
    (mode === BPF_ABS && code.src[insn] !== 0)
  )
    v.reject(ERRNO.EINVAL, "BPF_LD_[ABS|IND] uses reserved fields", { rule: "reserved-fields" })
  v.checkRegister(CONTEXT_REGISTER, SRC_OP)
  // A load beyond the packet's end ends the program, which must leave nothing behind.
  checkResourceLeak(v, false, true, "BPF_LD_[ABS|IND]")
  const context = v.reg(CONTEXT_REGISTER)
  if (typeOf(v.domain, context) !== PTR_TO_CTX)
    v.reject(ERRNO.EINVAL, "at the time of BPF_LD_ABS|IND R6 != pointer to skb", {
      rule: "legacy-load",
      register: CONTEXT_REGISTER,
    })
  if (mode === BPF_IND) v.checkRegister(code.src[insn], SRC_OP)
  checkPointerOffset(v, context, CONTEXT_REGISTER, false)
  for (let regno = 0; regno <= 5; regno++) {
    v.domain.markNotInit(v.reg(regno))
    v.checkRegister(regno, DST_OP_NO_MARK)
  }
  v.markUnknown(0)
  setSubregDef(v.domain, v.reg(0), insn + 1)
  if (v.currentFrameNumber > 0) leaveFrame(v)
}

/** Beyond the packet's end, a function of the program returns 0: that is explored first. */
function leaveFrame(v: Verifier): void {
  const subprogram = v.code.subprograms[v.domain.i32[(v.currentFrame() + FRAME_SUBPROGNO) >> 2]]
  if (subprogram !== undefined && !returnsInt(v, subprogram.typeId))
    v.reject(ERRNO.EINVAL, "LD_ABS is only allowed in functions that return 'int'.", {
      rule: "legacy-load",
    })
  v.pushBranch(v.insn + 1, v.insn, false)
  v.domain.markKnownZero(v.reg(0))
  prepareFunctionExit(v)
}

/** Functions without a type are taken to. */
function returnsInt(v: Verifier, typeId: number): boolean {
  const { btf } = v.input
  if (btf === null || typeId === 0) return true
  const proto = btf.typeOf(btf.typeOf(typeId, "func").type, "func_proto")
  const { kind } = btf.resolve(proto.returnType)
  return kind === "int" || kind === "enum" || kind === "enum64"
}
