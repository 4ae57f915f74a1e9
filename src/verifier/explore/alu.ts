/**
 * Arithmetic and moves. What values become is the scalar domain's business; here is which
 * operands are allowed, and what stays linked.
 *
 * Source: RFC 9669 §4.1, §4.2; linux v6.18 Documentation/bpf/verifier.rst.
 */

import {
  BPF_ADD,
  BPF_ADDR_SPACE_CAST,
  BPF_ALU64,
  BPF_AND,
  BPF_ARSH,
  BPF_DIV,
  BPF_END,
  BPF_LSH,
  BPF_MOD,
  BPF_MOV,
  BPF_NEG,
  BPF_OR,
  BPF_RSH,
  BPF_SUB,
  BPF_X,
} from "../../isa/index.ts"
import { aluSymbol } from "../../isa/kernel-notation.ts"
import { ERRNO } from "../../spec/index.ts"
import { adjustPointer } from "../rules/pointers/arithmetic.ts"
import {
  BPF_ADD_CONST32,
  BPF_ADD_CONST64,
  DEF_NOT_SUBREG,
  PTR_TO_ARENA,
  SCALAR_VALUE,
} from "../state/register-types.ts"
import {
  baseTypeOf,
  idOf,
  isConstant,
  isPrecise,
  setId,
  setOff,
  setSubregDef,
  setType,
  typeOf,
  umaxNumber,
} from "../state/registers.ts"
import { DST_OP, DST_OP_NO_MARK, SRC_OP } from "../verifier.ts"
import type { Explorer } from "./explorer.ts"
import { frameOf, registerAt } from "./frames.ts"

/** Scratch register for immediate operands. */
const IMMEDIATE = 18

export function arithmetic(x: Explorer): void {
  const { code, insn } = x
  const operation = code.opcode[insn] & 0xf0
  if (operation === BPF_END || operation === BPF_NEG) swapOrNegate(x, operation)
  else if (operation === BPF_MOV) move(x)
  else operate(x, operation)
  x.checkBounds(x.reg(code.dst[insn]), "alu")
}

function swapOrNegate(x: Explorer, operation: number): void {
  const { code, domain, insn } = x
  const dst = code.dst[insn]
  x.checkRegister(dst, SRC_OP)
  if (x.isPointerValue(x.reg(dst)))
    x.reject(ERRNO.EACCES, `R${dst} pointer arithmetic prohibited`, {
      rule: "pointer-arithmetic",
      register: dst,
    })
  if (typeOf(domain, x.reg(dst)) === SCALAR_VALUE) {
    x.checkRegister(dst, DST_OP_NO_MARK)
    if (operation === BPF_NEG) operateOnScalars(x, x.reg(dst), x.reg(dst), operation)
    else changeByteOrder(x)
  } else {
    x.checkRegister(dst, DST_OP)
  }
  noteWidth(x, dst)
}

/** le, be and bswap keep the lower bits, as they are or reversed. */
function changeByteOrder(x: Explorer): void {
  const { code, domain, insn } = x
  const opcode = code.opcode[insn]
  const swaps = (opcode & 7) === BPF_ALU64 || (opcode & 0x08) === BPF_X
  const dst = x.reg(code.dst[insn])
  domain.byteOrder(dst, code.imm[insn], swaps ? 1 : 0)
}

function noteWidth(x: Explorer, register: number): void {
  const wide = (x.code.opcode[x.insn] & 7) === BPF_ALU64
  setSubregDef(x.domain, x.reg(register), wide ? DEF_NOT_SUBREG : x.insn + 1)
}

function move(x: Explorer): void {
  const { code, domain, insn } = x
  const opcode = code.opcode[insn]
  const wide = (opcode & 7) === BPF_ALU64
  const dst = code.dst[insn]
  if ((opcode & 0x08) !== BPF_X) {
    x.checkRegister(dst, DST_OP_NO_MARK)
    const imm = code.imm[insn]
    x.markUnknown(dst)
    domain.markKnown(x.reg(dst), imm, wide ? imm >> 31 : 0)
    setSubregDef(domain, x.reg(dst), wide ? DEF_NOT_SUBREG : insn + 1)
    return
  }
  x.checkRegister(code.src[insn], SRC_OP)
  x.checkRegister(dst, DST_OP_NO_MARK)
  if (!wide) moveHalf(x)
  else if (code.off[insn] === BPF_ADDR_SPACE_CAST) castAddress(x)
  else if (code.off[insn] === 0) moveWhole(x)
  else moveExtended(x)
}

function castAddress(x: Explorer): void {
  const { code, domain, insn } = x
  const dst = code.dst[insn]
  x.markUnknown(dst)
  // From the arena's address space to the kernel's.
  if (code.imm[insn] === 1) {
    setType(domain, x.reg(dst), PTR_TO_ARENA)
    setSubregDef(domain, x.reg(dst), insn + 1)
  }
}

/** Copies of a scalar share an id, so that bounds found for one hold for the others. */
function linkCopies(x: Explorer, src: number): void {
  const { domain } = x
  if (typeOf(domain, src) !== SCALAR_VALUE) return
  const id = idOf(domain, src)
  if ((id & (BPF_ADD_CONST64 | BPF_ADD_CONST32)) >>> 0 !== 0) {
    setId(domain, src, 0)
    setOff(domain, src, 0)
  }
  if (idOf(domain, src) !== 0 || isConstant(domain, src)) return
  setId(domain, src, x.newId())
  // A distance from registers that it was linked with before says nothing of new ones.
  setOff(domain, src, 0)
}

function moveWhole(x: Explorer): void {
  const { code, domain, insn } = x
  const src = x.reg(code.src[insn])
  const dst = x.reg(code.dst[insn])
  linkCopies(x, src)
  domain.copyReg(dst, src)
  setSubregDef(domain, dst, DEF_NOT_SUBREG)
}

function moveExtended(x: Explorer): void {
  const { code, domain, insn } = x
  const bits = code.off[insn]
  const src = x.reg(code.src[insn])
  const dst = x.reg(code.dst[insn])
  if (x.isPointerValue(src))
    x.reject(ERRNO.EACCES, `R${code.src[insn]} sign-extension part of pointer`, {
      rule: "pointer-leak",
      register: code.src[insn],
    })
  if (typeOf(domain, src) !== SCALAR_VALUE) {
    x.markUnknown(code.dst[insn])
    return
  }
  const same = umaxNumber(domain, src) < 2 ** (bits - 1)
  if (same) linkCopies(x, src)
  domain.copyReg(dst, src)
  if (!same) setId(domain, dst, 0)
  domain.coerceSext(dst, bits >> 3)
  setSubregDef(domain, dst, DEF_NOT_SUBREG)
}

function moveHalf(x: Explorer): void {
  const { code, domain, insn } = x
  const bits = code.off[insn]
  const src = x.reg(code.src[insn])
  const dst = x.reg(code.dst[insn])
  if (x.isPointerValue(src))
    x.reject(ERRNO.EACCES, `R${code.src[insn]} partial copy of pointer`, {
      rule: "pointer-leak",
      register: code.src[insn],
    })
  if (typeOf(domain, src) === SCALAR_VALUE) {
    const same =
      bits === 0 ? umaxNumber(domain, src) < 2 ** 32 : umaxNumber(domain, src) < 2 ** (bits - 1)
    if (same) linkCopies(x, src)
    domain.copyReg(dst, src)
    if (!same) setId(domain, dst, 0)
    if (bits !== 0) domain.coerceSubregSext(dst, bits >> 3)
  } else {
    x.markUnknown(code.dst[insn])
  }
  setSubregDef(domain, dst, insn + 1)
  domain.zext32(dst)
  domain.boundsSync(dst)
}

function operate(x: Explorer, operation: number): void {
  const { code, domain, insn } = x
  const opcode = code.opcode[insn]
  const fromRegister = (opcode & 0x08) === BPF_X
  const wide = (opcode & 7) === BPF_ALU64
  const dstReg = code.dst[insn]
  const srcReg = code.src[insn]
  if (fromRegister) x.checkRegister(srcReg, SRC_OP)
  x.checkRegister(dstReg, SRC_OP)
  if (!fromRegister) checkImmediate(x, operation, wide)
  x.checkRegister(dstReg, DST_OP_NO_MARK)
  noteWidth(x, dstReg)
  const dst = x.reg(dstReg)
  if (baseTypeOf(domain, dst) === PTR_TO_ARENA) return
  const dstPointer = typeOf(domain, dst) !== SCALAR_VALUE
  if (!fromRegister) {
    const immediate = x.scratch(IMMEDIATE)
    const imm = code.imm[insn]
    domain.markKnown(immediate, imm, imm >> 31)
    if (dstPointer) adjustPointer(x, dst, dst, immediate)
    else operateOnScalars(x, dst, immediate, operation)
    return
  }
  const src = x.reg(srcReg)
  const srcPointer = typeOf(domain, src) !== SCALAR_VALUE
  if (srcPointer && dstPointer) {
    // Only the distance of two pointers has a meaning.
    if (operation === BPF_SUB && x.allowPtrLeaks) x.markUnknown(dstReg)
    else
      x.reject(
        ERRNO.EACCES,
        // The kernel's words do not tell signed division from unsigned.
        `R${dstReg} pointer ${aluSymbol({ ...code.instruction(insn), off: 0 }) ?? "?"} pointer prohibited`,
        { rule: "pointer-arithmetic", register: dstReg },
      )
  } else if (srcPointer) {
    x.markPrecise(dstReg)
    adjustPointer(x, dst, src, dst)
  } else if (dstPointer) {
    x.markPrecise(srcReg)
    adjustPointer(x, dst, dst, src)
  } else {
    if (isPrecise(domain, dst)) x.markPrecise(srcReg)
    operateOnScalars(x, dst, src, operation)
  }
}

function checkImmediate(x: Explorer, operation: number, wide: boolean): void {
  const imm = x.code.imm[x.insn]
  if ((operation === BPF_DIV || operation === BPF_MOD) && imm === 0)
    x.reject(ERRNO.EINVAL, "div by zero", { rule: "division-by-zero" })
  const shift = operation === BPF_LSH || operation === BPF_RSH || operation === BPF_ARSH
  if (shift && (imm < 0 || imm >= (wide ? 64 : 32)))
    x.reject(ERRNO.EINVAL, `invalid shift ${imm}`, { rule: "invalid-shift" })
}

/**
 * A mask that is 0 or -1 (as a sign shifted over the whole word is) and then selects a constant:
 * both cases are explored, for together they would be any value.
 */
function forkOnMask(x: Explorer, dst: number, src: number, operation: number): void {
  const { code, domain, insn } = x
  const bits = domain.forkWidth(dst, src, operation)
  if (bits === 0) return
  const other = x.pushBranch(insn, insn, false)
  const frame = frameOf(domain, other, other.frames - 1)
  domain.setFork(registerAt(frame, code.dst[insn]), bits, 0)
  domain.setFork(dst, bits, -1)
}

function operateOnScalars(x: Explorer, dst: number, src: number, operation: number): void {
  const { code, domain, insn } = x
  const wide = (code.opcode[insn] & 7) === BPF_ALU64 ? 1 : 0
  if (operation === BPF_AND || operation === BPF_OR) forkOnMask(x, dst, src, operation)
  domain.alu(dst, src, operation, wide, code.off[insn])
  if (operation === BPF_NEG) return
  const links = x.bpfCapable && (operation === BPF_ADD || operation === BPF_SUB)
  if (links) domain.linkAfterAlu(dst, src, operation, wide)
  else setId(domain, dst, 0)
}
