import { describe, expect, it } from "vitest"
import { REGION_CONTEXT, REGION_READ, REGION_TAG } from "../../../src/interpreter/machine.ts"
import { createKernelMemory, REGIONS_MAX } from "../../../src/kernel/memory/index.ts"

const small = { initialBytes: 2 ** 20 }

describe("the region table", () => {
  it("hands out indices from 1, and reuses those that were destroyed", () => {
    const memory = createKernelMemory(small)
    const first = memory.createRegion(65_536, 65_600, REGION_READ)
    const second = memory.createRegion(0, 0, 0)
    expect([first, second]).toEqual([1, 2])
    memory.destroyRegion(first)
    expect(memory.regionEnd[first]).toBe(0)
    expect(memory.createRegion(70_000, 70_010, REGION_READ)).toBe(first)
    expect(memory.regionStart[first]).toBe(70_000)
  })

  it("holds every index but 0 and 32767, and then gives 0", () => {
    const memory = createKernelMemory(small)
    for (let region = 1; region <= REGIONS_MAX; region++)
      expect(memory.createRegion(65_536, 65_536 + region, REGION_READ)).toBe(region)
    expect(memory.createRegion(0, 0, 0)).toBe(0)
    expect(memory.regionEnd[REGIONS_MAX]).toBe(65_536 + REGIONS_MAX)
    // -1 as an address has the tag of the region that can never exist.
    expect(REGION_TAG | (REGIONS_MAX + 1)).toBe(-1)
  })

  it("knows the address fields of contexts until the region is destroyed", () => {
    const memory = createKernelMemory(small)
    const packet = memory.createRegion(65_536, 65_600, REGION_READ)
    const context = memory.createRegion(66_000, 66_024, REGION_READ | REGION_CONTEXT)
    memory.setContextTags(context, new Map([[0, REGION_TAG | packet]]))
    expect(memory.contextTag(context, 0)).toBe(REGION_TAG | packet)
    expect(memory.contextTag(context, 4)).toBe(0)
    memory.destroyRegion(context)
    expect(memory.contextTag(context, 0)).toBe(0)
  })
})
