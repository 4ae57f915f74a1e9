/**
 * Packets through XDP programs, from a capture that lies in memory: delivered to a virtual device,
 * and by PROG_TEST_RUN with repeat, where Linux runs the same program on the same frames.
 */

import { readFileSync } from "node:fs"
import { type EmbeddedKernelOptions, embeddedKernel } from "../src/api/embedded.ts"
import {
  asm,
  type BpfObject,
  type Collection,
  type Kernel,
  type Program,
  parseObject,
  program,
} from "../src/api/index.ts"
import { linuxKernel } from "../src/api/linux.ts"
import { readCapture } from "../src/packet/index.ts"
import { type Bench, type BenchOptions, type Row, time } from "./support/bench.ts"
import { linuxRefuses } from "./support/linux-run.ts"

const file = (path: string): Uint8Array => readFileSync(new URL(path, import.meta.url))

/** What the embedded kernel can run programs with: a column each. */
const ENGINES: Readonly<Record<string, EmbeddedKernelOptions>> = {
  interpreter: { seed: 1 },
}

/** Sources of the firewall's blocklist: those of its README. */
const BLOCKED: readonly { readonly key: string }[] = JSON.parse(
  new TextDecoder().decode(file("../examples/firewall/blocklist.json")),
)

/** Frames that PROG_TEST_RUN gets, spread over the capture. */
const TESTED = 32
const REPEAT_EMBEDDED = 100
const REPEAT_LINUX = 20_000

interface Loaded extends Disposable {
  readonly program: Program
}

/** A subject: loads itself into a kernel, maps filled. */
type Subject = (kernel: Kernel) => Promise<Loaded>

const SUBJECTS: Readonly<Record<string, Subject>> = {
  async drop(kernel) {
    const spec = program({ type: "xdp", name: "drop", instructions: asm`r0 = 1; exit` })
    const loaded = await kernel.loadProgram(spec)
    return { program: loaded, [Symbol.dispose]: () => loaded.close() }
  },
  async firewall(kernel) {
    const object: BpfObject = parseObject(file("../examples/firewall/firewall.bpf.o"))
    const loaded: Collection = await kernel.load(object)
    const { blocklist } = loaded.maps as Collection["maps"] & {
      blocklist: { raw: { set(key: Uint8Array, value: Uint8Array): void } }
    }
    for (const { key } of BLOCKED)
      blocklist.raw.set(Uint8Array.from(key.split("."), Number), new Uint8Array(8))
    const { firewall } = loaded.programs as { firewall: Program }
    return { program: firewall, [Symbol.dispose]: () => loaded.close() }
  },
}

const packetsPerSecond = (ns: number): number => Math.round(1e9 / ns)

/** All frames, one after another, through a device with the program attached. */
async function onDevice(
  load: Subject,
  frames: readonly Uint8Array[],
  kernelOptions: EmbeddedKernelOptions,
  options: BenchOptions,
): Promise<number> {
  using kernel = embeddedKernel(kernelOptions)
  const device = kernel.interface("eth0")
  using loaded = await load(kernel)
  using _link = loaded.program.attach({ interface: device.index })
  const { bestNs } = time(() => {
    for (const frame of frames) device.receive(frame)
  }, options)
  return bestNs / frames.length
}

/** The mean over the frames of what PROG_TEST_RUN says one run takes. */
function byTestRun({ program }: Loaded, frames: readonly Uint8Array[], repeat: number): number {
  let total = 0
  for (const data of frames) total += program.run({ data, repeat }).nanoseconds
  return total / frames.length
}

/** Best of some rounds; the verdicts of all frames, to be compared. */
async function tested(
  load: Subject,
  kernel: Kernel,
  frames: readonly Uint8Array[],
  { repeat, rounds }: { readonly repeat: number; readonly rounds: number },
): Promise<{ ns: number; verdicts: string }> {
  using loaded = await load(kernel)
  const verdicts = frames.map((data) => loaded.program.run({ data }).returned).join(" ")
  let ns = Number.POSITIVE_INFINITY
  for (let round = 0; round < rounds; round++) ns = Math.min(ns, byTestRun(loaded, frames, repeat))
  return { ns, verdicts }
}

async function measure(
  name: string,
  frames: readonly Uint8Array[],
  linux: Kernel | null,
  options: BenchOptions,
): Promise<Row[]> {
  const load = SUBJECTS[name]
  const step = Math.max(1, Math.floor(frames.length / TESTED))
  const some = frames.filter((_, index) => index % step === 0).slice(0, TESTED)
  const rounds = Math.max(3, Math.round(10 * options.effort))
  const device: Row = { program: name, path: "device" }
  const run: Row = { program: name, path: "PROG_TEST_RUN" }
  const theirs =
    linux === null ? null : await tested(load, linux, some, { repeat: REPEAT_LINUX, rounds })
  for (const [engine, kernelOptions] of Object.entries(ENGINES)) {
    device[`${engine}, packets/s`] = packetsPerSecond(
      await onDevice(load, frames, kernelOptions, options),
    )
    using kernel = embeddedKernel(kernelOptions)
    const ours = await tested(load, kernel, some, { repeat: REPEAT_EMBEDDED, rounds })
    if (theirs !== null && ours.verdicts !== theirs.verdicts)
      throw new Error(`${name}: ${engine} says ${ours.verdicts}, Linux ${theirs.verdicts}`)
    run[`${engine}, packets/s`] = packetsPerSecond(ours.ns)
    if (theirs !== null) run[`${engine}, × Linux's time`] = ours.ns / Math.max(1, theirs.ns)
  }
  if (theirs !== null) run["Linux, packets/s"] = packetsPerSecond(Math.max(1, theirs.ns))
  return [device, run]
}

export const bench: Bench = {
  name: "packets",
  question: "How many packets a second does an XDP program see?",
  async run(options) {
    const capture = readCapture(file("../examples/captures/mixed-small.pcap"))
    // What fits one page with room at both ends, as PROG_TEST_RUN wants it.
    const frames = capture.frames.map((one) => one.data).filter(({ length }) => length <= 3000)
    const errno = linuxRefuses()
    const linux = errno === 0 ? linuxKernel() : null
    const rows: Row[] = []
    for (const name of Object.keys(SUBJECTS))
      rows.push(...(await measure(name, frames, linux, options)))
    return {
      rows,
      notes: [
        `device: ${frames.length} frames in memory are received, the program decides, statistics are kept; best round`,
        `PROG_TEST_RUN: ${TESTED} of the frames, repeated ${REPEAT_EMBEDDED} times here and ${REPEAT_LINUX} times on Linux; its own duration (whole nanoseconds), best round; verdicts are compared`,
        ...(errno === 0 ? [] : [`Linux does not let us load programs here (errno ${errno})`]),
      ],
    }
  },
}
