/** Local storage against Linux, with the tasks of this process and its parent as owners. */

import { expect, test } from "vitest"
import { createMap, type LocalStorageMap } from "../../../src/kernel/maps/index.ts"
import type { MapCreateAttr } from "../../../src/spec/index.ts"
import { addressOf, attr, bpf, close, syscall } from "../../support/linux.ts"
import { describeWith, requirement } from "../../support/requirements.ts"
import { apply, describeOperation, random, randomOperation, seed, walk } from "./operations.ts"
import { agree, createHost, linuxSide, ourSide } from "./sides.ts"

const NR_PIDFD_OPEN = 434
const BTF_LOAD = 18
const TYPES = [24, 28, 29, 32]

/** BTF with one type, `int` (id 1). */
function loadInt(): number {
  const strings = new TextEncoder().encode("\0int\0")
  const words = Uint32Array.of(24, 0, 16, 16, strings.length, 1, 1 << 24, 4, (1 << 24) | 32)
  const blob = new Uint8Array(4 + words.byteLength + strings.length)
  new DataView(blob.buffer).setUint32(0, 0x0001eb9f, true)
  blob.set(new Uint8Array(words.buffer), 4)
  blob.set(strings, 4 + words.byteLength)
  return bpf(
    BTF_LOAD,
    attr(
      [
        [0, 8, addressOf(blob)],
        [16, 4, blob.length],
      ],
      32,
    ),
  )
}

function createTyped(request: MapCreateAttr, btf: number): number {
  return bpf(
    0,
    attr(
      [
        [0, 4, request.map_type],
        [4, 4, request.key_size],
        [8, 4, request.value_size],
        [12, 4, request.max_entries],
        [16, 4, request.map_flags ?? 0],
        [48, 4, btf],
        [52, 4, request.btf_key_type_id ?? 0],
        [56, 4, request.btf_value_type_id ?? 0],
      ],
      72,
    ),
  )
}

const usual: MapCreateAttr = {
  map_type: 29,
  key_size: 4,
  value_size: 4,
  max_entries: 0,
  map_flags: 1,
  btf_key_type_id: 1,
  btf_value_type_id: 1,
}

describeWith([requirement.linux()], "local storage agrees with Linux", () => {
  test("in what it refuses", () => {
    const host = createHost()
    const changes: Partial<MapCreateAttr>[] = [
      {},
      { key_size: 8 },
      { value_size: 0 },
      { max_entries: 1 },
      { map_flags: 0 },
      { map_flags: 1 | 0x200 },
      { map_flags: 1 | 8 },
      { btf_key_type_id: 0 },
      { btf_value_type_id: 0 },
      { btf_key_type_id: 0, btf_value_type_id: 0 },
      { value_size: 65_408 },
    ]
    const btf = loadInt()
    for (const map_type of TYPES) {
      for (const change of changes) {
        const request = { ...usual, map_type, ...change }
        const fd = createTyped(request, btf)
        close(fd)
        const map = createMap(host, request, { index: 1 })
        expect(typeof map === "number" ? map : 0, JSON.stringify(request)).toBe(Math.min(fd, 0))
      }
    }
    close(btf)
  })

  test(`in random operations on tasks (seed ${seed})`, () => {
    const host = createHost()
    const btf = loadInt()
    const fd = createTyped(usual, btf)
    const map = createMap(host, usual, { index: 1 }) as LocalStorageMap
    const pidfds = [process.pid, process.ppid].map((pid) => syscall(NR_PIDFD_OPEN, pid, 0))
    const owners = new Map(pidfds.map((pidfd) => [pidfd, { pidfd }]))
    map.resolveOwner = (pidfd) => owners.get(pidfd) ?? -9
    const source = random(seed)
    const shape = {
      keySize: 4,
      syscallValueSize: 4,
      maxEntries: 4,
      key: () => new Uint8Array(Int32Array.of(source.pick([...pidfds, -1])).buffer),
    }
    const ours = ourSide(map)
    const theirs = linuxSide(fd, map)
    for (let step = 0; step < 1000; step++) {
      const operation = randomOperation(shape, source)
      agree(
        apply(ours, operation),
        apply(theirs, operation),
        () => `seed ${seed}, step ${step}: ${describeOperation(operation)}`,
      )
    }
    expect(walk(ours, 10)).toEqual(walk(theirs, 10))
    for (const open of [...pidfds, fd, btf]) close(open)
  })

  test("programs get a value that they ask for, zeroed or as they want it", () => {
    const host = createHost()
    const map = createMap(host, usual, { index: 1 }) as LocalStorageMap
    const before = host.memory.allocatedBytes
    const [a, b] = [{}, {}]
    expect(map.get(a)).toBe(0)
    const value = map.getOrCreate(a, 0)
    expect(host.memory.i32[value >> 2]).toBe(0)
    expect(map.getOrCreate(a, 0)).toBe(value)
    const initial = host.memory.allocate(8)
    host.memory.i32[initial >> 2] = 42
    expect(host.memory.i32[map.getOrCreate(b, initial) >> 2]).toBe(42)
    expect(map.remove(a)).toBe(0)
    expect(map.remove(a)).toBe(-2)
    expect([...map.owners()]).toEqual([b])
    map.destroy()
    host.memory.free(initial)
    expect(host.memory.allocatedBytes).toBeLessThan(before)
  })
})
