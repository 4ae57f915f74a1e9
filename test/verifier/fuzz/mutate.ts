/** Small damages of programs: what a verifier must notice, or find harmless. */

import { decodeProgram, encodeProgram, INSN_SIZE } from "../../../src/isa/index.ts"
import type { Random } from "./random.ts"
import type { FuzzProgram } from "./world.ts"

/** The program with one to three instructions changed. */
export function mutate(program: FuzzProgram, random: Random): FuzzProgram {
  let insns: Uint8Array = program.insns.slice()
  for (let count = 1 + random.below(3); count > 0; count--) insns = change(insns, random)
  return { ...program, insns }
}

function change(bytes: Uint8Array, random: Random): Uint8Array {
  const slots = bytes.length / INSN_SIZE
  const at = random.below(slots)
  if (random.chance(35)) {
    bytes[random.below(bytes.length)] ^= 1 << random.below(8)
    return bytes
  }
  const program = decodeProgram(bytes)
  const insn = program[at]
  switch (random.below(7)) {
    case 0:
      program[at] = { ...insn, imm: random.immediate() }
      break
    case 1:
      program[at] = { ...insn, dst: random.below(11) }
      break
    case 2:
      program[at] = { ...insn, src: random.below(11) }
      break
    case 3:
      program[at] = { ...insn, off: insn.off + random.pick([-8, -4, -1, 1, 4, 8]) }
      break
    case 4:
      program[at] = { opcode: 0x05, dst: 0, src: 0, off: 0, imm: 0 }
      break
    case 5:
      program[at] = program[random.below(slots)]
      break
    default: {
      const other = Math.min(at + 1, slots - 1)
      ;[program[at], program[other]] = [program[other], program[at]]
    }
  }
  return encodeProgram(program)
}
