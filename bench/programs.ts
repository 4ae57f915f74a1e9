/**
 * Programs on all engines: compiled to WebAssembly, the kernel's own JIT, the same C natively, and
 * the interpreter. Programs with `_x` call their body 64 times in a run.
 */

import { createLinuxKernel, type LinuxKernel } from "../src/linux/index.ts"
import { type Bench, type BenchOptions, geometricMean, type Row } from "./support/bench.ts"
import { embeddedProgram, loadBenchProgram } from "./support/embedded-program.ts"
import { linuxRefuses } from "./support/linux-run.ts"
import { nativeNs } from "./support/native-program.ts"
import { benchPacket } from "./support/programs.ts"

/** Those of the geometric means: they compute, or use the packet and maps. */
const COMPUTE = ["xorshift", "sieve", "csum", "fnv", "siphash", "memcpy", "calls"]
const PACKET = ["parse_x", "arrcnt_x", "pcpucnt_x", "fw_x", "flow_x", "lpm_x", "ringbuf_x"]
const OTHERS = ["empty", "parse", "arrcnt", "pcpucnt", "fw", "flow", "lpm", "ringbuf", "tail"]

const SAMPLES = 31
const SAMPLE_NS = 2_000_000
/** Of a sorted list of samples, the part whose mean counts: the rest was disturbed. */
const QUIET = 1 / 3

interface Timed {
  repeat(count: number): number
  drain(): void
}

/** CPU time of this process, which is what a run costs on a machine with other work. */
function cpuNs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) * 1000
}

function quietMean(samples: number[]): number {
  samples.sort((a, b) => a - b)
  const quiet = samples.slice(0, Math.max(1, Math.floor(samples.length * QUIET)))
  return quiet.reduce((sum, value) => sum + value, 0) / quiet.length
}

/** Nanoseconds of one run. `max`: runs before the ring is full. */
function measure(program: Timed, max: number, { effort }: BenchOptions): number {
  const run = (count: number): number => {
    const start = cpuNs()
    let left = count
    while (left > 0) {
      const step = Math.min(left, max)
      program.repeat(step)
      if (max !== Number.POSITIVE_INFINITY) program.drain()
      left -= step
    }
    return (cpuNs() - start) / count
  }
  // Once around the ring, so that its memory is there.
  if (max !== Number.POSITIVE_INFINITY) run(2 * max)
  let count = 1
  const until = performance.now() + 400 * effort
  while (performance.now() < until) {
    const each = run(count)
    count = Math.max(1, Math.min(count * 4, Math.ceil(SAMPLE_NS / Math.max(each, 0.5))))
  }
  return quietMean(Array.from({ length: SAMPLES }, () => run(count)))
}

function measureOnLinux(kernel: LinuxKernel, name: string, effort: number): number {
  const { fd, maps, close } = loadBenchProgram(kernel, name)
  try {
    const ring = name.startsWith("ringbuf") ? kernel.openRing(maps[0]) : null
    const run = (repeat: number): number => {
      const attr = { prog_fd: fd, data_in: benchPacket(), repeat, duration: 0, retval: 0 }
      const error = kernel.bpf("PROG_TEST_RUN", attr)
      if (error < 0) throw new Error(`${name}: PROG_TEST_RUN failed with errno ${-error}`)
      if (ring !== null && typeof ring !== "number")
        ring.setConsumerPosition(ring.producerPosition())
      return attr.duration
    }
    const first = run(1000)
    const most = ring === null ? 1e7 : name.endsWith("_x") ? 4000 : 200_000
    const repeat = Math.min(most, Math.ceil((20e6 * effort) / (first + 1)))
    // The kernel reports whole nanoseconds, rounded down.
    const samples = Array.from({ length: 15 }, () => run(repeat) + 0.5)
    samples.sort((a, b) => a - b)
    const quiet = samples.slice(0, 10)
    return quiet.reduce((sum, value) => sum + value, 0) / quiet.length
  } finally {
    close()
  }
}

function measureProgram(name: string, linux: LinuxKernel | null, options: BenchOptions): Row {
  const jit = embeddedProgram(name, "jit")
  const interpreted = embeddedProgram(name, "interpreter")
  const isRing = name.startsWith("ringbuf")
  const max = isRing ? (name.endsWith("_x") ? 4000 : 200_000) : Number.POSITIVE_INFINITY
  try {
    const result = jit.repeat(1)
    const expected = interpreted.once()
    if (result !== expected)
      throw new Error(`${name} gives ${result} compiled and ${expected} interpreted`)
    const jitNs = measure(jit, max, options)
    const slow: Timed = {
      repeat(count) {
        let last = 0
        for (let i = 0; i < count; i++) last = interpreted.once()
        return last
      },
      drain: () => interpreted.drain(),
    }
    const interpretedNs = measure(slow, Math.min(max, 1000), { effort: options.effort / 4 })
    const linuxNs = linux === null ? undefined : measureOnLinux(linux, name, options.effort)
    const native = nativeNs(name)
    return {
      program: name,
      "jit ns": jitNs,
      "linux ns": linuxNs,
      "native ns": native,
      "interpreter ns": interpretedNs,
      "vs linux": linuxNs === undefined ? undefined : jitNs / linuxNs,
      "vs native": native === undefined ? undefined : jitNs / native,
    }
  } finally {
    jit.close()
    interpreted.close()
  }
}

function mean(rows: readonly Row[], names: readonly string[], column: string): number | null {
  const values = rows
    .filter(({ program }) => names.includes(program as string))
    .map((row) => row[column])
  if (values.length < names.length || values.some((value) => typeof value !== "number")) return null
  return geometricMean(values as number[])
}

export const bench: Bench & { readonly only?: readonly string[] } = {
  name: "programs",
  question: "How long do programs take compiled to WebAssembly, beside the kernel's JIT and C?",
  async run(options) {
    const errno = linuxRefuses()
    const linux = errno === 0 ? createLinuxKernel() : null
    const only = process.env.BENCH_PROGRAMS?.split(",")
    const names = [...COMPUTE, ...PACKET, ...OTHERS].filter((name) => only?.includes(name) ?? true)
    const rows = names.map((name) => measureProgram(name, linux, options))
    const all = [...COMPUTE, ...PACKET]
    const geomean = {
      vsLinux: mean(rows, all, "vs linux"),
      vsNative: mean(rows, all, "vs native"),
      computeVsLinux: mean(rows, COMPUTE, "vs linux"),
    }
    const text = (value: number | null): string => value?.toFixed(2) ?? "-"
    return {
      rows,
      geomean,
      notes: [
        `geometric means of ${all.length} programs: ${text(geomean.vsLinux)} × Linux, ${text(geomean.vsNative)} × native; compute only ${text(geomean.computeVsLinux)} × Linux`,
        "Linux: BPF_PROG_TEST_RUN's own duration. Its maps take locks and are read under RCU; ours have one writer.",
        errno === 0
          ? "native: clang -O2 with simple maps inlined"
          : `no Linux here (errno ${errno})`,
      ],
    }
  },
}
