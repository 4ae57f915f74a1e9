/**
 * Map operations from programs against Linux, mixed with system calls on the same map. The thread
 * stays on one CPU, so per-CPU copies and even LRU eviction are comparable.
 */

import { expect, test } from "vitest"
import { type BpfMap, createMap } from "../../../src/kernel/maps/index.ts"
import type { MapCreateAttr } from "../../../src/spec/index.ts"
import { describeWith, requirement } from "../../support/requirements.ts"
import { fuzzFactor, type Random, random, seed, walk } from "./operations.ts"
import { linuxProgramSide, onCpu, ourProgramSide, type ProgramOperation } from "./program-side.ts"
import { cpus, createHost, linuxCreate, linuxSide, ourSide } from "./sides.ts"

const ZERO_SEED = 0x40
const CPU = 1

interface Row {
  readonly name: string
  readonly request: MapCreateAttr
  readonly keys: number
  readonly kind: "keyed" | "queue" | "bloom" | "lpm"
  /** More elements than fit are put in, so that the map evicts. */
  readonly operations?: number
}

function row(name: string, kind: Row["kind"], keys: number, numbers: readonly number[]): Row {
  const [map_type, key_size, value_size, max_entries, map_flags = 0] = numbers
  return { name, kind, keys, request: { map_type, key_size, value_size, max_entries, map_flags } }
}

const rows: readonly Row[] = [
  row("array", "keyed", 6, [2, 4, 12, 5]),
  row("per-CPU array", "keyed", 6, [6, 4, 8, 5]),
  row("hash", "keyed", 20, [1, 8, 16, 16, ZERO_SEED]),
  row("hash without preallocation", "keyed", 20, [1, 5, 6, 16, ZERO_SEED | 1]),
  row("per-CPU hash", "keyed", 12, [5, 4, 8, 10, ZERO_SEED]),
  row("LPM trie", "lpm", 0, [11, 8, 4, 12, 1]),
  row("queue", "queue", 0, [22, 0, 8, 4]),
  row("stack", "queue", 0, [23, 0, 8, 4]),
  row("bloom filter", "bloom", 0, [30, 0, 4, 20, ZERO_SEED]),
  row("LRU hash of 1 element", "keyed", 3, [9, 4, 8, 1, ZERO_SEED]),
  row("LRU hash of 5", "keyed", 12, [9, 4, 8, 5, ZERO_SEED]),
  row("LRU hash of 40", "keyed", 90, [9, 4, 8, 40, ZERO_SEED]),
  row("LRU per-CPU hash of 10", "keyed", 25, [10, 4, 8, 10, ZERO_SEED]),
  row("LRU hash of 20 with lists per CPU", "keyed", 40, [9, 4, 8, 20, ZERO_SEED | 2]),
  row("LRU per-CPU hash of 9 with lists per CPU", "keyed", 20, [10, 4, 8, 9, ZERO_SEED | 2]),
]

describeWith([requirement.linux()], `programs' operations agree with Linux (seed ${seed})`, () => {
  test.each(rows)("$name", (row) => {
    onCpu(CPU, () => compare(row))
  })
})

function compare(row: Row): void {
  const source = random(seed)
  const host = createHost({ cpu: () => CPU })
  const map = createMap(host, row.request, { index: 1 }) as BpfMap
  const fd = linuxCreate(row.request)
  const program = {
    ours: ourProgramSide(host, map, () => source.below(8)),
    linux: linuxProgramSide(fd, map),
  }
  const call = { ours: ourSide(map), linux: linuxSide(fd, map) }
  try {
    for (let step = 0; step < 200 * fuzzFactor; step++) {
      const operation = randomProgramOperation(row, source)
      const message = `seed ${seed}, step ${step}: ${JSON.stringify(operation)}`
      expect(program.ours.run(operation), message).toEqual(program.linux.run(operation))
      if (source.below(3) === 0) {
        // Without keys a walk is refused on both sides.
        expect(walk(call.ours, 1000), message).toEqual(walk(call.linux, 1000))
        const key = row.request.key_size === 0 ? undefined : randomKey(row, source)
        expect(call.ours.lookup(key, 0n), message).toEqual(call.linux.lookup(key, 0n))
        if (key === undefined) continue
        const value = source.bytes(map.syscallValueSize)
        const flags = source.pick([0n, 1n, 2n])
        expect(call.ours.update(key, value, flags), message).toEqual(
          call.linux.update(key, value, flags),
        )
      }
    }
  } finally {
    program.ours.close()
    program.linux.close()
    call.linux.close()
  }
}

function randomKey(row: Row, source: Random): Uint8Array {
  const key = new Uint8Array(row.request.key_size)
  if (row.kind !== "lpm") {
    key[0] = source.below(row.keys)
    return key
  }
  key[0] = source.below(20) === 0 ? 33 : source.below(33)
  for (let at = 4; at < 8; at++) key[at] = source.pick([0, 0x80])
  return key
}

function randomProgramOperation(row: Row, source: Random): ProgramOperation {
  const value = source.bytes(row.request.value_size)
  const flags = source.pick([0, 0, 0, 0, 1, 2, 3, 4, 8])
  if (row.kind === "bloom")
    return source.below(2) === 0
      ? { op: "push", value: value.fill(source.below(100)), flags: source.pick([0, 0, 0, 2]) }
      : { op: "peek", value: value.fill(source.below(100)) }
  if (row.kind === "queue") {
    const choice = source.below(4)
    if (choice < 2) return { op: "push", value, flags }
    return choice === 2 ? { op: "pop" } : { op: "peek", value }
  }
  const key = randomKey(row, source)
  const choice = source.below(10)
  if (choice < 4) return { op: "update", key, value, flags }
  const percpu = [5, 6, 10].includes(row.request.map_type)
  if (choice < 5 && percpu) return { op: "lookupPercpu", key, cpu: source.below(cpus + 1) }
  if (choice < 8) return { op: "lookup", key }
  // Linux's verifier refuses a delete on an array only at run time: EINVAL on both.
  return { op: "delete", key }
}
