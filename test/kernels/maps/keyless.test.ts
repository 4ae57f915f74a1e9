/**
 * Queues, stacks and bloom filters: one random sequence of system calls on our map, Linux's and a
 * plain model, with equal results and values.
 */

import { expect, test } from "vitest"
import { type BpfMap, createMap } from "../../../src/kernel/maps/index.ts"
import type { MapCreateAttr } from "../../../src/spec/index.ts"
import { fuzzFactor, random, seed } from "../../kernel/maps/operations.ts"
import { createHost, hex, linuxCreate, linuxSide, ourSide } from "../../kernel/maps/sides.ts"
import { describeWith, requirement } from "../../support/requirements.ts"

/** Of each type; SKEP_FUZZ=200 makes 100,000. */
const OPERATIONS = 500
const E2BIG = -7
const ENOENT = -2
const EINVAL = -22
const BPF_EXIST = 2

interface Answer {
  readonly result: number
  readonly value?: string
}

/** The values of a queue or stack, the oldest first. */
class ListModel {
  private readonly values: string[] = []
  private readonly stack: boolean
  private readonly entries: number

  constructor(stack: boolean, entries: number) {
    this.stack = stack
    this.entries = entries
  }

  push(value: string, flags: number): number {
    if (flags !== 0 && flags !== BPF_EXIST) return EINVAL
    if (this.values.length === this.entries) {
      if (flags === 0) return E2BIG
      this.values.shift()
    }
    this.values.push(value)
    return 0
  }

  peek(): Answer {
    const value = this.values.at(this.stack ? -1 : 0)
    return value === undefined ? { result: ENOENT } : { result: 0, value }
  }

  pop(): Answer {
    const answer = this.peek()
    if (this.stack) this.values.pop()
    else this.values.shift()
    return answer
  }
}

function createBoth(request: MapCreateAttr) {
  const host = createHost({ seed })
  const map = createMap(host, request, { index: 1 })
  if (typeof map === "number") throw new Error(`our map was refused: ${map}`)
  return { host, map: map as BpfMap, sides: [ourSide(map), linuxSide(linuxCreate(request), map)] }
}

const linux = requirement.linux()

describeWith([linux], `queues and stacks agree with Linux and their model (seed ${seed})`, () => {
  test.each([
    { name: "queue", type: 22, entries: 7, size: 8 },
    { name: "queue of one", type: 22, entries: 1, size: 1 },
    { name: "queue of large values", type: 22, entries: 20, size: 300 },
    { name: "stack", type: 23, entries: 7, size: 8 },
    { name: "stack of one", type: 23, entries: 1, size: 5 },
    { name: "stack of many", type: 23, entries: 200, size: 12 },
  ])("$name", ({ type, entries, size }) => {
    const source = random(seed)
    const request = { map_type: type, key_size: 0, value_size: size, max_entries: entries }
    const { map, sides } = createBoth(request)
    const model = new ListModel(type === 23, entries)
    for (let step = 0; step < OPERATIONS * fuzzFactor; step++) {
      const kind = source.below(10)
      const at = `seed ${seed}, step ${step}`
      if (kind < 5) {
        const value = source.bytes(size)
        const flags = source.pick([0, 0, 0, 1, 2, 3])
        const expected = model.push(hex(value), flags)
        for (const side of sides)
          expect(side.update(undefined, value, BigInt(flags)).result, at).toBe(expected)
      } else {
        const expected = kind < 8 ? model.pop() : model.peek()
        for (const side of sides) {
          const got = kind < 8 ? side.lookupAndDelete(undefined, 0n) : side.lookup(undefined, 0n)
          expect(got.result, at).toBe(expected.result)
          if (expected.value !== undefined) expect(got.value, at).toBe(expected.value)
        }
      }
    }
    for (const side of sides) side.close()
    expect(map.type).toBe(type)
  })
})

describeWith([linux], `bloom filters agree with Linux and with sets (seed ${seed})`, () => {
  test.each([
    { name: "4 bytes", size: 4, hashes: 0n, flags: 0x40 },
    { name: "8 bytes, 2 hashes", size: 8, hashes: 2n, flags: 0x40 },
    { name: "7 bytes, 15 hashes", size: 7, hashes: 15n, flags: 0x40 },
    { name: "64 bytes", size: 64, hashes: 0n, flags: 0x40 },
    { name: "4 bytes, a seed of its own", size: 4, hashes: 0n, flags: 0 },
    { name: "20 bytes, a seed of its own", size: 20, hashes: 3n, flags: 0 },
  ])("$name", ({ size, hashes, flags }) => {
    const source = random(seed)
    const { sides } = createBoth({
      map_type: 30,
      key_size: 0,
      value_size: size,
      max_entries: 100,
      map_flags: flags,
      map_extra: hashes,
    })
    const added = new Set<string>()
    for (let step = 0; step < OPERATIONS * fuzzFactor; step++) {
      const value = new Uint8Array(size).fill(source.below(60))
      value[size - 1] = source.below(4)
      const at = `seed ${seed}, step ${step}`
      if (source.below(5) === 0) {
        added.add(hex(value))
        for (const side of sides) expect(side.update(undefined, value, 0n).result, at).toBe(0)
        continue
      }
      const [ours, theirs] = sides.map((side) => side.contains(value))
      if (added.has(hex(value))) expect([ours, theirs], at).toEqual([0, 0])
      // Zero-seeded filters invent the same values.
      else if (flags !== 0) expect(ours, at).toBe(theirs)
      else for (const result of [ours, theirs]) expect([0, ENOENT]).toContain(result)
    }
    for (const side of sides) side.close()
  })
})
