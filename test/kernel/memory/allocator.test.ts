import { describe, expect, it } from "vitest"
import { Allocator } from "../../../src/kernel/memory/allocator.ts"
import { createKernelMemory, type KernelMemory } from "../../../src/kernel/memory/index.ts"

const MIB = 2 ** 20
const rounds = Number(process.env.SKEP_FUZZ ?? 1)

/** A small seeded generator: xorshift32. */
function generator(seed: number): (limit: number) => number {
  let state = seed | 1
  return (limit) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % limit
  }
}

/** Sizes as a kernel asks for them: mostly small, some pages, a few large. */
function randomSize(random: (limit: number) => number): number {
  const kind = random(100)
  if (kind < 70) return random(300)
  if (kind < 90) return random(5000)
  if (kind < 99) return random(60_000)
  return random(1_000_000)
}

/** Compares with a model that knows nothing of slabs: live blocks, each filled with its own byte. */
function randomRun(memory: KernelMemory, seed: number, steps: number): void {
  const random = generator(seed)
  const live: { offset: number; size: number; fill: number }[] = []
  const starts = new Set<number>()
  const pattern = new Uint8Array(1_000_000)
  const check = (offset: number, size: number, fill: number) => {
    const bytes = Buffer.from(memory.memory.buffer, offset, size)
    if (!bytes.equals(pattern.fill(fill, 0, size).subarray(0, size)))
      expect.fail(`seed ${seed}: block at ${offset} of ${size} bytes was overwritten`)
  }
  for (let step = 0; step < steps; step++) {
    if (live.length < 400 && random(100) < 55) {
      const size = randomSize(random)
      const alignment = 8 << random(random(10) === 0 ? 11 : 3)
      const offset = memory.allocate(size, alignment)
      if (offset === 0) continue
      const inside = offset >= 65_536 && offset + size <= memory.u8.length
      if (offset % alignment !== 0 || !inside || starts.has(offset))
        expect.fail(`seed ${seed}: ${size} bytes aligned to ${alignment} at ${offset}`)
      check(offset, size, 0)
      const fill = 1 + random(255)
      memory.u8.fill(fill, offset, offset + size)
      starts.add(offset)
      live.push({ offset, size, fill })
    } else if (live.length > 0) {
      const { offset, size, fill } = live.splice(random(live.length), 1)[0]
      check(offset, size, fill)
      memory.free(offset)
      starts.delete(offset)
    }
  }
  for (const { offset, size, fill } of live) {
    check(offset, size, fill)
    memory.free(offset)
  }
  expect(memory.allocatedBytes).toBe(0)
}

describe("the allocator of kernel memory", () => {
  it("gives zeroed, aligned blocks that never overlap, under random allocations and frees", () => {
    for (let round = 0; round < 4 * rounds; round++) {
      const seed = 1 + round * 7919
      console.log(`seed ${seed}`)
      randomRun(createKernelMemory({ initialBytes: MIB, maximumBytes: 64 * MIB }), seed, 4000)
    }
  })

  it("joins everything into one free run once all is freed", () => {
    const backing = { u8: new Uint8Array(MIB), i32: new Int32Array(0), grow: () => false }
    backing.i32 = new Int32Array(backing.u8.buffer)
    const allocator = new Allocator(backing)
    allocator.extend(MIB, 65_536)
    const random = generator(42)
    const live: number[] = []
    for (let step = 0; step < 5000; step++) {
      const offset = random(2) === 0 ? allocator.allocate(random(9000)) : 0
      if (offset !== 0) live.push(offset)
      else if (live.length > 0) allocator.free(live.splice(random(live.length), 1)[0])
    }
    for (const offset of live) allocator.free(offset)
    expect([...allocator.pages.freeRuns()]).toEqual([[16, 240]])
    expect(allocator.allocatedBytes).toBe(0)
  })

  it("returns 0 when the maximum is reached, and can go on after a free", () => {
    const memory = createKernelMemory({ initialBytes: MIB, maximumBytes: 2 * MIB })
    expect(memory.allocate(3 * MIB)).toBe(0)
    const blocks: number[] = []
    for (let offset = memory.allocate(100_000); offset !== 0; offset = memory.allocate(100_000))
      blocks.push(offset)
    expect(blocks.length).toBe(Math.floor((2 * MIB - 65_536) / 102_400))
    memory.free(blocks[3])
    expect(memory.allocate(100_000)).toBe(blocks[3])
  })

  it("grows the memory and replaces the views, keeping what was there", () => {
    const memory = createKernelMemory({ initialBytes: MIB, maximumBytes: 32 * MIB })
    const first = memory.allocate(16)
    memory.write(first, Uint8Array.of(1, 2, 3))
    const before = memory.u8
    const large = memory.allocate(5 * MIB)
    expect(memory.u8 === before).toBe(false)
    expect(memory.u8.length).toBe(memory.memory.buffer.byteLength)
    expect(memory.view.byteLength).toBe(memory.u8.length)
    expect(memory.read(first, 4)).toEqual(Uint8Array.of(1, 2, 3, 0))
    memory.u8[large + 5 * MIB - 1] = 1
  })

  it("needs no more memory after a thousand rounds of the same allocations", () => {
    const memory = createKernelMemory({ initialBytes: MIB, maximumBytes: 64 * MIB })
    const cycle = () => {
      const sizes = [64, 4096, 200_000, 16, 65_536, 1000, 12_288, 520]
      const blocks = sizes.map((size) => memory.allocate(size))
      for (const offset of blocks) memory.free(offset)
    }
    cycle()
    const size = memory.u8.length
    for (let round = 0; round < 1000; round++) cycle()
    expect(memory.u8.length).toBe(size)
    expect(memory.allocatedBytes).toBe(0)
  })

  it("refuses to free what it did not hand out, or a second time", () => {
    const memory = createKernelMemory({ initialBytes: MIB })
    const offset = memory.allocate(100)
    memory.free(0)
    expect(() => memory.free(offset + 16)).toThrow(/no allocation starts/)
    memory.free(offset)
    expect(() => memory.free(offset)).toThrow(`free of ${offset}, where no allocation starts`)
    expect(() => memory.allocate(10, 24)).toThrow(RangeError)
  })

  it("works on a memory shared between threads", () => {
    const memory = createKernelMemory({ initialBytes: MIB, maximumBytes: 8 * MIB, shared: true })
    expect(memory.memory.buffer).toBeInstanceOf(SharedArrayBuffer)
    randomRun(memory, 99, 1000)
  })
})
