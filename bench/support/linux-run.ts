/**
 * The same programs on the kernel's own JIT: loaded through bpf(2) and timed by the kernel itself
 * (`duration` of BPF_PROG_TEST_RUN), where it lets us.
 */

import { addressOf, attr, bpf, close, progLoad, trialLoad } from "../../test/support/linux.ts"
import { type BenchProgram, benchPacket, MAP_VALUE_BYTES } from "./programs.ts"

const BPF_MAP_CREATE = 0
const BPF_PROG_TEST_RUN = 10
const BPF_PROG_TYPE_XDP = 6
const BPF_MAP_TYPE_ARRAY = 2
const BPF_PSEUDO_MAP_FD = 1
const TRIALS = 7

/** The errno why programs cannot be loaded here, or 0. */
export function linuxRefuses(): number {
  return trialLoad()
}

export interface LinuxRun {
  readonly result: number
  /** Of one run; the kernel reports whole nanoseconds. */
  readonly medianNs: number
}

/** Runs `program` on Linux for about 20 ms times seven; throws what Linux said when it refuses. */
export function runOnLinux({ name, insns, mapSlots }: BenchProgram): LinuxRun {
  const bytes = insns.slice()
  const view = new DataView(bytes.buffer)
  const fields = [
    [0, 4, BPF_MAP_TYPE_ARRAY],
    [4, 4, 4],
    [8, 4, MAP_VALUE_BYTES],
    [12, 4, 1],
  ] as const
  const map = mapSlots.length > 0 ? bpf(BPF_MAP_CREATE, attr(fields)) : -1
  for (const slot of mapSlots) {
    bytes[slot * 8 + 1] = (bytes[slot * 8 + 1] & 15) | (BPF_PSEUDO_MAP_FD << 4)
    view.setInt32(slot * 8 + 4, map, true)
  }
  // Statistics only: the whole log of a program with loops does not fit the buffer.
  const { fd, log } = progLoad(BPF_PROG_TYPE_XDP, bytes, { logLevel: 4 })
  close(map)
  if (fd < 0) throw new Error(`Linux refuses ${name}: ${log}`)
  try {
    const first = testRun(fd, 1000)
    const repeat = Math.ceil(20e6 / (first.durationNs + 1))
    const durations = Array.from({ length: TRIALS }, () => testRun(fd, repeat).durationNs)
    durations.sort((a, b) => a - b)
    return { result: first.result, medianNs: durations[TRIALS >> 1] }
  } finally {
    close(fd)
  }
}

function testRun(fd: number, repeat: number): { result: number; durationNs: number } {
  const packet = benchPacket()
  const bytes = attr([
    [0, 4, fd],
    [8, 4, packet.length],
    [16, 8, addressOf(packet)],
    [32, 4, repeat],
  ])
  const error = bpf(BPF_PROG_TEST_RUN, bytes)
  if (error < 0) throw new Error(`BPF_PROG_TEST_RUN failed with errno ${-error}`)
  const view = new DataView(bytes.buffer)
  return { result: view.getUint32(4, true), durationNs: view.getUint32(36, true) }
}
