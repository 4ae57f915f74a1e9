/** Map operations on the running Linux: a loop in a socket filter, timed by the kernel itself. */

import type { MapCreateAttr } from "../../src/spec/index.ts"
import { addressOf, attr, bpf, close, progLoad } from "../../test/support/linux.ts"
import { bpfLoop, type KeyShape, type MapOperation, PASS } from "./map-operations.ts"

const BPF_MAP_CREATE = 0
const BPF_MAP_UPDATE_ELEM = 2
const BPF_PROG_TEST_RUN = 10
const SOCKET_FILTER = 1
const TRIALS = 7
/** Trials of a map that only few passes are made over. */
const TRIALS_FEW_PASSES = 40
const TRIAL_NS = 10_000_000

export interface LinuxSubject {
  readonly request: MapCreateAttr
  readonly shape: KeyShape
  /** The keys that are in the map at the start. */
  readonly filled: readonly Uint8Array[]
  /** Passes that a ring buffer has room for: nobody reads it, so each trial has a new one. */
  readonly passesMax?: number
}

function createMap(request: MapCreateAttr): number {
  const fd = bpf(
    BPF_MAP_CREATE,
    attr([
      [0, 4, request.map_type],
      [4, 4, request.key_size],
      [8, 4, request.value_size],
      [12, 4, request.max_entries],
      [16, 4, request.map_flags ?? 0],
    ]),
  )
  if (fd < 0) throw new Error(`Linux refuses the map: ${fd}`)
  return fd
}

function fill(fd: number, keys: readonly Uint8Array[], valueSize: number): void {
  // A per-CPU value has a copy for each CPU.
  const value = new Uint8Array(valueSize * 64)
  for (const key of keys)
    bpf(
      BPF_MAP_UPDATE_ELEM,
      attr([
        [0, 4, fd],
        [8, 8, addressOf(key)],
        [16, 8, addressOf(value)],
      ]),
    )
}

/** Nanoseconds of one operation, the best of all trials. */
export function timeOnLinux(subject: LinuxSubject, operation: MapOperation): number {
  const trials = Array.from(
    { length: subject.passesMax === undefined ? TRIALS : TRIALS_FEW_PASSES },
    () => oneTrial(subject, operation),
  )
  return Math.min(...trials)
}

function oneTrial(subject: LinuxSubject, operation: MapOperation): number {
  const { request, shape, filled } = subject
  const map = createMap(request)
  const counter = createMap({ map_type: 2, key_size: 4, value_size: 8, max_entries: 1 })
  fill(map, filled, request.value_size)
  const code = bpfLoop(shape, request.value_size, operation, { map, counter })
  const { fd, log } = progLoad(SOCKET_FILTER, code, { logLevel: 4 })
  close(counter)
  close(map)
  if (fd < 0) throw new Error(`Linux refuses the loop: ${log}`)
  try {
    if (subject.passesMax !== undefined) return testRun(fd, subject.passesMax) / PASS
    const first = testRun(fd, 20)
    return testRun(fd, Math.ceil(TRIAL_NS / (first + 1))) / PASS
  } finally {
    close(fd)
  }
}

/** Nanoseconds of a pass. */
function testRun(fd: number, repeat: number): number {
  const packet = new Uint8Array(64)
  const bytes = attr(
    [
      [0, 4, fd],
      [8, 4, packet.length],
      [16, 8, addressOf(packet)],
      [32, 4, repeat],
    ],
    80,
  )
  const error = bpf(BPF_PROG_TEST_RUN, bytes)
  if (error < 0) throw new Error(`BPF_PROG_TEST_RUN failed with errno ${-error}`)
  return new DataView(bytes.buffer).getUint32(36, true)
}
