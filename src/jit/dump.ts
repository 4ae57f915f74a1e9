/**
 * What the compiler has made of a program, as text: for each function its blocks (slots, how they
 * end, where they lie in the nest of loops and blocks, what registers are known to hold), and the
 * instructions of the module.
 */

import type { Executable } from "../interpreter/machine.ts"
import { END } from "./cfg.ts"
import { analyse, compileProgram } from "./compile.ts"
import { op, opcodeNames } from "./opcodes.ts"
import type { CompileOptions } from "./options.ts"
import type { FunctionInfo, ProgramContext } from "./program.ts"
import { CONSTANT, CONTEXT, constantAt, OTHER, PACKET, REGISTERS, STACK } from "./values.ts"

const ENDS: Readonly<Record<number, string>> = Object.fromEntries(
  Object.entries(END).map(([name, kind]) => [kind, name]),
)

/** The analysis of all functions, and the module's code, as lines of text. */
export function dumpProgram<E>(executable: Executable<E>, options: CompileOptions): string {
  const context = analyse(executable as Executable<never>, options)
  const { bytes, dispatches } = compileProgram(executable, options)
  const checks = options.checked ? "every access checked" : "no checks"
  const lines = [
    `program ${executable.name}: ${executable.length} slots, ${bytes.length} bytes of WebAssembly, ${checks}`,
  ]
  if (dispatches > 0) lines.push(`  ${dispatches} dispatches for irreducible loops`)
  for (const info of context.functions) lines.push(...dumpFunction(context, info))
  lines.push(...disassembleModule(bytes))
  return `${lines.join("\n")}\n`
}

function dumpFunction(context: ProgramContext, info: FunctionInfo): string[] {
  const { graph, dominators, isLoop, isMerge } = info.structure
  const registers = info.parameters.map((register) => `r${register}`).join(" ")
  const lines = [
    "",
    `function at slot ${info.slot} (${registers})${info.inlined ? ", written into its callers" : ""}`,
  ]
  for (let block = 0; block < graph.count; block++) {
    const marks = [
      isLoop[block] === 1 ? "loop" : "",
      isMerge[block] === 1 ? "merge" : "",
      block > 0 ? `below ${dominators.parent[block]}` : "",
    ]
    const targets = [graph.taken[block], graph.next[block]].filter((target) => target >= 0)
    const range = `${graph.start[block]}..${graph.end[block]}`
    lines.push(
      `  block ${block}: slots ${range} ${ENDS[graph.kind[block]]} → ${targets.join(", ") || "-"}  ${marks.filter((mark) => mark !== "").join(", ")}`.trimEnd(),
    )
    const known = knownRegisters(context, info, block)
    if (known !== "") lines.push(`    ${known}`)
  }
  return lines
}

function knownRegisters({ code }: ProgramContext, info: FunctionInfo, block: number): string {
  const texts: string[] = []
  for (let register = 0; register < 10; register++) {
    const at = block * REGISTERS + register
    const payload = info.values.payload[at]
    const signed = payload < 0 ? `${payload}` : `+${payload}`
    switch (info.values.kind[at]) {
      case CONTEXT:
        texts.push(`r${register}=ctx${signed}`)
        break
      case STACK:
        texts.push(`r${register}=fp${signed}`)
        break
      case PACKET:
        texts.push(`r${register}=packet`)
        break
      case CONSTANT: {
        const [low, high] = constantAt(code, payload)
        const value = (BigInt(high) << 32n) | BigInt(low >>> 0)
        texts.push(`r${register}=${value}`)
        break
      }
      case OTHER:
        break
    }
  }
  return texts.join(" ")
}

/** Reads a module back: the instructions of each function, indented by nesting. */
function disassembleModule(bytes: Uint8Array): string[] {
  const reader = new Reader(bytes)
  reader.at = 8
  const lines: string[] = []
  while (reader.at < bytes.length) {
    const id = reader.byte()
    const size = reader.unsigned()
    const end = reader.at + size
    if (id === 10) {
      const count = reader.unsigned()
      for (let index = 0; index < count; index++) lines.push(...disassembleFunction(reader, index))
    }
    reader.at = end
  }
  return lines
}

class Reader {
  readonly bytes: Uint8Array
  at = 0

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }

  byte(): number {
    return this.bytes[this.at++]
  }

  unsigned(): number {
    let value = 0
    for (let shift = 0; ; shift += 7) {
      const byte = this.byte()
      value += (byte & 0x7f) * 2 ** shift
      if (byte < 0x80) return value
    }
  }

  signed(): bigint {
    let value = 0n
    for (let shift = 0n; ; shift += 7n) {
      const byte = this.byte()
      value |= BigInt(byte & 0x7f) << shift
      if (byte >= 0x80) continue
      return (byte & 0x40) !== 0 ? value - (1n << (shift + 7n)) : value
    }
  }
}

function disassembleFunction(reader: Reader, index: number): string[] {
  const end = reader.unsigned() + reader.at
  const locals: string[] = []
  for (let runs = reader.unsigned(); runs > 0; runs--) {
    const count = reader.unsigned()
    locals.push(`${count} ${reader.byte() === 0x7f ? "i32" : "i64"}`)
  }
  const lines = ["", `(func ${index}${locals.length > 0 ? ` (local ${locals.join(", ")})` : ""}`]
  let depth = 1
  while (reader.at < end) {
    const code = reader.byte()
    if (code === op.end || code === op.else) depth--
    lines.push(`${"  ".repeat(Math.max(depth, 0))}${opcodeName(code)}${operands(reader, code)}`)
    if ([op.block, op.loop, op.if, op.else].some((opener) => opener === code)) depth++
  }
  return lines
}

function opcodeName(code: number): string {
  return opcodeNames.get(code) ?? `0x${code.toString(16)}`
}

function operands(reader: Reader, code: number): string {
  if (code === op.i32_const || code === op.i64_const) return ` ${reader.signed()}`
  if (code >= op.i32_load && code <= op.i64_store32) {
    reader.unsigned()
    const offset = reader.unsigned()
    return offset === 0 ? "" : ` offset=${offset}`
  }
  switch (code) {
    case op.block:
    case op.loop:
    case op.if: {
      const type = reader.byte()
      return type === 0x40 ? "" : type === 0x7f ? " (result i32)" : " (result i64)"
    }
    case op.br_table: {
      const targets = Array.from({ length: reader.unsigned() + 1 }, () => reader.unsigned())
      return ` ${targets.join(" ")}`
    }
    case op.call_indirect:
    case op.return_call_indirect:
      return ` (type ${reader.unsigned()}) table ${reader.unsigned()}`
    case op.br:
    case op.br_if:
    case op.call:
    case op.local_get:
    case op.local_set:
    case op.local_tee:
      return ` ${reader.unsigned()}`
    case op.memory_size:
      reader.byte()
      return ""
    case op.bulk: {
      const operation = reader.unsigned()
      reader.at += operation === 10 ? 2 : 1
      return ` ${operation === 10 ? "memory.copy" : "memory.fill"}`
    }
    case op.atomic: {
      const operation = reader.unsigned()
      reader.unsigned()
      return ` 0x${operation.toString(16)} offset=${reader.unsigned()}`
    }
    default:
      return ""
  }
}
