/** Objects made to cost much: reading them is linear, bounded, or refused. */

import { expect, test } from "vitest"
import { ObjectError } from "../../src/base/index.ts"
import { readElf, readObject } from "../../src/object/index.ts"
import { describeWith, requirement } from "../support/requirements.ts"
import { compileText, objectBytes } from "./corpus.ts"

function assemble(lines: readonly string[]): Uint8Array {
  return objectBytes(compileText(lines.join("\n"), { flags: ["-x", "assembler"] }))
}

/** A global function of a section; the body is instructions. */
function fn(section: string, name: string, body: readonly string[]): string[] {
  return [
    `.section ${section},"ax"`,
    `.globl ${name}`,
    `.type ${name},@function`,
    `${name}:`,
    ...body,
  ]
}

/** Bytes of an object with one field of the section header named `section` changed. */
function withField(bytes: Uint8Array, section: string, field: number, value: bigint): Uint8Array {
  const copy = bytes.slice()
  const view = new DataView(copy.buffer)
  const index = readElf(bytes).sections.findIndex((one) => one.name === section)
  const at = Number(view.getBigUint64(40, true)) + 64 * index
  view.setBigUint64(at + field, value, true)
  return copy
}

const OFFSET = 24
const SIZE = 32

describeWith([requirement.clang()], "Objects made to cost much", () => {
  test("a chain of 5,000 calls is walked without recursion", () => {
    const count = 5000
    const functions = Array.from({ length: count }, (_, i) =>
      fn(".text", `f${i}`, i + 1 < count ? [`call f${i + 1}`, "exit"] : ["r0 = 0", "exit"]),
    )
    const object = readObject(
      assemble([...functions.flat(), ...fn("xdp", "main", ["call f0", "exit"])]),
    )
    const [program] = object.programs
    expect(program.subprograms).toHaveLength(count + 1)
    expect(program.subprograms.at(-1)?.name).toBe(`f${count - 1}`)
  })

  test("functions that call themselves or each other are in the program once", () => {
    const object = readObject(
      assemble([
        ...fn(".text", "ping", ["call pong", "call ping", "exit"]),
        ...fn(".text", "pong", ["call ping", "exit"]),
        ...fn("xdp", "main", ["call ping", "exit"]),
      ]),
    )
    expect(object.programs[0].subprograms.map((one) => one.name)).toEqual(["main", "ping", "pong"])
  })

  test("programs that share a large function are refused when they are too large together", () => {
    const body = Array.from({ length: 3000 }, () => "r0 = 0")
    const entries = Array.from({ length: 2000 }, (_, i) =>
      fn("xdp", `e${i}`, ["call large", "exit"]),
    )
    const bytes = assemble([...fn(".text", "large", [...body, "exit"]), ...entries.flat()])
    expect(() => readObject(bytes)).toThrow(ObjectError)
    expect(() => readObject(bytes)).toThrow(
      /programs have more than 4194304 instructions together, linked \(section xdp, byte \d+\)/,
    )
  })

  test("names of one function are one place, however many there are", () => {
    const names = Array.from({ length: 3000 }, (_, i) => [
      `.globl a${i}`,
      `.type a${i},@function`,
      `.set a${i}, large`,
      `.size a${i}, 80008`,
    ]).flat()
    const body = Array.from({ length: 10_000 }, () => "r0 = 0")
    const text = [...fn(".text", "large", [...body, "exit"]), ".size large, 80008", ...names]
    const calls = Array.from({ length: 3000 }, (_, i) => `call a${i}`)
    const object = readObject(assemble([...text, ...fn("xdp", "main", [...calls, "exit"])]))
    expect(object.programs[0].subprograms).toHaveLength(2)
  })

  test("sections that overlap, or are larger than the file, are refused", () => {
    const bytes = assemble(fn("xdp", "main", ["r0 = 0", "exit"]))
    const symbols = readElf(bytes).sections.find((one) => one.name === ".symtab")
    const place = BigInt(
      (symbols?.data.byteOffset ?? 0) -
        (symbols?.data.buffer === bytes.buffer ? bytes.byteOffset : 0),
    )
    expect(() => readObject(withField(bytes, "xdp", OFFSET, place))).toThrow(/overlap/)
    expect(() => readObject(withField(bytes, "xdp", SIZE, 1n << 40n))).toThrow(
      /section \d+ has 1099511627776 bytes at \d+, but the file has \d+/,
    )
    expect(() => readObject(withField(bytes, "xdp", OFFSET, 1n << 63n))).toThrow(
      /0x8000000000000000 is too large/,
    )
  })

  test("a .bss of a terabyte is refused", () => {
    const bytes = assemble([
      ...fn("xdp", "main", ["r0 = 0", "exit"]),
      '.section .bss,"aw",@nobits',
      ".zero 16",
    ])
    expect(readObject(bytes).maps).toMatchObject([{ valueSize: 16 }])
    expect(() => readObject(withField(bytes, ".bss", SIZE, 1n << 40n))).toThrow(
      /data sections have more than 268435456 bytes together \(section .bss\)/,
    )
  })

  test("half an instruction, an empty or overlapping function are refused with their place", () => {
    const half = assemble([...fn("xdp", "main", ["r0 = 0", "exit"]), ".byte 1, 2, 3, 4"])
    expect(() => readObject(half)).toThrow(
      /20 bytes are no whole number of instructions \(section xdp\)/,
    )
    const over = assemble([
      ...fn("xdp", "a", ["r0 = 0", "exit"]),
      ".size a, 24",
      ...fn("xdp", "b", ["r0 = 0", "exit"]),
    ])
    expect(() => readObject(over)).toThrow(/functions 'a' and 'b' overlap \(section xdp, byte 16\)/)
    const long = assemble([...fn("xdp", "a", ["r0 = 0", "exit"]), ".size a, 800"])
    expect(() => readObject(long)).toThrow(/function 'a' ends at 800, but the section has 16/)
  })
})

test("what is no ELF at all says so", () => {
  expect(() => readObject(new Uint8Array(0))).toThrow(/ELF header has 0 of 64 bytes/)
  const text = new TextEncoder().encode("#include <linux/bpf.h>\n".repeat(8))
  expect(() => readObject(text)).toThrow(/not an ELF file: it does not begin with 7f 45 4c 46/)
})
