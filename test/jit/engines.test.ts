import { describe, expect, it } from "vitest"
import { assemble } from "../../src/isa/index.ts"
import { createEmbeddedKernel, type EmbeddedKernel } from "../../src/kernel/index.ts"
import { BPF_MAP_TYPE } from "../../src/spec/index.ts"

const XDP = 6

function load(kernel: EmbeddedKernel, text: string): number {
  const insns = assemble(text).bytes
  const fd = kernel.bpf("PROG_LOAD", { prog_type: XDP, insns, license: "GPL", prog_name: "p" })
  expect(fd).toBeGreaterThan(0)
  return fd
}

function testRun(kernel: EmbeddedKernel, prog_fd: number, repeat = 1): number | undefined {
  const attr = { prog_fd, data_in: new Uint8Array(64), repeat } as {
    prog_fd: number
    retval?: number
  }
  const error = kernel.bpf("PROG_TEST_RUN", attr)
  return error < 0 ? error : attr.retval
}

/** Runs `body` while the host forbids compilation. */
function withoutCompilation<R>(body: () => R): R {
  const { Module } = WebAssembly
  const refuse = function Module(): never {
    throw new WebAssembly.CompileError("blocked by the content security policy")
  }
  try {
    WebAssembly.Module = refuse as unknown as typeof WebAssembly.Module
    return body()
  } finally {
    WebAssembly.Module = Module
  }
}

describe("the engine option", () => {
  it("`auto` goes from one engine to the other between runs, and loses nothing", () => {
    const kernel = createEmbeddedKernel({ engine: "auto", trustPrograms: true })
    const map = { map_type: BPF_MAP_TYPE.BPF_MAP_TYPE_ARRAY, key_size: 4, value_size: 8 }
    const fd = kernel.bpf("MAP_CREATE", { ...map, max_entries: 1 })
    const program = load(
      kernel,
      `*(u32 *)(r10 - 4) = 0; r1 = map[fd:${fd}]; r2 = r10; r2 += -4; call 1
       if r0 == 0 goto out
       r1 = *(u64 *)(r0 + 0); r1 += 1; *(u64 *)(r0 + 0) = r1
       r0 = *(u32 *)(r0 + 0)
       out: exit`,
    )
    for (let run = 1; run <= 200; run++) expect(testRun(kernel, program)).toBe(run)
    kernel.dispose()
  })

  it("`auto` leaves programs interpreted that no verifier has accepted", () => {
    const notices: string[] = []
    const kernel = createEmbeddedKernel({
      engine: "auto",
      verify: false,
      onNotice: (text) => notices.push(text),
    })
    const program = load(kernel, "r0 = 2; exit")
    withoutCompilation(() => {
      expect(testRun(kernel, program, 500)).toBe(2)
    })
    expect(notices).toEqual([])
    kernel.dispose()
  })

  it("falls back to the interpreter, with one notice, where nothing may be compiled", () => {
    const notices: string[] = []
    const kernel = createEmbeddedKernel({ engine: "jit", onNotice: (text) => notices.push(text) })
    const programs = [load(kernel, "r0 = 2; exit"), load(kernel, "r0 = 3; exit")]
    withoutCompilation(() => {
      expect(programs.map((fd) => testRun(kernel, fd))).toEqual([2, 3])
    })
    expect(notices).toHaveLength(1)
    expect(notices[0]).toContain("content security policy")
    kernel.dispose()
  })

  it("makes no difference to tail calls, also when the program changes", () => {
    for (const engine of ["jit", "interpreter"] as const) {
      const kernel = createEmbeddedKernel({ engine, trustPrograms: true })
      const map = { map_type: BPF_MAP_TYPE.BPF_MAP_TYPE_PROG_ARRAY, key_size: 4, value_size: 4 }
      const map_fd = kernel.bpf("MAP_CREATE", { ...map, max_entries: 2 })
      const caller = load(kernel, `r2 = map[fd:${map_fd}]; r3 = 1; call 12; r0 = 9; exit`)
      const put = (fd: number): void => {
        const key = Uint8Array.of(1, 0, 0, 0)
        const value = new Uint8Array(Int32Array.of(fd).buffer)
        expect(kernel.bpf("MAP_UPDATE_ELEM", { map_fd, key, value, flags: 0n })).toBe(0)
      }
      expect(testRun(kernel, caller)).toBe(9)
      put(load(kernel, "r0 = 4; exit"))
      expect([testRun(kernel, caller), testRun(kernel, caller)]).toEqual([4, 4])
      put(load(kernel, "r0 = 5; exit"))
      expect(testRun(kernel, caller)).toBe(5)
      kernel.bpf("MAP_DELETE_ELEM", { map_fd, key: Uint8Array.of(1, 0, 0, 0) })
      expect(testRun(kernel, caller)).toBe(9)
      put(caller)
      expect(testRun(kernel, caller)).toBe(9)
      kernel.dispose()
    }
  })

  it("does not keep programs that are gone", () => {
    const kernel = createEmbeddedKernel({ engine: "jit", trustPrograms: true })
    const regions = kernel.state.memory.allocatedBytes
    for (let round = 0; round < 300; round++) {
      const fd = load(kernel, `r0 = ${round}; exit`)
      expect(testRun(kernel, fd)).toBe(round)
      kernel.close(fd)
    }
    // Packet buffers and the engine's own memory: nothing that grows with the programs.
    expect(kernel.state.memory.allocatedBytes - regions).toBeLessThan(64 * 1024)
    kernel.dispose()
  })
})
