/**
 * Flow of control: tail calls, loops, locks (linux v6.18 kernel/bpf/core.c bpf_prog_run's
 * JMP_TAIL_CALL, kernel/bpf/helpers.c bpf_spin_lock, kernel/bpf/bpf_iter.c bpf_loop).
 */

import { BPF_MAP_TYPE, ERRNO } from "../../spec/index.ts"
import type { ReferenceMap } from "../maps/map.ts"
import type { KernelObject } from "../objects/kernel-object.ts"
import { answers, faults, type HelperMachine, type HelperTable, mapArgument } from "./support.ts"

/** Largest count of bpf_loop. */
const BPF_MAX_LOOPS = 8 * 1024 * 1024
const MAX_TAIL_CALL_CNT = 33

/** A tail call that cannot be made is no error: the program goes on, with r0 undefined in Linux. */
function tailCall(machine: HelperMachine): void {
  const map = mapArgument(machine, 2)
  if (map === undefined) return
  if (map.type !== BPF_MAP_TYPE.BPF_MAP_TYPE_PROG_ARRAY) {
    machine.fail("the map of a tail call is no program array")
    return
  }
  const index = machine.low(3) >>> 0
  machine.setResult(-ERRNO.ENOENT)
  if (index >= map.maxEntries || machine.tailCalls >= MAX_TAIL_CALL_CNT) return
  const program = (map as ReferenceMap<KernelObject<"program">>).reference(index)?.value
  if (program === undefined) return
  machine.environment.program = program
  machine.tailCall(program.executable)
}

/** long bpf_loop(nr_loops, callback, ctx, flags): returns the number of rounds made. */
function loop(machine: HelperMachine): number | undefined {
  const rounds = machine.low(1) >>> 0
  const callback = machine.low(2)
  const context = [machine.low(3), machine.high(3)] as const
  if (machine.low(4) !== 0 || machine.high(4) !== 0) return -ERRNO.EINVAL
  if (rounds > BPF_MAX_LOOPS) {
    // Linux inlines the call and moves the errno as 32 bits.
    machine.setResult64(-ERRNO.E2BIG, 0)
    return undefined
  }
  for (let round = 0; round < rounds; round++) {
    const result = machine.callback(callback, [[round, 0], context])
    if (result === undefined) return undefined
    if (result !== 0) return round + 1
  }
  return rounds
}

/** One lock at a time; nobody else runs while a program holds one. */
function lock(machine: HelperMachine): number | undefined {
  const at = machine.checkWrite(1, 4)
  if (at < 0) return undefined
  const { environment } = machine
  if (environment.lock !== 0) return faults(machine, "bpf_spin_lock while another lock is held")
  environment.lock = at
  machine.space.view.setUint32(at, 1, true)
  return 0
}

function unlock(machine: HelperMachine): number | undefined {
  const at = machine.checkWrite(1, 4)
  if (at < 0) return undefined
  const { environment } = machine
  if (environment.lock !== at) return faults(machine, "bpf_spin_unlock of a lock that is not held")
  environment.lock = 0
  machine.space.view.setUint32(at, 0, true)
  return 0
}

export const controlHelpers: HelperTable = {
  tail_call: tailCall,
  loop: answers(loop),
  spin_lock: answers(lock),
  spin_unlock: answers(unlock),
}
