/** The exports that compiled programs call, against the map objects and the helpers they stand for. */

import { describe, expect, test } from "vitest"
import { REGION_TAG } from "../../../src/interpreter/index.ts"
import { csumFrom32To16, csumPartial, csumSub } from "../../../src/kernel/helpers/checksum.ts"
import { EmbeddedKernel } from "../../../src/kernel/index.ts"
import {
  type BpfMap,
  createMap,
  engineCall,
  mapEngines,
  RingBufferMap,
} from "../../../src/kernel/maps/index.ts"
import { createRandom } from "../../../src/kernel/random.ts"
import { HELPERS } from "../../../src/spec/index.ts"
import { random, seed } from "./operations.ts"
import { createHost } from "./sides.ts"

const host = createHost()
const { exports } = mapEngines(host.memory)

function create(numbers: readonly number[]): BpfMap {
  const [map_type, key_size, value_size, max_entries, map_flags = 0] = numbers
  const request = { map_type, key_size, value_size, max_entries, map_flags }
  const map = createMap(host, request, { index: 1 })
  if (typeof map === "number") throw new Error(`the map was refused: ${map}`)
  return map
}

const helperId = (name: string): number => {
  const helper = HELPERS.find((one) => one.name === name)
  if (helper === undefined) throw new Error(`no helper ${name}`)
  return helper.id
}

describe("calls of compiled programs", () => {
  test("a look-up in any map gives the whole address of its value", () => {
    const at = host.memory.allocate(32)
    const maps = [
      create([1, 4, 8, 4]),
      create([2, 4, 8, 4]),
      create([5, 4, 8, 4]),
      create([6, 4, 8, 4]),
      create([9, 4, 8, 4]),
      create([10, 4, 8, 4]),
      create([11, 8, 8, 4, 1]),
    ]
    for (const map of maps) {
      host.memory.i32.set([1, 0, 0, 0], at >> 2)
      expect(map.update(at, at + 16, 0)).toBe(0)
      const address = exports.mapLookupAddress(map.address, at)
      const high = BigInt((REGION_TAG | map.valueRegion) >>> 0)
      expect(BigInt.asUintN(64, address)).toBe((high << 32n) | BigInt(map.lookup(at)))
      host.memory.i32.set([3, 0xffffff], at >> 2)
      if (map.type !== 2 && map.type !== 6)
        expect(exports.mapLookupAddress(map.address, at)).toBe(0n)
      map.destroy()
    }
  })

  test("a map without an engine is asked through its object", () => {
    const map = create([25, 4, 4, 4])
    const at = host.memory.allocate(16)
    expect(map.updateElem(new Uint8Array(4), Uint8Array.of(7, 0, 0, 0), 0n)).toBe(0)
    const address = exports.mapLookupAddress(map.address, at)
    expect(Number(address & 0xffffffffn)).toBe(map.lookup(at))
    expect(exports.mapUpdate(map.address, at, at, 0)).toBe(map.update(at, at, 0))
    expect(exports.mapDelete(map.address, at)).toBe(map.delete(at))
    expect(exports.mapPush(map.address, at, 0)).toBe(-95)
    map.destroy()
  })

  test.each([14, 16])("an empty slot of a map of type %i has no value", (type) => {
    const map = create([type, 4, 4, 2])
    const at = host.memory.allocate(16)
    const key = (n: number): number => {
      host.memory.i32[at >> 2] = n
      return at
    }
    expect(map.updateElem(Uint8Array.of(1, 0, 0, 0), Uint8Array.of(64, 0, 0, 0), 0n)).toBe(0)
    expect(map.lookup(key(0))).toBe(0)
    expect(host.memory.i32[map.lookup(key(1)) >> 2]).toBe(64)
    expect(Number(exports.mapLookupAddress(map.address, key(1)) & 0xffffffffn)).toBe(
      map.lookup(key(1)),
    )
    expect(map.lookup(key(2))).toBe(0)
    expect(map.deleteElem(Uint8Array.of(1, 0, 0, 0))).toBe(0)
    expect(map.lookup(key(1))).toBe(0)
  })

  test.each([
    ["map_lookup_elem", [1, 4, 8, 4], "hashLookup4"],
    ["map_lookup_elem", [1, 4, 8, 4, 0x40], "hashLookup"],
    ["map_lookup_elem", [9, 16, 8, 4], "lruLookup16"],
    ["map_lookup_elem", [5, 8, 8, 4], "percpuHashLookup"],
    ["map_delete_elem", [2, 4, 8, 4], undefined],
  ] as const)("%s on a map of %j is %s", (helper, numbers, name) => {
    const map = create(numbers)
    expect(engineCall(helperId(helper), map)?.name).toBe(name)
    map.destroy()
  })

  test("a helper without an engine has no call", () => {
    expect(engineCall(helperId("get_current_pid_tgid"), undefined)).toBeUndefined()
  })
})

describe(`helpers beside the maps' (seed ${seed})`, () => {
  test("checksum differences are those of the helper", () => {
    const source = random(seed)
    const block = host.memory.allocate(256)
    const { u8 } = host.memory
    for (let round = 0; round < 200; round++) {
      const bytes = source.below(3) === 0 ? new Uint8Array(128).fill(255) : source.bytes(128)
      host.memory.write(block, bytes)
      const [from, to] = [4 * (1 + source.below(16)), 4 * (1 + source.below(16))]
      const start = source() | 0
      const added = csumPartial(u8, block + 64, to, start)
      const both = csumFrom32To16(csumSub(added, csumPartial(u8, block, from, 0)))
      expect(exports.csumDiff(block, from, block + 64, to, start)).toBe(both)
      expect(exports.csumDiff(block, 0, block + 64, to, start)).toBe(csumFrom32To16(added))
      const taken = ~csumPartial(u8, block, from, ~start)
      expect(exports.csumDiff(block, from, block, 0, start)).toBe(csumFrom32To16(taken))
    }
    expect(exports.csumDiff(block, 5, block, 4, 0)).toBe(-22)
    expect(exports.csumDiff(block, 0, block, 0, 0x12345)).toBe(0x2346)
  })

  test("texts compare as strncmp does", () => {
    const block = host.memory.allocate(64)
    const compare = (first: string, size: number, second: string): number => {
      host.memory.write(block, new TextEncoder().encode(`${first}\0`))
      host.memory.write(block + 32, new TextEncoder().encode(`${second}\0`))
      return exports.compareText(block, size, block + 32)
    }
    expect(compare("abc", 4, "abc")).toBe(0)
    expect(compare("abc", 4, "abd")).toBe(-1)
    expect(compare("abd", 4, "abc")).toBe(1)
    expect(compare("abd", 2, "abc")).toBe(0)
    expect(compare("ab", 4, "abc")).toBe(-1)
    expect(compare("", 4, "")).toBe(0)
  })
})

describe("records of compiled programs", () => {
  test("wake the reader as Linux does: when it has read everything, or on demand", () => {
    const woken: number[] = []
    const waking = { ...createHost(), notify: (map: BpfMap) => woken.push(map.address) }
    const request = { map_type: 27, key_size: 0, value_size: 0, max_entries: 4096 }
    const ring = createMap(waking, request, { index: 1 })
    if (!(ring instanceof RingBufferMap)) throw new Error(`no ring: ${ring}`)
    const engines = mapEngines(waking.memory).exports
    const submit = (flags: number): void => {
      const sample = engines.ringReserve(ring.address, 16, 0)
      engines.ringSubmit(sample, flags)
    }
    const wakes = (action: () => void): number => {
      const before = woken.length
      action()
      return woken.length - before
    }
    expect(wakes(() => submit(0))).toBe(1)
    expect(wakes(() => submit(0))).toBe(0)
    expect(wakes(() => submit(2))).toBe(1)
    const view = ring.view()
    view.setConsumerPosition(view.producerPosition())
    expect(wakes(() => submit(1))).toBe(0)
    view.setConsumerPosition(view.producerPosition())
    const data = waking.memory.allocate(16)
    expect(wakes(() => expect(engines.ringOutput(ring.address, data, 16, 0)).toBe(0))).toBe(1)
    expect(new Set(woken)).toEqual(new Set([ring.address]))
    expect(engines.ringOutput(ring.address, data, 16, 4)).toBe(-22)
    expect(engines.ringOutput(ring.address, data, 5000, 0)).toBe(-11)
    expect(ring.query(0)).toBe(24)
  })
})

describe("clock and random numbers of a kernel", () => {
  test("are those that its helpers give, one sequence for both", () => {
    const kernel = new EmbeddedKernel({ seed: 7 })
    const { memory, random32, clock } = kernel.state
    const engines = mapEngines(memory).exports
    const expected = createRandom(7)
    for (let round = 0; round < 100; round++) {
      expect(random32()).toBe(expected())
      expect(engines.prandom()).toBe(BigInt(expected()))
    }
    expect(BigInt.asUintN(64, engines.ktime())).toBe(clock.now())
    clock.advance(123_456_789_012_345n)
    expect(engines.ktime()).toBe(clock.now())
  })
})
