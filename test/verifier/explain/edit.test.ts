import { describe, expect, test } from "vitest"
import { assemble, disassemble } from "../../../src/isa/index.ts"
import { code, edited } from "../../../src/verifier/explain/edit.ts"
import {
  explain,
  renderGithub,
  renderSarif,
  renderText,
} from "../../../src/verifier/explain/index.ts"
import type { VerifierInput } from "../../../src/verifier/index.ts"
import { verify } from "../../../src/verifier/index.ts"

const words = (...list: number[]): Uint8Array => new Uint8Array(Uint32Array.from(list).buffer)

function program(text: string, lines: readonly number[] = []): VerifierInput {
  return {
    name: "test",
    insns: assemble(text).bytes,
    type: 6,
    expectedAttachType: 0,
    flags: 0,
    gplCompatible: true,
    btf: null,
    funcInfo: words(0, 1),
    lineInfo: words(...lines.flatMap((slot) => [slot, 0, 0, 0])),
    target: null,
    kernelBtf: () => {
      throw new Error("no types")
    },
    map: () => -9,
    logLevel: 0,
  }
}

const text = (input: VerifierInput | null): string[] =>
  input === null ? [] : disassemble(input.insns).map((line) => line.text)

describe("Editing bytecode", () => {
  const loop = "r0 = 0\nr0 += 1\nif r0 < 5 goto -2\nexit"

  test("jumps over inserted instructions are lengthened, and those to them arrive before them", () => {
    const changed = edited(program(loop), [{ at: 1, code: code("r2 = 7") }])
    expect(text(changed)).toEqual(text(program("r0 = 0\nr2 = 7\nr0 += 1\nif r0 < 5 goto -3\nexit")))
  })

  test("what only falls in is not run by jumps", () => {
    const changed = edited(program(loop), [{ at: 1, code: code("r2 = 7"), enter: "fall" }])
    expect(text(changed)).toEqual(text(program("r0 = 0\nr2 = 7\nr0 += 1\nif r0 < 5 goto -2\nexit")))
  })

  test("what only one jump enters is stepped over by what falls in", () => {
    const changed = edited(program(loop), [{ at: 1, code: code("r2 = 7"), enter: 2 }])
    expect(text(changed)).toEqual(
      text(program("r0 = 0\ngoto +1\nr2 = 7\nr0 += 1\nif r0 < 5 goto -3\nexit")),
    )
  })

  test("calls and line records move along", () => {
    const input = program("call pc+1\nexit\nr0 = 0\nexit", [0, 2])
    const changed = edited(input, [{ at: 1, code: code("r1 = 1\nr2 = 2") }])
    expect(text(changed)).toEqual(text(program("call pc+3\nr1 = 1\nr2 = 2\nexit\nr0 = 0\nexit")))
    expect(changed?.lineInfo).toEqual(words(0, 0, 0, 0, 4, 0, 0, 0))
  })

  test("removed instructions leave jumps that fit", () => {
    const changed = edited(program("r0 = 0\ngoto +1\nr0 = 1\nexit"), [{ at: 2, remove: 1 }])
    expect(text(changed)).toEqual(text(program("r0 = 0\ngoto +0\nexit")))
  })
})

describe("Explanations as data", () => {
  const refused = program("r0 = *(u32 *)(r1 +0)\nr2 = *(u8 *)(r0 +0)\nr0 = 0\nexit")

  test("recording where values come from does not change the verdict", () => {
    const plain = verify(refused)
    const recorded = verify({ ...refused, provenance: true })
    expect(recorded.rejection?.message).toBe(plain.rejection?.message)
    expect(recorded.statistics).toEqual(plain.statistics)
    expect(plain.history).toBeNull()
  })

  test("an accepted program has no explanation", () => {
    expect(explain(program("r0 = 2\nexit"))).toBeNull()
  })

  test("a repaired program is accepted, and the original is not changed", () => {
    const before = refused.insns.slice()
    const explained = explain(refused)
    expect(explained?.explanation.cause).toBe("packet-bounds-missing")
    expect(explained?.repaired.map((one) => verify(one).rejection)).toEqual([null])
    expect(refused.insns).toEqual(before)
  })

  test("text, SARIF and annotations name the code, the place and the kernel's message", () => {
    const { explanation } = explain(refused)!
    const rendered = renderText(explanation)
    for (const part of ["error[E2101]", "instruction 1", explanation.message, "fix (verified"])
      expect(rendered).toContain(part)
    expect(renderGithub([explanation], "x.bpf.o")).toMatch(/^::error file=x\.bpf\.o,line=1,col=1,/)
    const sarif = JSON.parse(JSON.stringify(renderSarif([explanation], "x.bpf.o"))) as {
      version: string
      runs: { results: { ruleId: string }[] }[]
    }
    expect(sarif.version).toBe("2.1.0")
    expect(sarif.runs[0].results[0].ruleId).toBe("E2101")
  })
})
