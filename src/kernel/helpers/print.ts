/**
 * Helpers that print: into trace_pipe, into a buffer, into an iterator's file (linux v6.18
 * kernel/trace/bpf_trace.c, kernel/bpf/helpers.c bpf_snprintf).
 */

import { utf8Text } from "../../base/index.ts"
import { REGION_TAG } from "../../interpreter/index.ts"
import { BPF_PROG_TYPE, ERRNO } from "../../spec/index.ts"
import type { Environment } from "../environment.ts"
import {
  type FormatWorld,
  formatText,
  PRINT_ARGUMENTS_MAX,
  PRINT_BUFFER_BYTES,
  type Word,
} from "./format.ts"
import {
  answers,
  type HelperMachine,
  type HelperTable,
  isNull,
  stringArgument,
  textAt,
  writeText,
} from "./support.ts"

const NANOSECONDS_PER_MICROSECOND = 1000n

/** What a format may ask about memory and symbols. */
export function worldOf(machine: HelperMachine): FormatWorld {
  const { kernel } = machine.environment
  const userTag = REGION_TAG | kernel.userRegion
  return { space: machine.space, userTag, symbol: (address) => kernel.symbolAt?.(address) }
}

/**
 * One line of trace_pipe, as trace_print_context writes it: right-aligned comm, pid, CPU,
 * interrupt and preemption state, seconds since boot. `text` is one byte a character.
 */
export function traceLine(environment: Environment, text: string): string {
  const { task, cpu, kernel } = environment
  const microseconds = (kernel.clock.now() + 500n) / NANOSECONDS_PER_MICROSECOND
  const seconds = String(microseconds / 1_000_000n).padStart(5)
  const fraction = String(microseconds % 1_000_000n).padStart(6, "0")
  const who = `${task.comm.padStart(16)}-${String(task.pid).padEnd(7)}`
  const where = `[${String(cpu).padStart(3, "0")}] ${stateOf(environment)} ${seconds}.${fraction}`
  return `${who} ${where}: bpf_trace_printk: ${utf8Text(bytesOf(text))}`
}

/** Interrupts, need to reschedule, interrupt context, preemption and migration depth, as on Linux. */
function stateOf(environment: Environment): string {
  if (environment.packet !== null) return "b..11"
  const { type } = environment.program
  return type === BPF_PROG_TYPE.BPF_PROG_TYPE_RAW_TRACEPOINT ? "...2." : "...11"
}

function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0))
}

/** The format string in `size` bytes at register `n`; -EINVAL when it has no end, undefined after a fault. */
export function formatArgument(
  machine: HelperMachine,
  n: number,
  size: number,
): string | number | undefined {
  const start = machine.checkRead(n, size)
  if (start < 0) return undefined
  const text = textAt(machine.space, start, size)
  return text.length < size ? text : -ERRNO.EINVAL
}

/** The u64 array of `size` bytes at register `n`; -EINVAL, or undefined after a fault. */
export function arrayArgument(
  machine: HelperMachine,
  n: number,
  size: number,
): Word[] | number | undefined {
  if (size % 8 !== 0 || size > PRINT_ARGUMENTS_MAX * 8 || (size > 0 && isNull(machine, n)))
    return -ERRNO.EINVAL
  const start = machine.checkRead(n, size)
  if (start < 0) return undefined
  const { view } = machine.space
  const words: Word[] = []
  for (let at = start; at < start + size; at += 8)
    words.push([view.getInt32(at, true), view.getInt32(at + 4, true)])
  return words
}

function trace(machine: HelperMachine, format: string, args: readonly Word[]): number {
  const text = formatText(worldOf(machine), format, args)
  if (typeof text === "number") return text
  const { environment } = machine
  environment.kernel.trace(traceLine(environment, text.slice(0, PRINT_BUFFER_BYTES - 1)))
  return text.length
}

function tracePrintk(machine: HelperMachine): number | undefined {
  const format = formatArgument(machine, 1, machine.low(2) >>> 0)
  if (typeof format !== "string") return format
  const args = [3, 4, 5].map((n): Word => [machine.low(n), machine.high(n)])
  return trace(machine, format, args)
}

function traceVprintk(machine: HelperMachine): number | undefined {
  const args = arrayArgument(machine, 3, machine.low(4) >>> 0)
  if (typeof args !== "object") return args
  const format = formatArgument(machine, 1, machine.low(2) >>> 0)
  return typeof format === "string" ? trace(machine, format, args) : format
}

/** long bpf_snprintf(str, str_size, fmt, data, data_len): bytes that the whole text needs. */
function snprintf(machine: HelperMachine): number | undefined {
  const args = arrayArgument(machine, 4, machine.low(5) >>> 0)
  if (typeof args !== "object") return args
  const size = machine.low(2) >>> 0
  const target = machine.checkWrite(1, size)
  const format = target < 0 ? undefined : stringArgument(machine, 3)
  if (format === undefined) return undefined
  const text = formatText(worldOf(machine), format, args)
  if (typeof text === "number") return text
  if (size > 0) {
    const shown = text.slice(0, size - 1)
    writeText(machine.space, target, shown)
    machine.space.u8[target + shown.length] = 0
  }
  return text.length + 1
}

export const printHelpers: HelperTable = {
  trace_printk: answers(tracePrintk),
  trace_vprintk: answers(traceVprintk),
  snprintf: answers(snprintf),
}
