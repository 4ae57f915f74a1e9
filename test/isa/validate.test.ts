import { describe, expect, test } from "vitest"
import type { Instruction } from "../../src/isa/index.ts"
import {
  assemble,
  disassembleInstruction,
  encodeInstruction,
  encodeProgram,
  formsOfOpcode,
  INSTRUCTION_FORMS,
  instructionForm,
  validateProgram,
} from "../../src/isa/index.ts"
import { close, progLoad } from "../support/linux.ts"
import { describeWith, requirement } from "../support/requirements.ts"
import { freshSeed, fuzzScale, randomInstruction, randomInteger, randomNumbers } from "./random.ts"

const SCHED_CLS = 3
const EXIT = "95 00 00 00 00 00 00 00"

function bytes(hex: string): Uint8Array {
  return Uint8Array.from(hex.split(/\s+/), (byte) => Number.parseInt(byte, 16))
}

/** What is wrong, and Linux's words for it. */
const PROBLEMS: readonly [hex: string, slot: number, message: string][] = [
  ["00 00 00 00 00 00 00 00", 0, "last insn is not an exit or jmp"],
  [`8d 01 00 00 00 00 00 00 ${EXIT}`, 0, "unknown opcode 8d"],
  [`0d 01 00 00 00 00 00 00 ${EXIT}`, 0, "unknown opcode 0d"],
  [`b7 0b 00 00 00 00 00 00 ${EXIT}`, 0, "R11 is invalid"],
  [`b7 0a 00 00 00 00 00 00 ${EXIT}`, 0, "frame pointer is read only"],
  [`b7 00 01 00 00 00 00 00 ${EXIT}`, 0, "BPF_MOV uses reserved fields"],
  [`bf 11 03 00 00 00 00 00 ${EXIT}`, 0, "BPF_MOV uses reserved fields"],
  [
    `bf 11 01 00 02 00 00 00 ${EXIT}`,
    0,
    "addr_space_cast insn can only convert between address space 1 and 0",
  ],
  [`07 10 00 00 00 00 00 00 ${EXIT}`, 0, "BPF_ALU uses reserved fields"],
  [`87 01 00 00 01 00 00 00 ${EXIT}`, 0, "BPF_NEG uses reserved fields"],
  [`dc 01 00 00 08 00 00 00 ${EXIT}`, 0, "BPF_END uses reserved fields"],
  [`61 10 00 00 01 00 00 00 ${EXIT}`, 0, "BPF_LDX uses reserved fields"],
  [`99 10 00 00 00 00 00 00 ${EXIT}`, 0, "unknown opcode 99"],
  [`62 1a fc ff 00 00 00 00 ${EXIT}`, 0, "BPF_ST uses reserved fields"],
  [`63 1a fc ff 01 00 00 00 ${EXIT}`, 0, "BPF_STX uses reserved fields"],
  [`db 1a f8 ff 02 00 00 00 ${EXIT}`, 0, "BPF_ATOMIC uses invalid atomic opcode 02"],
  [`d3 1a f8 ff 00 00 00 00 ${EXIT}`, 0, "invalid atomic operand size"],
  [`30 10 00 00 00 00 00 00 ${EXIT}`, 0, "BPF_LD_[ABS|IND] uses reserved fields"],
  [`05 01 00 00 00 00 00 00 ${EXIT}`, 0, "BPF_JA uses reserved fields"],
  [`15 11 00 00 00 00 00 00 ${EXIT}`, 0, "BPF_JMP/JMP32 uses reserved fields"],
  [`e5 00 00 00 01 00 00 00 ${EXIT}`, 0, "invalid may_goto imm 1"],
  [`85 01 00 00 05 00 00 00 ${EXIT}`, 0, "BPF_CALL uses reserved fields"],
  ["95 01 00 00 00 00 00 00", 0, "BPF_EXIT uses reserved fields"],
  [`05 00 05 00 00 00 00 00 ${EXIT}`, 0, "jump out of range from insn 0 to 6"],
  [`15 01 fe ff 00 00 00 00 ${EXIT}`, 0, "jump out of range from insn 0 to -1"],
  [`06 00 00 00 01 00 00 00 ${EXIT}`, 0, "jump out of range from insn 0 to 2"],
  [`85 10 00 00 07 00 00 00 ${EXIT}`, 0, "call to invalid destination 8"],
  [`85 10 00 00 00 00 00 00 b7 00 00 00 00 00 00 00 ${EXIT}`, 0, "last insn is not an exit or jmp"],
  [
    `15 01 01 00 00 00 00 00 18 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 ${EXIT}`,
    0,
    "jump into the middle of ldimm64 insn 1",
  ],
  [`18 00 00 00 00 00 00 00 ${EXIT}`, 0, "invalid bpf_ld_imm64 insn"],
  [`18 00 00 00 00 00 00 00 00 00 01 00 00 00 00 00 ${EXIT}`, 0, "invalid bpf_ld_imm64 insn"],
  [`18 70 00 00 00 00 00 00 00 00 00 00 00 00 00 00 ${EXIT}`, 0, "unrecognized bpf_ld_imm64 insn"],
  [`18 10 00 00 05 00 00 00 00 00 00 00 01 00 00 00 ${EXIT}`, 0, "unrecognized bpf_ld_imm64 insn"],
  [
    `18 00 01 00 00 00 00 00 00 00 00 00 00 00 00 00 ${EXIT}`,
    0,
    "BPF_LD_IMM64 uses reserved fields",
  ],
]

describe("validateProgram", () => {
  test.each(PROBLEMS)("%s: %i %s", (hex, slot, message) => {
    expect(validateProgram(bytes(hex))).toEqual({ slot, message })
  })

  test("finds nothing wrong with a program that is well-formed", () => {
    const { bytes } = assemble(
      "r0 = 0x123456789 ll; if r0 == 0 goto out; call local f; out: exit; f: r0 = 1; exit",
    )
    expect(validateProgram(bytes)).toBeNull()
  })

  test("reads the byte order that it is told", () => {
    const { bytes } = assemble("if r1 == 0 goto +1; r0 = 1; exit", {
      littleEndian: false,
    })
    expect(validateProgram(bytes, { littleEndian: false })).toBeNull()
    expect(validateProgram(bytes)).not.toBeNull()
  })

  test("takes callx only where it is asked to", () => {
    const { bytes } = assemble("callx r1; exit")
    expect(validateProgram(bytes)?.message).toBe("unknown opcode 8d")
    expect(validateProgram(bytes, { callx: true })).toBeNull()
    bytes[1] = 0x0b
    expect(validateProgram(bytes, { callx: true })?.message).toBe("R11 is invalid")
  })

  test("takes an exit with an offset, as Linux does", () => {
    expect(validateProgram(bytes("95 00 07 00 00 00 00 00"))).toBeNull()
  })

  test("refuses what is no program", () => {
    expect(validateProgram(new Uint8Array(0))?.message).toBe("the program is empty")
    expect(validateProgram(new Uint8Array(12))?.message).toBe(
      "the program has 12 bytes, not a multiple of 8",
    )
  })

  test("answers for any bytes", () => {
    const seed = freshSeed("bytes")
    const random = randomNumbers(seed)
    for (let round = 0; round < 2000 * fuzzScale; round++) {
      const program = Uint8Array.from(
        { length: 8 * Math.floor(random() * 12) },
        () => random() * 256,
      )
      const problem = validateProgram(program)
      expect(problem === null || problem.message.length > 0).toBe(true)
    }
  })
})

/** The messages of Linux that are about structure; it has others, about what values may be. */
const STRUCTURAL = [
  /^unknown opcode [0-9a-f]{2}$/m,
  /^(BPF_\S+|BPF_LD_\[ABS\|IND\]) uses reserved fields$/m,
  /^R\d+ is invalid$/m,
  /^frame pointer is read only$/m,
  /^jump out of range from insn \d+ to -?\d+$/m,
  /^jump into the middle of ldimm64 insn \d+$/m,
  /^(invalid|unrecognized) bpf_ld_imm64 insn$/m,
  /^last insn is not an exit or jmp$/m,
  /^invalid atomic operand size$/m,
  /^BPF_ATOMIC uses invalid atomic opcode [0-9a-f]+$/m,
  /^addr_space_cast insn can only convert between address space 1 and 0$/m,
  /^invalid may_goto imm -?\d+$/m,
  /^call to invalid destination/m,
]

function structuralProblem(log: string): string | null {
  const found = STRUCTURAL.flatMap((pattern) => pattern.exec(log) ?? []).at(0)
  return found ?? null
}

function askLinux(program: Uint8Array): { readonly problem: string | null; readonly log: string } {
  const { fd, log } = progLoad(SCHED_CLS, program)
  close(fd)
  return { problem: structuralProblem(log), log }
}

describeWith([requirement.linux()], "the table of instructions, compared with Linux", () => {
  test("Linux knows exactly the opcodes that have a row", () => {
    const unknown: number[] = []
    for (let opcode = 0; opcode < 256; opcode++) {
      if (opcode === 0x18) continue
      const program = encodeProgram([
        { opcode, dst: 0, src: 0, off: 0, imm: 0 },
        { opcode: 0x95, dst: 0, src: 0, off: 0, imm: 0 },
      ])
      const { problem } = askLinux(program)
      const refused = /^unknown opcode|BPF_LDX uses/.test(problem ?? "")
      const known = formsOfOpcode(opcode).length > 0 && opcode !== 0x8d
      expect(refused, `opcode ${opcode.toString(16)}: ${problem}`).toBe(!known)
      if (refused) unknown.push(opcode)
    }
    console.info(`Linux does not know ${unknown.length} of 256 opcodes`)
  })

  // These fail for want of BTF, a module, or a map before Linux looks at their fields.
  const apart = /^(callx|call_kfunc|call_local|ld_(map|btf|func))/
  const forms = INSTRUCTION_FORMS.filter(({ name }) => !apart.test(name))
  /** All registers set, and a jump that is never taken over the instruction under test. */
  function before(slots: number): Uint8Array {
    // r6 has the context, for the packet loads.
    const set = Array.from({ length: 10 }, (_, register) => `r${register} = 0`)
    set[6] = "r6 = r7"
    return assemble(`r7 = r1\n${set.join("\n")}\nif r1 == 7 goto +${slots}`).bytes
  }
  const after = assemble("r0 = 0; exit")

  function around(instruction: Instruction, wide: boolean): Uint8Array {
    const slots = wide
      ? [instruction, { opcode: 0, dst: 0, src: 0, off: 0, imm: 0 }]
      : [instruction]
    return Uint8Array.from([...before(slots.length), ...encodeProgram(slots), ...after.bytes])
  }

  test("no row is structurally wrong for Linux", () => {
    const random = randomNumbers(1)
    for (const form of forms) {
      const program = around(randomInstruction(form, 0, { random }), form.next !== undefined)
      const { problem, log } = askLinux(program)
      expect(problem, `${form.name}: ${log}`).toBeNull()
      expect(validateProgram(program), form.name).toBeNull()
    }
    console.info(`${forms.length} of ${INSTRUCTION_FORMS.length} rows tried`)
  })

  test(
    "one wrong field gets Linux's message",
    () => {
      const seed = freshSeed("one wrong field")
      const random = randomNumbers(seed)
      const counts = new Map<string, number>()
      for (let round = 0; round < 1000 * fuzzScale; round++) {
        const form = forms[Math.floor(random() * forms.length)]
        const program = around(randomInstruction(form, 0, { random }), form.next !== undefined)
        const wide = form.next !== undefined && random() < 0.5
        const slot = 12 + (wide ? 1 : 0)
        const mutated = mutate(program, slot, random)
        if (mutated === null) continue
        const { problem, log } = askLinux(program)
        // Linux asks for these before it looks at the register written.
        if (/^(invalid shift|div by zero)|associated arena|ctx is not allowed/m.test(log)) continue
        const ours = validateProgram(program)
        const context = `seed ${seed} round ${round}: ${disassembleInstruction(program, 12)} ${JSON.stringify(mutated)}\n${log}`
        expect(ours?.message ?? null, context).toBe(problem)
        const kind = problem?.replace(/(opcode|imm|R|insn|to) ?-?[0-9a-f]+/g, "$1 …") ?? "none"
        counts.set(kind, (counts.get(kind) ?? 0) + 1)
      }
      console.info([...counts].map(([kind, count]) => `${count} ${kind}`).join("\n"))
    },
    60_000 * fuzzScale,
  )

  /** Changes one field; null where Linux would ask for BTF or a map first. */
  function mutate(program: Uint8Array, slot: number, random: () => number): Instruction | null {
    const view = new DataView(program.buffer, slot * 8, 8)
    const registers = view.getUint8(1)
    const old = {
      opcode: view.getUint8(0),
      dst: registers & 15,
      src: registers >> 4,
      off: view.getInt16(2, true),
      imm: view.getInt32(4, true),
    }
    const any = Math.floor(random() * 256)
    const field = Math.floor(random() * 5)
    const change = [
      { opcode: any },
      { dst: any & 15 },
      { src: any & 15 },
      { off: random() < 0.5 ? (any & 7) - 3 : randomInteger(random, 16) },
      { imm: random() < 0.5 ? any & 7 : randomInteger(random, 32) },
    ][field]
    const next = { ...old, ...change }
    if ((next.opcode === 0x85 || next.opcode === 0x18) && next.src !== 0) return null
    encodeInstruction(program, slot, next)
    return next
  }

  test.each(PROBLEMS)("Linux says of %s, too: %i %s", (hex, _, message) => {
    const program = bytes(hex)
    const set = assemble("r0 = 0; r1 = 0; r2 = 0").bytes
    const { problem } = askLinux(program)
    // Linux looks at registers that were never set before it looks at some fields.
    const again = problem ?? askLinux(Uint8Array.from([...set, ...program])).problem
    expect(again?.replace(/ \d+$/, "")).toBe(
      message.startsWith("call to") ? "call to invalid destination" : message.replace(/ \d+$/, ""),
    )
  })
})

test("at most one row fits an instruction", () => {
  const random = randomNumbers(2)
  for (const form of INSTRUCTION_FORMS) {
    const instruction = randomInstruction(form, 3, { random })
    expect(instructionForm(instruction), form.name).toBe(form)
    const others = INSTRUCTION_FORMS.filter(
      (other) => other !== form && other.opcode === form.opcode,
    )
    for (const other of others)
      expect(instructionForm(randomInstruction(other, 3, { random }))).toBe(other)
  }
})
