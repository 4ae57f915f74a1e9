/**
 * One eBPF instruction as the wire has it (RFC 9669 §3): 8 bytes,
 * `opcode:8 dst:4 src:4 off:16 imm:32`; `ld_imm64` takes two such slots. Programs travel through
 * skep as bytes, 8 a slot, in the byte order of their object (`BPF_LD | BPF_IMM | BPF_DW` keeps
 * the upper half in the `imm` of the second slot). In a big-endian program the register nibbles
 * are swapped (dst in the upper one), as C bit-fields have them there.
 */

/** Bytes of one instruction slot. */
export const INSN_SIZE = 8

/** Slots that a program may have (linux v6.18 include/linux/bpf.h BPF_COMPLEXITY_LIMIT_INSNS). */
export const BPF_MAXINSNS_PRIVILEGED = 1_000_000

/** One slot, decoded. `off` and `imm` are signed; registers are 0 to 15. */
export interface Instruction {
  readonly opcode: number
  readonly dst: number
  readonly src: number
  readonly off: number
  readonly imm: number
}

/** Reads the slot at index `slot`. The caller guarantees that it lies inside `program`. */
export function decodeInstruction(
  program: Uint8Array,
  slot: number,
  littleEndian = true,
): Instruction {
  const at = slot * INSN_SIZE
  const view = new DataView(program.buffer, program.byteOffset + at, INSN_SIZE)
  const registers = program[at + 1]
  const low = registers & 15
  const high = registers >> 4
  return {
    opcode: program[at],
    dst: littleEndian ? low : high,
    src: littleEndian ? high : low,
    off: view.getInt16(2, littleEndian),
    imm: view.getInt32(4, littleEndian),
  }
}

/** Writes `instruction` into the slot at index `slot`. */
export function encodeInstruction(
  program: Uint8Array,
  slot: number,
  instruction: Instruction,
  littleEndian = true,
): void {
  const at = slot * INSN_SIZE
  const view = new DataView(program.buffer, program.byteOffset + at, INSN_SIZE)
  const { dst, src } = instruction
  program[at] = instruction.opcode
  program[at + 1] = littleEndian ? dst | (src << 4) : (dst << 4) | src
  view.setInt16(2, instruction.off, littleEndian)
  view.setInt32(4, instruction.imm, littleEndian)
}

/** All slots as one new byte string. */
export function encodeProgram(
  instructions: readonly Instruction[],
  littleEndian = true,
): Uint8Array {
  const program = new Uint8Array(instructions.length * INSN_SIZE)
  instructions.forEach((instruction, slot) => {
    encodeInstruction(program, slot, instruction, littleEndian)
  })
  return program
}

/** All slots of a program, including the second slots of `ld_imm64` (opcode 0). */
export function decodeProgram(program: Uint8Array, littleEndian = true): Instruction[] {
  const instructions: Instruction[] = []
  for (let slot = 0; slot < program.length / INSN_SIZE; slot++)
    instructions.push(decodeInstruction(program, slot, littleEndian))
  return instructions
}
