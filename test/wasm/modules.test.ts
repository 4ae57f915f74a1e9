import { readFileSync } from "node:fs"
import { describe, expect, test } from "vitest"
import { compile, modules } from "../../scripts/build-wasm.mjs"

describe("the committed WebAssembly modules", () => {
  test.each(modules)("$output is what $source compiles to", async (module) => {
    expect(readFileSync(module.output, "utf8") === (await compile(module))).toBe(true)
  })
})
