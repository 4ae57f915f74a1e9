/**
 * Map operations as a program makes them, on two kernels: ours by offsets of linear memory, Linux's
 * by a program per operation that is loaded, run once by PROG_TEST_RUN and dropped. The value that
 * a look-up finds is copied to a one-element array by the program itself.
 */

import type { BpfMap, MapHost } from "../../../src/kernel/maps/index.ts"
import { addressOf, attr, bpf, close, progLoad, syscall } from "../../support/linux.ts"
import { hex, linuxCreate, type Outcome } from "./sides.ts"

export type ProgramOperation =
  | { readonly op: "lookup"; key: Uint8Array }
  | { readonly op: "lookupPercpu"; key: Uint8Array; cpu: number }
  | { readonly op: "update"; key: Uint8Array; value: Uint8Array; flags: number }
  | { readonly op: "delete"; key: Uint8Array }
  | { readonly op: "push"; value: Uint8Array; flags: number }
  | { readonly op: "pop" }
  | { readonly op: "peek"; value: Uint8Array }

export interface ProgramSide {
  run(operation: ProgramOperation): Outcome
  close(): void
}

/** r0 of a look-up that found nothing. */
const NOT_FOUND = 1

// ---- ours --------------------------------------------------------------------------------------

/** `misalign`: bytes by which keys and values miss a multiple of 8. */
export function ourProgramSide(host: MapHost, map: BpfMap, misalign: () => number): ProgramSide {
  const { memory } = host
  const block = memory.allocate(1024)
  const found = (value: number): Outcome => {
    if (value === 0) return { result: NOT_FOUND }
    return { result: 0, value: hex(memory.read(value, map.valueSize)) }
  }
  return {
    run(operation) {
      const key = block + misalign()
      const value = block + 512 + misalign()
      if ("key" in operation) memory.write(key, operation.key)
      if ("value" in operation) memory.write(value, operation.value)
      const written = (result: number): Outcome => ({
        result,
        value: hex(memory.read(value, map.valueSize)),
      })
      switch (operation.op) {
        case "lookup":
          return found(map.lookup(key))
        case "lookupPercpu":
          return found(map.lookupPercpu(key, operation.cpu))
        case "update":
          return { result: map.update(key, value, operation.flags) }
        case "delete":
          return { result: map.delete(key) }
        case "push":
          return { result: map.push(value, operation.flags) }
        case "pop":
          return written(map.pop(value))
        case "peek":
          return written(map.peek(value))
      }
    },
    close: () => memory.free(block),
  }
}

// ---- Linux's -------------------------------------------------------------------------------------

const HELPER = {
  lookup: 1,
  update: 2,
  delete: 3,
  push: 87,
  pop: 88,
  peek: 89,
  lookupPercpu: 195,
} as const

const KEY = -64
const VALUE = -256
const ZERO = -264
const SOCKET_FILTER = 1
const PROG_TEST_RUN = 10
const MAP_LOOKUP = 1

/** Appends instructions; the comment at each method is the instruction in words. */
class Code {
  private readonly words: number[] = []

  private push(opcode: number, registers: number, offset: number, immediate: number): void {
    const view = new DataView(new ArrayBuffer(8))
    view.setUint8(0, opcode)
    view.setUint8(1, registers)
    view.setInt16(2, offset, true)
    view.setInt32(4, immediate | 0, true)
    for (let i = 0; i < 8; i++) this.words.push(view.getUint8(i))
  }

  /** *(u32 *)(r10 + offset) = … for all bytes, zero-padded */
  store(offset: number, bytes: Uint8Array, size = bytes.length): void {
    const padded = new Uint8Array(Math.ceil(size / 4) * 4)
    padded.set(bytes)
    const view = new DataView(padded.buffer)
    for (let at = 0; at < padded.length; at += 4)
      this.push(0x62, 10, offset + at, view.getInt32(at, true))
  }

  /** rN = map */
  map(register: number, fd: number): void {
    this.push(0x18, register | 0x10, 0, fd)
    this.push(0, 0, 0, 0)
  }

  /** rN = r10 + offset */
  address(register: number, offset: number): void {
    this.push(0xbf, register | (10 << 4), 0, 0)
    this.push(0x07, register, 0, offset)
  }

  /** rN = immediate */
  set(register: number, immediate: number): void {
    this.push(0xb7, register, 0, immediate)
  }

  /** rN = rM */
  move(to: number, from: number): void {
    this.push(0xbf, to | (from << 4), 0, 0)
  }

  call(helper: number): void {
    this.push(0x85, 0, 0, helper)
  }

  /** if r0 != 0 goto +2; r0 = result; exit */
  exitIfNull(result: number): void {
    this.push(0x55, 0, 2, 0)
    this.set(0, result)
    this.exit()
  }

  exit(): void {
    this.push(0x95, 0, 0, 0)
  }

  bytes(): Uint8Array {
    return Uint8Array.from(this.words)
  }
}

/** Runs a program once; r0 as an int. */
function runOnce(code: Code): number {
  const { fd } = progLoad(SOCKET_FILTER, code.bytes(), { logLevel: 0 })
  if (fd < 0) {
    const { log } = progLoad(SOCKET_FILTER, code.bytes())
    throw new Error(`Linux refused the test's program: ${fd}\n${log}`)
  }
  const packet = new Uint8Array(64)
  const attributes = attr(
    [
      [0, 4, fd],
      [8, 4, packet.length],
      [16, 8, addressOf(packet)],
      [32, 4, 1],
    ],
    80,
  )
  const error = bpf(PROG_TEST_RUN, attributes)
  close(fd)
  if (error < 0) throw new Error(`PROG_TEST_RUN: ${error}`)
  return new DataView(attributes.buffer).getInt32(4, true)
}

export function linuxProgramSide(fd: number, map: BpfMap): ProgramSide {
  const out = linuxCreate({
    map_type: 2,
    key_size: 4,
    value_size: map.valueSize,
    max_entries: 1,
  })
  const outValue = (): string => {
    const value = new Uint8Array(map.valueSize)
    const key = new Uint8Array(4)
    const attributes: [number, 4 | 8, number | bigint][] = [
      [0, 4, out],
      [8, 8, addressOf(key)],
      [16, 8, addressOf(value)],
    ]
    bpf(MAP_LOOKUP, attr(attributes, 32))
    return hex(value)
  }
  const copyOut = (code: Code): void => {
    code.map(1, out)
    code.store(ZERO, new Uint8Array(4))
    code.address(2, ZERO)
    code.set(4, 0)
    code.call(HELPER.update)
  }
  return {
    run(operation) {
      const code = new Code()
      const { op } = operation
      if ("key" in operation) code.store(KEY, operation.key)
      if ("value" in operation) code.store(VALUE, operation.value)
      if (op === "pop") code.store(VALUE, new Uint8Array(map.valueSize))
      code.map(1, fd)
      if (op === "push" || op === "pop" || op === "peek") {
        code.address(2, VALUE)
        if (op === "push") code.set(3, operation.flags)
      } else {
        code.address(2, KEY)
        if (op === "update") {
          code.address(3, VALUE)
          code.set(4, operation.flags)
        }
        if (op === "lookupPercpu") code.set(3, operation.cpu)
      }
      code.call(HELPER[op])
      if (op === "lookup" || op === "lookupPercpu") {
        code.exitIfNull(NOT_FOUND)
        code.move(3, 0)
        copyOut(code)
        code.set(0, 0)
      }
      if (op === "pop" || op === "peek") {
        code.move(6, 0)
        code.address(3, VALUE)
        copyOut(code)
        code.move(0, 6)
      }
      code.exit()
      const result = runOnce(code)
      const shows = op === "pop" || op === "peek" || (op.startsWith("lookup") && result === 0)
      return shows ? { result, value: outValue() } : { result }
    },
    close: () => close(out),
  }
}

// ---- one CPU ---------------------------------------------------------------------------------------

const NR_SCHED_SETAFFINITY = process.arch === "arm64" ? 122 : 203
const NR_SCHED_GETAFFINITY = process.arch === "arm64" ? 123 : 204

/** Keeps this thread on one CPU while `body` runs. */
export function onCpu(cpu: number, body: () => void): void {
  const old = new Uint8Array(128)
  const size = syscall(NR_SCHED_GETAFFINITY, 0, old.length, addressOf(old))
  const mask = new Uint8Array(128)
  mask[cpu >> 3] = 1 << (cpu & 7)
  const error = syscall(NR_SCHED_SETAFFINITY, 0, mask.length, addressOf(mask))
  if (size < 0 || error < 0) throw new Error(`sched_setaffinity: ${error}`)
  try {
    body()
  } finally {
    syscall(NR_SCHED_SETAFFINITY, 0, size, addressOf(old))
  }
}
