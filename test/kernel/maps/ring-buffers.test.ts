/**
 * Ring buffers: against Linux where a program that ends can ask it (output, reserve with submit or
 * discard, query, and what the consumer finds in memory), and against a plain model where records
 * stay busy for long.
 */

import { closeSync, openSync, readSync, writeSync } from "node:fs"
import { afterAll, describe, expect, test } from "vitest"
import {
  createMap,
  type MapHost,
  type RingBufferMap,
  type UserRingBufferMap,
} from "../../../src/kernel/maps/index.ts"
import { addressOf, attr, bpf, close, progLoad, syscall } from "../../support/linux.ts"
import { describeWith, requirement } from "../../support/requirements.ts"
import { fuzzFactor, random, seed } from "./operations.ts"
import { createHost, hex, linuxCreate } from "./sides.ts"

const SIZE = 4096

function createRing(host: MapHost): RingBufferMap {
  const request = { map_type: 27, key_size: 0, value_size: 0, max_entries: SIZE }
  return createMap(host, request, { index: 1 }) as RingBufferMap
}

type Operation =
  | { readonly op: "output"; data: Uint8Array; flags: number }
  | { readonly op: "submit" | "discard"; data: Uint8Array; flags: number }
  | { readonly op: "query"; question: number }

// ---- Linux ---------------------------------------------------------------------------------------

const NR_MMAP = process.arch === "arm64" ? 222 : 9
const NR_MUNMAP = process.arch === "arm64" ? 215 : 11
const PROT_READ_WRITE = 3
const PROT_READ = 1
const MAP_SHARED = 1
const PAGE = 4096

const memory = process.platform === "linux" ? openSync("/proc/self/mem", "r+") : -1
afterAll(() => {
  if (memory >= 0) closeSync(memory)
})

/** A ring of Linux with its two mappings, reached through /proc/self/mem. */
class LinuxRing {
  readonly fd: number = linuxCreate({
    map_type: 27,
    key_size: 0,
    value_size: 0,
    max_entries: SIZE,
  })
  private readonly consumer = this.map(PAGE, PROT_READ_WRITE, 0)
  private readonly producer = this.map(PAGE + 2 * SIZE, PROT_READ, PAGE)

  private map(length: number, protection: number, offset: number): number {
    return syscall(NR_MMAP, 0, length, protection, MAP_SHARED, this.fd, offset)
  }

  producerPosition(): number {
    const bytes = new Uint8Array(8)
    readSync(memory, bytes, 0, 8, this.producer)
    return Number(new DataView(bytes.buffer).getBigUint64(0, true))
  }

  setConsumerPosition(position: number): void {
    const bytes = new Uint8Array(8)
    new DataView(bytes.buffer).setBigUint64(0, BigInt(position), true)
    writeSync(memory, bytes, 0, 8, this.consumer)
  }

  data(): Uint8Array {
    const bytes = new Uint8Array(2 * SIZE)
    readSync(memory, bytes, 0, bytes.length, this.producer + PAGE)
    return bytes
  }

  run(operation: Operation): number {
    const code: number[] = []
    const emit = (opcode: number, registers: number, offset: number, immediate: number): void => {
      const view = new DataView(new ArrayBuffer(8))
      view.setUint8(0, opcode)
      view.setUint8(1, registers)
      view.setInt16(2, offset, true)
      view.setInt32(4, immediate, true)
      code.push(...new Uint8Array(view.buffer))
    }
    const map = (): void => {
      emit(0x18, 0x11, 0, this.fd)
      emit(0, 0, 0, 0)
    }
    if (operation.op === "query") {
      map()
      emit(0xb7, 2, 0, operation.question)
      emit(0x85, 0, 0, 134)
    } else if (operation.op === "output") {
      for (const [at, byte] of operation.data.entries()) emit(0x72, 10, at - 256, byte)
      map()
      emit(0xbf, 0xa2, 0, 0)
      emit(0x07, 2, 0, -256)
      emit(0xb7, 3, 0, operation.data.length)
      emit(0xb7, 4, 0, operation.flags)
      emit(0x85, 0, 0, 130)
    } else {
      map()
      emit(0xb7, 2, 0, operation.data.length)
      emit(0xb7, 3, 0, 0)
      emit(0x85, 0, 0, 131)
      // if r0 != 0 goto +2; r0 = 1; exit
      emit(0x55, 0, 2, 0)
      emit(0xb7, 0, 0, 1)
      emit(0x95, 0, 0, 0)
      for (const [at, byte] of operation.data.entries()) emit(0x72, 0, at, byte)
      emit(0xbf, 0x01, 0, 0)
      emit(0xb7, 2, 0, operation.flags)
      emit(0x85, 0, 0, operation.op === "submit" ? 132 : 133)
      emit(0xb7, 0, 0, 0)
    }
    emit(0x95, 0, 0, 0)
    const program = progLoad(1, Uint8Array.from(code), { logLevel: 0 }).fd
    if (program < 0) throw new Error(`Linux refused the test's program: ${program}`)
    const packet = new Uint8Array(64)
    const run = attr(
      [
        [0, 4, program],
        [8, 4, packet.length],
        [16, 8, addressOf(packet)],
      ],
      80,
    )
    bpf(10, run)
    close(program)
    return new DataView(run.buffer).getInt32(4, true)
  }

  close(): void {
    syscall(NR_MUNMAP, this.consumer, PAGE)
    syscall(NR_MUNMAP, this.producer, PAGE + 2 * SIZE)
    close(this.fd)
  }
}

/** The same operation on our ring, with the results of a program on Linux. */
function runOurs(ring: RingBufferMap, host: MapHost, block: number, operation: Operation): number {
  if (operation.op === "query") return ring.query(operation.question)
  host.memory.write(block, operation.data)
  if (operation.op === "output")
    return Math.min(0, ring.output(block, operation.data.length, operation.flags))
  const sample = ring.reserve(operation.data.length, 0)
  if (sample === 0) return 1
  expect(ring.isReserved(sample)).toBe(true)
  expect(ring.sampleSize(sample)).toBe(operation.data.length)
  host.memory.write(sample, operation.data)
  ring[operation.op](sample, operation.flags)
  expect(ring.isReserved(sample)).toBe(false)
  return 0
}

describeWith([requirement.linux()], `a ring buffer agrees with Linux (seed ${seed})`, () => {
  test("in results, positions and every byte that the consumer sees", () => {
    const source = random(seed)
    const host = createHost()
    const ours = createRing(host)
    const theirs = new LinuxRing()
    const block = host.memory.allocate(256)
    for (let step = 0; step < 300 * fuzzFactor; step++) {
      const data = source.bytes(1 + source.below(source.below(4) === 0 ? 200 : 40))
      const operation: Operation = source.pick<Operation>([
        { op: "output", data, flags: source.pick([0, 1, 2, 3, 4]) },
        { op: "submit", data, flags: source.pick([0, 1, 2]) },
        { op: "discard", data, flags: 0 },
        { op: "query", question: source.below(5) },
      ])
      const message = `seed ${seed}, step ${step}, ${operation.op}`
      expect(runOurs(ours, host, block, operation), message).toBe(theirs.run(operation))
      const view = ours.view()
      expect(view.producerPosition(), message).toBe(theirs.producerPosition())
      if (step % 10 === 0)
        expect(unread(view.data(), view), message).toBe(unread(theirs.data(), view))
      if (source.below(60) === 0) {
        const position = view.producerPosition()
        view.setConsumerPosition(position)
        theirs.setConsumerPosition(position)
      }
    }
    theirs.close()
  })

  /** Headers and data from the consumer's position to the producer's; padding is left out. */
  function unread(data: Uint8Array, view: ReturnType<RingBufferMap["view"]>): string {
    const records: string[] = []
    const words = new DataView(data.buffer, data.byteOffset)
    for (let at = view.consumerPosition(); at < view.producerPosition(); ) {
      const offset = at % SIZE
      const header = words.getUint32(offset, true)
      const length = header & 0x3fffffff
      records.push(hex(data.subarray(offset, offset + 8 + length)))
      at += Math.ceil((length + 8) / 8) * 8
    }
    return records.join(" ")
  }
})

// ---- a plain model ----------------------------------------------------------------------------------

interface ModelRecord {
  readonly text: string
  readonly bytes: number
  state: "busy" | "submitted" | "discarded"
}

describe(`a ring buffer agrees with a plain model (seed ${seed})`, () => {
  test("when records are committed in any order", () => {
    const source = random(seed)
    const host = createHost()
    const ring = createRing(host)
    const view = ring.view()
    /** Reserved and not yet consumed, in order. */
    const queue: ModelRecord[] = []
    const open: { sample: number; record: ModelRecord }[] = []
    const sent: string[] = []
    const received: string[] = []
    for (let step = 0; step < 3000; step++) {
      const choice = source.below(5)
      if (choice < 2) {
        const data = source.bytes(source.below(300))
        const bytes = Math.ceil((data.length + 8) / 8) * 8
        const used = queue.reduce((sum, record) => sum + record.bytes, 0)
        const sample = ring.reserve(data.length, 0)
        expect(sample !== 0, `seed ${seed}, step ${step}`).toBe(used + bytes < SIZE)
        if (sample === 0) continue
        host.memory.write(sample, data)
        const record: ModelRecord = { text: hex(data), bytes, state: "busy" }
        queue.push(record)
        open.push({ sample, record })
      } else if (choice < 4 && open.length > 0) {
        const [{ sample, record }] = open.splice(source.below(open.length), 1)
        const discard = source.below(4) === 0
        // The consumer waits exactly when it has caught up with this record.
        const wake = queue[0] === record
        expect(discard ? ring.discard(sample, 0) : ring.submit(sample, 0)).toBe(wake)
        record.state = discard ? "discarded" : "submitted"
      } else if (source.below(4) === 0) {
        while (queue.length > 0 && queue[0].state !== "busy") {
          const record = queue.shift() as ModelRecord
          if (record.state === "submitted") sent.push(record.text)
        }
        consume(view, received)
        expect(received, `seed ${seed}, step ${step}`).toEqual(sent)
      }
    }
    expect(sent.length).toBeGreaterThan(100)
  })

  /** What libbpf's consumer does. */
  function consume(view: ReturnType<RingBufferMap["view"]>, into: string[]): void {
    const data = view.data()
    const words = new DataView(data.buffer, data.byteOffset)
    let position = view.consumerPosition()
    while (position < view.producerPosition()) {
      const offset = position & (view.size - 1)
      const header = words.getUint32(offset, true)
      if (header & 0x80000000) break
      const length = header & 0x3fffffff
      if ((header & 0x40000000) === 0)
        into.push(hex(data.subarray(offset + 8, offset + 8 + length)))
      position += Math.ceil((length + 8) / 8) * 8
    }
    view.setConsumerPosition(position)
  }

  test("wake-up flags override what the consumer's position says", () => {
    const ring = createRing(createHost())
    const first = ring.reserve(8, 0)
    const second = ring.reserve(8, 0)
    expect(ring.submit(second, 0)).toBe(false)
    expect(ring.submit(first, 1)).toBe(false)
    const third = ring.reserve(8, 0)
    expect(ring.submit(third, 2)).toBe(true)
    expect(ring.reserve(8, 1)).toBe(0)
    expect(ring.reserve(0x40000000, 0)).toBe(0)
    expect(ring.reserve(SIZE - 8, 0)).toBe(0)
  })
})

describe("a user ring buffer", () => {
  function create(): { ring: UserRingBufferMap; host: MapHost } {
    const host = createHost()
    const request = { map_type: 31, key_size: 0, value_size: 0, max_entries: SIZE }
    return { ring: createMap(host, request, { index: 1 }) as UserRingBufferMap, host }
  }

  test("hands over what was written, in order, around the end of the ring", () => {
    const { ring, host } = create()
    const source = random(seed)
    for (let round = 0; round < 50; round++) {
      const written = Array.from({ length: 8 }, () => source.bytes(source.below(400)))
      for (const data of written) expect(ring.write(data)).toBe(0)
      const seen: string[] = []
      const drained = ring.drain((data, size) => {
        seen.push(hex(host.memory.read(data, size)))
        return 0
      })
      expect(drained).toBe(8)
      expect(seen).toEqual(written.map(hex))
    }
  })

  test("stops when the callback says so, and goes on there", () => {
    const { ring } = create()
    for (let index = 0; index < 3; index++) ring.write(new Uint8Array(index + 1))
    const sizes: number[] = []
    const take = (_: number, size: number): number => sizes.push(size)
    expect(ring.drain(take)).toBe(1)
    expect(ring.drain(take)).toBe(1)
    expect(sizes).toEqual([1, 2])
    expect(ring.drain(() => 0)).toBe(1)
    expect(ring.drain(() => 0)).toBe(0)
  })

  test("passes discarded records, stops at busy ones and refuses what cannot be", () => {
    const { ring, host } = create()
    ring.write(new Uint8Array(8))
    ring.write(new Uint8Array(8))
    ring.write(new Uint8Array(8))
    host.memory.i32[ring.ring.start >> 2] |= 0x40000000
    host.memory.i32[(ring.ring.start + 32) >> 2] |= 0x80000000
    expect(ring.drain(() => 0)).toBe(1)
    expect(ring.drain(() => 0)).toBe(0)
    host.memory.i32[(ring.ring.start + 32) >> 2] = 100
    expect(ring.drain(() => 0)).toBe(-22)
    ring.ring.setProducerPosition(ring.ring.producerPosition() + 4)
    expect(ring.drain(() => 0)).toBe(-22)
  })

  test("is busy while it is drained, and full when it is full", () => {
    const { ring } = create()
    expect(ring.write(new Uint8Array(SIZE))).toBe(-7)
    expect(ring.write(new Uint8Array(SIZE - 8))).toBe(0)
    expect(ring.write(new Uint8Array(0))).toBe(-28)
    let nested = 0
    ring.drain(() => {
      nested = ring.drain(() => 0)
      return 0
    })
    expect(nested).toBe(-16)
  })
})
