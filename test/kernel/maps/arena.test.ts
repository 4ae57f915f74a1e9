/** Pages of an arena, as linux v6.18 kernel/bpf/arena.c gives them out. */

import { describe, expect, test } from "vitest"
import { ArenaMap, createMap } from "../../../src/kernel/maps/index.ts"
import { createHost } from "./sides.ts"

const PAGE = 4096
const MMAPABLE = 0x400

function create(pages: number) {
  const host = createHost()
  const request = {
    map_type: 33,
    key_size: 0,
    value_size: 0,
    max_entries: pages,
    map_flags: MMAPABLE,
  }
  const map = createMap(host, request, { index: 1 })
  if (!(map instanceof ArenaMap)) throw new Error(`no arena: ${map}`)
  return { host, map, base: map.byteAt(0) }
}

describe("an arena", () => {
  test("gives pages that follow each other, and the smallest hole that is long enough", () => {
    const { map, base } = create(10)
    expect(map.allocatePages(0, 2)).toBe(base)
    expect(map.allocatePages(0, 3)).toBe(base + 2 * PAGE)
    expect(map.allocatePages(0, 1)).toBe(base + 5 * PAGE)
    map.freePages(base, 2)
    expect(map.allocatePages(0, 3)).toBe(base + 6 * PAGE)
    expect(map.allocatePages(0, 1)).toBe(base + 9 * PAGE)
    expect(map.allocatePages(0, 3)).toBe(0)
    expect(map.allocatePages(0, 2)).toBe(base)
  })

  test("gives the pages that are asked for, when they are free", () => {
    const { map, base } = create(4)
    expect(map.allocatePages(base + PAGE, 2)).toBe(base + PAGE)
    expect(map.allocatePages(base + 2 * PAGE, 1)).toBe(0)
    expect(map.allocatePages(base + 3 * PAGE + 8, 1)).toBe(0)
    expect(map.allocatePages(base + 3 * PAGE, 2)).toBe(0)
    expect(map.allocatePages(base + 3 * PAGE, 1)).toBe(base + 3 * PAGE)
    expect(map.allocatePages(0, 0)).toBe(0)
    expect(map.allocatePages(0, 5)).toBe(0)
  })

  test("reserves free pages only", () => {
    const { map, base } = create(4)
    expect(map.reservePages(base, 2)).toBe(0)
    expect(map.reservePages(base + PAGE, 1)).toBe(-16)
    expect(map.reservePages(base + 3 * PAGE, 2)).toBe(-22)
    expect(map.allocatePages(0, 3)).toBe(0)
    expect(map.allocatePages(0, 2)).toBe(base + 2 * PAGE)
  })

  test("hands freed pages out as zeros, and all memory back in the end", () => {
    const { host, map, base } = create(3)
    map.allocatePages(0, 3)
    host.memory.u8.fill(7, base, base + 3 * PAGE)
    map.freePages(base + PAGE, 100)
    expect(map.allocatePages(0, 2)).toBe(base + PAGE)
    expect(host.memory.u8[base + 100]).toBe(7)
    expect(host.memory.u8[base + PAGE + 100]).toBe(0)
    map.destroy()
    expect(host.memory.allocatedBytes).toBe(0)
  })

  test("has addresses for its bytes, and none beyond", () => {
    const { map, base } = create(2)
    expect(map.byteAt(2 * PAGE - 1)).toBe(base + 2 * PAGE - 1)
    expect(map.byteAt(2 * PAGE)).toBe(-34)
  })
})
