/**
 * XDP programs over many frames at once. Frames are laid out in linear memory a chunk at a time, and
 * a loop in WebAssembly (src/jit/batch.ts) runs the program over them, so that JavaScript is
 * entered once a chunk. Programs that need more than packet and maps (helpers that move the packet
 * or redirect it, tail calls), and those that are interpreted or compiled with checks, are run one
 * frame after another instead; results are the same.
 */

import {
  type Fault,
  REGION_CONTEXT,
  REGION_READ,
  REGION_TAG,
  REGION_WRITE,
} from "../../interpreter/index.ts"
import { BPF_CALL, BPF_JMP, BPF_LD_IMM64, decodeInstruction, INSN_SIZE } from "../../isa/index.ts"
import { TALLIES } from "../../jit/index.ts"
import { BPF_PROG_TYPE, HELPERS } from "../../spec/index.ts"
import { XDP_CONTEXT_BYTES, XDP_MD, XdpBuffer } from "../contexts/index.ts"
import type { KernelState, RunInput } from "../environment.ts"
import type { Program } from "./program.ts"
import type { Runner } from "./run.ts"

export interface BatchOptions {
  readonly cpu?: number
  /** Index of the device that the frames arrive on; 1 (lo) by default. */
  readonly ingressIfindex?: number
  /** Copies the frames out as the program left them. */
  readonly output?: boolean
}

export interface BatchResult {
  /** r0 by frame; 0 (XDP_ABORTED) after a fault. */
  readonly verdicts: Uint32Array
  /** How often r0 was 0, 1, … 6; the last one counts everything above. */
  readonly counts: readonly number[]
  readonly faults: readonly { readonly index: number; readonly fault: Fault }[]
  /** The frames afterwards, when asked for. */
  readonly frames: readonly Uint8Array[]
  /** Whether the loop in WebAssembly ran them. */
  readonly compiled: boolean
}

/** Frames and bytes of a chunk, at most. */
const CHUNK_FRAMES = 8192
const CHUNK_BYTES = 8 * 2 ** 20
/** Frames begin at multiples of a cache line. */
const ALIGNMENT = 64

/** Helpers that need nothing of the packet but its bytes. */
const PLAIN_HELPERS: ReadonlySet<string> = new Set([
  ...["map_lookup_elem", "map_update_elem", "map_delete_elem", "map_lookup_percpu_elem"],
  ...["map_push_elem", "map_pop_elem", "map_peek_elem", "for_each_map_elem", "loop"],
  ...["ktime_get_ns", "ktime_get_boot_ns", "ktime_get_coarse_ns", "jiffies64"],
  ...["get_prandom_u32", "get_smp_processor_id", "get_numa_node_id", "csum_diff"],
  ...["ringbuf_output", "ringbuf_reserve", "ringbuf_submit", "ringbuf_discard", "ringbuf_query"],
  ...["spin_lock", "spin_unlock", "trace_printk", "strncmp", "snprintf"],
])

/** Runs an XDP program over frames. @throws RangeError for a program of another type. */
export function runMany(
  kernel: KernelState,
  runner: Runner,
  program: Program,
  frames: readonly Uint8Array[],
  options: BatchOptions = {},
): BatchResult {
  if (program.type !== BPF_PROG_TYPE.BPF_PROG_TYPE_XDP)
    throw new RangeError(`program ${program.name} is of type ${program.type}, not XDP`)
  const compiled = isPlain(program) ? runner.engines.compiled(kernel, program) : null
  const result = {
    verdicts: new Uint32Array(frames.length),
    counts: new Array<number>(TALLIES).fill(0),
    faults: [] as { index: number; fault: Fault }[],
    frames: [] as Uint8Array[],
    compiled: compiled?.batch !== undefined && !compiled.options.checked,
  }
  if (!result.compiled) {
    runOneByOne(kernel, program, frames, options, result)
    return result
  }
  for (let first = 0; first < frames.length; ) {
    const end = chunkEnd(frames, first)
    runChunk(kernel, runner, program, { frames, first, end, options }, result)
    first = end
  }
  return result
}

type MutableResult = {
  -readonly [K in keyof BatchResult]: BatchResult[K] extends readonly (infer T)[]
    ? T[]
    : BatchResult[K]
}

function isPlain({ translated }: Program): boolean {
  for (let slot = 0; slot < translated.length / INSN_SIZE; slot++) {
    const { opcode, src, imm } = decodeInstruction(translated, slot)
    if (opcode === BPF_LD_IMM64) slot++
    if (opcode !== (BPF_JMP | BPF_CALL) || src === 1) continue
    if (src !== 0 || !PLAIN_HELPERS.has(HELPERS[imm]?.name ?? "")) return false
  }
  return true
}

function align(size: number): number {
  return (size + ALIGNMENT - 1) & -ALIGNMENT
}

function chunkEnd(frames: readonly Uint8Array[], first: number): number {
  let bytes = 0
  let end = first
  while (end < frames.length && end - first < CHUNK_FRAMES) {
    bytes += align(frames[end].length)
    if (bytes > CHUNK_BYTES && end > first) break
    end++
  }
  return end
}

interface ChunkOfFrames {
  readonly frames: readonly Uint8Array[]
  readonly first: number
  readonly end: number
  readonly options: BatchOptions
}

function runChunk(
  kernel: KernelState,
  runner: Runner,
  program: Program,
  { frames, first, end, options }: ChunkOfFrames,
  result: MutableResult,
): void {
  const { memory } = kernel
  const count = end - first
  const taken: number[] = []
  const take = (size: number): number => {
    const offset = memory.allocate(size, ALIGNMENT)
    if (offset === 0) throw new RangeError(`no kernel memory for ${count} frames`)
    taken.push(offset)
    return offset
  }
  let contextRegion = 0
  let packetRegion = 0
  try {
    let bytes = 0
    for (let index = first; index < end; index++) bytes += align(frames[index].length)
    const data = take(Math.max(bytes, ALIGNMENT))
    const table = take(count * 8)
    const verdicts = take(count * 4)
    const tallies = take(TALLIES * 4)
    const context = take(XDP_CONTEXT_BYTES)
    packetRegion = memory.createRegion(data, data + bytes, REGION_READ | REGION_WRITE)
    contextRegion = contextOf(kernel, context, packetRegion, options.ingressIfindex ?? 1)
    const places = layOut(kernel, frames, first, end, data, table)
    const input: RunInput = { context, contextRegion, cpu: options.cpu }
    runner.within(kernel, program, input, (run, depth) =>
      runner.engines.batch(kernel, program, depth, run, {
        place: { count, frames: table, verdicts, tallies },
        onFault: (index, fault) => result.faults.push({ index: first + index, fault }),
      }),
    )
    const { view } = memory
    for (let index = 0; index < count; index++)
      result.verdicts[first + index] = view.getUint32(verdicts + 4 * index, true)
    for (let tally = 0; tally < TALLIES; tally++)
      result.counts[tally] += view.getUint32(tallies + 4 * tally, true)
    if (options.output)
      for (let index = 0; index < count; index++)
        result.frames.push(memory.read(places[index], frames[first + index].length))
  } finally {
    memory.destroyRegion(contextRegion)
    memory.destroyRegion(packetRegion)
    for (const offset of taken) memory.free(offset)
  }
}

/** A context whose packet fields point into a region; returns its own region. */
function contextOf(
  { memory }: KernelState,
  context: number,
  packetRegion: number,
  ifindex: number,
): number {
  const flags = REGION_READ | REGION_WRITE | REGION_CONTEXT
  const region = memory.createRegion(context, context + XDP_CONTEXT_BYTES, flags)
  const tag = REGION_TAG | packetRegion
  const { data, data_end: dataEnd, data_meta: dataMeta } = XDP_MD
  memory.setContextTags(region, new Map([data, dataEnd, dataMeta].map((field) => [field, tag])))
  memory.view.setUint32(context + XDP_MD.ingress_ifindex, ifindex, true)
  return region
}

/** Copies the frames to linear memory and fills the table of where they are. */
function layOut(
  { memory }: KernelState,
  frames: readonly Uint8Array[],
  first: number,
  end: number,
  data: number,
  table: number,
): number[] {
  const places: number[] = []
  let at = data
  for (let index = first; index < end; index++) {
    const frame = frames[index]
    memory.u8.set(frame, at)
    memory.view.setUint32(table + 8 * (index - first), at, true)
    memory.view.setUint32(table + 8 * (index - first) + 4, frame.length, true)
    places.push(at)
    at += align(frame.length)
  }
  return places
}

function runOneByOne(
  kernel: KernelState,
  program: Program,
  frames: readonly Uint8Array[],
  options: BatchOptions,
  result: MutableResult,
): void {
  const packet = new XdpBuffer(kernel.memory)
  try {
    frames.forEach((frame, index) => {
      packet.load(frame, { ingressIfindex: options.ingressIfindex ?? 1 })
      const { context, contextRegion } = packet
      const outcome = kernel.run(program, { context, contextRegion, packet, cpu: options.cpu })
      const verdict = outcome.low >>> 0
      result.verdicts[index] = verdict
      result.counts[Math.min(verdict, TALLIES - 1)]++
      if (outcome.fault !== null) result.faults.push({ index, fault: outcome.fault })
      if (options.output) result.frames.push(packet.frame())
    })
  } finally {
    packet.free()
  }
}
