import { existsSync, readdirSync, readFileSync } from "node:fs"
import { basename, join } from "node:path"
import { describe, expect, test } from "vitest"
import type { DisassembleOptions } from "../../src/isa/index.ts"
import { assemble, printProgram, validateProgram } from "../../src/isa/index.ts"
import { addressOf, attr, bpf, close, progLoad } from "../support/linux.ts"
import { describeWith, requirement } from "../support/requirements.ts"
import type { Vector } from "./vectors.ts"
import { assembledProgram, ownVectors, parseVector, readVectors, sharedVectors } from "./vectors.ts"

const vectorsThere = {
  name: "vectors",
  available: existsSync(sharedVectors),
  reason: "the vectors of bpf_conformance do not lie beside the checkout",
}

const STYLES: readonly DisassembleOptions[] = [
  { style: "kernel" },
  { style: "llvm" },
  { style: "llvm", numbers: "hexadecimal", alu32: true },
]

function checkVectors(vectors: readonly Vector[]): void {
  for (const { name, program } of vectors) {
    expect(validateProgram(program, { callx: true }), name).toBeNull()
    for (const options of STYLES)
      expect(assemble(printProgram(program, options)).bytes, name).toEqual(program)
  }
}

describeWith([vectorsThere], "the vectors of bpf_conformance", () => {
  test("are read, all 313, 40 with memory", () => {
    const vectors = readVectors()
    expect(vectors).toHaveLength(313)
    expect(vectors.filter(({ mem }) => mem.length > 0)).toHaveLength(40)
  })

  test("are well-formed, and their disassembly assembles back", () => {
    checkVectors(readVectors())
  })

  test("with raw words have the same words when they are assembled", () => {
    let compared = 0
    for (const file of readdirSync(sharedVectors)) {
      if (!file.endsWith(".data")) continue
      const text = readFileSync(join(sharedVectors, file), "utf8")
      if (!/^-- raw/m.test(text)) continue
      const name = basename(file, ".data")
      expect(assembledProgram(name, text), name).toEqual(parseVector(name, text).program)
      compared++
    }
    expect(compared).toBe(1)
  })
})

describe("our own vectors", () => {
  const vectors = readVectors(ownVectors)

  test("are well-formed, and their disassembly assembles back", () => {
    expect(vectors.length).toBeGreaterThan(40)
    checkVectors(vectors)
  })

  test("say so when a file makes no sense", () => {
    expect(() => parseVector("x", "-- asm\nexit\n")).toThrow("x: there is no result")
    expect(() => parseVector("x", "-- result\n1\n")).toThrow("x: there is no program")
    expect(() => parseVector("x", "-- what\n")).toThrow("x: unknown directive -- what")
    expect(() => parseVector("x", "-- asm\nfoo\n-- result\n1\n")).toThrow(
      "x.data:1:1: there is no instruction",
    )
  })
})

describeWith([requirement.linux()], "the results of our own vectors", () => {
  test.each(readVectors(ownVectors))("$name is what Linux computes", (vector) => {
    const map = bpf(
      MAP_CREATE,
      attr([
        [0, 4, ARRAY],
        [4, 4, 4],
        [8, 4, 8],
        [12, 4, 1],
      ]),
    )
    const { fd, log } = progLoad(XDP, inXdp(vector, map))
    try {
      expect(fd, log).toBeGreaterThan(0)
      const data = new Uint8Array(Math.max(64, vector.mem.length))
      data.set(vector.mem)
      const run = attr([
        [0, 4, fd],
        [8, 4, data.length],
        [16, 8, addressOf(data)],
        [32, 4, 1],
      ])
      expect(bpf(PROG_TEST_RUN, run)).toBe(0)
      const key = new Uint8Array(4)
      const value = new Uint8Array(8)
      const lookup = attr([
        [0, 4, map],
        [8, 8, addressOf(key)],
        [16, 8, addressOf(value)],
      ])
      expect(bpf(MAP_LOOKUP_ELEM, lookup)).toBe(0)
      expect(new DataView(value.buffer).getBigUint64(0, true)).toBe(vector.expected)
    } finally {
      close(fd)
      close(map)
    }
  })
})

const MAP_CREATE = 0
const MAP_LOOKUP_ELEM = 1
const PROG_TEST_RUN = 10
const ARRAY = 2
const XDP = 6

/**
 * An XDP program that keeps r0 of the vector in a map. Without memory the vector is called; with
 * memory, which is the packet, it runs in place up to its only exit.
 */
function inXdp({ program, mem }: Vector, map: number): Uint8Array {
  const keep = `r6 = r0; r1 = map[fd:${map}][0]+0 ll; *(u64 *)(r1 + 0) = r6; r0 = 2; exit`
  if (mem.length === 0) {
    const text = `r1 = 0; r2 = 0; call local vector; ${keep}; vector:`
    return Uint8Array.from([...assemble(text).bytes, ...program])
  }
  const before = assemble(`
    r2 = *(u32 *)(r1 + 4); r1 = *(u32 *)(r1 + 0)
    r3 = r1; r3 += ${mem.length}; if r3 <= r2 goto +2; r0 = 0; exit
    r2 = ${mem.length}`)
  const body = program.subarray(0, program.length - 8)
  return Uint8Array.from([...before.bytes, ...body, ...assemble(keep).bytes])
}
