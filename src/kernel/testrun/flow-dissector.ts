/**
 * PROG_TEST_RUN of flow dissector programs: the packet goes in, `struct bpf_flow_keys` comes out
 * (linux v6.18 net/bpf/test_run.c bpf_prog_test_run_flow_dissector, net/core/flow_dissector.c
 * bpf_flow_dissect).
 */

import { ERRNO, type ProgTestRunAttr } from "../../spec/index.ts"
import { ETH_HLEN } from "../contexts/index.ts"
import type { KernelState } from "../environment.ts"
import { FlowKeys, KEYS_BYTES } from "../net/flow-keys.ts"
import type { Program } from "../programs/program.ts"
import { finishContext, finishData, rangeIsZero, runRounds, sizeOf, takeContext } from "./frame.ts"

const DATA_BYTES_MAX = 4096
/** Offset of the flags in `struct bpf_flow_keys`: all that the caller may set. */
const FLAGS = 48

export function testRunFlowDissector(
  kernel: KernelState,
  program: Program,
  attr: ProgTestRunAttr,
): number {
  if ((attr.flags ?? 0) !== 0 || (attr.cpu ?? 0) !== 0 || (attr.batch_size ?? 0) !== 0)
    return -ERRNO.EINVAL
  const frame = attr.data_in ?? new Uint8Array(0)
  if (sizeOf(frame) < ETH_HLEN || frame.length > DATA_BYTES_MAX) return -ERRNO.EINVAL
  const context = takeContext(attr, KEYS_BYTES)
  if (typeof context === "number") return context
  const outside = context !== null && !rangeIsZero(context, 0, FLAGS)
  if (outside || (context !== null && !rangeIsZero(context, FLAGS + 4, KEYS_BYTES)))
    return -ERRNO.EINVAL
  const flags = context === null ? 0 : new DataView(context.buffer).getUint32(FLAGS, true)

  const keys = new FlowKeys(kernel, frame, flags)
  try {
    const rounds = runRounds(kernel, program, keys.input, attr.repeat ?? 0)
    if (rounds.errno < 0) return rounds.errno
    const result = finishData(attr, keys.finish(), rounds)
    return result < 0 ? result : finishContext(attr, context)
  } finally {
    keys.free()
  }
}
