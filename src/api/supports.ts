/** Feature tests by trial: the only ones that tell the truth on every kernel. */

import {
  BPF_PROG_TYPE,
  helperByName,
  type KernelInterface,
  mapTypeByName,
  programTypeByName,
} from "../spec/index.ts"

export type Feature =
  /** `hash`, `ringbuf`… */
  | { readonly map: string }
  /** `xdp`, `sched_cls`… */
  | { readonly program: string }
  /** `bpf_ringbuf_reserve` in programs of a type. */
  | { readonly helper: string; readonly in: string }

const known = new WeakMap<KernelInterface, Map<string, boolean>>()

export function supports(kernel: KernelInterface, feature: Feature): boolean {
  const answers = known.get(kernel) ?? new Map<string, boolean>()
  known.set(kernel, answers)
  const key = JSON.stringify(feature)
  let answer = answers.get(key)
  if (answer === undefined) {
    answer = probe(kernel, feature)
    answers.set(key, answer)
  }
  return answer
}

function probe(kernel: KernelInterface, feature: Feature): boolean {
  if ("map" in feature) return probeMap(kernel, mapTypeByName(feature.map))
  if ("program" in feature) return probeProgram(kernel, programTypeByName(feature.program))
  return probeHelper(kernel, helperByName(feature.helper)?.id, programTypeByName(feature.in))
}

/** Key, value, entries and flags with which each type can be created; the common ones by default. */
const MAP_SHAPES: Readonly<Record<number, readonly [number, number, number, number]>> = {
  11: [8, 4, 1, 1], // LPM trie
  22: [0, 4, 1, 0], // queue
  23: [0, 4, 1, 0], // stack
  27: [0, 0, 4096, 0], // ring buffer
  30: [0, 4, 1, 0], // bloom filter
  31: [0, 0, 4096, 0], // user ring buffer
  7: [4, 8, 1, 0], // stack trace
}

function probeMap(kernel: KernelInterface, type: number | undefined): boolean {
  if (type === undefined) return false
  const [key_size, value_size, max_entries, map_flags] = MAP_SHAPES[type] ?? [4, 4, 1, 0]
  const attr = { map_type: type, key_size, value_size, max_entries, map_flags }
  const inner = type === 12 || type === 13 ? kernel.bpf("MAP_CREATE", { ...attr, map_type: 2 }) : -1
  const fd = kernel.bpf("MAP_CREATE", inner >= 0 ? { ...attr, inner_map_fd: inner } : attr)
  if (inner >= 0) kernel.close(inner)
  if (fd >= 0) kernel.close(fd)
  return fd >= 0
}

/** r0 = 0; exit */
const EMPTY = new Uint8Array([0xb7, 0, 0, 0, 0, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0])

function probeProgram(kernel: KernelInterface, type: number | undefined): boolean {
  if (type === undefined) return false
  const fd = kernel.bpf("PROG_LOAD", { prog_type: type, insns: EMPTY, license: "GPL" })
  if (fd >= 0) kernel.close(fd)
  return fd >= 0
}

function probeHelper(
  kernel: KernelInterface,
  id: number | undefined,
  type: number | undefined,
): boolean {
  if (id === undefined || type === undefined || type === BPF_PROG_TYPE.BPF_PROG_TYPE_UNSPEC)
    return false
  const insns = new Uint8Array(24)
  insns[0] = 0x85
  new DataView(insns.buffer).setInt32(4, id, true)
  insns.set(EMPTY, 8)
  const log = new Uint8Array(4096)
  const attr = { prog_type: type, insns, license: "GPL", log_level: 1, log_buf: log }
  const fd = kernel.bpf("PROG_LOAD", attr)
  if (fd >= 0) {
    kernel.close(fd)
    return true
  }
  // Refused for its arguments means that the helper itself is there.
  const text = new TextDecoder().decode(log)
  return (
    !/unknown func|invalid func|cannot use helper|not yet in the embedded kernel/.test(text) &&
    text[0] !== "\0"
  )
}
