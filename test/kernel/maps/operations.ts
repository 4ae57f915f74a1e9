/**
 * Random operations on a map, reproducible from a seed: valid ones mostly, and everything that a
 * careless program could ask for (unknown flags, missing keys and values, batches of all sizes).
 */

import { createRandom } from "../../../src/kernel/random.ts"
import type { BatchCommand, BatchRequest, Bytes, Outcome, Side } from "./sides.ts"

export type Operation =
  | { readonly op: "update"; key: Bytes; value: Bytes; flags: bigint }
  | { readonly op: "lookup"; key: Bytes; flags: bigint }
  | { readonly op: "delete"; key: Bytes }
  | { readonly op: "lookupAndDelete"; key: Bytes; flags: bigint }
  | { readonly op: "nextKey"; key: Bytes }
  | { readonly op: "freeze" }
  | { readonly op: "batch"; command: BatchCommand; request: BatchRequest }

export interface Shape {
  readonly keySize: number
  readonly syscallValueSize: number
  readonly maxEntries: number
  /** A key that the map may hold, or nearly. */
  readonly key: (random: Random) => Uint8Array
  /** No batch commands when false. */
  readonly batches?: boolean
}

export interface Random {
  (): number
  below(limit: number): number
  bytes(size: number): Uint8Array
  pick<T>(choices: readonly T[]): T
}

/** A source of randomness with some comfort. */
export function random(seed: number): Random {
  const next = createRandom(seed)
  const below = (limit: number): number => next() % limit
  return Object.assign(() => next(), {
    below,
    bytes(size: number): Uint8Array {
      const bytes = new Uint8Array(size)
      for (let i = 0; i < size; i++) bytes[i] = next()
      return bytes
    },
    pick: <T>(choices: readonly T[]): T => choices[below(choices.length)],
  })
}

/** SKEP_SEED, or a new one. */
export const seed: number = Number(process.env.SKEP_SEED ?? Date.now() % 0x7fffffff)
/** How many times more of everything: 1 by default. */
export const fuzzFactor: number = Math.max(1, Number(process.env.SKEP_FUZZ ?? 1))

const UPDATE_FLAGS: readonly bigint[] = [0n, 0n, 0n, 0n, 1n, 1n, 2n, 2n, 3n, 4n, 5n, 8n, 1n << 32n]
const LOOKUP_FLAGS: readonly bigint[] = [0n, 0n, 0n, 0n, 0n, 0n, 1n, 2n, 4n, 1n << 40n]

export function randomOperation(shape: Shape, random: Random): Operation {
  const key = (): Bytes => {
    if (shape.keySize === 0) return random.below(30) === 0 ? new Uint8Array(4) : undefined
    return random.below(60) === 0 ? undefined : shape.key(random)
  }
  const value = (): Bytes =>
    random.below(80) === 0 ? undefined : random.bytes(shape.syscallValueSize)
  const kind = random.below(100)
  if (kind < 40)
    return { op: "update", key: key(), value: value(), flags: random.pick(UPDATE_FLAGS) }
  if (kind < 60) return { op: "lookup", key: key(), flags: random.pick(LOOKUP_FLAGS) }
  if (kind < 75) return { op: "delete", key: key() }
  if (kind < 82) return { op: "lookupAndDelete", key: key(), flags: random.pick(LOOKUP_FLAGS) }
  if (kind < 90 || shape.batches === false)
    return { op: "nextKey", key: random.below(4) === 0 ? undefined : key() }
  return randomBatch(shape, random)
}

function randomBatch(shape: Shape, random: Random): Operation {
  const command = random.pick<BatchCommand>(["lookup", "lookupAndDelete", "update", "delete"])
  const count = random.below(shape.maxEntries + 3)
  const keys = new Uint8Array(count * shape.keySize)
  for (let index = 0; index < count; index++)
    keys.set(shape.keySize === 0 ? [] : shape.key(random), index * shape.keySize)
  const wantsValues = command !== "delete" && random.below(30) !== 0
  const inBatch = random.below(3) === 0 ? shape.key(random) : undefined
  return {
    op: "batch",
    command,
    request: {
      // A hash map's cursor is a bucket number: make it a small one.
      inBatch: inBatch === undefined ? undefined : padded(inBatch),
      outBatch: random.below(30) !== 0,
      keys: random.below(40) === 0 ? new Uint8Array(0) : keys,
      values: wantsValues ? random.bytes(count * shape.syscallValueSize) : undefined,
      count,
      elemFlags: random.below(20) === 0 ? random.pick([1n, 2n, 4n, 8n]) : 0n,
      flags: random.below(20) === 0 ? 1n : 0n,
    },
  }
}

function padded(bytes: Uint8Array): Uint8Array {
  if (bytes.length >= 4) return bytes
  const longer = new Uint8Array(4)
  longer.set(bytes)
  return longer
}

export function apply(side: Side, operation: Operation): Outcome {
  switch (operation.op) {
    case "update":
      return side.update(operation.key, operation.value, operation.flags)
    case "lookup":
      return side.lookup(operation.key, operation.flags)
    case "delete":
      return side.delete(operation.key)
    case "lookupAndDelete":
      return side.lookupAndDelete(operation.key, operation.flags)
    case "nextKey":
      return side.nextKey(operation.key)
    case "freeze":
      return side.freeze()
    case "batch":
      return side.batch(operation.command, operation.request)
  }
}

/** An operation on one line, for messages. */
export function describeOperation(operation: Operation): string {
  return JSON.stringify(operation, (_, value) => {
    if (value instanceof Uint8Array)
      return [...value].map((byte) => byte.toString(16).padStart(2, "0")).join("")
    return typeof value === "bigint" ? `${value}n` : value
  })
}

/** All keys in the order of MAP_GET_NEXT_KEY; stops after `limit`. */
export function walk(side: Side, limit: number): string[] {
  const keys: string[] = []
  let key: Bytes
  for (;;) {
    const { result, key: next = "" } = side.nextKey(key)
    if (result !== 0 || keys.length > limit) return keys
    keys.push(next)
    key = Uint8Array.from(next.match(/../g) ?? [], (digits) => Number.parseInt(digits, 16))
  }
}
