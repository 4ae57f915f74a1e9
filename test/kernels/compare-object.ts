/**
 * Loads one object on two kernels, runs its programs on the same inputs and lists every
 * difference: errno, return value, packet, context, map contents.
 */

import {
  ArrayMap,
  type Collection,
  HashMap,
  type Kernel,
  type MapHandle,
  type Program,
  parseObject,
  Queue,
  RingBuffer,
} from "../../src/api/index.ts"
import { BpfError, formatHex } from "../../src/base/index.ts"
import { BPF_PROG_TYPE } from "../../src/spec/index.ts"
import type { ComparedObject, LiveMaps } from "./objects.ts"

export interface Comparison {
  readonly name: string
  /** Runs made on each kernel. */
  readonly runs: number
  /** Runs that both kernels refused with the same errno: equal, but worth less. */
  readonly refused: number
  readonly differences: readonly string[]
  /** Why the object was not compared, or null. */
  readonly skipped: string | null
}

/** Differences shown per object; the rest is only counted. */
const SHOWN_MAX = 20

const PACKET_TYPES: readonly number[] = [
  BPF_PROG_TYPE.BPF_PROG_TYPE_XDP,
  BPF_PROG_TYPE.BPF_PROG_TYPE_SCHED_CLS,
  BPF_PROG_TYPE.BPF_PROG_TYPE_SOCKET_FILTER,
  BPF_PROG_TYPE.BPF_PROG_TYPE_CGROUP_SKB,
]
const CONTEXT_TYPES: readonly number[] = [
  BPF_PROG_TYPE.BPF_PROG_TYPE_RAW_TRACEPOINT,
  BPF_PROG_TYPE.BPF_PROG_TYPE_SYSCALL,
]

export async function compareObject(
  kernels: readonly [Kernel, Kernel],
  compared: ComparedObject,
  packets: readonly Uint8Array[],
): Promise<Comparison> {
  const object = parseObject(compared.bytes(), { name: compared.name.replace(/^.*\//, "") })
  const differences: string[] = []
  const collections: Collection[] = []
  let refused = 0
  const result = (runs: number, skipped: string | null = null): Comparison => ({
    name: compared.name,
    runs,
    refused,
    differences,
    skipped,
  })
  if (compared.skip !== undefined) return result(0, compared.skip)
  try {
    const refusals: string[] = []
    for (const kernel of kernels) {
      try {
        const collection = await kernel.load(object)
        collections.push(collection)
        compared.setup?.(collection.maps as LiveMaps)
      } catch (error) {
        refusals.push(`${kernel.kind}: ${error instanceof Error ? error.message : error}`)
      }
    }
    if (refusals.length === 2) return result(0, refusals.join("; "))
    if (refusals.length === 1) {
      // What this machine's Linux cannot load at all (LSM here) is no disagreement about programs.
      if (/EPERM/.test(refusals[0])) return result(0, refusals[0])
      differences.push(`only one kernel loads it: ${refusals[0]}`)
      return result(0)
    }
    let runs = 0
    for (const { name, type } of object.entryPrograms) {
      const pair = collections.map((one) => one.programs[name] as Program)
      if (PACKET_TYPES.includes(type))
        for (const [index, data] of packets.entries()) {
          runs++
          if (!compareRuns(differences, `${name} packet ${index}`, pair, { data })) refused++
        }
      else if (CONTEXT_TYPES.includes(type))
        for (const [index, context] of (compared.contexts ?? []).entries()) {
          runs++
          if (!compareRuns(differences, `${name} context ${index}`, pair, { context })) refused++
        }
    }
    if (runs === 0) return result(0, "no program of a type that PROG_TEST_RUN takes")
    for (const name of Object.keys(collections[0].maps)) {
      const [left, right] = collections.map((one) =>
        contents(one.maps[name] as MapHandle, compared.ignore ?? []),
      )
      if (left !== right) differences.push(`map ${name}: ${firstDifference(left, right)}`)
    }
    return result(runs)
  } finally {
    for (const collection of collections) collection.close()
  }
}

/** Whether the program ran: false when both kernels refused the input alike. */
function compareRuns(
  differences: string[],
  what: string,
  programs: readonly Program[],
  input: { readonly data?: Uint8Array; readonly context?: Uint8Array },
): boolean {
  const [left, right] = programs.map((program) => outcome(program, input))
  if (left === right) return left.startsWith("returned")
  if (differences.length < SHOWN_MAX) differences.push(`${what}: ${firstDifference(left, right)}`)
  else differences.push(what)
  return true
}

function outcome(
  program: Program,
  input: { readonly data?: Uint8Array; readonly context?: Uint8Array },
): string {
  try {
    const run = program.run(input)
    return `returned ${run.returned} data ${formatHex(run.data)} context ${formatHex(run.context)}`
  } catch (error) {
    if (error instanceof BpfError) return `${error.code}`
    throw error
  }
}

/** What is in a map, as text that is equal for equal contents. */
function contents(map: MapHandle, ignore: readonly string[]): string {
  const text = (value: unknown): string => JSON.stringify(plain(value, ignore))
  if (map instanceof HashMap)
    return [...map.entries()]
      .map((entry) => text(entry))
      .sort()
      .join("\n")
  if (map instanceof ArrayMap) return [...map].map(text).join("\n")
  if (map instanceof RingBuffer) return [...map.drain()].map(text).join("\n")
  if (map instanceof Queue) {
    const values: string[] = []
    for (let value = map.pop(); value !== undefined; value = map.pop()) values.push(text(value))
    return values.join("\n")
  }
  return ""
}

function plain(value: unknown, ignore: readonly string[]): unknown {
  if (typeof value === "bigint") return `${value}n`
  if (value instanceof Uint8Array) return formatHex(value)
  if (Array.isArray(value)) return value.map((element) => plain(element, ignore))
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name]) => !ignore.includes(name))
      .map(([name, field]) => [name, plain(field, ignore)]),
  )
}

function firstDifference(left: string, right: string): string {
  let at = 0
  while (at < left.length && left[at] === right[at]) at++
  const start = Math.max(0, at - 40)
  const cut = (text: string): string => JSON.stringify(text.slice(start, at + 60))
  return `at ${at}: ${cut(left)} against ${cut(right)}`
}
