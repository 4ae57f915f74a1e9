/**
 * One object on two kernels: its packet programs get the same frames by PROG_TEST_RUN, and every
 * difference in errno, return value, packet and, at the end, map content is listed. Per-CPU values
 * are compared by their sums: on which CPU a test run happens is the kernel's choice.
 */

import {
  ArrayMap,
  type BpfObject,
  type Collection,
  HashMap,
  isPerCpu,
  type Kernel,
  type KernelLoadOptions,
  type MapHandle,
  type Program,
  Queue,
  RingBuffer,
} from "../../api/index.ts"
import { BpfError, equalBytes, formatHex } from "../../base/index.ts"
import { BPF_PROG_TYPE as PT } from "../../spec/index.ts"

/** Two answers to the same question. */
export interface Difference {
  readonly what: "load" | "errno" | "return value" | "packet" | "map"
  /** Program or map. */
  readonly name: string
  /** Number of the frame, from 1; null for loading and maps. */
  readonly frame: number | null
  /** What the first and the second kernel say. */
  readonly first: string
  readonly second: string
}

export interface Comparison {
  /** Programs that were run. */
  readonly programs: readonly string[]
  /** Runs on each kernel. */
  readonly runs: number
  /** Runs that both kernels refused with the same errno. */
  readonly refusedAlike: number
  readonly maps: readonly string[]
  /** The first {@link CompareOptions.differencesMax}. */
  readonly differences: readonly Difference[]
  /** All of them. */
  readonly differenceCount: number
}

export interface CompareOptions {
  readonly frames: readonly Uint8Array[]
  /** Only these programs. */
  readonly programs?: readonly string[]
  /** Fields of keys, values and records that may differ: time stamps. */
  readonly ignore?: readonly string[]
  readonly differencesMax?: number
  /** Called after loading on each kernel, to fill maps. */
  readonly setup?: (collection: Collection, kernel: Kernel) => void
  readonly progress?: (runs: number) => void
}

/** Types that PROG_TEST_RUN gives an Ethernet frame. */
export const COMPARABLE_TYPES: readonly number[] = [
  PT.BPF_PROG_TYPE_XDP,
  PT.BPF_PROG_TYPE_SCHED_CLS,
  PT.BPF_PROG_TYPE_SCHED_ACT,
  PT.BPF_PROG_TYPE_SOCKET_FILTER,
  PT.BPF_PROG_TYPE_CGROUP_SKB,
]
const DIFFERENCES_MAX = 100
/** Characters of a map's content around the first difference. */
const CONTEXT_CHARACTERS = 60

/**
 * Compares. A kernel that does not load the object at all gives one difference of kind `load`.
 *
 * @throws what loading throws when both kernels refuse the object.
 */
export function compareKernels(
  kernels: readonly [Kernel, Kernel],
  object: BpfObject,
  options: CompareOptions,
): Comparison {
  const found = new Differences(options.differencesMax ?? DIFFERENCES_MAX)
  const load: KernelLoadOptions = { programs: options.programs }
  const collections: (Collection | Error)[] = kernels.map((kernel) => {
    try {
      return kernel.loadSync(object, load)
    } catch (error) {
      if (error instanceof Error) return error
      throw error
    }
  })
  const [first, second] = collections
  try {
    if (first instanceof Error || second instanceof Error) {
      if (first instanceof Error && second instanceof Error) throw first
      const text = (one: Collection | Error): string =>
        one instanceof Error ? one.message : "loads it"
      found.add({
        what: "load",
        name: object.name,
        frame: null,
        first: text(first),
        second: text(second),
      })
      return { programs: [], runs: 0, refusedAlike: 0, maps: [], ...found.result() }
    }
    options.setup?.(first, kernels[0])
    options.setup?.(second, kernels[1])
    const counts = comparePrograms(object, [first, second], options, found)
    const maps = compareMaps(object, [first, second], options, found)
    return { ...counts, maps, ...found.result() }
  } finally {
    for (const one of collections) if (!(one instanceof Error)) one.close()
  }
}

class Differences {
  private readonly list: Difference[] = []
  private count = 0
  private readonly max: number

  constructor(max: number) {
    this.max = max
  }

  add(difference: Difference): void {
    this.count++
    if (this.list.length < this.max) this.list.push(difference)
  }

  result(): Pick<Comparison, "differences" | "differenceCount"> {
    return { differences: this.list, differenceCount: this.count }
  }
}

function comparePrograms(
  object: BpfObject,
  collections: readonly [Collection, Collection],
  { frames, programs, progress }: CompareOptions,
  found: Differences,
): Pick<Comparison, "programs" | "runs" | "refusedAlike"> {
  const names: string[] = []
  let runs = 0
  let refusedAlike = 0
  const chosen = programs === undefined ? object.entryPrograms : object.programs
  for (const { name, type } of chosen) {
    const first = collections[0].programs[name] as Program | undefined
    const second = collections[1].programs[name] as Program | undefined
    if (first === undefined || second === undefined || !COMPARABLE_TYPES.includes(type)) continue
    names.push(name)
    frames.forEach((data, index) => {
      const [one, other] = [runOnce(first, data), runOnce(second, data)]
      runs++
      progress?.(runs)
      if (one.errno !== null && one.errno === other.errno) refusedAlike++
      compareOutcomes(one, other, { name, frame: index + 1 }, found)
    })
  }
  return { programs: names, runs, refusedAlike }
}

interface Outcome {
  /** Null: the program ran. */
  readonly errno: string | null
  readonly returned: string
  readonly data: Uint8Array
}

function runOnce(program: Program, data: Uint8Array): Outcome {
  try {
    const { returned, verdict, data: out } = program.run({ data })
    return {
      errno: null,
      returned: verdict === null ? `${returned}` : `${returned} (${verdict})`,
      data: out,
    }
  } catch (error) {
    if (error instanceof BpfError)
      return { errno: error.code, returned: "", data: new Uint8Array(0) }
    throw error
  }
}

function compareOutcomes(
  first: Outcome,
  second: Outcome,
  at: Pick<Difference, "name" | "frame">,
  found: Differences,
): void {
  if (first.errno !== second.errno)
    found.add({ what: "errno", ...at, first: first.errno ?? "ran", second: second.errno ?? "ran" })
  else if (first.returned !== second.returned)
    found.add({ what: "return value", ...at, first: first.returned, second: second.returned })
  if (first.errno === null && second.errno === null && !equalBytes(first.data, second.data))
    found.add({
      what: "packet",
      ...at,
      first: formatHex(first.data),
      second: formatHex(second.data),
    })
}

function compareMaps(
  object: BpfObject,
  collections: readonly [Collection, Collection],
  { ignore = [] }: CompareOptions,
  found: Differences,
): string[] {
  const names: string[] = []
  for (const { name } of object.model.maps) {
    const maps = collections.map((one) => one.maps[name] as MapHandle | undefined)
    const texts = maps.map((map) => (map === undefined ? null : mapText(map, ignore)))
    const [first, second] = texts
    if (first === null || second === null) continue
    names.push(name)
    if (first === second) continue
    const [one, other] = aroundDifference(first, second)
    found.add({ what: "map", name, frame: null, first: one, second: other })
  }
  return names
}

/** What is in a map, as text that is equal for equal contents; null for maps of other things. */
export function mapText(map: MapHandle, ignore: readonly string[]): string | null {
  const text = (value: unknown): string => JSON.stringify(plain(value, ignore))
  const one = (value: unknown): unknown =>
    isPerCpu(map.spec.type) && Array.isArray(value) ? value.reduce(sum) : value
  if (map instanceof HashMap)
    return [...(map as HashMap<unknown, unknown>).entries()]
      .map(([key, value]) => `${text(key)}: ${text(one(value))}`)
      .sort()
      .join("\n")
  if (map instanceof ArrayMap)
    return [...(map as ArrayMap<unknown>).entries()]
      .map(([index, value]) => `${index}: ${text(one(value))}`)
      .join("\n")
  if (map instanceof RingBuffer) return [...map.drain()].map(text).join("\n")
  if (map instanceof Queue) {
    const values: string[] = []
    for (let value = map.pop(); value !== undefined; value = map.pop()) values.push(text(value))
    return values.join("\n")
  }
  return null
}

function plain(value: unknown, ignore: readonly string[]): unknown {
  if (typeof value === "bigint") return `${value}`
  if (value instanceof Uint8Array) return formatHex(value)
  if (Array.isArray(value)) return value.map((element) => plain(element, ignore))
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name]) => !ignore.includes(name))
      .map(([name, field]) => [name, plain(field, ignore)]),
  )
}

function sum(a: unknown, b: unknown): unknown {
  if (typeof a === "number" && typeof b === "number") return a + b
  if (typeof a === "bigint" && typeof b === "bigint") return a + b
  if (a instanceof Uint8Array && b instanceof Uint8Array) {
    // Bytes without type: one 64-bit counter after another.
    const total = a.slice()
    const [into, from] = [new DataView(total.buffer), new DataView(b.buffer, b.byteOffset)]
    for (let at = 0; at + 8 <= total.length; at += 8)
      into.setBigUint64(at, into.getBigUint64(at, true) + from.getBigUint64(at, true), true)
    return total
  }
  if (Array.isArray(a) && Array.isArray(b)) return a.map((one, index) => sum(one, b[index]))
  if (typeof a === "object" && a !== null && typeof b === "object" && b !== null) {
    const other = b as Readonly<Record<string, unknown>>
    return Object.fromEntries(Object.entries(a).map(([name, one]) => [name, sum(one, other[name])]))
  }
  return a
}

/** The lines of both texts at the first place where they differ. */
function aroundDifference(first: string, second: string): [string, string] {
  let at = 0
  while (at < first.length && first[at] === second[at]) at++
  const start = first.lastIndexOf("\n", at - 1) + 1
  const cut = (text: string): string => {
    const end = text.indexOf("\n", at)
    const line = text.slice(start, end < 0 ? undefined : end)
    const from = Math.max(0, at - start - CONTEXT_CHARACTERS)
    return line.slice(from, at - start + CONTEXT_CHARACTERS) || "nothing"
  }
  return [cut(first), cut(second)]
}
