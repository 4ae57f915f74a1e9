/**
 * One map on two kernels behind one interface: ours, and the running Linux through bpf(2). Every
 * operation returns what the system call returned and what it wrote, so that two sides can be
 * compared with one deep equality.
 */

import { expect } from "vitest"
import {
  type BpfMap,
  createMap,
  deleteBatch,
  lookupAndDeleteBatch,
  lookupBatch,
  type MapHost,
  type MapOptions,
  updateBatch,
} from "../../../src/kernel/maps/index.ts"
import { createKernelMemory } from "../../../src/kernel/memory/index.ts"
import { createRandom } from "../../../src/kernel/random.ts"
import type { MapBatchAttr, MapCreateAttr } from "../../../src/spec/index.ts"
import { addressOf, attr, bpf, close } from "../../support/linux.ts"

/** Possible CPUs of the Linux that runs the tests, and of our host beside it. */
export const cpus = 2

export type Bytes = Uint8Array | undefined

/** What an operation returned, and the buffers that it may have written to. */
export interface Outcome {
  readonly result: number
  readonly key?: string
  readonly value?: string
  readonly count?: number
  readonly cursor?: string
}

/** Fails unless two outcomes are equal; quick when they are, as they are a million times. */
export function agree(got: Outcome, expected: Outcome, message: () => string): void {
  const same =
    got.result === expected.result &&
    got.key === expected.key &&
    got.value === expected.value &&
    got.count === expected.count &&
    got.cursor === expected.cursor
  if (!same) expect(got, message()).toEqual(expected)
}

export type BatchCommand = "lookup" | "lookupAndDelete" | "update" | "delete"

export interface BatchRequest {
  readonly inBatch: Bytes
  readonly outBatch: boolean
  readonly keys: Uint8Array
  readonly values: Bytes
  readonly count: number
  readonly elemFlags: bigint
  readonly flags: bigint
}

export interface Side {
  update(key: Bytes, value: Bytes, flags: bigint): Outcome
  lookup(key: Bytes, flags: bigint): Outcome
  /** A look-up that asks about the value: bloom filters. */
  contains(value: Uint8Array): number
  delete(key: Bytes): Outcome
  lookupAndDelete(key: Bytes, flags: bigint): Outcome
  nextKey(key: Bytes): Outcome
  freeze(): Outcome
  batch(command: BatchCommand, request: BatchRequest): Outcome
  close(): void
}

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex")
}

/** A host with a memory of its own. */
export function createHost(options: { seed?: number; cpu?: () => number } = {}): MapHost {
  return {
    memory: createKernelMemory({ initialBytes: 2 ** 22 }),
    cpus,
    currentCpu: options.cpu ?? (() => 0),
    random32: createRandom(options.seed ?? 1),
  }
}

/** Fills out-buffers, so that a write (or none) shows. */
const FILL = 0xaa

function filled(size: number): Uint8Array {
  return new Uint8Array(size).fill(FILL)
}

export function ourSide(map: BpfMap): Side {
  const { syscallValueSize, keySize } = map
  return {
    update: (key, value, flags) => ({
      result: map.updateElem(key, value ?? new Uint8Array(0), flags),
    }),
    lookup(key, flags) {
      const value = filled(syscallValueSize)
      const result = map.lookupElem(key, value, flags)
      return { result, value: hex(value) }
    },
    contains: (value) => map.lookupElem(undefined, value, 0n),
    delete: (key) => ({ result: map.deleteElem(key) }),
    lookupAndDelete(key, flags) {
      const value = filled(syscallValueSize)
      const result = map.lookupAndDeleteElem(key, value, flags)
      return { result, value: hex(value) }
    },
    nextKey(key) {
      const next = filled(keySize)
      const result = map.getNextKey(key, next)
      return { result, key: hex(next) }
    },
    freeze() {
      const result = map.frozen ? -1 : 0
      map.frozen = true
      return { result }
    },
    batch(command, request) {
      const cursor = filled(Math.max(keySize, 4))
      const keys = request.keys.slice()
      const values = request.values?.slice()
      const attributes: MapBatchAttr = {
        map_fd: 0,
        in_batch: request.inBatch,
        out_batch: request.outBatch ? cursor : undefined,
        keys,
        values,
        count: request.count,
        elem_flags: request.elemFlags,
        flags: request.flags,
      }
      const run = {
        lookup: lookupBatch,
        lookupAndDelete: lookupAndDeleteBatch,
        update: updateBatch,
        delete: deleteBatch,
      }[command]
      const result = run(map, attributes)
      return batchOutcome(result, attributes.count, { keys, values, cursor })
    },
    close: () => map.destroy(),
  }
}

function batchOutcome(
  result: number,
  count: number,
  written: { keys: Uint8Array; values: Bytes; cursor: Uint8Array },
): Outcome {
  return {
    result,
    count,
    key: hex(written.keys),
    value: written.values === undefined ? "" : hex(written.values),
    cursor: hex(written.cursor),
  }
}

const COMMAND = {
  CREATE: 0,
  LOOKUP: 1,
  UPDATE: 2,
  DELETE: 3,
  NEXT_KEY: 4,
  LOOKUP_AND_DELETE: 21,
  FREEZE: 22,
  BATCH: { lookup: 24, lookupAndDelete: 25, update: 26, delete: 27 },
} as const

/** MAP_CREATE on Linux: a descriptor or a negative errno. */
export function linuxCreate(request: MapCreateAttr): number {
  return bpf(
    COMMAND.CREATE,
    attr(
      [
        [0, 4, request.map_type],
        [4, 4, request.key_size],
        [8, 4, request.value_size],
        [12, 4, request.max_entries],
        [16, 4, request.map_flags ?? 0],
        [20, 4, request.inner_map_fd ?? 0],
        [24, 4, request.numa_node ?? 0],
        [64, 8, request.map_extra ?? 0n],
      ],
      72,
    ),
  )
}

const pointer = (bytes: Bytes): bigint => (bytes === undefined ? 0n : addressOf(bytes))

export function linuxSide(fd: number, sizes: { keySize: number; syscallValueSize: number }): Side {
  const { keySize, syscallValueSize } = sizes
  const element = (command: number, key: Bytes, value: Bytes, flags: bigint): number =>
    bpf(
      command,
      attr(
        [
          [0, 4, fd],
          [8, 8, pointer(key)],
          [16, 8, pointer(value)],
          [24, 8, flags],
        ],
        32,
      ),
    )
  return {
    update: (key, value, flags) => ({ result: element(COMMAND.UPDATE, key, value, flags) }),
    lookup(key, flags) {
      const value = filled(syscallValueSize)
      const result = element(COMMAND.LOOKUP, key, value, flags)
      return { result, value: hex(value) }
    },
    contains: (value) => element(COMMAND.LOOKUP, undefined, value, 0n),
    delete: (key) => ({ result: element(COMMAND.DELETE, key, undefined, 0n) }),
    lookupAndDelete(key, flags) {
      const value = filled(syscallValueSize)
      const result = element(COMMAND.LOOKUP_AND_DELETE, key, value, flags)
      return { result, value: hex(value) }
    },
    nextKey(key) {
      const next = filled(keySize)
      const result = element(COMMAND.NEXT_KEY, key, next, 0n)
      return { result, key: hex(next) }
    },
    freeze: () => ({ result: bpf(COMMAND.FREEZE, attr([[0, 4, fd]], 4)) }),
    batch(command, request) {
      const cursor = filled(Math.max(keySize, 4))
      const keys = request.keys.slice()
      const values = request.values?.slice()
      const attributes = attr(
        [
          [0, 8, pointer(request.inBatch)],
          [8, 8, request.outBatch ? addressOf(cursor) : 0n],
          [16, 8, pointer(keys)],
          [24, 8, pointer(values)],
          [32, 4, request.count],
          [36, 4, fd],
          [40, 8, request.elemFlags],
          [48, 8, request.flags],
        ],
        56,
      )
      const result = bpf(COMMAND.BATCH[command], attributes)
      const count = new DataView(attributes.buffer).getUint32(32, true)
      return batchOutcome(result, count, { keys, values, cursor })
    },
    close: () => close(fd),
  }
}

/** The same map on both kernels; throws when one of them refuses it. */
export function createBoth(
  host: MapHost,
  request: MapCreateAttr,
  options: Partial<MapOptions> = {},
): { ours: Side; linux: Side; map: BpfMap } {
  const map = createMap(host, request, { index: 1, ...options })
  if (typeof map === "number") throw new Error(`our map was refused: ${map}`)
  const fd = linuxCreate(request)
  if (fd < 0) throw new Error(`Linux refused the map: ${fd}`)
  return { ours: ourSide(map), linux: linuxSide(fd, map), map }
}
