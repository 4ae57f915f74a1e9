/**
 * LDX, ST and STX: operands, and that all paths go through pointers that are rewritten alike.
 *
 * Source: linux v6.18 kernel/bpf/verifier.c check_load_mem, check_store_reg, save_aux_ptr_type.
 */

import { BPF_LDX, BPF_MEMSX, BPF_ST } from "../../../isa/opcode.ts"
import { accessBytes, opcodeClass, opcodeMode } from "../../../isa/predicates.ts"
import { ERRNO } from "../../../spec/errno.ts"
import {
  BASE_TYPE_MASK,
  MEM_RDONLY,
  NOT_INIT,
  PTR_TO_ARENA,
  PTR_TO_BTF_ID,
  PTR_TO_CTX,
  PTR_TO_MEM,
  PTR_TO_SOCK_COMMON,
  PTR_TO_SOCKET,
  PTR_TO_TCP_SOCK,
  PTR_TO_XDP_SOCK,
  PTR_UNTRUSTED,
} from "../../state/register-types.ts"
import { typeOf } from "../../state/registers.ts"
import { DST_OP_NO_MARK, SRC_OP, type Verifier } from "../../verifier.ts"
import { access } from "./memory-access.ts"

/** The current instruction is BPF_LDX, BPF_ST or BPF_STX in mode BPF_MEM or BPF_MEMSX. */
export function checkLoadStore(v: Verifier): void {
  const opcode = v.code.opcode[v.insn]
  switch (opcodeClass(opcode)) {
    case BPF_LDX:
      checkLoad(v, opcodeMode(opcode) === BPF_MEMSX, false, true)
      return
    case BPF_ST:
      checkStoreOfImmediate(v)
      return
    default:
      checkStore(v, false)
      return
  }
}

/** `strict`: aligned to its size. `mixTrust`: paths may differ in how far they trust the pointer. */
export function checkLoad(
  v: Verifier,
  signExtend: boolean,
  strict: boolean,
  mixTrust: boolean,
): void {
  const { code, insn } = v
  const src = code.src[insn]
  const dst = code.dst[insn]
  v.checkRegister(src, SRC_OP)
  v.checkRegister(dst, DST_OP_NO_MARK)
  const type = typeOf(v.domain, v.reg(src))
  const size = accessBytes(code.opcode[insn])
  access(v, insn, src, code.off[insn], size, false, dst, strict, signExtend)
  savePointerType(v, insn, type, mixTrust)
}

/** Stores a register. */
export function checkStore(v: Verifier, strict: boolean): void {
  const { code, insn } = v
  const src = code.src[insn]
  const dst = code.dst[insn]
  v.checkRegister(src, SRC_OP)
  v.checkRegister(dst, SRC_OP)
  const type = typeOf(v.domain, v.reg(dst))
  const size = accessBytes(code.opcode[insn])
  access(v, insn, dst, code.off[insn], size, true, src, strict, false)
  savePointerType(v, insn, type)
}

function checkStoreOfImmediate(v: Verifier): void {
  const { code, insn } = v
  const dst = code.dst[insn]
  v.checkRegister(dst, SRC_OP)
  const type = typeOf(v.domain, v.reg(dst))
  const size = accessBytes(code.opcode[insn])
  access(v, insn, dst, code.off[insn], size, true, -1, false, false)
  savePointerType(v, insn, type)
}

/**
 * Notes the type of pointer that instruction `insn` goes through. "same insn cannot be used with
 * different pointers" where another path had another kind that is rewritten differently; with
 * `mix`, the more careful of two ways of reading kernel memory is taken.
 */
export function savePointerType(v: Verifier, insn: number, type: number, mix = false): void {
  const types = v.code.pointerType
  const before = types[insn]
  if (before === type) return
  if (before === NOT_INIT) {
    types[insn] = type
    return
  }
  if (!isRewritten(type) && !isRewritten(before)) return
  if (mix && isKernelMemory(type) && isKernelMemory(before)) {
    const base =
      (type & BASE_TYPE_MASK) === PTR_TO_MEM || (before & BASE_TYPE_MASK) === PTR_TO_MEM
        ? PTR_TO_MEM
        : PTR_TO_BTF_ID
    types[insn] = base | ((type | before) & (PTR_UNTRUSTED | MEM_RDONLY))
    return
  }
  v.reject(ERRNO.EINVAL, "same insn cannot be used with different pointers", {
    rule: "pointer-kinds",
  })
}

/** Kinds of pointer by which the kernel rewrites the instruction. */
function isRewritten(type: number): boolean {
  switch (type & BASE_TYPE_MASK) {
    case PTR_TO_CTX:
    case PTR_TO_SOCKET:
    case PTR_TO_SOCK_COMMON:
    case PTR_TO_TCP_SOCK:
    case PTR_TO_XDP_SOCK:
    case PTR_TO_BTF_ID:
    case PTR_TO_ARENA:
      return true
    default:
      return false
  }
}

function isKernelMemory(type: number): boolean {
  const base = type & BASE_TYPE_MASK
  return base === PTR_TO_MEM || base === PTR_TO_BTF_ID
}
