/**
 * ld_imm64: constants, maps, map values, kernel variables, functions.
 *
 * Source: linux v6.18 kernel/bpf/verifier.c check_ld_imm.
 */

import {
  BPF_DW,
  BPF_PSEUDO_BTF_ID,
  BPF_PSEUDO_FUNC,
  BPF_PSEUDO_MAP_IDX_VALUE,
  BPF_PSEUDO_MAP_VALUE,
} from "../../../isa/opcode.ts"
import { opcodeSize } from "../../../isa/predicates.ts"
import { ERRNO } from "../../../spec/errno.ts"
import { BPF_MAP_TYPE } from "../../../spec/map-types.ts"
import { CONST_PTR_TO_MAP, PTR_TO_FUNC, PTR_TO_MAP_VALUE } from "../../state/register-types.ts"
import { setA, setB, setOff, setType } from "../../state/registers.ts"
import { DST_OP, type Verifier } from "../../verifier.ts"
import { kernelSymbolAt } from "./kernel-symbol.ts"

/** The current instruction is BPF_LD | BPF_IMM | BPF_DW; its second slot is skipped (v.insn += 1). */
export function checkLoadImmediate(v: Verifier): void {
  const { code, insn } = v
  const d = v.domain
  if (opcodeSize(code.opcode[insn]) !== BPF_DW)
    v.reject(ERRNO.EINVAL, "invalid BPF_LD_IMM insn", { rule: "load-immediate" })
  if (code.off[insn] !== 0)
    v.reject(ERRNO.EINVAL, "BPF_LD_IMM64 uses reserved fields", { rule: "reserved-fields" })
  const dst = code.dst[insn]
  v.checkRegister(dst, DST_OP)
  const reg = v.reg(dst)
  const pseudo = code.src[insn]
  if (pseudo === 0) d.markKnown(reg, code.imm[insn], code.imm[insn + 1])
  else {
    d.markKnownZero(reg)
    if (pseudo === BPF_PSEUDO_BTF_ID) loadKernelSymbol(v, reg)
    else if (pseudo === BPF_PSEUDO_FUNC) loadFunction(v, reg)
    else loadMap(v, reg, pseudo)
  }
  v.insn++
}

function loadKernelSymbol(v: Verifier, reg: number): void {
  const symbol = kernelSymbolAt(v, v.insn)
  setType(v.domain, reg, symbol.type)
  setA(v.domain, reg, symbol.a)
  setB(v.domain, reg, symbol.b)
}

function loadFunction(v: Verifier, reg: number): void {
  const subprog = v.subprogramIndex(v.insn + v.code.imm[v.insn] + 1)
  if (v.input.funcInfo.length === 0)
    v.reject(ERRNO.EINVAL, "missing btf func_info", { rule: "callback" })
  if (v.code.subprograms[subprog]?.linkage !== "static")
    v.reject(ERRNO.EINVAL, "callback function not static", { rule: "callback" })
  setType(v.domain, reg, PTR_TO_FUNC)
  setA(v.domain, reg, subprog)
}

function loadMap(v: Verifier, reg: number, pseudo: number): void {
  const d = v.domain
  const map = v.code.mapIndex[v.insn]
  if (pseudo !== BPF_PSEUDO_MAP_VALUE && pseudo !== BPF_PSEUDO_MAP_IDX_VALUE)
    setType(d, reg, CONST_PTR_TO_MAP)
  else if (v.maps[map].type === BPF_MAP_TYPE.BPF_MAP_TYPE_ARENA) d.markUnknown(reg)
  else {
    setType(d, reg, PTR_TO_MAP_VALUE)
    setOff(d, reg, v.code.imm[v.insn + 1])
  }
  setA(d, reg, map)
}
