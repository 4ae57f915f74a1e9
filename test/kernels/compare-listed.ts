/** One object of the table (objects.ts) on both kernels, by the tool that `skep compare` is. */

import { type Kernel, parseObject } from "../../src/api/index.ts"
import { type Comparison, compareKernels } from "../../src/tools/compare/index.ts"
import type { ComparedObject, LiveMaps } from "./objects.ts"

export interface ListedComparison {
  /** Runs made on each kernel. */
  readonly runs: number
  /** Runs that both kernels refused with the same errno: equal, but worth less. */
  readonly refused: number
  /** One line each; the first {@link SHOWN_MAX}. */
  readonly differences: readonly string[]
  readonly differenceCount: number
  /** Why the object was not compared, or null. */
  readonly skipped: string | null
}

/** Differences of an object that are shown. */
const SHOWN_MAX = 20

/** The thread must be pinned to CPU 0: per-CPU values are compared as they lie. */
export function compareListed(
  kernels: readonly [Kernel, Kernel],
  listed: ComparedObject,
  frames: readonly Uint8Array[],
): ListedComparison {
  if (listed.skip !== undefined) return skipped(listed.skip)
  const object = parseObject(listed.bytes(), { name: listed.name.replace(/^.*\//, "") })
  let result: Comparison
  try {
    result = compareKernels(kernels, object, {
      frames,
      contexts: listed.contexts,
      ignore: listed.ignore,
      perCpu: "exact",
      differencesMax: SHOWN_MAX,
      setup: ({ maps }) => listed.setup?.(maps as LiveMaps),
    })
  } catch (error) {
    // Both kernels refuse it.
    return skipped(error instanceof Error ? error.message : `${error}`)
  }
  const { runs, refusedAlike, differences, differenceCount } = result
  const [first] = differences
  // What this machine's Linux cannot load at all (LSM here) is no disagreement about programs.
  if (first?.what === "load" && /EPERM/.test(first.second)) return skipped(first.second)
  if (runs === 0 && differenceCount === 0)
    return skipped("no program of a type that PROG_TEST_RUN takes")
  return {
    runs,
    refused: refusedAlike,
    differences: differences.map(
      ({ what, name, frame, first, second }) =>
        `${name}${frame === null ? "" : ` input ${frame}`}: ${what}: ${first} against ${second}`,
    ),
    differenceCount,
    skipped: null,
  }
}

function skipped(reason: string): ListedComparison {
  return { runs: 0, refused: 0, differences: [], differenceCount: 0, skipped: reason }
}
