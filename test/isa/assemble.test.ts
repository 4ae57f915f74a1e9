import { describe, expect, test } from "vitest"
import type { AssembleOptions, DisassembleOptions } from "../../src/isa/index.ts"
import {
  assemble,
  decodeProgram,
  encodeProgram,
  INSTRUCTION_FORMS,
  printProgram,
  validateProgram,
} from "../../src/isa/index.ts"
import { freshSeed, fuzzScale, randomNumbers, randomProgram } from "./random.ts"

/** Bytes as `b7 01 00 00 05 00 00 00`, a slot a line. */
function hex(bytes: Uint8Array): string {
  const digits = [...bytes].map((byte) => byte.toString(16).padStart(2, "0"))
  const slots = Array.from({ length: digits.length / 8 }, (_, slot) =>
    digits.slice(slot * 8, slot * 8 + 8),
  )
  return slots.map((slot) => slot.join(" ")).join("\n")
}

// The encodings are worked out by hand from RFC 9669 and include/uapi/linux/bpf.h.
const STATEMENTS: readonly [text: string, encoding: string][] = [
  ["r1 = 5", "b7 01 00 00 05 00 00 00"],
  ["w1 = -1", "b4 01 00 00 ff ff ff ff"],
  ["r1 = 0xffffffff", "b7 01 00 00 ff ff ff ff"],
  ["r1 = r2", "bf 21 00 00 00 00 00 00"],
  ["w9 += w10", "0c a9 00 00 00 00 00 00"],
  ["r1 s>>= 63", "c7 01 00 00 3f 00 00 00"],
  ["r1 s/= r2", "3f 21 01 00 00 00 00 00"],
  ["w1 s%= -3", "94 01 01 00 fd ff ff ff"],
  ["r1 = -r1", "87 01 00 00 00 00 00 00"],
  ["w1 = (s8)w2", "bc 21 08 00 00 00 00 00"],
  ["r1 = (s32) r2", "bf 21 20 00 00 00 00 00"],
  ["r1 = be16 r1", "dc 01 00 00 10 00 00 00"],
  ["r1 = le64 r1", "d4 01 00 00 40 00 00 00"],
  ["r1 = bswap32 r1", "d7 01 00 00 20 00 00 00"],
  ["r1 = addr_space_cast(r2, 0, 1)", "bf 21 01 00 01 00 00 00"],
  ["r1 = addr_space_cast(r2, 0x1, 0x0)", "bf 21 01 00 00 00 01 00"],
  ["r1 = *(u32 *)(r2 +4)", "61 21 04 00 00 00 00 00"],
  ["r1 = *(u32 *)(r2 + 0x4)", "61 21 04 00 00 00 00 00"],
  ["w1 = *(u8 *)(r2 - 8)", "71 21 f8 ff 00 00 00 00"],
  ["r1=*(u16*)(r2)", "69 21 00 00 00 00 00 00"],
  ["r1 = *(s16 *)(r2 + 0)", "89 21 00 00 00 00 00 00"],
  ["*(u64 *)(r10 -8) = r1", "7b 1a f8 ff 00 00 00 00"],
  ["*(u8 *)(r1 +0) = 255", "72 01 00 00 ff 00 00 00"],
  ["lock *(u64 *)(r1 +8) += r2", "db 21 08 00 00 00 00 00"],
  ["lock *(u32 *)(r1 + 8) ^= w2", "c3 21 08 00 a0 00 00 00"],
  ["r0 = atomic_fetch_add((u64 *)(r1 +0), r0)", "db 01 00 00 01 00 00 00"],
  ["r2 = atomic64_fetch_or((u64 *)(r1 +0), r2)", "db 21 00 00 41 00 00 00"],
  ["w2 = atomic_fetch_and((u32 *)(r1 + 0), w2)", "c3 21 00 00 51 00 00 00"],
  ["r0 = xchg_64(r1 + 0, r0)", "db 01 00 00 e1 00 00 00"],
  ["w2 = xchg32_32(r1 - 4, w2)", "c3 21 fc ff e1 00 00 00"],
  ["r2 = atomic_xchg((u32 *)(r1 +0), r2)", "c3 21 00 00 e1 00 00 00"],
  ["r0 = cmpxchg_64(r1 + 0, r0, r2)", "db 21 00 00 f1 00 00 00"],
  ["w0 = cmpxchg32_32(r1 + 0, w0, w2)", "c3 21 00 00 f1 00 00 00"],
  ["r0 = atomic64_cmpxchg((u64 *)(r1 +0), r0, r2)", "db 21 00 00 f1 00 00 00"],
  ["r0 = load_acquire((u64 *)(r1 + 0))", "db 10 00 00 00 01 00 00"],
  ["w3 = load_acquire((u8 *)(r1 + 1))", "d3 13 01 00 00 01 00 00"],
  ["store_release((u16 *)(r1 + 2), w4)", "cb 41 02 00 10 01 00 00"],
  ["if r1 s> 3 goto +2", "65 01 02 00 03 00 00 00"],
  ["if w1 == w2 goto pc-1", "1e 21 ff ff 00 00 00 00"],
  ["if r1 & 0x80000000 goto 1", "45 01 01 00 00 00 00 80"],
  ["goto +2", "05 00 02 00 00 00 00 00"],
  ["gotol -70000", "06 00 00 00 90 ee fe ff"],
  ["may_goto +3", "e5 00 03 00 00 00 00 00"],
  ["call 1", "85 00 00 00 01 00 00 00"],
  ["call unknown#300", "85 00 00 00 2c 01 00 00"],
  ["call pc+3", "85 10 00 00 03 00 00 00"],
  ["call pc-2#bpf_prog_6deef7357e7b4530_F", "85 10 00 00 fe ff ff ff"],
  ["call kernel-function#7", "85 20 00 00 07 00 00 00"],
  ["call kernel-function#7@1", "85 20 01 00 07 00 00 00"],
  ["callx r2", "8d 02 00 00 00 00 00 00"],
  ["exit", "95 00 00 00 00 00 00 00"],
  ["r1 = 0x1122334455667788 ll", "18 01 00 00 88 77 66 55\n00 00 00 00 44 33 22 11"],
  ["(18) r1 = 0x5", "18 01 00 00 05 00 00 00\n00 00 00 00 00 00 00 00"],
  ["(18) r1 = map[id:5]", "18 11 00 00 05 00 00 00\n00 00 00 00 00 00 00 00"],
  ["r1 = map[fd:5] ll", "18 11 00 00 05 00 00 00\n00 00 00 00 00 00 00 00"],
  ["(18) r1 = map[id:5][0]+8", "18 21 00 00 05 00 00 00\n00 00 00 00 08 00 00 00"],
  ["r1 = map[idx:2]", "18 51 00 00 02 00 00 00\n00 00 00 00 00 00 00 00"],
  ["r1 = map[idx:2]+4", "18 61 00 00 02 00 00 00\n00 00 00 00 04 00 00 00"],
  ["r1 = btf[id:9]", "18 31 00 00 09 00 00 00\n00 00 00 00 00 00 00 00"],
  ["r1 = subprog[+4]", "18 41 00 00 04 00 00 00\n00 00 00 00 00 00 00 00"],
  ["ld_pseudo\tr1, 1, 0x5", "18 11 00 00 05 00 00 00\n00 00 00 00 00 00 00 00"],
  ["r0 = *(u8 *)skb[14]", "30 00 00 00 0e 00 00 00"],
  ["r0 = *(u16 *)skb[r6 + 4]", "48 60 00 00 04 00 00 00"],
  ["r0 = *(u32 *)skb[r6 + -4]", "40 60 00 00 fc ff ff ff"],
  // bpf_conformance
  ["mov %r1, 5", "b7 01 00 00 05 00 00 00"],
  ["mov32 %r0, 0x87654321", "b4 00 00 00 21 43 65 87"],
  ["add64 %r1, %r2", "0f 21 00 00 00 00 00 00"],
  ["sdiv32 %r1, -3", "34 01 01 00 fd ff ff ff"],
  ["smod %r1, %r2", "9f 21 01 00 00 00 00 00"],
  ["neg %r1", "87 01 00 00 00 00 00 00"],
  ["movsx832 %r1, %r2", "bc 21 08 00 00 00 00 00"],
  ["movsx3264 %r1, %r2", "bf 21 20 00 00 00 00 00"],
  ["be16 %r1", "dc 01 00 00 10 00 00 00"],
  ["swap64 %r1", "d7 01 00 00 40 00 00 00"],
  ["bswap64 %r1", "d7 01 00 00 40 00 00 00"],
  ["ldxw %r1, [%r2+4]", "61 21 04 00 00 00 00 00"],
  ["ldxsb %r1, [%r2-0x8]", "91 21 f8 ff 00 00 00 00"],
  ["stdw [%r10-8], -1", "7a 0a f8 ff ff ff ff ff"],
  ["stxh [%r1], %r2", "6b 21 00 00 00 00 00 00"],
  ["jslt %r1, -1, +2", "c5 01 02 00 ff ff ff ff"],
  ["jset32 %r1, %r2, -1", "4e 21 ff ff 00 00 00 00"],
  ["ja32 +3", "06 00 00 00 03 00 00 00"],
  ["call helper 5", "85 00 00 00 05 00 00 00"],
  ["call runtime 7", "85 20 00 00 07 00 00 00"],
  ["call %r2", "8d 02 00 00 00 00 00 00"],
  ["lock add [%r1+8], %r2", "db 21 08 00 00 00 00 00"],
  ["lock fetch xor32 [%r1], %r2", "c3 21 00 00 a1 00 00 00"],
  ["lock cmpxchg [%r1], %r2", "db 21 00 00 f1 00 00 00"],
  ["lddw %r0, -2", "18 00 00 00 fe ff ff ff\n00 00 00 00 ff ff ff ff"],
]

describe("a statement", () => {
  test.each(STATEMENTS)("%s", (text, encoding) => {
    expect(hex(assemble(text).bytes)).toBe(encoding)
  })

  test("is encoded with swapped register nibbles in a big-endian program", () => {
    const { bytes } = assemble("r1 = *(u32 *)(r2 + 4)", { littleEndian: false })
    expect(hex(bytes)).toBe("61 12 00 04 00 00 00 00")
  })
})

describe("a text", () => {
  test("mixes notations, labels, comments and statements on one line", () => {
    const { bytes, labels, lines } = assemble(`
      ; int f(void *ctx) {
      start: r0 = 2; if r1 == 0 goto out   // kernel
      mov32 %r2, 7                         # conformance
      /* over
         lines */ jeq %r2, 7, out
      5: (b7) r0 = 1
      out: other:
      exit
    `)
    expect(hex(bytes)).toBe(
      [
        "b7 00 00 00 02 00 00 00",
        "15 01 03 00 00 00 00 00",
        "b4 02 00 00 07 00 00 00",
        "15 02 01 00 07 00 00 00",
        "b7 00 00 00 01 00 00 00",
        "95 00 00 00 00 00 00 00",
      ].join("\n"),
    )
    expect([...labels]).toEqual([
      ["start", 0],
      ["out", 5],
      ["other", 5],
    ])
    expect(lines).toEqual([3, 3, 4, 6, 7, 9])
  })

  test("takes what llvm-objdump prints around instructions", () => {
    const { bytes, labels } = assemble(
      "0000000000000000 <f>:\n       0:\tif w1 == 0 goto +1 <LBB0_2>\n       1:\tw0 = 1\n\n0000000000000010 <LBB0_2>:\n       2:\texit\n",
    )
    expect(hex(bytes)).toBe(
      "16 01 01 00 00 00 00 00\nb4 00 00 00 01 00 00 00\n95 00 00 00 00 00 00 00",
    )
    expect(labels.get("LBB0_2")).toBe(2)
  })

  test("has numeric labels that are defined again and again", () => {
    const { bytes } = assemble("1: r0 = 0; goto 1f; goto 1b; 1: goto 1b; exit")
    expect(decodeProgram(bytes).map(({ off }) => off)).toEqual([0, 1, -3, -1, 0])
  })

  test("calls functions by label, helpers by name, and loads addresses of functions", () => {
    const names = { bpf_map_lookup_elem: 1, f: 99 } as Record<string, number>
    const { bytes } = assemble(
      "call f; call bpf_map_lookup_elem; call local f; r1 = f ll; r1 = subprog[f]; exit; f: exit",
      { helperId: (name) => names[name] },
    )
    const [first, second, third, fourth, , fifth] = decodeProgram(bytes)
    expect([first.src, first.imm]).toEqual([1, 7])
    expect([second.src, second.imm]).toEqual([0, 1])
    expect([third.src, third.imm]).toEqual([1, 5])
    expect([fourth.opcode, fourth.src, fourth.imm]).toEqual([0x18, 4, 4])
    expect([fifth.opcode, fifth.src, fifth.imm]).toEqual([0x18, 4, 2])
  })

  test("asks its surroundings for maps and symbols", () => {
    const asked: string[] = []
    const { bytes, relocations } = assemble(
      "r1 = map[flows] ll; r2 = map[config][0]+8; r3 = jiffies+4 ll; call my_kfunc; exit",
      {
        resolveSymbol: ({ kind, name, offset }) => {
          asked.push(`${kind} ${name} ${offset}`)
          return kind === "function"
            ? { src: 2, off: 1, imm: 42 }
            : { src: 5, imm: 3, next: offset }
        },
      },
    )
    expect(asked).toEqual([
      "map flows 0",
      "value config 8",
      "symbol jiffies 4",
      "function my_kfunc 0",
    ])
    expect(relocations).toEqual([])
    expect(hex(bytes.subarray(16, 32))).toBe("18 52 00 00 03 00 00 00\n00 00 00 00 08 00 00 00")
    expect(hex(bytes.subarray(48, 56))).toBe("85 20 01 00 2a 00 00 00")
  })

  test("lists what is undefined for whoever makes an object", () => {
    const { bytes, relocations } = assemble("r1 = map[flows] ll\ncall my_kfunc\nexit", {
      allowUndefined: true,
    })
    expect(relocations).toEqual([
      { kind: "map", name: "flows", offset: 0, slot: 0, line: 1, column: 10 },
      { kind: "function", name: "my_kfunc", offset: 0, slot: 2, line: 2, column: 6 },
    ])
    // As clang encodes a call of an undefined function.
    expect(hex(bytes.subarray(16, 24))).toBe("85 10 00 00 ff ff ff ff")
  })
})

const ERRORS: readonly [text: string, message: string, options?: AssembleOptions][] = [
  ["r0 = 2\nfoo r1", "input:2:1: there is no instruction `foo`"],
  ["mvo %r1, 2", "input:1:1: there is no instruction `mvo`, did you mean `mov`?"],
  ["ext", "input:1:1: there is no instruction `ext`, did you mean `exit`?"],
  [".text", "input:1:1: `.text` is a directive: this assembler takes instructions and labels only"],
  ["  r11 = 1", "input:1:3: there is no register r11: registers are r0 to r10"],
  [
    "r1 = 0x123456789",
    "input:1:6: 4886718345 does not fit an immediate of 32 bits: write `ll` after it for 64 bits",
  ],
  [
    "mov %r1, 0x123456789",
    "input:1:10: 4886718345 does not fit an immediate of 32 bits: lddw loads 64 bits",
  ],
  ["lddw %r1, 0x10000000000000000", "input:1:11: 18446744073709551616 does not fit 64 bits"],
  ["r1 = *(u32 *)(r2 + 40000)", "input:1:18: offset 40000 does not fit 16 bits (-32768 to 32767)"],
  ["goto +40000", "input:1:6: offset 40000 does not fit 16 bits (-32768 to 32767): use gotol"],
  ["r1 += w2", "input:1:7: r1 and w2 have different widths: write r2, or use w1"],
  ["*(u64 *)(r1 + 0) = w2", "input:1:20: 64 bits do not fit w2: write r2"],
  [
    "r1 = *(u32 *)(w2 + 0)",
    "input:1:15: the register that holds the address must be 64 bits wide: write r2",
  ],
  ["w1 = *(s8 *)(r2 + 0)", "input:1:1: a load of s8 extends to 64 bits: write r1"],
  ["*(s8 *)(r2 + 0) = r1", "input:1:3: only loads extend signs: write u8"],
  ["r1 = -r2", "input:1:7: this instruction reads and writes one register: r2 must be r1"],
  [
    "r1 = xchg_64(r2 + 0, r3)",
    "input:1:22: this instruction reads and writes one register: r3 must be r1",
  ],
  ["r1 = cmpxchg_64(r2 + 0, r0, r3)", "input:1:1: the old value goes to r0"],
  ["lock *(u16 *)(r1 + 0) += r2", "input:1:8: this atomic works on u32 and u64"],
  [
    "lock nand [%r1], %r2",
    "input:1:6: expected add, and, or, xor, xchg, cmpxchg after lock, found `nand`",
  ],
  ["if r1 <> 3 goto +1", "input:1:8: expected a register or a number, found `>`"],
  [
    "if r1 = 3 goto +1",
    "input:1:7: expected a comparison (== != > >= < <= s> s>= s< s<= &), found `=`",
  ],
  ["if r1 == 3", "input:1:11: expected `goto` after the comparison, the statement ends"],
  ["goto nowhere", "input:1:6: there is no label `nowhere`"],
  ["a: exit\na: exit", "input:2:1: label `a` is defined twice"],
  ["exit exit", "input:1:6: unexpected `exit` after the instruction"],
  ["(bf) r1 = 5", "input:1:1: the text is opcode b7, not (bf)"],
  ["call bpf_nothing", "input:1:6: there is no label, helper or function `bpf_nothing`"],
  ["r1 = map[flows] ll", "input:1:10: there is no map `flows`"],
  ["r1 = flows ll", "input:1:6: there is no label or symbol `flows`"],
  ["r1 = map[nr:5]", "input:1:10: expected id, fd or idx, found `nr`"],
  ["r1 = map[id:5][1]", "input:1:10: only the value at index 0 has an address"],
  ["r1 = frob(r2)", "input:1:6: there is no operation `frob`"],
  [
    `r0 = ${"9".repeat(81)}`,
    "input:1:6: a number of 81 digits does not fit 64 bits (at most 80 digits)",
  ],
  ["goto 1f; 1: exit; goto 2b", "input:1:24: there is no label `2b`"],
  ["r0 = 1 /* and", "input:1:8: this comment has no end: `*/` is missing"],
  ["foo", "x.s:1:1: there is no instruction `foo`", { file: "x.s" }],
]

describe("an error", () => {
  test.each(ERRORS)("of %j says %s", (text, message, options) => {
    let thrown: unknown
    try {
      assemble(text, options)
    } catch (error) {
      thrown = error
    }
    expect((thrown as Error | undefined)?.name).toBe("SyntaxIssue")
    expect((thrown as Error).message).toBe(message)
  })

  test("is the only thing that garbage gets", () => {
    const seed = freshSeed("garbage")
    const random = randomNumbers(seed)
    const pieces = STATEMENTS.flatMap(([text]) => text.split(/(?<=\W)|(?=\W)/))
    let refused = 0
    for (let round = 0; round < 5000 * fuzzScale; round++) {
      const length = 1 + Math.floor(random() * 12)
      const text = Array.from({ length }, () => pieces[Math.floor(random() * pieces.length)]).join(
        "",
      )
      try {
        assemble(text)
      } catch (error) {
        refused++
        expect((error as Error).name, `seed ${seed}: ${text}`).toBe("SyntaxIssue")
      }
    }
    console.info(`garbage: ${refused} of ${5000 * fuzzScale} texts refused`)
  })
})

const STYLES: readonly [name: string, options: DisassembleOptions][] = [
  ["the kernel's", { style: "kernel" }],
  ["LLVM 14's", { style: "llvm" }],
  ["LLVM 22's", { style: "llvm", numbers: "hexadecimal", alu32: true }],
]

describe.each([true, false])(
  "the disassembly of random legal programs, little-endian %s",
  (littleEndian) => {
    test.each(STYLES)("in %s notation assembles back to the same bytes", (_, style) => {
      const seed = freshSeed("round trip")
      const random = randomNumbers(seed)
      const names = new Set<string>()
      for (let round = 0; round < 10 * fuzzScale; round++) {
        const instructions = randomProgram({ random, count: 500 })
        const program = encodeProgram(instructions, littleEndian)
        expect(
          validateProgram(program, { littleEndian, callx: true })?.message ?? "",
          `seed ${seed}`,
        ).not.toMatch(/reserved|unknown|invalid/)
        const text = printProgram(program, { ...style, littleEndian })
        const again = assemble(text, { littleEndian }).bytes
        if (hex(again) !== hex(program)) {
          const lines = text.split("\n")
          const wrong = decodeProgram(program, littleEndian).findIndex(
            (instruction, slot) =>
              JSON.stringify(instruction) !==
              JSON.stringify(decodeProgram(again, littleEndian)[slot]),
          )
          expect.fail(`seed ${seed}: ${lines.find((line) => line.trim().startsWith(`${wrong}:`))}`)
        }
        for (const form of INSTRUCTION_FORMS)
          if (instructions.some(({ opcode }) => opcode === form.opcode)) names.add(form.name)
      }
      expect(names.size).toBe(INSTRUCTION_FORMS.length)
    })
  },
)
