/** Records of perf event arrays: bytes, unless the map or the reader says what they are. */

import { readFileSync } from "node:fs"
import { describe, expect, test } from "vitest"
import { embeddedKernel } from "../../src/api/embedded.ts"
import {
  asm,
  type Kernel,
  map,
  type PerfEventArray,
  parseObject,
  program,
  struct,
  u32,
  u64,
} from "../../src/api/index.ts"
import { linuxKernel } from "../../src/api/linux.ts"
import { pinToCpu } from "../../src/linux/index.ts"
import { describeWith, requirement } from "../support/requirements.ts"

const object = parseObject(readFileSync(new URL("programs/perf-records.bpf.o", import.meta.url)), {
  name: "perf-records",
})
const sample = struct({ length: u32, protocol: u32, number: u64 })
const expected = { length: 60, protocol: 0x0806, number: 0x1122334455667788n }

const arp = new Uint8Array(60)
arp.set([0x08, 0x06], 12)

/** What the program wrote, as bytes; Linux and we pad records to 8 bytes behind a 4-byte size. */
const bytes = new Uint8Array(20)
new DataView(bytes.buffer).setUint32(0, expected.length, true)
new DataView(bytes.buffer).setUint32(4, expected.protocol, true)
new DataView(bytes.buffer).setBigUint64(8, expected.number, true)

function suite(open: () => Kernel): void {
  for (const name of ["by_type", "by_size"])
    test(`records of an array whose values are descriptors (${name}) are bytes`, () => {
      using kernel = open()
      using loaded = kernel.loadSync(object)
      loaded.programs.perf_records.run({ data: arp })
      expect(loaded.maps[name].drain()).toEqual([{ cpu: 0, lost: 0, event: bytes }])
    })

  test("records of an array whose value type is a struct are values of that struct", () => {
    using kernel = open()
    using loaded = kernel.loadSync(object)
    loaded.programs.perf_records.run({ data: arp })
    expect(loaded.maps.by_record.drain()).toEqual([{ cpu: 0, lost: 0, event: expected }])
  })

  test("a reader may say what the records are", () => {
    using kernel = open()
    using loaded = kernel.loadSync(object)
    const events = (loaded.maps.by_type as PerfEventArray<Uint8Array>).withRecord(sample)
    loaded.programs.perf_records.run({ data: arp })
    expect(events.drain()).toEqual([{ cpu: 0, lost: 0, event: expected }])
  })

  test("an array made by hand has records of the type that its maker says, or bytes", async () => {
    using kernel = open()
    using typed = kernel.createMap(map.perfEventArray({ cpus: kernel.cpus, record: sample }))
    using plain = kernel.createMap(map.perfEventArray({ cpus: kernel.cpus }))
    const instructions = asm`
      r6 = r1
      *(u64 *)(r10 - 16) = 60
      *(u32 *)(r10 - 12) = 0x0806
      r2 = 0x1122334455667788 ll
      *(u64 *)(r10 - 8) = r2
      r2 = ${typed} ll
      r3 = 0xffffffff ll
      r4 = r10
      r4 += -16
      r5 = 16
      call bpf_perf_event_output
      r1 = r6
      r2 = ${plain} ll
      r3 = 0xffffffff ll
      r4 = r10
      r4 += -16
      r5 = 16
      call bpf_perf_event_output
      r0 = 2
      exit`
    const spec = program({ type: "xdp", name: "emit", license: "GPL", instructions })
    using xdp = await kernel.loadProgram(spec)
    xdp.run({ data: arp })
    expect(typed.drain()).toEqual([{ cpu: 0, lost: 0, event: expected }])
    expect(plain.drain()).toEqual([{ cpu: 0, lost: 0, event: bytes }])
  })
}

describe("on the embedded kernel", () => suite(() => embeddedKernel({ cpus: 2 })))

describeWith([requirement.linux()], "on Linux", () => {
  pinToCpu(0)
  suite(linuxKernel)
})
