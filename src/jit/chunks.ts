/**
 * Functions that are too large for one WebAssembly function (engines take up to 7.65 MB each, and
 * compile smaller ones better) are cut into chunks: runs of blocks in reverse post order, each a
 * function of its own that takes all registers and gives them back, with the place to go on at.
 *
 *   chunk(r0 … r9, rounds, entry, frame) → (r0 … r9, rounds, where)
 *
 * `where` is `chunk << 16 | entry`, or -1 when the function has returned. The function itself
 * becomes a loop that calls one chunk after another.
 */

import { BPF_MAX_LOOPS } from "../interpreter/state.ts"
import { END, type FunctionGraph, type RawGraph, successors } from "./cfg.ts"
import { Body, FunctionEmitter, needsFuel } from "./function.ts"
import { AREA } from "./layout.ts"
import { functionBody } from "./module.ts"
import { EMPTY_TYPE, I32, I64, op } from "./opcodes.ts"
import { type CompileOptions, HOST_IMPORTS } from "./options.ts"
import type { FunctionInfo, ProgramContext } from "./program.ts"
import { structureGraph } from "./structure.ts"
import { type BlockValues, REGISTERS } from "./values.ts"

/** Slots of a function that is not cut. */
const CHUNK_SLOTS = 40_000
/** The same with checks, which take several times as many bytes. */
const CHUNK_SLOTS_CHECKED = 15_000
/** Entries of a chunk, at most: they share a number with the chunk's index. */
const ENTRY_BITS = 16
const ENTRIES_MAX = 1 << ENTRY_BITS

const VALUES = [...Array.from({ length: 10 }, () => I64), I32]
/** Locals of a chunk: the registers, then these. */
const ROUNDS = 10
const ENTRY = 11
const FRAME = 12

/** Blocks of one chunk: from the first up to the last one of the function's graph. */
interface Chunk {
  readonly first: number
  readonly end: number
  /** Blocks that other chunks (or the function's start) jump to. */
  readonly entries: number[]
  /** By block, less `first`: its index among the entries. */
  readonly entryIndex: Int32Array
}

/** How a function is cut; null when it fits into one. */
export function cutFunction(
  info: FunctionInfo,
  { checked, chunkSlots }: Pick<CompileOptions, "checked" | "chunkSlots">,
): readonly Chunk[] | null {
  const { graph } = info.structure
  const most = chunkSlots ?? (checked ? CHUNK_SLOTS_CHECKED : CHUNK_SLOTS)
  const chunks: Chunk[] = []
  let slots = 0
  let first = 0
  for (let block = 0; block < graph.count; block++) {
    const own = graph.end[block] - graph.start[block] + 1
    // A block may be larger than a chunk; it is never cut itself.
    if (slots > 0 && slots + own > most) {
      chunks.push(chunkFrom(first, block))
      first = block
      slots = 0
    }
    slots += own
  }
  if (chunks.length === 0) return null
  chunks.push(chunkFrom(first, graph.count))
  findEntries(graph, chunks)
  return chunks
}

function chunkFrom(first: number, end: number): Chunk {
  return { first, end, entries: [], entryIndex: new Int32Array(end - first).fill(-1) }
}

function chunkOf(chunks: readonly Chunk[], block: number): number {
  let low = 0
  let high = chunks.length - 1
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if (chunks[middle].first <= block) low = middle
    else high = middle - 1
  }
  return low
}

function findEntries(graph: FunctionGraph, chunks: readonly Chunk[]): void {
  const isEntry = new Uint8Array(graph.count)
  isEntry[0] = 1
  for (let block = 0; block < graph.count; block++) {
    const from = chunkOf(chunks, block)
    successors(graph, block, (target) => {
      if (chunkOf(chunks, target) !== from) isEntry[target] = 1
    })
  }
  for (let block = 0; block < graph.count; block++)
    if (isEntry[block] === 1) {
      const { entries, entryIndex, first } = chunks[chunkOf(chunks, block)]
      entryIndex[block - first] = entries.push(block) - 1
    }
  const widest = chunks.reduce((most, { entries }) => Math.max(most, entries.length), 0)
  if (widest > ENTRIES_MAX || chunks.length >= ENTRIES_MAX / 2)
    throw new Error(`a function has ${widest} jumps between its parts, more than ${ENTRIES_MAX}`)
}

/** The chunk as a graph of its own, which begins with a dispatch to its entries. */
function chunkGraph(graph: FunctionGraph, chunks: readonly Chunk[], index: number): RawGraph {
  const { first, end, entries } = chunks[index]
  const raw: RawGraph = {
    slot: graph.slot,
    start: [graph.start[first]],
    end: [graph.start[first]],
    kind: [END.dispatch],
    taken: [-1],
    next: [-1],
    takenLabel: [-1],
    nextLabel: [-1],
    targets: new Map([[0, entries.map((block) => block - first + 1)]]),
  }
  for (let block = first; block < end; block++) {
    raw.start.push(graph.start[block])
    raw.end.push(graph.end[block])
    raw.kind.push(graph.kind[block])
    raw.taken.push(-1)
    raw.next.push(-1)
    raw.takenLabel.push(-1)
    raw.nextLabel.push(-1)
  }
  const leaves = new Map<number, number>()
  /** The block of this graph for one of the function's: itself, or one that leaves for it. */
  const local = (target: number): number => {
    if (target < 0) return -1
    if (target >= first && target < end) return target - first + 1
    let leave = leaves.get(target)
    if (leave === undefined) {
      const chunk = chunkOf(chunks, target)
      const { entryIndex, first: start } = chunks[chunk]
      const where = (chunk << ENTRY_BITS) | entryIndex[target - start]
      leave = raw.start.length
      raw.start.push(graph.start[target])
      raw.end.push(graph.start[target])
      raw.kind.push(END.leave)
      raw.taken.push(-1)
      raw.next.push(-1)
      raw.takenLabel.push(-1)
      raw.nextLabel.push(where)
      leaves.set(target, leave)
    }
    return leave
  }
  for (let block = first; block < end; block++) {
    raw.taken[block - first + 1] = local(graph.taken[block])
    raw.next[block - first + 1] = local(graph.next[block])
    const targets = graph.targets.get(block)
    if (targets !== undefined) throw new Error("a function with dispatch blocks is too large")
  }
  return raw
}

/** What registers hold at the start of a chunk's blocks, found by their slots. */
function chunkValues(info: FunctionInfo, bySlot: Map<number, number>, graph: FunctionGraph) {
  const values: BlockValues = {
    kind: new Uint8Array(graph.count * REGISTERS).fill(1),
    payload: new Int32Array(graph.count * REGISTERS),
  }
  for (let block = 0; block < graph.count; block++) {
    const original = bySlot.get(graph.start[block])
    if (original === undefined || graph.start[block] === graph.end[block]) continue
    const from = original * REGISTERS
    values.kind.set(info.values.kind.subarray(from, from + REGISTERS), block * REGISTERS)
    values.payload.set(info.values.payload.subarray(from, from + REGISTERS), block * REGISTERS)
  }
  return values
}

/** Writes the chunks as functions of the module; returns the body of the function itself. */
export function emitChunked(
  program: ProgramContext,
  info: FunctionInfo,
  chunks: readonly Chunk[],
  chunkIndex: (chunk: number) => number,
): { readonly body: Uint8Array; readonly chunks: readonly Uint8Array[] } {
  const { graph } = info.structure
  const bySlot = new Map<number, number>()
  for (let block = graph.count - 1; block >= 0; block--) bySlot.set(graph.start[block], block)
  const bodies = chunks.map((_, index) => {
    const structure = structureGraph(chunkGraph(graph, chunks, index))
    const values = chunkValues(info, bySlot, structure.graph)
    return emitChunk(program, { ...info, structure, values })
  })
  return { body: emitDriver(program, info, chunks.length, chunkIndex), chunks: bodies }
}

/** The type of chunks. */
export function chunkType(program: ProgramContext): number {
  return program.module.type([...VALUES, I32, I32], [...VALUES, I32])
}

function emitChunk(program: ProgramContext, info: FunctionInfo): Uint8Array {
  const body = new Body(FRAME + 1)
  const registers = Int32Array.from({ length: 10 }, (_, register) => register)
  const emitter = new FunctionEmitter(program, info, body, registers, FRAME, null)
  emitter.emitAsChunk({ rounds: ROUNDS, entry: ENTRY })
  return functionBody(body.locals, body.writer.finished())
}

/** Calls chunks until one has returned. */
function emitDriver(
  program: ProgramContext,
  info: FunctionInfo,
  count: number,
  chunkIndex: (chunk: number) => number,
): Uint8Array {
  const { parameters } = info
  const body = new Body(parameters.length + 1)
  const { writer } = body
  const registers = new Int32Array(10)
  for (let register = 0; register < 10; register++) {
    const parameter = parameters.indexOf(register)
    registers[register] = parameter >= 0 ? parameter : body.local(I64)
  }
  const rounds = body.local(I32)
  const where = body.local(I32)
  const emitter = new FunctionEmitter(program, info, body, registers, parameters.length, null)
  emitter.emitPrologue()
  writer.i32(BPF_MAX_LOOPS)
  writer.set(rounds)
  writer.open(op.loop, EMPTY_TYPE)
  if (program.options.fuel !== false && needsFuel(program, info)) spendOne(program, info, writer)
  for (let chunk = 0; chunk <= count; chunk++) writer.open(op.block, EMPTY_TYPE)
  writer.get(where)
  writer.i32(ENTRY_BITS)
  writer.byte(op.i32_shr_s)
  writer.byte(op.br_table)
  writer.u32(count)
  for (let chunk = 0; chunk < count; chunk++) writer.u32(chunk)
  writer.u32(count)
  for (let chunk = 0; chunk < count; chunk++) {
    writer.byte(op.end)
    for (const local of registers) writer.get(local)
    writer.get(rounds)
    writer.get(where)
    writer.i32(ENTRIES_MAX - 1)
    writer.byte(op.i32_and)
    writer.get(emitter.frame)
    writer.call(chunkIndex(chunk))
    writer.set(where)
    writer.set(rounds)
    for (const local of [...registers].reverse()) writer.set(local)
    writer.branch(op.br, count - chunk)
  }
  writer.byte(op.end)
  writer.byte(op.end)
  writer.get(registers[0])
  writer.byte(op.end)
  return functionBody(body.locals, writer.finished())
}

/** One instruction of fuel, in memory: chunks read it from there. */
function spendOne(program: ProgramContext, info: FunctionInfo, writer: Body["writer"]): void {
  const fuel = program.options.area + AREA.FUEL
  writer.i32(0)
  writer.i32(0)
  writer.memory(op.i32_load, fuel)
  writer.i32(1)
  writer.byte(op.i32_sub)
  writer.memory(op.i32_store, fuel)
  writer.i32(0)
  writer.memory(op.i32_load, fuel)
  writer.i32(0)
  writer.byte(op.i32_lt_s)
  writer.open(op.if, EMPTY_TYPE)
  writer.i32(info.slot)
  writer.call(program.host(HOST_IMPORTS.exhausted))
  writer.byte(op.unreachable)
  writer.byte(op.end)
}
