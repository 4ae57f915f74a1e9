/** MAP_CREATE: every combination of types, sizes and flags gets the errno that Linux gives it. */

import { describe, expect, test } from "vitest"
import {
  type BpfMap,
  createMap,
  isMapTypeSupported,
  NR_CPUS,
} from "../../../src/kernel/maps/index.ts"
import { BPF_MAP_TYPE, type MapCreateAttr, mapTypeName } from "../../../src/spec/index.ts"
import { close } from "../../support/linux.ts"
import { describeWith, requirement } from "../../support/requirements.ts"
import { fuzzFactor, random, seed } from "./operations.ts"
import { createHost, linuxCreate } from "./sides.ts"

const KEY_SIZES = [0, 1, 2, 4, 5, 8, 16, 260, 261, 512, 4_194_255, 4_194_304, 0x7fffffff]
const VALUE_SIZES = [
  0, 1, 3, 4, 7, 8, 12, 16, 32, 64, 1016, 1024, 32_761, 32_768, 32_769, 65_536, 4_194_024,
  4_194_025, 4_194_252, 4_194_304, 4_194_305, 0x7fffffff, 0x80000000, 0xffffffff,
]
const MAX_ENTRIES = [0, 1, 2, 3, 64, 4095, 4096, 8192, 12_288, 0x10000001, 0x80000001, 0xffffffff]
const FLAGS = Array.from({ length: 20 }, (_, bit) => 2 ** bit).filter((flag) => flag !== 0x10000)
const EXTRAS = [0n, 1n, 5n, 15n, 16n, 1n << 40n]
/** Linux grants what we cannot hold, or takes seconds to: not asked for. */
const BYTES_MAX = 2 ** 24

/** Our types, and two numbers that are none. */
const types = [...Object.values(BPF_MAP_TYPE).filter(isMapTypeSupported), 0, 500]
const linux = requirement.linux()

/** A request near what `type` accepts: random sizes now and then, the right ones else. */
function randomRequest(type: number, source: ReturnType<typeof random>): MapCreateAttr {
  const usual = usualRequest(type)
  const choose = (usualValue: number, others: readonly number[]): number =>
    source.below(3) === 0 ? source.pick(others) : usualValue
  let flags = source.below(2) === 0 ? (usual.map_flags ?? 0) : 0
  for (let count = source.below(3); count > 0; count--) flags |= source.pick(FLAGS)
  return {
    map_type: type,
    key_size: choose(usual.key_size, KEY_SIZES),
    value_size: choose(usual.value_size, VALUE_SIZES),
    max_entries: choose(usual.max_entries, MAX_ENTRIES),
    map_flags: flags,
    numa_node: source.pick([0, 0, 1, 0xffffffff]),
    map_extra: source.below(8) === 0 ? source.pick(EXTRAS) : 0n,
  }
}

function usualRequest(type: number): MapCreateAttr {
  const name = mapTypeName(type)
  const keyless = /queue|stack$|bloom|ringbuf|arena/.test(name)
  const ring = /ringbuf|arena/.test(name)
  // Without types of key and value both kernels refuse a local storage: see local-storage.test.ts.
  if (isStorage(type))
    return { map_type: type, key_size: 4, value_size: 4, max_entries: 0, map_flags: 1 }
  return {
    map_type: type,
    key_size: keyless ? 0 : /lpm/.test(name) ? 8 : 4,
    value_size: ring ? 0 : /stack_trace/.test(name) ? 80 : 4,
    max_entries: /ringbuf/.test(name) ? 4096 : 3,
    map_flags: /lpm/.test(name) ? 1 : /arena/.test(name) ? 0x400 : 0,
  }
}

/** Rough bytes that the map would need. */
function cost(request: MapCreateAttr): number {
  const page = request.map_type === BPF_MAP_TYPE.BPF_MAP_TYPE_ARENA ? 4096 : 0
  return (request.key_size + request.value_size + 64 + page) * request.max_entries
}

describeWith([linux], `creation agrees with Linux (seed ${seed})`, () => {
  test.each(types.map((type) => ({ type, name: mapTypeName(type) })))("$name", ({ type }) => {
    const source = random(seed + type)
    const host = createHost()
    const template = { map_type: 2, key_size: 4, value_size: 4, max_entries: 1 }
    const innerFd = linuxCreate(template)
    const inner = createMap(host, template, { index: 1 }) as BpfMap
    const before = host.memory.allocatedBytes
    const seen = new Map<number, number>()
    for (let round = 0; round < 150 * fuzzFactor; round++) {
      const request = { ...randomRequest(type, source), inner_map_fd: innerFd }
      const ours = createMap(host, request, { index: 2, inner })
      if (typeof ours === "object") ours.destroy()
      const got = typeof ours === "number" ? ours : 0
      // Both kernels answer what they cannot hold with -ENOMEM, but not at the same size.
      if ((got === 0 || got === -12) && cost(request) > BYTES_MAX) continue
      if (type === BPF_MAP_TYPE.BPF_MAP_TYPE_CPUMAP && dependsOnNrCpus(request)) continue
      const fd = linuxCreate(request)
      close(fd)
      expect(got, `seed ${seed}: ${describeRequest(request)}`).toBe(Math.min(fd, 0))
      seen.set(got, (seen.get(got) ?? 0) + 1)
    }
    close(innerFd)
    expect(host.memory.allocatedBytes).toBe(before)
    if (isMapTypeSupported(type) && !isStorage(type)) expect(seen.get(0) ?? 0).toBeGreaterThan(3)
  })
})

function isStorage(type: number): boolean {
  return /_storage$/.test(mapTypeName(type))
}

/** CONFIG_NR_CPUS, from 64 to 8192, limits a cpumap. */
function dependsOnNrCpus(request: MapCreateAttr): boolean {
  return request.max_entries > 64 && request.max_entries <= NR_CPUS
}

function describeRequest(request: MapCreateAttr): string {
  return JSON.stringify(request, (_, value) => (typeof value === "bigint" ? `${value}n` : value))
}

describe("memory of maps", () => {
  const requests = types
    .filter((type) => isMapTypeSupported(type) && !isStorage(type))
    .map((type) => ({ name: mapTypeName(type), request: usualRequest(type) }))

  test.each(requests)("a thousand $name maps come and go without a trace", ({ request }) => {
    const host = createHost()
    const template = { map_type: 2, key_size: 4, value_size: 4, max_entries: 1 }
    const inner = createMap(host, template, { index: 1 }) as BpfMap
    const before = host.memory.allocatedBytes
    for (let count = 0; count < 1000; count++) {
      const map = createMap(host, request, { index: 2, inner }) as BpfMap
      map.updateElem(
        map.keySize === 0 ? undefined : new Uint8Array(map.keySize),
        new Uint8Array(map.syscallValueSize).fill(1),
        0n,
      )
      map.destroy()
    }
    expect(host.memory.allocatedBytes).toBe(before)
  })

  test("a map that does not fit leaves nothing behind", () => {
    const host = createHost()
    const before = host.memory.allocatedBytes
    const request = { map_type: 1, key_size: 8, value_size: 4096, max_entries: 2 ** 20 }
    expect(createMap(host, request, { index: 1 })).toBe(-12)
    expect(host.memory.allocatedBytes).toBe(before)
  })

  test("the descriptor begins with the index of the map", () => {
    const host = createHost()
    const map = createMap(host, usualRequest(1), { index: 77 }) as BpfMap
    expect(host.memory.i32[map.address >> 2]).toBe(77)
  })
})
