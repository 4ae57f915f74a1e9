/**
 * Whether packet addresses ever leave the registers (stored to memory, given to a helper, returned),
 * or are looked at other than as addresses. When that cannot be, nobody sees their tags, and loads from the context need not add them.
 */

import * as code from "../interpreter/code.ts"
import { BPF_ADD, BPF_ALU, BPF_ALU64, BPF_JMP32, BPF_MOV, BPF_SUB, BPF_XOR } from "../isa/index.ts"
import { END, type FunctionGraph } from "./cfg.ts"
import type { FunctionInfo, ProgramContext } from "./program.ts"
import { PACKET, RegisterValues, UNKNOWN } from "./values.ts"

export function packetEscapes(
  context: ProgramContext,
  functions: readonly FunctionInfo[],
  argumentCount: (slot: number) => number,
): boolean {
  const contextFields = context.options.contextFields ?? []
  const registers = new RegisterValues(context.code, { contextFields })
  const { words } = context.code
  const mayBePacket = (operand: number): boolean => {
    if (operand >= code.REGISTER_WORDS) return false
    const kind = registers.kind[operand >> 1]
    return kind === PACKET || kind === UNKNOWN
  }
  const isPacket = (operand: number): boolean =>
    operand < code.REGISTER_WORDS && registers.kind[operand >> 1] === PACKET
  for (const { structure, values } of functions) {
    const { graph } = structure
    for (let block = 0; block < graph.count; block++) {
      registers.load(values, block)
      for (let slot = graph.start[block]; slot < graph.end[block]; slot++) {
        const at = slot * code.WORDS
        const operation = words[at + code.WORD_OP]
        if (isStore(operation) && mayBePacket(words[at + code.WORD_SRC])) return true
        if (looksAtAddress(words[at + code.WORD_WIRE])) {
          if (isPacket(words[at + code.WORD_SRC]) || isPacket(words[at + code.WORD_DST]))
            return true
        }
        if (operation === code.OP_CALL_REGISTER) return true
        if (operation === 0x85)
          for (let register = argumentCount(slot); register > 0; register--)
            if (mayBePacket(2 * register)) return true
        registers.step(slot)
        if (operation === 0x18) slot++
      }
      if (isMain(graph) && graph.kind[block] === END.exit && mayBePacket(0)) return true
    }
  }
  return false
}

/**
 * Operations after which an address without its tag could be told from one with it: on the lower
 * half alone, and those in which the tags of two addresses do not cancel out.
 */
function looksAtAddress(opcode: number): boolean {
  const class_ = opcode & 7
  if (class_ === BPF_ALU || class_ === BPF_JMP32) return true
  if (class_ !== BPF_ALU64) return false
  const operation = opcode & 0xf0
  return (
    operation !== BPF_ADD && operation !== BPF_SUB && operation !== BPF_MOV && operation !== BPF_XOR
  )
}

function isMain(graph: FunctionGraph): boolean {
  return graph.slot === 0
}

/** What puts eight bytes of a register into memory. */
function isStore(operation: number): boolean {
  return operation === 0x7b || operation === code.OP_ATOMIC64 || operation === code.OP_STORE_RELEASE
}
