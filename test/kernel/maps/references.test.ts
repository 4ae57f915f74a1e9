/** Maps whose values are kernel objects, against Linux with real descriptors. */

import { describe, expect, test } from "vitest"
import {
  type BpfMap,
  createMap,
  type HashOfMaps,
  type PerfEventArray,
  type RedirectMap,
  type ReferenceArray,
  type StackTraceMap,
} from "../../../src/kernel/maps/index.ts"
import type { MapCreateAttr } from "../../../src/spec/index.ts"
import { addressOf, attr, bpf, close, progLoad } from "../../support/linux.ts"
import { describeWith, requirement } from "../../support/requirements.ts"
import { fuzzFactor, type Random, random, seed, walk } from "./operations.ts"
import { createHost, hex, linuxCreate, linuxSide, ourSide } from "./sides.ts"

const OBJ_GET_INFO_BY_FD = 15
const linux = requirement.linux()

function keyOf(index: number): Uint8Array {
  const key = new Uint8Array(4)
  new DataView(key.buffer).setUint32(0, index, true)
  return key
}

/** The id in `struct bpf_map_info` or `bpf_prog_info`: the second word of both. */
function linuxId(fd: number): number {
  const info = new Uint8Array(16)
  bpf(
    OBJ_GET_INFO_BY_FD,
    attr(
      [
        [0, 4, fd],
        [4, 4, info.length],
        [8, 8, addressOf(info)],
      ],
      16,
    ),
  )
  return new DataView(info.buffer).getUint32(4, true)
}

const NOP_PROGRAM = new Uint8Array([0xb7, 0, 0, 0, 0, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0])

interface Object {
  readonly fd: number
  readonly map: BpfMap
}

/** Candidates for the inside of a map of maps; the first is the template. */
const insides: readonly MapCreateAttr[] = [
  { map_type: 2, key_size: 4, value_size: 8, max_entries: 4 },
  { map_type: 2, key_size: 4, value_size: 8, max_entries: 4 },
  { map_type: 2, key_size: 4, value_size: 8, max_entries: 4 },
  { map_type: 2, key_size: 4, value_size: 8, max_entries: 5 },
  { map_type: 2, key_size: 4, value_size: 4, max_entries: 4 },
  { map_type: 1, key_size: 4, value_size: 8, max_entries: 4 },
  { map_type: 2, key_size: 4, value_size: 8, max_entries: 4, map_flags: 0x80 },
]
/** The same for a hash as template, whose size does not matter. */
const hashInsides: readonly MapCreateAttr[] = [
  { map_type: 1, key_size: 4, value_size: 8, max_entries: 4 },
  { map_type: 1, key_size: 4, value_size: 8, max_entries: 400 },
  { map_type: 1, key_size: 4, value_size: 8, max_entries: 4, map_flags: 1 },
  { map_type: 5, key_size: 4, value_size: 8, max_entries: 4 },
]
const innerMapInsides: readonly MapCreateAttr[] = [
  { map_type: 2, key_size: 4, value_size: 8, max_entries: 4, map_flags: 0x1000 },
  { map_type: 2, key_size: 4, value_size: 8, max_entries: 9, map_flags: 0x1000 },
  { map_type: 2, key_size: 4, value_size: 8, max_entries: 4 },
]

const rows = [
  { name: "array of arrays", type: 12, insides, flags: 0 },
  { name: "array of hashes", type: 12, insides: hashInsides, flags: 0 },
  { name: "array of arrays of any size", type: 12, insides: innerMapInsides, flags: 0 },
  { name: "hash of arrays", type: 13, insides, flags: 0x40 },
  { name: "hash of arrays without preallocation", type: 13, insides, flags: 0x41 },
  { name: "prog array", type: 3, insides, flags: 0 },
]

describeWith([linux], `references agree with Linux (seed ${seed})`, () => {
  test.each(rows)("$name", (row) => {
    for (let round = 0; round < fuzzFactor; round++) compare(row, seed + round)
  })
})

function createObjects(host: ReturnType<typeof createHost>, row: (typeof rows)[number]): Object[] {
  return row.insides.map((request, index) => {
    const map = createMap(host, request, { index: 10 + index }) as BpfMap
    const ofPrograms = row.type === 3
    const fd = ofPrograms ? progLoad(1, NOP_PROGRAM, { logLevel: 0 }).fd : linuxCreate(request)
    // Ids are compared too: ours are set to what Linux gave.
    map.id = linuxId(fd)
    return { fd, map }
  })
}

function compare(row: (typeof rows)[number], roundSeed: number): void {
  const source = random(roundSeed)
  const host = createHost()
  const before = host.memory.allocatedBytes
  const objects = createObjects(host, row)
  const request: MapCreateAttr = {
    map_type: row.type,
    key_size: 4,
    value_size: 4,
    max_entries: 5,
    map_flags: row.flags,
    inner_map_fd: row.type === 3 ? 0 : objects[0].fd,
  }
  const map = createMap(host, request, { index: 1, inner: objects[0].map }) as
    | ReferenceArray<BpfMap>
    | HashOfMaps
  const theirs = linuxSide(linuxCreate(request), map)
  const ours = ourSide(map)
  const held: BpfMap[] = []
  const drop = (object: BpfMap): void => {
    held.splice(held.indexOf(object), 1)
  }
  for (let step = 0; step < 600; step++) {
    const key = keyOf(source.below(7))
    const flags = source.below(4) === 0 ? source.pick([1n, 2n, 3n, 8n]) : 0n
    const object = source.pick(objects)
    const message = `seed ${roundSeed}, step ${step}, key ${key[0]}`
    switch (source.below(5)) {
      case 0:
      case 1: {
        const result = map.setReference(key, object.map, flags, drop)
        if (result === 0) held.push(object.map)
        expect({ result }, message).toEqual(theirs.update(key, keyOf(object.fd), flags))
        break
      }
      case 2:
        expect({ result: map.deleteReference(key, drop) }, message).toEqual(theirs.delete(key))
        break
      case 3:
        expect(ours.lookup(key, 0n), message).toEqual(theirs.lookup(key, 0n))
        break
      default:
        compareBatch(source, message)
    }
    const ids = (maps: Iterable<BpfMap>): number[] => [...maps].map(({ id }) => id).sort()
    expect(ids(map.references()), message).toEqual(ids(held))
  }
  expect(walk(ours, 100)).toEqual(walk(theirs, 100))
  theirs.close()
  map.destroy()
  for (const object of objects) {
    close(object.fd)
    object.map.destroy()
  }
  expect(host.memory.allocatedBytes).toBe(before)

  function compareBatch(random: Random, message: string): void {
    const count = random.below(8)
    const batch = {
      inBatch: random.below(2) === 0 ? undefined : keyOf(random.below(8)),
      outBatch: true,
      keys: new Uint8Array(4 * count),
      values: new Uint8Array(4 * count),
      count,
      elemFlags: 0n,
      flags: 0n,
    }
    expect(ours.batch("lookup", batch), message).toEqual(theirs.batch("lookup", batch))
  }
}

describeWith([linux], "the inner map that MAP_CREATE is given", () => {
  const templates: readonly MapCreateAttr[] = [
    { map_type: 1, key_size: 4, value_size: 4, max_entries: 1 },
    { map_type: 3, key_size: 4, value_size: 4, max_entries: 1 },
    { map_type: 4, key_size: 4, value_size: 4, max_entries: 1 },
    { map_type: 7, key_size: 4, value_size: 8, max_entries: 1 },
    { map_type: 8, key_size: 4, value_size: 4, max_entries: 1 },
    { map_type: 9, key_size: 4, value_size: 4, max_entries: 1 },
    { map_type: 11, key_size: 8, value_size: 4, max_entries: 1, map_flags: 1 },
    { map_type: 14, key_size: 4, value_size: 4, max_entries: 1 },
    { map_type: 16, key_size: 4, value_size: 4, max_entries: 1 },
    { map_type: 17, key_size: 4, value_size: 4, max_entries: 1 },
    { map_type: 22, key_size: 0, value_size: 4, max_entries: 1 },
    { map_type: 27, key_size: 0, value_size: 0, max_entries: 4096 },
    { map_type: 30, key_size: 0, value_size: 4, max_entries: 1 },
    { map_type: 31, key_size: 0, value_size: 0, max_entries: 4096 },
  ]
  test.each(templates)("of type $map_type", (template) => {
    const host = createHost()
    const inner = createMap(host, template, { index: 1 }) as BpfMap
    const fd = linuxCreate(template)
    for (const map_type of [12, 13]) {
      const outer = { map_type, key_size: 4, value_size: 4, max_entries: 2, inner_map_fd: fd }
      const theirs = linuxCreate(outer)
      close(theirs)
      const ours = createMap(host, outer, { index: 2, inner })
      expect(typeof ours === "number" ? ours : 0).toBe(Math.min(theirs, 0))
    }
    close(fd)
  })

  test("a map of maps is no inner map, and neither is a bad descriptor", () => {
    const host = createHost()
    const template = { map_type: 2, key_size: 4, value_size: 4, max_entries: 1 }
    const outer = { map_type: 12, key_size: 4, value_size: 4, max_entries: 1 }
    const fd = linuxCreate(template)
    const outerFd = linuxCreate({ ...outer, inner_map_fd: fd })
    const inner = createMap(host, template, { index: 1 }) as BpfMap
    const nested = createMap(host, outer, { index: 2, inner }) as BpfMap
    expect(createMap(host, outer, { index: 3, inner: nested })).toBe(
      linuxCreate({ ...outer, inner_map_fd: outerFd }),
    )
    expect(createMap(host, outer, { index: 3, inner: -9 })).toBe(
      linuxCreate({ ...outer, inner_map_fd: 9999 }),
    )
    close(outerFd)
    close(fd)
  })
})

describe("what programs see of a map of maps", () => {
  test("a look-up gives the inner map's descriptor, or nothing", () => {
    const host = createHost()
    const template = { map_type: 2, key_size: 4, value_size: 4, max_entries: 1 }
    const inner = createMap(host, template, { index: 1 }) as BpfMap
    for (const map_type of [12, 13]) {
      const outer = createMap(
        host,
        { map_type, key_size: 4, value_size: 4, max_entries: 3 },
        { index: 2, inner },
      ) as ReferenceArray<BpfMap>
      const key = host.memory.allocate(8)
      host.memory.write(key, keyOf(1))
      expect(outer.lookup(key)).toBe(0)
      outer.setReference(keyOf(1), inner, 0n, () => expect.fail("nothing was replaced"))
      expect(outer.lookup(key)).toBe(inner.address)
      outer.clearReferences()
      expect(outer.lookup(key)).toBe(0)
      expect([...outer.references()]).toEqual([])
    }
  })
})

describe("redirect maps", () => {
  test("a device that does not exist is refused, and programs are held and released", () => {
    const host = createHost()
    const map = createMap(
      host,
      { map_type: 14, key_size: 4, value_size: 8, max_entries: 4 },
      { index: 1 },
    ) as RedirectMap
    const held: number[] = []
    map.resolver = {
      device: (ifindex) => ifindex === 3,
      program(fd) {
        if (fd !== 7) return -9
        held.push(70)
        return { id: 70 }
      },
      releaseProgram: ({ id }) => void held.splice(held.indexOf(id), 1),
    }
    const value = (ifindex: number, fd: number): Uint8Array => {
      const bytes = new Uint8Array(8)
      new DataView(bytes.buffer).setUint32(0, ifindex, true)
      new DataView(bytes.buffer).setInt32(4, fd, true)
      return bytes
    }
    expect(map.updateElem(keyOf(0), value(4, 0), 0n)).toBe(-22)
    expect(map.updateElem(keyOf(0), value(3, 8), 0n)).toBe(-22)
    expect(map.updateElem(keyOf(0), value(3, 7), 0n)).toBe(0)
    expect(map.target(0)).toEqual({ first: 3, program: { id: 70 } })
    const out = new Uint8Array(8)
    map.lookupElem(keyOf(0), out, 0n)
    expect(hex(out)).toBe("0300000046000000")
    expect(map.updateElem(keyOf(0), value(3, 0), 0n)).toBe(0)
    expect(held).toEqual([])
    expect(map.updateElem(keyOf(1), value(3, 7), 0n)).toBe(0)
    map.destroy()
    expect(held).toEqual([])
  })
})

describeWith([linux], "stack traces", () => {
  test("a trace has the id that Linux gives it", () => {
    const host = createHost()
    const request = { map_type: 7, key_size: 4, value_size: 8 * 32, max_entries: 100 }
    const ours = createMap(host, request, { index: 1 }) as StackTraceMap
    const fd = linuxCreate(request)
    // r2 = map; r3 = 0; call bpf_get_stackid; exit
    const code = new Uint8Array(40)
    const view = new DataView(code.buffer)
    view.setUint16(0, 0x1218, true)
    view.setInt32(4, fd, true)
    view.setUint16(16, 0x03b7, true)
    view.setUint16(24, 0x85, true)
    view.setInt32(28, 27, true)
    view.setUint16(32, 0x95, true)
    const RAW_TRACEPOINT = 17
    const program = progLoad(RAW_TRACEPOINT, code, { logLevel: 0 }).fd
    const run = attr([[0, 4, program]], 80)
    expect(bpf(10, run)).toBe(0)
    const id = new DataView(run.buffer).getInt32(4, true)
    const theirs = linuxSide(fd, ours)
    const found = theirs.lookup(keyOf(id), 0n)
    expect(found.result).toBe(0)
    const trace = Uint8Array.from(found.value?.match(/../g) ?? [], (digits) =>
      Number.parseInt(digits, 16),
    )
    const frames = trimmed(trace)
    expect(frames.length).toBeGreaterThan(0)
    expect(ours.store(frames, 0)).toBe(id)
    expect(ourSide(ours).lookup(keyOf(id), 0n)).toEqual(found)
    expect(walk(ourSide(ours), 10)).toEqual(walk(theirs, 10))
    expect(ourSide(ours).lookupAndDelete(keyOf(id), 0n)).toEqual(
      theirs.lookupAndDelete(keyOf(id), 0n),
    )
    expect(ourSide(ours).lookup(keyOf(id), 0n)).toEqual(theirs.lookup(keyOf(id), 0n))
    close(program)
    close(fd)
  })

  /** Without the zeros behind the last frame. */
  function trimmed(trace: Uint8Array): Uint8Array {
    let end = trace.length
    while (end > 0 && trace.subarray(end - 8, end).every((byte) => byte === 0)) end -= 8
    return trace.subarray(0, end)
  }
})

describe("stack trace buckets", () => {
  test("the same trace has the same id; another in its bucket is refused or replaces it", () => {
    const host = createHost()
    const map = createMap(
      host,
      { map_type: 7, key_size: 4, value_size: 80, max_entries: 1 },
      { index: 1 },
    ) as StackTraceMap
    const a = new Uint8Array(16).fill(1)
    const b = new Uint8Array(24).fill(2)
    expect(map.store(a, 0)).toBe(0)
    expect(map.store(a, 0)).toBe(0)
    expect(map.store(b, 0)).toBe(-17)
    expect(map.store(b, 0x400)).toBe(0)
    const value = new Uint8Array(80)
    expect(map.lookupElem(keyOf(0), value, 0n)).toBe(0)
    expect(hex(value)).toBe("02".repeat(24) + "00".repeat(56))
    expect(map.store(new Uint8Array(0), 0)).toBe(-14)
  })
})

describe("perf event arrays", () => {
  test("each CPU writes to its own ring only", () => {
    let cpu = 0
    const host = createHost({ cpu: () => cpu })
    const before = host.memory.allocatedBytes
    const request = { map_type: 4, key_size: 4, value_size: 4, max_entries: 2 }
    const map = createMap(host, request, { index: 1 }) as PerfEventArray
    expect(map.output(0, new Uint8Array(4))).toBe(-2)
    expect(map.output(2, new Uint8Array(4))).toBe(-7)
    const ring = map.openRing(0, 1)
    if (typeof ring === "number") throw new Error(`openRing: ${ring}`)
    expect(map.output(0, new Uint8Array([1, 2, 3, 4, 5]))).toBe(0)
    cpu = 1
    expect(map.output(0, new Uint8Array(4))).toBe(-95)
    const samples: string[] = []
    ring.drain(
      (data) => samples.push(hex(data)),
      (count) => expect.fail(`lost ${count}`),
    )
    // Padded so that header, size and data together are a multiple of 8.
    expect(samples).toEqual(["010203040500000000000000"])
    map.destroy()
    expect(host.memory.allocatedBytes).toBe(before)
  })

  test("what does not fit is counted and reported before the next record that fits", () => {
    const host = createHost()
    const request = { map_type: 4, key_size: 4, value_size: 4, max_entries: 2 }
    const map = createMap(host, request, { index: 1 }) as PerfEventArray
    const ring = map.openRing(0, 1)
    if (typeof ring === "number") throw new Error(`openRing: ${ring}`)
    const write = (byte: number): number => map.output(0, new Uint8Array(500).fill(byte))
    const results = Array.from({ length: 10 }, (_, index) => write(index))
    // 512 bytes a record, of which seven fit into 4095.
    expect(results).toEqual([0, 0, 0, 0, 0, 0, 0, -28, -28, -28])
    const events: (number | string)[] = []
    const drain = (): void =>
      ring.drain(
        (data) => events.push(data[0]),
        (count) => events.push(`lost ${count}`),
      )
    drain()
    write(50)
    drain()
    expect(events).toEqual([0, 1, 2, 3, 4, 5, 6, "lost 3", 50])
  })
})
