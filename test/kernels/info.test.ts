/** What both kernels say of a loaded program through the API. */

import { readFileSync } from "node:fs"
import { join } from "node:path"
import { expect, test } from "vitest"
import { embeddedKernel } from "../../src/api/embedded.ts"
import { type Kernel, type Program, parseObject } from "../../src/api/index.ts"
import { linuxKernel } from "../../src/api/linux.ts"
import { describeWith, requirement, root } from "../support/requirements.ts"

const bytes = readFileSync(join(root, "test/kernels/programs/hash-full.bpf.o"))

async function about(kernel: Kernel): Promise<{ text: string; maps: number[]; own: number[] }> {
  using loaded = await kernel.load(parseObject(bytes))
  const program = loaded.programs["hash_full"] as Program
  const own = ["small", "results"].map((name) => loaded.maps[name].id as number)
  return { text: program.disassemble(), maps: [...program.info().mapIds].sort(), own: own.sort() }
}

test("the embedded kernel names a program's maps and shows its instructions", async () => {
  const { text, maps, own } = await about(embeddedKernel())
  expect(maps).toEqual(own)
  expect(text).toContain("call bpf_map_update_elem#2")
  expect(text).toContain(`map[id:${own[0]}]`)
})

describeWith([requirement.linux()], "Linux through the API", () => {
  test("names a program's maps and shows its instructions", async () => {
    const { text, maps, own } = await about(linuxKernel())
    expect(maps).toEqual(own)
    expect(text).toContain(`map[id:${own[0]}]`)
    expect(text).toMatch(/exit\s*$/)
  })
})
