/**
 * PROG_TEST_RUN of sk_lookup programs on the 4-tuple given in `ctx_in` (linux v6.18
 * net/bpf/test_run.c bpf_prog_test_run_sk_lookup). The cookie of the socket that it selects comes
 * back in the context.
 */

import { REGION_CONTEXT, REGION_READ, REGION_WRITE } from "../../interpreter/machine.ts"
import { CONTEXTS, ERRNO, type ProgTestRunAttr, SK_ACTION } from "../../spec/index.ts"
import type { KernelState } from "../environment.ts"
import type { Socket } from "../net/socket.ts"
import type { Tuple } from "../net/socket-table.ts"
import type { Program } from "../programs/program.ts"
import { finishContext, finishData, rangeIsZero, runRounds, sizeOf, takeContext } from "./frame.ts"

const CONTEXT_BYTES: number = CONTEXTS.bpf_sk_lookup.sizeBytes
const OFFSET: Readonly<Record<string, number>> = Object.fromEntries(
  CONTEXTS.bpf_sk_lookup.fields.map((field) => [field.name, field.offset]),
)
const AF_INET = 2
const AF_INET6 = 10
const U16_MAX = 0xffff

export function testRunSkLookup(
  kernel: KernelState,
  program: Program,
  attr: ProgTestRunAttr,
): number {
  if ((attr.flags ?? 0) !== 0 || (attr.cpu ?? 0) !== 0 || (attr.batch_size ?? 0) !== 0)
    return -ERRNO.EINVAL
  if (sizeOf(attr.data_in) !== 0 || sizeOf(attr.data_out) !== 0) return -ERRNO.EINVAL
  const given = takeContext(attr, CONTEXT_BYTES)
  if (typeof given === "number") return given
  if (given === null) return -ERRNO.EINVAL
  const seen = contextOf(given)
  if (typeof seen === "number") return seen

  const { memory } = kernel
  const context = memory.allocate(CONTEXT_BYTES)
  if (context === 0) return -ERRNO.ENOMEM
  memory.write(context, seen)
  const flags = REGION_READ | REGION_WRITE | REGION_CONTEXT
  const region = memory.createRegion(context, context + CONTEXT_BYTES, flags)
  try {
    const lookup = {
      tuple: tupleOf(seen),
      selected: null as Socket | null,
      noReuseport: false,
    }
    const network = { namespace: kernel.net.initial, socket: null, lookup }
    const input = { context, contextRegion: region, packet: null, network }
    const rounds = runRounds(kernel, program, input, attr.repeat ?? 0)
    if (rounds.errno < 0) return rounds.errno
    const retval = rounds.retval === SK_ACTION.SK_DROP ? SK_ACTION.SK_DROP : SK_ACTION.SK_PASS
    if (lookup.selected !== null) {
      if (lookup.selected.options.reusePort && !lookup.noReuseport) return -ERRNO.EOPNOTSUPP
      const cookie = kernel.net.cookieOf(lookup.selected)
      new DataView(given.buffer).setBigUint64(OFFSET.cookie, cookie, true)
    }
    const result = finishData(attr, new Uint8Array(0), { retval, duration: rounds.duration })
    return result < 0 ? result : finishContext(attr, given)
  } finally {
    memory.destroyRegion(region)
    memory.free(context)
  }
}

/** The ends that the context names. */
function tupleOf(seen: Uint8Array): Tuple {
  const view = new DataView(seen.buffer)
  const family = view.getUint32(OFFSET.family, true)
  const [name, bytes] = family === AF_INET ? (["ip4", 4] as const) : (["ip6", 16] as const)
  const address = (side: string): Uint8Array => {
    const at = OFFSET[`${side}_${name}`]
    return seen.slice(at, at + bytes)
  }
  return {
    family,
    protocol: view.getUint32(OFFSET.protocol, true),
    remote: { address: address("remote"), port: view.getUint16(OFFSET.remote_port) },
    local: { address: address("local"), port: view.getUint32(OFFSET.local_port, true) },
    ifindex: 0,
  }
}

/** What the program sees of the caller's context, or a negative errno. */
function contextOf(given: Uint8Array): Uint8Array | number {
  const view = new DataView(given.buffer)
  if (view.getBigUint64(OFFSET.sk, true) !== 0n) return -ERRNO.EINVAL
  if (!rangeIsZero(given, OFFSET.local_port + 4, given.length)) return -ERRNO.EINVAL
  if (view.getUint32(OFFSET.local_port, true) > U16_MAX) return -ERRNO.ERANGE
  const family = view.getUint32(OFFSET.family, true) & U16_MAX
  if (family !== AF_INET && family !== AF_INET6) return -ERRNO.EAFNOSUPPORT
  const seen = new Uint8Array(given.length)
  const out = new DataView(seen.buffer)
  out.setUint32(OFFSET.family, family, true)
  out.setUint32(OFFSET.protocol, view.getUint32(OFFSET.protocol, true) & U16_MAX, true)
  out.setUint16(OFFSET.remote_port, view.getUint16(OFFSET.remote_port, true), true)
  out.setUint32(OFFSET.local_port, view.getUint32(OFFSET.local_port, true), true)
  const [name, bytes] = family === AF_INET ? (["ip4", 4] as const) : (["ip6", 16] as const)
  for (const side of ["remote", "local"]) {
    const at = OFFSET[`${side}_${name}`]
    seen.set(given.subarray(at, at + bytes), at)
  }
  return seen
}
