import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, test } from "vitest"
import { formatHex, ObjectError } from "../../src/base/index.ts"
import {
  BtfBuilder,
  encodeFuncInfo,
  encodeLineInfo,
  readBtf,
  readBtfExt,
  writeBtfExt,
} from "../../src/btf/index.ts"
import { describeWith, requirement } from "../support/requirements.ts"
import { compileBpf, elfSection, inFolder, newSeed, Random, rounds, run } from "./support.ts"

const SOURCE = `struct s { int a; int b; } __attribute__((preserve_access_index));
static __attribute__((noinline)) int helper(struct s *s) { return s->b * 3; }
__attribute__((section("socket"))) int entry(struct s *s)
{
  int x = s->a;
  if (x > 4)
    return helper(s);
  return x;
}
__attribute__((section("xdp"))) int other(struct s *s)
{
  return __builtin_preserve_field_info(s->b, 2);
}
`

/** Source line of each instruction, from DWARF, by section and slot. */
function linesOf(elf: Uint8Array): Map<string, number[]> {
  const text = inFolder((folder) => {
    writeFileSync(join(folder, "o"), elf)
    return run("llvm-objdump", ["-d", "-l", "--no-show-raw-insn", join(folder, "o")])
  })
  const sections = new Map<string, number[]>()
  let lines: number[] = []
  let line = 0
  for (const row of text.split("\n")) {
    const section = /^Disassembly of section (.*):$/.exec(row)
    const place = /^; .*\.c:(\d+)$/.exec(row)
    const instruction = /^\s+(\d+):/.exec(row)
    if (section !== null) sections.set(section[1], (lines = []))
    else if (place !== null) line = Number(place[1])
    else if (instruction !== null) lines[Number(instruction[1])] = line
  }
  return sections
}

describeWith([requirement.clang(), requirement.llvmObjdump()], ".BTF.ext of clang", () => {
  const elf = requirement.clang().available ? compileBpf(SOURCE) : new Uint8Array()
  const read = () => {
    const btf = readBtf(elfSection(elf, ".BTF"))
    return { btf, ext: readBtfExt(elfSection(elf, ".BTF.ext"), btf) }
  }

  test("gives each function its section, offset and type", () => {
    const { btf, ext } = read()
    const names = [...ext.functions].map(([section, list]) => [
      section,
      list.map((one) => [one.offset, btf.type(one.type).name]),
    ])
    expect(new Map(names as [string, unknown][])).toEqual(
      new Map([
        [".text", [[0, "helper"]]],
        ["socket", [[0, "entry"]]],
        ["xdp", [[0, "other"]]],
      ]),
    )
  })

  test("gives the source lines that DWARF gives, with their text", () => {
    const { ext } = read()
    const source = SOURCE.split("\n")
    const dwarf = linesOf(elf)
    let compared = 0
    for (const [section, records] of ext.lines)
      for (const record of records) {
        expect(record.file).toMatch(/input\.c$/)
        expect(record.text).toBe(source[record.line - 1])
        expect(record.column).toBeLessThanOrEqual(record.text.length + 1)
        const line = dwarf.get(section)![record.offset / 8]
        // Where two records name one instruction, the later one is DWARF's.
        if (records.findLast((one) => one.offset === record.offset) === record && line > 0) {
          expect(record.line, `${section}+${record.offset}`).toBe(line)
          compared++
        }
      }
    expect(compared).toBeGreaterThan(4)
  })

  test("lists CO-RE relocations", () => {
    const { btf, ext } = read()
    const s = btf.findByName("s", "struct")
    expect(ext.relocations.get("socket")).toEqual([{ offset: 0, type: s, access: "0:0", kind: 0 }])
    expect(ext.relocations.get(".text")).toEqual([{ offset: 0, type: s, access: "0:1", kind: 0 }])
    expect(ext.relocations.get("xdp")).toEqual([{ offset: 0, type: s, access: "0:1", kind: 2 }])
  })

  test("is read or refused with an ObjectError whatever bytes change", () => {
    const seed = newSeed()
    const random = new Random(seed)
    const btf = readBtf(elfSection(elf, ".BTF"))
    const original = elfSection(elf, ".BTF.ext")
    for (let round = 0; round < rounds(500); round++) {
      const bytes = original.slice(0, original.length - random.below(3) * random.below(60))
      for (let i = random.below(4); i > 0; i--)
        bytes[random.below(bytes.length)] = random.pick([0, 1, 0xff, random.below(256)])
      try {
        readBtfExt(bytes, btf)
      } catch (error) {
        if (!(error instanceof ObjectError))
          throw new Error(`seed ${seed}, round ${round}`, { cause: error })
      }
    }
  })
})

describe("writeBtfExt", () => {
  test("writes what readBtfExt reads, in both byte orders", () => {
    for (const littleEndian of [true, false]) {
      const builder = new BtfBuilder({ littleEndian })
      const [xdp, text, file, line, access] = ["xdp", ".text", "a.c", "int x;", "0:1"].map((s) =>
        builder.string(s),
      )
      const btf = readBtf(builder.build())
      const bytes = writeBtfExt(
        {
          functions: [
            { section: xdp, offset: 0, type: 3 },
            { section: text, offset: 8, type: 4 },
          ],
          lines: [
            { section: xdp, offset: 0, fileOffset: file, textOffset: line, line: 7, column: 3 },
            { section: xdp, offset: 16, fileOffset: file, textOffset: 0, line: 8, column: 2000 },
          ],
          relocations: [{ section: text, offset: 8, type: 1, accessOffset: access, kind: 12 }],
        },
        littleEndian,
      )
      const ext = readBtfExt(bytes, btf)
      expect(ext.functions.get("xdp")).toEqual([{ offset: 0, type: 3 }])
      expect(ext.functions.get(".text")).toEqual([{ offset: 8, type: 4 }])
      expect(ext.lines.get("xdp")).toMatchObject([
        { offset: 0, file: "a.c", text: "int x;", line: 7, column: 3 },
        { offset: 16, file: "a.c", text: "", line: 8, column: 1023 },
      ])
      expect(ext.relocations.get(".text")).toEqual([
        { offset: 8, type: 1, access: "0:1", kind: 12 },
      ])
    }
  })

  test("writes the records of PROG_LOAD", () => {
    expect(formatHex(encodeFuncInfo([{ slot: 3, type: 258 }]))).toBe("0300000002010000")
    const line = { slot: 1, fileOffset: 2, textOffset: 3, line: 1, column: 5 }
    expect(formatHex(encodeLineInfo([line]))).toBe("01000000020000000300000005040000")
    expect(formatHex(encodeLineInfo([line], false))).toBe("00000001000000020000000300000405")
  })
})
