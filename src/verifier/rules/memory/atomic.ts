/**
 * BPF_ATOMIC: read-modify-write, exchange, load-acquire, store-release.
 *
 * Source: linux v6.18 kernel/bpf/verifier.c check_atomic.
 */

import {
  BPF_ADD,
  BPF_AND,
  BPF_CMPXCHG,
  BPF_DW,
  BPF_FETCH,
  BPF_LOAD_ACQ,
  BPF_OR,
  BPF_STORE_REL,
  BPF_W,
  BPF_XCHG,
  BPF_XOR,
} from "../../../isa/opcode.ts"
import { accessBytes, opcodeSize } from "../../../isa/predicates.ts"
import { ERRNO } from "../../../spec/errno.ts"
import { registerTypeName } from "../../log/type-names.ts"
import {
  BASE_TYPE_MASK,
  PTR_TO_ARENA,
  PTR_TO_CTX,
  PTR_TO_FLOW_KEYS,
  PTR_TO_PACKET,
  PTR_TO_PACKET_META,
  PTR_TO_SOCK_COMMON,
  PTR_TO_SOCKET,
  PTR_TO_TCP_SOCK,
  PTR_TO_XDP_SOCK,
} from "../../state/register-types.ts"
import { typeOf } from "../../state/registers.ts"
import { DST_OP, SRC_OP, type Verifier } from "../../verifier.ts"
import { checkLoad, checkStore, savePointerType } from "./load-store.ts"
import { access } from "./memory-access.ts"
import { leaksPointer } from "./values.ts"

/** The current instruction is BPF_STX | BPF_ATOMIC. */
export function checkAtomic(v: Verifier): void {
  const { code, insn } = v
  const operation = code.imm[insn]
  switch (operation) {
    case BPF_LOAD_ACQ:
      checkLoad(v, false, true, false)
      checkPointer(v, code.src[insn], "loads from")
      return
    case BPF_STORE_REL:
      checkStore(v, true)
      checkPointer(v, code.dst[insn], "stores into")
      return
    case BPF_ADD:
    case BPF_ADD | BPF_FETCH:
    case BPF_AND:
    case BPF_AND | BPF_FETCH:
    case BPF_OR:
    case BPF_OR | BPF_FETCH:
    case BPF_XOR:
    case BPF_XOR | BPF_FETCH:
    case BPF_XCHG:
    case BPF_CMPXCHG:
      checkReadModifyWrite(v, operation)
      return
    default:
      v.reject(
        ERRNO.EINVAL,
        `BPF_ATOMIC uses invalid atomic opcode ${(operation >>> 0).toString(16).padStart(2, "0")}`,
      )
  }
}

function checkReadModifyWrite(v: Verifier, operation: number): void {
  const { code, insn } = v
  const src = code.src[insn]
  const dst = code.dst[insn]
  const width = opcodeSize(code.opcode[insn])
  if (width !== BPF_W && width !== BPF_DW)
    v.reject(ERRNO.EINVAL, "invalid atomic operand size", { rule: "atomic-size" })
  v.checkRegister(src, SRC_OP)
  v.checkRegister(dst, SRC_OP)
  if (operation === BPF_CMPXCHG) {
    v.checkRegister(0, SRC_OP)
    checkNoLeak(v, 0)
  }
  checkNoLeak(v, src)
  checkPointer(v, dst, "stores into")
  let loaded = -1
  if (operation & BPF_FETCH) {
    loaded = operation === BPF_CMPXCHG ? 0 : src
    v.checkRegister(loaded, DST_OP)
  }
  const off = code.off[insn]
  const size = accessBytes(code.opcode[insn])
  // The first read asks whether the memory may be read at all, the second fills the register.
  access(v, insn, dst, off, size, false, -1, true, false)
  if (loaded >= 0) access(v, insn, dst, off, size, false, loaded, true, false)
  if (typeOf(v.domain, v.reg(dst)) === PTR_TO_ARENA) savePointerType(v, insn, PTR_TO_ARENA)
  access(v, insn, dst, off, size, true, -1, true, false)
}

function checkNoLeak(v: Verifier, regno: number): void {
  if (leaksPointer(v, v.reg(regno)))
    v.reject(ERRNO.EACCES, `R${regno} leaks addr into mem`, { rule: "pointer-leak" })
}

function checkPointer(v: Verifier, regno: number, what: string): void {
  const type = typeOf(v.domain, v.reg(regno))
  switch (type & BASE_TYPE_MASK) {
    case PTR_TO_PACKET:
    case PTR_TO_PACKET_META:
    case PTR_TO_CTX:
    case PTR_TO_FLOW_KEYS:
    case PTR_TO_SOCKET:
    case PTR_TO_SOCK_COMMON:
    case PTR_TO_TCP_SOCK:
    case PTR_TO_XDP_SOCK:
      v.reject(
        ERRNO.EACCES,
        `BPF_ATOMIC ${what} R${regno} ${registerTypeName(type)} is not allowed`,
        { rule: "atomic-pointer", register: regno },
      )
  }
}
