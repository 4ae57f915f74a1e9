/** Smaller programs with the same trouble: what can become a jump to the next instruction does. */

import { decodeProgram, encodeProgram, type Instruction } from "../../../src/isa/index.ts"
import type { FuzzProgram } from "./world.ts"

const NOTHING: Instruction = { opcode: 0x05, dst: 0, src: 0, off: 0, imm: 0 }
const LD_IMM64 = 0x18

/** `fails` is asked some hundred times; the result fails too. */
export function minimise(program: FuzzProgram, fails: (one: FuzzProgram) => boolean): FuzzProgram {
  let best = program
  for (let size = 8; size >= 1; size >>= 1) {
    for (let at = 0; at < decodeProgram(best.insns).length; at++) {
      const insns = decodeProgram(best.insns)
      const end = Math.min(at + size, insns.length)
      let changed = false
      for (let slot = at; slot < end; slot++) {
        if (insns[slot].opcode === NOTHING.opcode && insns[slot].off === 0) continue
        const wide = insns[slot].opcode === LD_IMM64
        insns[slot] = NOTHING
        if (wide && slot + 1 < insns.length) insns[slot + 1] = NOTHING
        changed = true
      }
      if (!changed) continue
      const smaller = { ...best, insns: encodeProgram(insns) }
      if (fails(smaller)) best = smaller
    }
  }
  return withoutNothing(best, fails)
}

/** Takes the empty instructions out, where that is still the same trouble. */
function withoutNothing(program: FuzzProgram, fails: (one: FuzzProgram) => boolean): FuzzProgram {
  let best = program
  for (let at = decodeProgram(best.insns).length - 1; at >= 0; at--) {
    const insns = decodeProgram(best.insns)
    if (insns[at].opcode !== NOTHING.opcode || insns[at].off !== 0) continue
    const smaller = { ...best, insns: encodeProgram(remove(insns, at)), funcInfo: moved(best, at) }
    if (fails(smaller)) best = smaller
  }
  return best
}

function remove(insns: readonly Instruction[], at: number): Instruction[] {
  const shifted = (from: number, distance: number): number => {
    const target = from + 1 + distance
    if (from < at && target > at) return distance - 1
    if (from > at && target <= at) return distance + 1
    return distance
  }
  return insns
    .map((insn, slot) => {
      const kind = insn.opcode & 7
      if (kind !== 5 && kind !== 6) {
        const reference = insn.opcode === LD_IMM64 && insn.src === 4
        return reference ? { ...insn, imm: shifted(slot, insn.imm) } : insn
      }
      if (insn.opcode === 0x95) return insn
      if (insn.opcode === 0x85)
        return insn.src === 1 ? { ...insn, imm: shifted(slot, insn.imm) } : insn
      if (insn.opcode === 0x06) return { ...insn, imm: shifted(slot, insn.imm) }
      return { ...insn, off: shifted(slot, insn.off) }
    })
    .filter((_insn, slot) => slot !== at)
}

function moved(program: FuzzProgram, at: number): Uint8Array {
  const info = new Uint32Array(program.funcInfo.slice().buffer)
  for (let index = 0; index < info.length; index += 2) if (info[index] > at) info[index]--
  return new Uint8Array(info.buffer)
}
