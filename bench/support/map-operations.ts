/**
 * Operations on one map, written once for both sides: a loop in WebAssembly that calls the engines
 * (wasm to wasm, as a compiled program does), and the same loop as eBPF instructions for Linux.
 *
 * A pass does {@link PASS} operations with keys numbered from `first` on. Both loops do the same
 * beside the call: write `number × factor` into one word of the key, count results.
 */

import { type EngineExports, engineCall, type MapEngines } from "../../src/kernel/maps/engines.ts"
import type { BpfMap } from "../../src/kernel/maps/map.ts"

/** Operations of one pass of a loop. */
export const PASS = 1024

export type Argument = "map" | "key" | "value" | "result" | number

export interface HelperCall {
  readonly helper: number
  readonly arguments: readonly Argument[]
}

export interface MapOperation {
  readonly name: string
  readonly calls: readonly HelperCall[]
  /** Number of the first key. */
  readonly first: number
  /** The keys of a pass follow those of the pass before. */
  readonly goesOn?: boolean
}

/** The bytes of a key, of which one word changes. */
export interface KeyShape {
  readonly bytes: Uint8Array
  readonly word: number
  readonly factor: number
}

export function keyOf(shape: KeyShape, n: number): Uint8Array {
  const key = shape.bytes.slice()
  if (key.length > 0)
    new DataView(key.buffer).setInt32(shape.word, Math.imul(n, shape.factor), true)
  return key
}

// ---- WebAssembly -----------------------------------------------------------------------------------

function leb(value: number): number[] {
  const bytes: number[] = []
  let rest = value | 0
  for (;;) {
    const byte = rest & 0x7f
    rest >>= 7
    if ((rest === 0 && (byte & 0x40) === 0) || (rest === -1 && (byte & 0x40) !== 0)) {
      bytes.push(byte)
      return bytes
    }
    bytes.push(byte | 0x80)
  }
}

/** Unsigned LEB128 of a small number. */
function uleb(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...uleb(value >>> 7)]
}

const section = (id: number, body: readonly number[]): number[] => [
  id,
  ...uleb(body.length),
  ...body,
]
const text = (value: string): number[] => [value.length, ...Buffer.from(value)]

const I32 = 0x7f
const constant = (value: number): number[] => [0x41, ...leb(value)]
const get = (local: number): number[] => [0x20, local]
const set = (local: number): number[] => [0x21, local]

/** Places in linear memory that a loop uses. */
export interface LoopPlaces {
  readonly key: number
  readonly value: number
}

/** A loop before it is instantiated: also for another thread. */
export interface Loop {
  readonly module: WebAssembly.Module
  /** Names of the engines' exports that it imports as `f0`, `f1`… */
  readonly targets: readonly (keyof EngineExports)[]
}

/**
 * The loop's module exports `run(first)`, which makes one pass and returns how many results were
 * not 0.
 */
export function compileLoop(
  map: BpfMap,
  shape: KeyShape,
  places: LoopPlaces,
  calls: readonly HelperCall[],
  shared: boolean,
): Loop {
  const targets = calls.map((call) => {
    const target = engineCall(call.helper, map) ?? engineCall(call.helper, undefined)
    if (target === undefined) throw new Error(`no engine answers helper ${call.helper}`)
    return target
  })
  const types: number[][] = [[0x60, 1, I32, 1, I32]]
  const imports: number[][] = [
    [...text("e"), ...text("memory"), 2, ...(shared ? [3, 1, ...uleb(32_768)] : [0, 1])],
  ]
  for (const [index, { parameters, result }] of targets.entries()) {
    const results = result === "none" ? [0] : [1, I32]
    types.push([0x60, parameters.length, ...parameters.map(() => I32), ...results])
    imports.push([...text("e"), ...text(`f${index}`), 0, index + 1])
  }
  const [FIRST, LEFT, SUM, RESULT] = [0, 1, 2, 3]
  const body: number[] = [1, 3, I32, ...constant(PASS), ...set(LEFT), 0x03, 0x40]
  if (shape.bytes.length > 0)
    body.push(
      ...constant(places.key + shape.word),
      ...get(FIRST),
      ...constant(shape.factor),
      0x6c,
      ...[0x36, 0, 0],
    )
  for (const [index, { arguments: args }] of calls.entries()) {
    for (const argument of args) {
      if (argument === "result") body.push(...get(RESULT))
      else if (argument === "map") body.push(...constant(map.address))
      else if (argument === "key") body.push(...constant(places.key))
      else if (argument === "value") body.push(...constant(places.value))
      else body.push(...constant(argument))
    }
    body.push(0x10, index)
    if (targets[index].result !== "none") body.push(...set(RESULT))
  }
  body.push(...get(SUM), ...get(RESULT), 0x45, 0x45, 0x6a, ...set(SUM))
  body.push(...get(FIRST), ...constant(1), 0x6a, ...set(FIRST))
  body.push(...get(LEFT), ...constant(1), 0x6b, 0x22, LEFT, 0x0d, 0, 0x0b, ...get(SUM), 0x0b)
  const bytes = Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [types.length, ...types.flat()]),
    ...section(2, [imports.length, ...imports.flat()]),
    ...section(3, [1, 0]),
    ...section(7, [1, ...text("run"), 0, calls.length]),
    ...section(10, [1, ...uleb(body.length), ...body]),
  ])
  return { module: new WebAssembly.Module(bytes), targets: targets.map(({ name }) => name) }
}

/** The pass of a loop over the engines of this thread. */
export function instantiateLoop(
  { module, targets }: Loop,
  engines: MapEngines,
  memory: WebAssembly.Memory,
): (first: number) => number {
  const e: Record<string, WebAssembly.ImportValue> = { memory }
  for (const [index, name] of targets.entries())
    e[`f${index}`] = engines.exports[name] as unknown as WebAssembly.ImportValue
  return new WebAssembly.Instance(module, { e }).exports.run as (first: number) => number
}

// ---- eBPF ---------------------------------------------------------------------------------------------

const KEY = -64
const VALUE = -128

/**
 * The same pass as instructions, `fd` being the map's descriptor and `counter` that of an array
 * with one u64, in which the number of the next key is kept when keys go on.
 */
export function bpfLoop(
  shape: KeyShape,
  valueSize: number,
  operation: MapOperation,
  fds: { map: number; counter: number },
): Uint8Array {
  const code: number[] = []
  const emit = (opcode: number, registers: number, offset: number, immediate: number): void => {
    const view = new DataView(new ArrayBuffer(8))
    view.setUint8(0, opcode)
    view.setUint8(1, registers)
    view.setInt16(2, offset, true)
    view.setInt32(4, immediate | 0, true)
    for (let at = 0; at < 8; at++) code.push(view.getUint8(at))
  }
  const word = new DataView(new ArrayBuffer(48))
  for (const [at, byte] of shape.bytes.entries()) word.setUint8(at, byte)
  for (let at = 0; at < shape.bytes.length; at += 4)
    emit(0x62, 10, KEY + at, word.getInt32(at, true))
  for (let at = 0; at < valueSize; at += 8) emit(0x7a, 10, VALUE + at, 0)
  // r9 = &counter; r6 = the first key's number; r8 = operations left
  emit(0x18, 9 | (2 << 4), 0, fds.counter)
  emit(0, 0, 0, 0)
  if (operation.goesOn) emit(0x61, 6 | (9 << 4), 0, 0)
  else emit(0xb4, 6, 0, operation.first)
  emit(0xb7, 8, 0, PASS)
  const top = code.length / 8
  if (shape.bytes.length > 0) {
    emit(0xbc, 1 | (6 << 4), 0, 0)
    if (shape.factor !== 1) emit(0x24, 1, 0, shape.factor)
    emit(0x63, 10 | (1 << 4), KEY + shape.word, 0)
  }
  const skips: number[] = []
  for (const { helper, arguments: args } of operation.calls) {
    args.forEach((argument, index) => {
      const register = index + 1
      if (argument === "map") {
        emit(0x18, register | (1 << 4), 0, fds.map)
        emit(0, 0, 0, 0)
      } else if (argument === "key" || argument === "value") {
        emit(0xbf, register | (10 << 4), 0, 0)
        emit(0x07, register, 0, argument === "key" ? KEY : VALUE)
      } else if (argument === "result") {
        // A record that was not had is not committed.
        skips.push(code.length / 8)
        emit(0x15, 0, 0, 0)
        emit(0xbf, register, 0, 0)
      } else emit(0xb7, register, 0, argument)
    })
    emit(0x85, 0, 0, helper)
  }
  for (const skip of skips) {
    const view = new DataView(new ArrayBuffer(2))
    view.setInt16(0, code.length / 8 - skip - 1, true)
    code[skip * 8 + 2] = view.getUint8(0)
    code[skip * 8 + 3] = view.getUint8(1)
  }
  emit(0x04, 6, 0, 1)
  emit(0x07, 8, 0, -1)
  emit(0x55, 8, top - code.length / 8 - 1, 0)
  if (operation.goesOn) emit(0x63, 9 | (6 << 4), 0, 0)
  emit(0xb7, 0, 0, 0)
  emit(0x95, 0, 0, 0)
  return Uint8Array.from(code)
}
