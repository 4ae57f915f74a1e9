import { describe, expect, it } from "vitest"
import { describeWith, requirement } from "../support/requirements.ts"
import { interpreterEngine, jitEngine, linuxEngine, runAll } from "./engines.ts"
import { ownVectors, readVectors } from "./vectors.ts"

/** Shifts by constants that are too large, which Linux's verifier refuses; and callx. */
const REFUSED_BY_LINUX = [
  ...["arsh", "lsh", "rsh"].flatMap((shift) =>
    ["32", "64"].flatMap((width) => [`${shift}${width}-imm-high`, `${shift}${width}-imm-neg`]),
  ),
  "callx",
].sort()

describe("our own conformance vectors", () => {
  it("pass on the interpreter", () => {
    expect(runAll(interpreterEngine(), readVectors(ownVectors)).failed).toEqual([])
  })

  it("pass compiled to WebAssembly, with and without checks", () => {
    for (const checked of [true, false])
      expect(runAll(jitEngine(checked), readVectors(ownVectors)).failed).toEqual([])
  })
})

describeWith([requirement.shared()], "the vectors of bpf_conformance", () => {
  it("pass on the interpreter, all 313", () => {
    expect(runAll(interpreterEngine(), readVectors())).toEqual({ passed: 313, failed: [] })
  })

  it("pass compiled to WebAssembly, with and without checks, all 313", () => {
    for (const checked of [true, false])
      expect(runAll(jitEngine(checked), readVectors())).toEqual({ passed: 313, failed: [] })
  })
})

describeWith([requirement.shared(), requirement.linux()], "Linux", () => {
  it("passes them as well, but for those that its verifier refuses", () => {
    const { passed, failed } = runAll(linuxEngine(), readVectors())
    expect(failed.map(([name]) => name).sort()).toEqual(REFUSED_BY_LINUX)
    expect(passed).toBe(300)
  })
})
