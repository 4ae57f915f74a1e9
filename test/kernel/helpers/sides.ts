/** Runs a helper case on a kernel and gathers everything that can be compared. */

import { errnoName, type KernelInterface } from "../../../src/spec/index.ts"
import { hex, load, type MapSpec, type Outcome, run, unload } from "../testrun/sides.ts"
import type { HelperCase } from "./macros.ts"

export interface HelperOutcome extends Outcome {
  readonly maps: Readonly<Record<string, readonly string[]>>
}

const ELEMENTS_MAX = 64

/** What lies in a ring buffer up to the producer's position. */
function dumpRing(kernel: KernelInterface, fd: number): string[] {
  const ring = kernel.openRing(fd)
  if (typeof ring === "number") return [errnoName(ring)]
  const produced = ring.producerPosition()
  const bytes = ring.data().subarray(0, produced)
  return [`${produced}`, Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")]
}

/** All elements of a map, sorted, as `key: value`. */
function dump(kernel: KernelInterface, fd: number, spec: MapSpec): string[] {
  if (spec.type === "BPF_MAP_TYPE_RINGBUF") return dumpRing(kernel, fd)
  const perCpu = spec.type.includes("PERCPU") ? kernel.possibleCpus : 1
  const elements: string[] = []
  let key: Uint8Array | undefined
  for (let i = 0; i < ELEMENTS_MAX; i++) {
    const next = new Uint8Array(spec.key)
    if (kernel.bpf("MAP_GET_NEXT_KEY", { map_fd: fd, key, next_key: next }) < 0) break
    const value = new Uint8Array(((spec.value + 7) & ~7) * perCpu)
    if (kernel.bpf("MAP_LOOKUP_ELEM", { map_fd: fd, key: next, value }) === 0)
      elements.push(
        `${hex(next)}: ${Array.from(value, (b) => b.toString(16).padStart(2, "0"))
          .join("")
          .replace(/(00)+$/, "")}`,
      )
    key = next
  }
  return elements.sort()
}

export function runCase(kernel: KernelInterface, item: HelperCase): HelperOutcome {
  const program = load(kernel, item.program)
  try {
    const outcome = run(kernel, program.fd, item.input)
    const maps: Record<string, string[]> = {}
    for (const [name, spec] of Object.entries(item.program.maps ?? {}))
      maps[name] = dump(kernel, program.maps.get(name) ?? -1, spec)
    return { ...outcome, maps }
  } finally {
    unload(kernel, program)
  }
}
