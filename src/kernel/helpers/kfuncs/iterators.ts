/**
 * Open-coded iterators, and the sections that programs mark (linux v6.18 kernel/bpf/bpf_iter.c
 * bpf_iter_num_new, kernel/bpf/helpers.c).
 */

import { ERRNO } from "../../../spec/index.ts"
import { answersInt, type Helper, type HelperMachine, type KfuncTable } from "../support.ts"

/** sizeof(struct bpf_iter_num): s32 current (one before the next), s32 end. */
const ITER_BYTES = 8
/** BPF_MAX_LOOPS */
const RANGE_MAX = 8 * 1024 * 1024

/** int bpf_iter_num_new(it, start, end) */
function create(machine: HelperMachine): number | undefined {
  const at = machine.checkWrite(1, ITER_BYTES)
  if (at < 0) return undefined
  const start = machine.low(2)
  const end = machine.low(3)
  const { view } = machine.space
  view.setInt32(at, 0, true)
  view.setInt32(at + 4, 0, true)
  if (start > end) return -ERRNO.EINVAL
  if (end - start > RANGE_MAX) return -ERRNO.E2BIG
  view.setInt32(at, start - 1, true)
  view.setInt32(at + 4, end, true)
  return 0
}

/** int *bpf_iter_num_next(it): the number lies in the iterator itself. */
const next: Helper = (machine) => {
  const at = machine.checkWrite(1, ITER_BYTES)
  if (at < 0) return
  const { view } = machine.space
  const current = (view.getInt32(at, true) + 1) | 0
  if (current >= view.getInt32(at + 4, true)) {
    view.setInt32(at, 0, true)
    view.setInt32(at + 4, 0, true)
    machine.setResult64(0, 0)
    return
  }
  view.setInt32(at, current, true)
  machine.setResult64(at, machine.high(1))
}

function destroy(machine: HelperMachine): number | undefined {
  const at = machine.checkWrite(1, ITER_BYTES)
  if (at < 0) return undefined
  machine.space.u8.fill(0, at, at + ITER_BYTES)
  return 0
}

/** Nothing runs beside a program, so these sections cost and protect nothing. */
const nothing: Helper = (machine) => machine.setResult(0)

export const iteratorKfuncs: KfuncTable = {
  bpf_iter_num_new: answersInt(create),
  bpf_iter_num_next: next,
  bpf_iter_num_destroy: answersInt(destroy),
  bpf_rcu_read_lock: nothing,
  bpf_rcu_read_unlock: nothing,
  bpf_preempt_disable: nothing,
  bpf_preempt_enable: nothing,
}
