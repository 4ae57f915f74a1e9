import { describe, expect, test } from "vitest"
import { embeddedKernel } from "../../src/api/embedded.ts"
import {
  asm,
  type Kernel,
  map,
  type Program,
  program,
  type RingBuffer,
  u32,
} from "../../src/api/index.ts"

/** A syscall program that sends the first word of its context as a record. */
async function sender(kernel: Kernel, ring: RingBuffer<number>): Promise<(value: number) => void> {
  const instructions = asm`
    r2 = *(u64 *)(r1 + 0)
    *(u64 *)(r10 - 8) = r2
    r1 = ${ring} ll
    r2 = r10
    r2 += -8
    r3 = 4
    r4 = 0
    call bpf_ringbuf_output
    exit`
  const spec = program({ type: "raw_tracepoint", name: "send", license: "GPL", instructions })
  const loaded: Program = await kernel.loadProgram(spec)
  return (value) => {
    loaded.run({ context: new Uint8Array(new BigUint64Array([BigInt(value)]).buffer) })
  }
}

const records = map.ringbuf({ name: "records", record: u32, bytes: 4096 })

describe("a reader of a ring buffer", () => {
  test("that leaves its loop leaves the records that it has not seen", async () => {
    using kernel = embeddedKernel()
    using ring = kernel.createMap(records)
    const send = await sender(kernel, ring)
    for (const value of [1, 2, 3, 4, 5]) send(value)
    for await (const value of ring) if (value === 2) break
    for (const value of ring.drain()) if (value === 3) break
    expect([...ring.drain()]).toEqual([4, 5])
    expect(ring.pendingBytes).toBe(0)
  })

  test("that closes the map while reading gets no more records", async () => {
    using kernel = embeddedKernel()
    const ring = kernel.createMap(records)
    const send = await sender(kernel, ring)
    for (const value of [1, 2]) send(value)
    const seen: number[] = []
    for await (const value of ring) {
      seen.push(value)
      ring.close()
    }
    expect(seen).toEqual([1])
  })

  test("gets the reason of an abort, also between records", async () => {
    using kernel = embeddedKernel()
    using ring = kernel.createMap(records)
    const send = await sender(kernel, ring)
    for (const value of [1, 2]) send(value)
    const abort = new AbortController()
    const seen: number[] = []
    await expect(async () => {
      for await (const value of ring.read({ signal: abort.signal })) {
        seen.push(value)
        abort.abort(new Error("enough"))
      }
    }).rejects.toThrow("enough")
    expect(seen).toEqual([1])
    expect([...ring.drain()]).toEqual([2])
  })

  test("gets records that come while it waits, in batches", async () => {
    using kernel = embeddedKernel()
    using ring = kernel.createMap(records)
    const send = await sender(kernel, ring)
    const batches: number[][] = []
    const reading = (async () => {
      for await (const batch of ring.readBatches()) {
        batches.push([...batch])
        if (batches.length === 2) return
      }
    })()
    for (const values of [[1, 2], [3]]) {
      await new Promise((resolve) => setImmediate(resolve))
      for (const value of values) send(value)
    }
    await reading
    expect(batches).toEqual([[1, 2], [3]])
  })
})
