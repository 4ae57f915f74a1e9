/**
 * Damaged objects: whatever is done to the bytes of an object, reading it returns or throws an
 * ObjectError, in bounded time and memory. SKEP_FUZZ multiplies the number of cases; SKEP_SEED
 * repeats a run.
 */

import { readdirSync } from "node:fs"
import { expect, test } from "vitest"
import { ObjectError } from "../../src/base/index.ts"
import { readObject } from "../../src/object/index.ts"
import { requirement } from "../support/requirements.ts"
import { compile, fixtures, objectBytes } from "./corpus.ts"

const scale = Number(process.env.SKEP_FUZZ ?? 1)
const seed = Number(process.env.SKEP_SEED ?? Date.now() & 0x7fffffff)

/** xorshift32: repeatable from the seed. */
function randomOf(start: number): (below: number) => number {
  let state = start || 1
  return (below) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % below
  }
}

const corpus: Uint8Array[] = readdirSync(fixtures)
  .filter((name) => name.endsWith(".o"))
  .map((name) => objectBytes(name))
if (requirement.clang().available)
  for (const source of ["basic.c", "maps.c", "externs.c", "iproute2.c"])
    corpus.push(objectBytes(compile(source, { target: "bpfeb", flags: ["-O2", "-g"] })))

type Random = (below: number) => number

const INTERESTING = [0, 1, 2, 7, 8, 0x7f, 0xff, 0x100, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff]

/** The section headers of an intact object. */
function sectionHeaders(bytes: Uint8Array): { view: DataView; little: boolean; at: number[] } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const little = bytes[5] === 1
  const table = Number(view.getBigUint64(40, little))
  const count = view.getUint16(60, little)
  return { view, little, at: Array.from({ length: count }, (_, index) => table + 64 * index) }
}

/** One way of damaging an object. Returns the damaged bytes (a copy). */
const mutations: Readonly<Record<string, (bytes: Uint8Array, random: Random) => Uint8Array>> = {
  flipBits(bytes, random) {
    const copy = bytes.slice()
    for (let n = 1 + random(8); n > 0; n--) copy[random(copy.length)] ^= 1 << random(8)
    return copy
  },
  truncate: (bytes, random) => bytes.slice(0, random(bytes.length)),
  overwriteWord(bytes, random) {
    const copy = bytes.slice()
    const view = new DataView(copy.buffer)
    for (let n = 1 + random(4); n > 0; n--)
      view.setUint32(
        4 * random(copy.length >> 2),
        INTERESTING[random(INTERESTING.length)],
        bytes[5] === 1,
      )
    return copy
  },
  header(bytes, random) {
    const copy = bytes.slice()
    copy[4 + random(60)] = random(256)
    return copy
  },
  sectionHeader(bytes, random) {
    const copy = bytes.slice()
    const { view, little, at } = sectionHeaders(copy)
    const header = at[random(at.length)]
    view.setUint32(header + 4 * random(16), INTERESTING[random(INTERESTING.length)], little)
    return copy
  },
  swapSections(bytes, random) {
    const copy = bytes.slice()
    const { at } = sectionHeaders(copy)
    const [a, b] = [at[random(at.length)], at[random(at.length)]]
    const saved = copy.slice(a, a + 64)
    copy.copyWithin(a, b, b + 64)
    copy.set(saved, b)
    return copy
  },
  /** Symbols, relocations, BTF, instructions: words inside one section's content. */
  sectionContent(bytes, random) {
    const copy = bytes.slice()
    const { view, little, at } = sectionHeaders(copy)
    for (let n = 1 + random(3); n > 0; n--) {
      const header = at[random(at.length)]
      const offset = Number(view.getBigUint64(header + 24, little))
      const size = Number(view.getBigUint64(header + 32, little))
      const words = size >> 2
      if (words === 0 || offset + size > copy.length) continue
      const place = offset + 4 * random(words)
      const old = view.getUint32(place, little)
      const choice = random(3)
      const value =
        choice === 0 ? INTERESTING[random(INTERESTING.length)] : choice === 1 ? old + 1 : random(64)
      view.setUint32(place, value >>> 0, little)
    }
    return copy
  },
  splice(bytes, random) {
    const other = corpus[random(corpus.length)]
    const copy = bytes.slice()
    const length = random(Math.min(other.length, copy.length))
    const from = random(other.length - length + 1)
    copy.set(other.subarray(from, from + length), random(copy.length - length + 1))
    return copy
  },
}

/** Bytes that reading may allocate for objects as small as these. */
const MEMORY_MAX: number = 512 << 20

function survive(bytes: Uint8Array): "read" | "refused" {
  try {
    readObject(bytes, { name: "fuzz.o" })
    return "read"
  } catch (error) {
    if (error instanceof ObjectError) return "refused"
    throw error
  }
}

test("damaged objects are read or refused, whatever the damage", () => {
  const counts: Record<string, string> = {}
  let slowest = 0
  for (const [name, mutate] of Object.entries(mutations)) {
    const random = randomOf(seed)
    const outcomes = { read: 0, refused: 0 }
    for (let round = 0; round < 400 * scale; round++) {
      const damaged = mutate(corpus[random(corpus.length)], random)
      const start = performance.now()
      try {
        outcomes[survive(damaged)]++
      } catch (cause) {
        throw new Error(`seed ${seed}, ${name} ${round}: ${String(cause)}`, { cause })
      }
      slowest = Math.max(slowest, performance.now() - start)
    }
    counts[name] = `${outcomes.read} read, ${outcomes.refused} refused`
  }
  console.log(`object fuzz, seed ${seed}, slowest ${slowest.toFixed(0)} ms:`, counts)
  expect(process.memoryUsage().arrayBuffers).toBeLessThan(MEMORY_MAX)
})

test("every prefix of an object is refused", () => {
  const [bytes] = corpus
  for (let length = 0; length < bytes.length; length += 1 + (length >> 6))
    expect(survive(bytes.slice(0, length)), `${length} bytes`).toBe("refused")
})
