/** How long a program takes from bytes to code that runs, by size. */

import { prepare } from "../src/interpreter/index.ts"
import { encodeProgram, type Instruction } from "../src/isa/index.ts"
import { compileProgram } from "../src/jit/index.ts"
import { type Bench, type Row, time } from "./support/bench.ts"

const SIZES = [100, 1000, 10_000, 100_000, 1_000_000]

function insn(opcode: number, dst = 0, src = 0, off = 0, imm = 0): Instruction {
  return { opcode, dst, src, off, imm }
}

/** Arithmetic, loads, stores to the stack, and a conditional jump in every eighth slot. */
function program(slots: number): Uint8Array {
  const code = [insn(0xb7), insn(0xb7, 2), insn(0xb7, 3), insn(0x7b, 10, 2, -8)]
  while (code.length < slots - 1) {
    const slot = code.length
    const kinds = [
      insn(0x07, 2, 0, 0, slot),
      insn(0x0f, 3, 2),
      insn(0x7b, 10, 3, -8),
      insn(0x79, 2, 10, -8),
      insn(0x67, 3, 0, 0, 5),
      insn(0xaf, 0, 3),
      insn(0xbc, 2, 0),
      insn(0x15, 2, 0, Math.min(5, slots - 2 - slot), slot),
    ]
    code.push(kinds[slot % kinds.length])
  }
  code.push(insn(0x95))
  return encodeProgram(code)
}

/** Nanoseconds of CPU of the fastest of a few calls: long ones need no more. */
function bestOf(calls: number, action: () => unknown): number {
  let best = Number.POSITIVE_INFINITY
  for (let call = 0; call < calls; call++) {
    const start = process.cpuUsage()
    action()
    const { user, system } = process.cpuUsage(start)
    best = Math.min(best, (user + system) * 1000)
  }
  return best
}

function measure(slots: number, effort: number): Row {
  const bytes = program(slots)
  const prepareIt = () => prepare<null>({ name: "load", program: bytes, resolveCall: () => null })
  const prepared = prepareIt()
  if (prepared.problem !== null) throw new Error(prepared.problem.message)
  const { executable } = prepared
  const options = { area: 65_536, stackTag: 0, checked: false, fuel: false }
  const compileIt = () => compileProgram(executable, options)
  const code = compileIt().bytes as BufferSource
  const best = (action: () => unknown): number =>
    slots >= 10_000 ? bestOf(slots >= 1_000_000 ? 1 : 3, action) : time(action, { effort }).bestNs
  const prepareNs = best(prepareIt)
  const compileNs = best(compileIt)
  const moduleNs = best(() => new WebAssembly.Module(code))
  const µs = 1000
  return {
    instructions: slots,
    "decode µs": prepareNs / µs,
    "translate µs": compileNs / µs,
    "WebAssembly µs": moduleNs / µs,
    "translate µs/instruction": compileNs / µs / slots,
    "bytes/instruction": (code as Uint8Array).length / slots,
  }
}

export const bench: Bench = {
  name: "load",
  question: "How long does a program take from its bytes to compiled code, by size?",
  async run({ effort }) {
    const rows = SIZES.map((slots) => measure(slots, effort))
    return {
      rows,
      notes: [
        "WebAssembly: new WebAssembly.Module, of the same bytes each time, which V8 keeps; functions are compiled when first called",
        "verification is not part of it",
      ],
    }
  },
}
