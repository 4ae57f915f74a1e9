/**
 * Random programs on scalars alone: registers are loaded with values of every width from the
 * stack (which a privileged program may read uninitialised), then combined by arithmetic, copies
 * and forward jumps. They are made to reach what is hard: constants at the edges of ranges, masks,
 * sign extensions, halves that wrap.
 */

export interface Instruction {
  readonly opcode: number
  readonly dst: number
  readonly src: number
  readonly off: number
  readonly imm: number
}

/** mulberry32: a small generator with a printable seed. */
export function generator(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return (t ^ (t >>> 14)) >>> 0
  }
}

export function encode(program: readonly Instruction[]): Uint8Array {
  const bytes = new Uint8Array(program.length * 8)
  const view = new DataView(bytes.buffer)
  program.forEach(({ opcode, dst, src, off, imm }, index) => {
    bytes[index * 8] = opcode
    bytes[index * 8 + 1] = dst | (src << 4)
    view.setInt16(index * 8 + 2, off, true)
    view.setInt32(index * 8 + 4, imm, true)
  })
  return bytes
}

const ALU_OPS = [0x00, 0x10, 0x20, 0x40, 0x50, 0x60, 0x70, 0xa0, 0xc0]
const JUMPS = [0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0xa0, 0xb0, 0xc0, 0xd0]
const EDGES = [
  0, 1, 2, 3, 7, 8, 10, 15, 16, 31, 32, 63, 64, 100, 127, 128, 255, 256, 1000, 0x7fff, 0x8000,
  0xffff, 0x10000, 0x7ffffffe, 0x7fffffff, -1, -2, -3, -8, -100, -128, -129, -256, -0x8000, -0x8001,
  -0x10000, -0x7fffffff, -0x80000000, 0x55555555, -0x55555556, 0xff00, 0xff0000,
]
/** Registers that hold scalars: R0 to R5 and R6 to R9. */
const REGISTERS = 10

export interface Shape {
  /** Instructions between the loads and the exit. */
  readonly length: number
  /** Conditional jumps at most. */
  readonly jumps: number
}

export function randomProgram(random: () => number, shape: Shape): Instruction[] {
  const pick = <T>(list: readonly T[]): T => list[random() % list.length]
  const constant = (): number => {
    switch (random() % 4) {
      case 0:
        return random() | 0
      case 1:
        return (random() >>> (random() % 32)) | 0
      default:
        return pick(EDGES)
    }
  }
  const register = (): number => random() % REGISTERS
  const load = (dst: number): Instruction => {
    const kind = random() % 10
    // BPF_MEM 1, 2, 4, 8 bytes; BPF_MEMSX 1, 2, 4.
    const opcode = [0x71, 0x69, 0x61, 0x79, 0x79, 0x79, 0x79, 0x91, 0x89, 0x81][kind]
    return { opcode, dst, src: 10, off: -8, imm: 0 }
  }
  const arithmetic = (): Instruction => {
    const is64 = random() % 2 === 0
    const byRegister = random() % 2 === 0
    const dst = register()
    const roll = random() % 40
    // Byte order: to little, to big, swapped.
    if (roll === 39)
      return {
        opcode: pick([0xd4, 0xdc, 0xd7]),
        dst,
        src: 0,
        off: 0,
        imm: pick([16, 32, 64]),
      }
    const op = roll === 0 ? 0x30 : roll === 1 ? 0x90 : roll < 4 ? 0x80 : pick(ALU_OPS)
    const kind = is64 ? 0x07 : 0x04
    if (op === 0x80) return { opcode: kind | op, dst, src: 0, off: 0, imm: 0 }
    const off = op === 0x30 || op === 0x90 ? random() % 2 : 0
    const shift = op === 0x60 || op === 0x70 || op === 0xc0
    if (byRegister && (!shift || random() % 4 === 0))
      return { opcode: kind | op | 8, dst, src: register(), off, imm: 0 }
    let imm = constant()
    if (shift) imm = random() % 3 === 0 ? pick([8, 16, 24, 31, 1]) : random() % (is64 ? 64 : 32)
    if (shift && is64 && random() % 4 === 0) imm = 32
    if ((op === 0x30 || op === 0x90) && imm === 0) imm = 3
    return { opcode: kind | op, dst, src: 0, off, imm }
  }
  const copy = (): Instruction => {
    const kind = random() % 8
    const dst = register()
    const src = register()
    if (kind === 0) return { opcode: 0xb7, dst, src: 0, off: 0, imm: constant() }
    if (kind === 1) return { opcode: 0xb4, dst, src: 0, off: 0, imm: constant() }
    if (kind === 2) return { opcode: 0xbf, dst, src, off: pick([8, 16, 32]), imm: 0 }
    if (kind === 3) return { opcode: 0xbc, dst, src, off: pick([8, 16]), imm: 0 }
    return { opcode: kind < 6 ? 0xbf : 0xbc, dst, src, off: 0, imm: 0 }
  }
  const program: Instruction[] = []
  for (let dst = 0; dst < REGISTERS; dst++) program.push(load(dst))
  const end = program.length + shape.length
  let jumps = 0
  while (program.length < end) {
    const roll = random() % 16
    const left = end - program.length
    if (roll < 4 && jumps < shape.jumps) {
      jumps++
      const kind = random() % 2 === 0 ? 0x05 : 0x06
      const byRegister = random() % 3 === 0
      program.push({
        opcode: kind | pick(JUMPS) | (byRegister ? 8 : 0),
        dst: register(),
        src: byRegister ? register() : 0,
        off: random() % Math.min(left, 6),
        imm: byRegister ? 0 : constant(),
      })
    } else if (roll < 7) program.push(copy())
    else if (roll === 7) program.push(load(register()))
    else program.push(arithmetic())
  }
  program.push({ opcode: 0x95, dst: 0, src: 0, off: 0, imm: 0 })
  return program
}

/** BPF_PROG_TYPE_SCHED_CLS, for packet pointers. */
export const POINTER_PROGRAM_TYPE = 3
/** Instructions of the prologue of a {@link pointerProgram}: R6 and R9 are pointers after it. */
export const POINTER_PROLOGUE = 12

/**
 * A program that moves pointers: R6 is the packet, R9 a map value, R10 the frame; the others are
 * scalars of few bits, from which Linux takes offsets without complaint (mostly).
 */
export function pointerProgram(random: () => number, mapFd: number, length: number): Instruction[] {
  const insn = (
    opcode: number,
    dst: number,
    src: number,
    off: number,
    imm: number,
  ): Instruction => ({
    opcode,
    dst,
    src,
    off,
    imm,
  })
  const program: Instruction[] = [
    insn(0x61, 6, 1, 76, 0),
    insn(0x62, 10, 0, -4, 0),
    insn(0xbf, 2, 10, 0, 0),
    insn(0x07, 2, 0, 0, -4),
    insn(0x18, 1, 1, 0, mapFd),
    insn(0, 0, 0, 0, 0),
    insn(0x85, 0, 0, 0, 1),
    insn(0x55, 0, 0, 2, 0),
    insn(0xb7, 0, 0, 0, 0),
    insn(0x95, 0, 0, 0, 0),
    insn(0xbf, 9, 0, 0, 0),
    insn(0xb7, 0, 0, 0, 0),
  ]
  for (const dst of [1, 2, 3, 4, 5, 7, 8]) {
    program.push(insn([0x71, 0x69, 0x61, 0x91, 0x89][random() % 5], dst, 10, -16, 0))
    if (random() % 2 === 0) program.push(insn(0x57, dst, 0, 0, random() >>> (16 + (random() % 16))))
    if (random() % 3 === 0) program.push(insn(0x67, dst, 0, 0, random() % 6))
    if (random() % 4 === 0) program.push(insn(0x07, dst, 0, 0, (random() % 64) - 32))
  }
  const pointer = (): number => [6, 9, 10, 6, 9][random() % 5]
  const scalar = (): number => [1, 2, 3, 4, 5, 7, 8][random() % 7]
  for (let i = 0; i < length; i++) {
    const to = scalar()
    const constant = random() % 5 === 0 ? random() | 0 : (random() % 512) - 256
    const op = random() % 3 === 0 ? 0x17 : 0x07
    switch (random() % 6) {
      case 0:
        program.push(insn(0xbf, to, pointer(), 0, 0), insn(op, to, 0, 0, constant))
        break
      case 1:
        program.push(insn(0xbf, 0, scalar(), 0, 0), insn(0x0f, 0, pointer(), 0, 0))
        break
      case 2:
        program.push(insn(op | 8, [6, 9][random() % 2], scalar(), 0, 0))
        break
      case 3:
        program.push(insn(0xbf, to, pointer(), 0, 0), insn(op | 8, to, scalar(), 0, 0))
        break
      case 4:
        program.push(insn(op, [6, 9, to][random() % 3], 0, 0, constant))
        break
      default:
        program.push(insn(0x69, to, 10, -16, 0))
    }
  }
  program.push(insn(0xb7, 0, 0, 0, 0), insn(0x95, 0, 0, 0, 0))
  return program
}
