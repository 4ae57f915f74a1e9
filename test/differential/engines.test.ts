import { describe, expect, it } from "vitest"
import { fuzzEngines } from "./engines.ts"

const RUNS = 40 * Number(process.env.SKEP_FUZZ ?? 1)
const SEED = Number(process.env.SKEP_FUZZ_SEED ?? Date.now() % 1_000_000)

describe("generated programs", () => {
  it("leave the same on every engine, and on Linux where it is there", () => {
    console.log(`seed ${SEED}`)
    expect(fuzzEngines({ runs: RUNS, seed: SEED, linux: RUNS }).differences).toEqual([])
  })
})
