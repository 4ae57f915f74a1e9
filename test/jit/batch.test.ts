import { afterAll, describe, expect, it } from "vitest"
import { assemble } from "../../src/isa/index.ts"
import { createEmbeddedKernel } from "../../src/kernel/index.ts"
import type { BatchResult } from "../../src/kernel/programs/batch.ts"
import { BPF_MAP_TYPE, ERRNO } from "../../src/spec/index.ts"

const XDP = 6

/** Drops frames whose 13th byte is odd, passes the others, and writes to both. */
const VERDICT = `
  r2 = *(u32 *)(r1 + 0); r3 = *(u32 *)(r1 + 4)
  r4 = r2; r4 += 14; r0 = 0
  if r4 > r3 goto out
  r3 -= r2; *(u16 *)(r2 + 0) = r3
  r0 = *(u8 *)(r2 + 12); r0 &= 1; r0 ^= 1; r0 += 1
  out: exit`

const kernels = [
  createEmbeddedKernel({ engine: "jit", trustPrograms: true }),
  createEmbeddedKernel({ engine: "jit", trustPrograms: true, verify: false, budget: 1000 }),
  createEmbeddedKernel({ engine: "interpreter" }),
]
afterAll(() => {
  for (const kernel of kernels) kernel.dispose()
})

function load(kernel: (typeof kernels)[number], text: string): number {
  const insns = assemble(text).bytes
  const fd = kernel.bpf("PROG_LOAD", { prog_type: XDP, insns, license: "GPL", prog_name: "batch" })
  expect(fd).toBeGreaterThan(0)
  return fd
}

function run(kernel: (typeof kernels)[number], text: string, frames: Uint8Array[]): BatchResult {
  const result = kernel.runMany(load(kernel, text), frames, { output: true })
  if (typeof result === "number") throw new Error(`errno ${result}`)
  return result
}

const frames = Array.from({ length: 20_000 }, (_, index) => {
  const frame = new Uint8Array(10 + (index % 90))
  frame.fill(index & 0xff)
  return frame
})

describe("many frames", () => {
  it("get the verdicts and changes that they get one by one", () => {
    const [compiled, counted, interpreted] = kernels.map((kernel) => run(kernel, VERDICT, frames))
    expect([compiled.compiled, interpreted.compiled]).toEqual([true, false])
    const expected = frames.map((frame) => (frame.length < 14 ? 0 : frame[12] & 1 ? 1 : 2))
    for (const { verdicts, counts, faults, frames: out } of [compiled, counted, interpreted]) {
      expect([...verdicts]).toEqual(expected)
      for (const verdict of [0, 1, 2])
        expect(counts[verdict]).toBe(expected.filter((one) => one === verdict).length)
      expect(faults).toEqual([])
      expect(out).toHaveLength(frames.length)
      expect(out[777]).toEqual(
        Uint8Array.from(frames[777], (byte, at) =>
          at === 0 ? frames[777].length : at === 1 ? 0 : byte,
        ),
      )
    }
  })

  it("share maps with everything else", () => {
    for (const kernel of kernels) {
      const map = { map_type: BPF_MAP_TYPE.BPF_MAP_TYPE_ARRAY, key_size: 4, value_size: 8 }
      const fd = kernel.bpf("MAP_CREATE", { ...map, max_entries: 1 })
      const text = `
        *(u32 *)(r10 - 4) = 0
        r1 = map[fd:${fd}]; r2 = r10; r2 += -4; call 1
        if r0 == 0 goto out
        r1 = 1; lock *(u64 *)(r0 + 0) += r1
        out: r0 = 300; exit`
      const { counts, verdicts } = run(kernel, text, frames.slice(0, 1000))
      expect(verdicts[999]).toBe(300)
      expect(counts.at(-1)).toBe(1000)
      const value = new Uint8Array(8)
      kernel.bpf("MAP_LOOKUP_ELEM", { map_fd: fd, key: new Uint8Array(4), value, flags: 0n })
      expect(new DataView(value.buffer).getUint32(0, true)).toBe(1000)
    }
  })

  it("go on behind one that faults", () => {
    const endless = `
      r2 = *(u32 *)(r1 + 0); r3 = *(u32 *)(r1 + 4); r4 = r2; r4 += 1; r0 = 2
      if r4 > r3 goto out
      r5 = *(u8 *)(r2 + 0)
      again: if r5 == 7 goto again
      out: exit`
    const kernel = kernels[1]
    const { verdicts, faults, counts, compiled } = run(kernel, endless, frames.slice(0, 600))
    expect(compiled).toBe(true)
    expect(faults.map(({ index }) => index)).toEqual([7, 263, 519])
    expect(faults[0].fault.kind).toBe("budget")
    expect([verdicts[6], verdicts[7], verdicts[8], verdicts[599]]).toEqual([2, 0, 2, 2])
    expect(counts.slice(0, 3)).toEqual([3, 0, 597])
  })

  it("are for XDP programs, and for descriptors of programs", () => {
    const [kernel] = kernels
    const insns = assemble("r0 = 0; exit").bytes
    const fd = kernel.bpf("PROG_LOAD", { prog_type: 1, insns, license: "GPL" })
    expect(() => kernel.runMany(fd, frames)).toThrow(/not XDP/)
    expect(kernel.runMany(9999, frames)).toBe(-ERRNO.EBADF)
  })
})
