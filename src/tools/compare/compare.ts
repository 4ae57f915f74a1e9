/**
 * One object on two kernels: its programs get the same packets or contexts by PROG_TEST_RUN, and
 * every difference in errno, return value, packet, context and, at the end, map content is listed.
 * A test run happens on the caller's CPU: who has pinned the thread to CPU 0, where the embedded
 * kernel runs, compares per-CPU values as they lie; else only their sums are comparable.
 */

import type {
  BpfObject,
  Collection,
  Kernel,
  KernelLoadOptions,
  MapHandle,
  Program,
  RunInput,
} from "../../api/index.ts"
import { BpfError, equalBytes, formatHex } from "../../base/index.ts"
import { BPF_PROG_TYPE as PT } from "../../spec/index.ts"
import { type MapTextOptions, mapText } from "./map-text.ts"

/** Two answers to the same question. */
export interface Difference {
  readonly what: "load" | "errno" | "return value" | "packet" | "context" | "map"
  /** Program or map. */
  readonly name: string
  /** Number of the frame (or context), from 1; null for loading and maps. */
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
  /** Ethernet frames for programs that take packets. */
  readonly frames: readonly Uint8Array[]
  /** Contexts for programs that take one: raw tracepoints and syscall programs. */
  readonly contexts?: readonly Uint8Array[]
  /** Only these programs. */
  readonly programs?: readonly string[]
  /** Fields of keys, values and records that may differ: time stamps. */
  readonly ignore?: readonly string[]
  /** `exact` needs a pinned thread, see above; `sum` by default. */
  readonly perCpu?: MapTextOptions["perCpu"]
  readonly differencesMax?: number
  /** Called after loading on each kernel, to fill maps. */
  readonly setup?: (collection: Collection, kernel: Kernel) => void
  readonly progress?: (runs: number) => void
}

/** Types that PROG_TEST_RUN gives an Ethernet frame. */
export const PACKET_TYPES: readonly number[] = [
  PT.BPF_PROG_TYPE_XDP,
  PT.BPF_PROG_TYPE_SCHED_CLS,
  PT.BPF_PROG_TYPE_SCHED_ACT,
  PT.BPF_PROG_TYPE_SOCKET_FILTER,
  PT.BPF_PROG_TYPE_CGROUP_SKB,
  PT.BPF_PROG_TYPE_LWT_IN,
  PT.BPF_PROG_TYPE_LWT_OUT,
  PT.BPF_PROG_TYPE_LWT_XMIT,
]
/** Types that it gives a context. */
export const CONTEXT_TYPES: readonly number[] = [
  PT.BPF_PROG_TYPE_RAW_TRACEPOINT,
  PT.BPF_PROG_TYPE_SYSCALL,
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
  { frames, contexts = [], programs, progress }: CompareOptions,
  found: Differences,
): Pick<Comparison, "programs" | "runs" | "refusedAlike"> {
  const names: string[] = []
  let runs = 0
  let refusedAlike = 0
  const chosen = programs === undefined ? object.entryPrograms : object.programs
  for (const { name, type } of chosen) {
    const first = collections[0].programs[name] as Program | undefined
    const second = collections[1].programs[name] as Program | undefined
    const inputs = inputsOf(type, frames, contexts)
    if (first === undefined || second === undefined || inputs === null) continue
    names.push(name)
    inputs.forEach((input, index) => {
      const [one, other] = [runOnce(first, input), runOnce(second, input)]
      runs++
      progress?.(runs)
      if (one.errno !== null && one.errno === other.errno) refusedAlike++
      compareOutcomes(one, other, { name, frame: index + 1 }, found)
    })
  }
  return { programs: names, runs, refusedAlike }
}

/** What a program of this type is run on; null for types that PROG_TEST_RUN does not take. */
function inputsOf(
  type: number,
  frames: readonly Uint8Array[],
  contexts: readonly Uint8Array[],
): readonly RunInput[] | null {
  if (PACKET_TYPES.includes(type)) return frames.map((data) => ({ data }))
  if (CONTEXT_TYPES.includes(type)) return contexts.map((context) => ({ context }))
  return null
}

interface Outcome {
  /** Null: the program ran. */
  readonly errno: string | null
  readonly returned: string
  readonly data: Uint8Array
  readonly context: Uint8Array
}

const NOTHING = new Uint8Array(0)

function runOnce(program: Program, input: RunInput): Outcome {
  try {
    const { returned, verdict, data, context } = program.run(input)
    return {
      errno: null,
      returned: verdict === null ? `${returned}` : `${returned} (${verdict})`,
      data,
      context,
    }
  } catch (error) {
    if (error instanceof BpfError)
      return { errno: error.code, returned: "", data: NOTHING, context: NOTHING }
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
  if (first.errno !== null || second.errno !== null) return
  for (const [what, key] of BYTES)
    if (!equalBytes(first[key], second[key]))
      found.add({ what, ...at, first: formatHex(first[key]), second: formatHex(second[key]) })
}

const BYTES: readonly (readonly [what: "packet" | "context", key: "data" | "context"])[] = [
  ["packet", "data"],
  ["context", "context"],
]

function compareMaps(
  object: BpfObject,
  collections: readonly [Collection, Collection],
  options: CompareOptions,
  found: Differences,
): string[] {
  const names: string[] = []
  for (const { name } of object.model.maps) {
    const maps = collections.map((one) => one.maps[name] as MapHandle | undefined)
    const texts = maps.map((map) =>
      map === undefined ? null : mapText(map, { ...options, perCpu: options.perCpu ?? "sum" }),
    )
    const [first, second] = texts
    if (first === null || second === null) continue
    names.push(name)
    if (first === second) continue
    const [one, other] = aroundDifference(first, second)
    found.add({ what: "map", name, frame: null, first: one, second: other })
  }
  return names
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
