/**
 * Atomics in the kernel's and LLVM's notation, which differ in names alone (RFC 9669 §5.3, and
 * load-acquire and store-release of Linux 6.15).
 */

import * as op from "../opcode.ts"
import type { Context, MemoryOperand, Register } from "./operands.ts"
import {
  address,
  checkAccess,
  checkDataWidth,
  pointer,
  register,
  registerLike,
  sameRegister,
} from "./operands.ts"
import type { ParsedInstruction } from "./output.ts"
import type { Token } from "./tokens.ts"

type AtomicOperand = Pick<MemoryOperand, "base" | "off" | "size" | "type">

const LOCKED: Readonly<Record<string, number>> = {
  "+=": op.BPF_ADD,
  "&=": op.BPF_AND,
  "|=": op.BPF_OR,
  "^=": op.BPF_XOR,
}

const FETCHES: Readonly<Record<string, number>> = {
  add: op.BPF_ADD,
  and: op.BPF_AND,
  or: op.BPF_OR,
  xor: op.BPF_XOR,
}

/** `r1 = load_acquire((u64 *)(r2 + 0))`. */
export function loadAcquire(context: Context, dst: Register): ParsedInstruction {
  const { reader } = context
  reader.next()
  reader.expect("(", "after load_acquire")
  const memory = pointer(context)
  reader.expect(")", "after the address")
  checkAccess(context, memory, dst)
  const opcode = op.BPF_STX | op.BPF_ATOMIC | memory.size
  const { base: src, off } = memory
  return { opcode, dst: dst.number, src, off, imm: op.BPF_LOAD_ACQ }
}

/** `store_release((u64 *)(r1 + 0), r2)`. */
export function storeRelease(context: Context): ParsedInstruction {
  const { reader } = context
  reader.next()
  reader.expect("(", "after store_release")
  const memory = pointer(context)
  reader.expect(",", "before the value")
  const data = register(context, "to store")
  reader.expect(")", "after the value")
  checkAccess(context, memory, data)
  const opcode = op.BPF_STX | op.BPF_ATOMIC | memory.size
  const { base: dst, off } = memory
  return { opcode, dst, src: data.number, off, imm: op.BPF_STORE_REL }
}

/** `lock *(u64 *)(r1 + 0) += r2`. */
export function lock(context: Context): ParsedInstruction {
  const { reader } = context
  reader.next()
  reader.expect("*", "after lock")
  const memory = pointer(context)
  const operator = reader.next()
  if (!Object.hasOwn(LOCKED, operator.text))
    reader.fail(`expected += |= &= or ^=, found \`${operator.text}\``, operator)
  const data = register(context, "to combine with memory")
  checkAccess(context, memory, data)
  const imm = LOCKED[operator.text]
  return readModifyWrite(context, memory, data.number, imm)
}

function readModifyWrite(
  context: Context,
  memory: AtomicOperand,
  src: number,
  imm: number,
): ParsedInstruction {
  if (memory.size !== op.BPF_W && memory.size !== op.BPF_DW)
    context.reader.fail("this atomic works on u32 and u64", memory.type)
  const opcode = op.BPF_STX | op.BPF_ATOMIC | memory.size
  return { opcode, dst: memory.base, src, off: memory.off, imm }
}

/**
 * The atomics that bring a value back. LLVM: `r2 = atomic_fetch_add((u64 *)(r1 + 0), r2)`,
 * `w2 = xchg32_32(r1 + 0, w2)`, `r0 = cmpxchg_64(r1 + 0, r0, r2)`. The kernel:
 * `r2 = atomic64_fetch_add((u64 *)(r1 +0), r2)`, `r2 = atomic_xchg((u32 *)(r1 +0), r2)`.
 */
export function atomicResult(context: Context, dst: Register): ParsedInstruction {
  const { reader } = context
  const name = reader.next()
  const kind =
    /^atomic(?:64)?_(?:fetch_(?<fetch>add|and|or|xor)|(?<typed>xchg|cmpxchg))$/.exec(name.text) ??
    /^(?<bare>xchg|cmpxchg)(?<size>_64|32_32)$/.exec(name.text)
  const { fetch, typed, bare, size } = kind?.groups ?? {}
  if (kind === null) reader.fail(`there is no operation \`${name.text}\``, name)
  reader.expect("(", `after ${name.text}`)
  const memory = bare === undefined ? pointer(context) : bareAddress(context, name, size)
  if (bare === undefined) {
    checkAccess(context, { ...memory, signed: memory.type.text.startsWith("s") }, dst)
    if (name.text.startsWith("atomic64_") && memory.size !== op.BPF_DW)
      reader.fail(`${name.text} works on u64`, memory.type)
  } else checkDataWidth(context, memory.size, dst)
  reader.expect(",", "before the value")
  const exchange = typed ?? bare
  if (exchange === "cmpxchg") {
    if (dst.number !== 0) reader.fail("the old value goes to r0", dst.token)
    sameRegister(context, dst)
    reader.expect(",", "before the new value")
    const data = registerLike(context, dst)
    reader.expect(")", "after the new value")
    return readModifyWrite(context, memory, data.number, op.BPF_CMPXCHG)
  }
  sameRegister(context, dst)
  reader.expect(")", "after the value")
  const imm = exchange === "xchg" ? op.BPF_XCHG : FETCHES[fetch] | op.BPF_FETCH
  return readModifyWrite(context, memory, dst.number, imm)
}

/** `r1 + 0` in `xchg_64(r1 + 0, r2)`: the name tells the size. */
function bareAddress(context: Context, name: Token, size: string): AtomicOperand {
  return { ...address(context), size: size === "_64" ? op.BPF_DW : op.BPF_W, type: name }
}
