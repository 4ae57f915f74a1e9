/**
 * Whether packet addresses ever leave the registers: stored to memory, given to a helper, or
 * returned. When
 * none can, nobody sees their tags, and loads from the context need not add them.
 */

import * as code from "../interpreter/code.ts"
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
  for (const { structure, values } of functions) {
    const { graph } = structure
    for (let block = 0; block < graph.count; block++) {
      registers.load(values, block)
      for (let slot = graph.start[block]; slot < graph.end[block]; slot++) {
        const at = slot * code.WORDS
        const operation = words[at + code.WORD_OP]
        if (isStore(operation) && mayBePacket(words[at + code.WORD_SRC])) return true
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

function isMain(graph: FunctionGraph): boolean {
  return graph.slot === 0
}

/** What puts eight bytes of a register into memory. */
function isStore(operation: number): boolean {
  return operation === 0x7b || operation === code.OP_ATOMIC64 || operation === code.OP_STORE_RELEASE
}
