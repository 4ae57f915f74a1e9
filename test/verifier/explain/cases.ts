/** What every program is refused for: by object and program, and in assembly. */

import { BPF_ATTACH_TYPE, BPF_PROG_TYPE } from "../../../src/spec/index.ts"

/** Cause by program of an object in programs/. */
export const C_CASES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  network: {
    null_check: "null-check-missing",
    null_arithmetic: "null-arithmetic",
    null_argument: "null-argument",
    read_only: "read-only-memory",
    callback_return: "callback",
    dynptr_unmade: "iterator-or-dynptr",
    packet_missing: "packet-bounds-missing",
    packet_short: "packet-bounds-short",
    packet_variable: "packet-variable-offset",
    packet_stale: "packet-pointer-stale",
    pointer_merged: "pointer-merged",
    index_unbounded: "index-unbounded",
    index_signed: "index-signed",
    value_bounds: "value-out-of-bounds",
    index_too_far: "value-out-of-bounds",
    stack_variable: "stack-variable-offset",
    size_zero: "size-zero",
    ctx_offset: "context-offset",
    ctx_wide: "context-offset",
    ctx_read_only: "context-read-only",
    ctx_modified: "context-modified",
    ret_range: "return-range",
    ret_port: "return-range",
    loop_infinite: "loop-infinite",
    loop_unbounded: "loop-unbounded",
    stack_combined: "stack-combined",
    helper_type: "helper-not-allowed",
    lock_call: "call-under-lock",
    lock_held: "lock-held-at-exit",
    lock_copied: "special-field",
    sock_leak: "reference-leaked",
    sock_twice: "used-after-release",
    global_null: "null-check-missing-pointer",
    map_type: "map-type-mismatch",
  },
  tracing: {
    index_args: "index-signed",
    size_unbounded: "size-unbounded",
    size_negative: "size-unbounded",
    size_variable: "argument-constant",
    kernel_pointer: "kernel-pointer-dereferenced",
    ringbuf_leak: "ringbuf-record-leaked",
    ringbuf_null: "null-check-missing-pointer",
    used_after: "used-after-release",
    core_poisoned: "core-relocation-failed",
    sleeps: "sleep-not-allowed",
    kfunc_missing: "kfunc-missing",
  },
  unlicensed: { gpl_only: "gpl-only" },
}

export interface AssemblyCase {
  readonly cause: string
  readonly text: string
  readonly type?: number
  readonly attach?: number
}

const { BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_PROG_TYPE_SCHED_CLS } = BPF_PROG_TYPE

/** Programs that compilers do not make, or not from C. */
export const ASSEMBLY_CASES: Readonly<Record<string, AssemblyCase>> = {
  no_result: { cause: "register-uninitialised", text: "exit" },
  unset: { cause: "variable-uninitialised", text: "r0 = r2\nexit" },
  clobbered: { cause: "register-clobbered", text: "call 7\nr0 = r1\nexit" },
  division: { cause: "division-by-zero", text: "r0 = 1\nr0 /= 0\nexit" },
  shift: { cause: "shift-invalid", text: "r0 = 1\nr0 <<= 65\nexit" },
  dead: { cause: "dead-code", text: "r0 = 0\nexit\nr0 = 1\nexit" },
  falls: { cause: "falls-off", text: "r0 = 0" },
  outside: { cause: "jump-outside", text: "goto +5\nr0 = 0\nexit" },
  frame: { cause: "frame-pointer-written", text: "r10 = 0\nr0 = 0\nexit" },
  multiplied: { cause: "pointer-arithmetic", text: "r2 = r1\nr2 *= 2\nr0 = 0\nexit" },
  truncated: { cause: "pointer-truncated", text: "w2 = w1\nr0 = *(u32 *)(r2 +0)\nexit" },
  misaligned: { cause: "misaligned", text: "r2 = 1\n*(u32 *)(r10 -7) = r2\nr0 = 0\nexit" },
  beyond: { cause: "stack-out-of-bounds", text: "r2 = 0\n*(u64 *)(r10 -520) = r2\nr0 = 0\nexit" },
  helper: { cause: "helper-unknown", text: "call 9999\nexit" },
  pointer: {
    cause: "return-pointer",
    text: "r0 = r1\nexit",
    type: BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
    attach: BPF_ATTACH_TYPE.BPF_CGROUP_INET4_CONNECT,
  },
  argument: { cause: "argument-type", text: "r2 = r10\nr2 += -8\nr3 = 0\ncall 1\nr0 = 0\nexit" },
  indexed: {
    cause: "context-variable",
    text: "r2 = *(u32 *)(r1 +0)\nr2 &= 4\nr1 += r2\nr0 = *(u32 *)(r1 +0)\nr0 = 0\nexit",
    type: BPF_PROG_TYPE_SCHED_CLS,
  },
  mixed: {
    cause: "mixed-pointers",
    text: `r6 = r1
r2 = 0
*(u64 *)(r10 -8) = r2
call 7
r1 = r6
if r0 == 0 goto +2
r1 = r10
r1 += -8
r2 = *(u32 *)(r1 +0)
r0 = 0
exit`,
    type: BPF_PROG_TYPE_SCHED_CLS,
  },
}
