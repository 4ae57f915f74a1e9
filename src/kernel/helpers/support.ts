/**
 * What the helpers share: argument conversion, memory checks on pairs of halves, results.
 *
 * A helper finds its arguments in r1 to r5. Its own argument checks are those that Linux makes at
 * run time; what Linux's verifier has settled before (that an argument is a map, that a buffer
 * lies inside its object) is checked here too, and breaking it ends the run with a fault.
 */

import {
  type AddressSpace,
  type HelperFunction,
  isAllowed,
  type Machine,
  REGION_READ,
  REGION_TAG,
  REGION_WRITE,
} from "../../interpreter/index.ts"
import { ERRNO, type HelperName } from "../../spec/index.ts"
import type { Environment } from "../environment.ts"
import type { BpfMap } from "../maps/map.ts"

export type HelperMachine = Machine<Environment>
export type Helper = HelperFunction<Environment>
/** Helpers by name, without `bpf_`. */
export type HelperTable = Readonly<Partial<Record<HelperName, Helper>>>
/** kfuncs by their C name. */
export type KfuncTable = Readonly<Record<string, Helper>>

/** The map whose descriptor register `n` points to; raises a fault when it does not. */
export function mapArgument(machine: HelperMachine, n: number): BpfMap | undefined {
  const { kernel } = machine.environment
  const address = machine.low(n)
  const possible =
    machine.high(n) === (REGION_TAG | kernel.descriptorRegion) &&
    address > 0 &&
    address + 4 <= machine.space.u8.length
  const map = possible ? kernel.mapAt(address) : undefined
  if (map?.address === address) return map
  machine.fail(`argument ${n} is no pointer to a map`)
  return undefined
}

/** A flags argument as 32 bits; one with higher bits becomes a value that no helper accepts. */
export function flagsArgument(machine: HelperMachine, n: number): number {
  return machine.high(n) === 0 ? machine.low(n) : -5
}

/** Whether register `n` is a null pointer. */
export function isNull(machine: HelperMachine, n: number): boolean {
  return machine.low(n) === 0 && machine.high(n) === 0
}

/** r0 = an address: `offset` in `region`, or NULL when the offset is 0. */
export function setAddress(machine: HelperMachine, offset: number, region: number): void {
  if (offset === 0) machine.setResult64(0, 0)
  else machine.setResult64(offset, REGION_TAG | region)
}

/** Whether `size` bytes at an address given as halves may be read. */
export function isReadable(space: AddressSpace, low: number, high: number, size: number): boolean {
  // The region of kernel objects is wider than memory is now.
  return isAllowed(space, low, high, size, REGION_READ) && low + size <= space.u8.length
}

/** Whether `size` bytes at an address given as halves may be written. */
export function isWritable(space: AddressSpace, low: number, high: number, size: number): boolean {
  return isAllowed(space, low, high, size, REGION_WRITE)
}

/** The bytes from `offset` up to a zero or `max` bytes, as text of one byte a character. */
export function textAt(space: AddressSpace, offset: number, max: number): string {
  let text = ""
  for (let i = offset; i < offset + max && space.u8[i] !== 0; i++)
    text += String.fromCharCode(space.u8[i])
  return text
}

/**
 * A zero-terminated constant string argument (ARG_PTR_TO_CONST_STR): its text of one byte a
 * character, or undefined after raising a fault.
 */
export function stringArgument(machine: HelperMachine, n: number): string | undefined {
  const start = machine.checkRead(n, 1)
  if (start < 0) return undefined
  const { space } = machine
  const region = machine.high(n) & 0x7fff
  const end = space.regionEnd[region]
  const text = textAt(space, start, end - start)
  if (start + text.length >= end) {
    machine.fail(`argument ${n} is a string without a terminating zero`)
    return undefined
  }
  return text
}

/** Copies text of one byte a character to `offset`. */
export function writeText(space: AddressSpace, offset: number, text: string): void {
  for (let i = 0; i < text.length; i++) space.u8[offset + i] = text.charCodeAt(i)
}

/**
 * A helper from a function that returns its result (a signed 32-bit integer), or undefined when
 * it has raised a fault or set r0 itself.
 */
export function answers(body: (machine: HelperMachine) => number | undefined): Helper {
  return (machine) => {
    const result = body(machine)
    if (result !== undefined) machine.setResult(result)
  }
}

/**
 * The same for a kernel function that returns an `int`: the upper half of r0 is what the machine
 * leaves there, zero.
 */
export function answersInt(body: (machine: HelperMachine) => number | undefined): Helper {
  return (machine) => {
    const result = body(machine)
    if (result !== undefined) machine.setResult64(result, 0)
  }
}

/** Marks in an `answers` body that the run has ended with a fault. */
export function faults(machine: HelperMachine, message: string): undefined {
  machine.fail(message)
}

/** A helper that does nothing but answer with an errno. */
export function refuses(errno: keyof typeof ERRNO): Helper {
  const result = -ERRNO[errno]
  return (machine) => machine.setResult(result)
}
