/**
 * What a program may load from and store to its context, and what it gets: by the layouts of
 * spec/ where the context is a struct, by the target's types where it is a list of arguments.
 *
 * What is allowed depends on the program alone, so every answer is remembered.
 *
 * Source: linux v6.18 *_is_valid_access of the program types.
 */

import { contextAccessAllowed } from "../../../spec/context-access.ts"
import { type ContextField, contextOf, fieldAt } from "../../../spec/contexts.ts"
import { ERRNO } from "../../../spec/errno.ts"
import { BPF_ATTACH_TYPE as AT, BPF_PROG_TYPE as PT } from "../../../spec/program-types.ts"
import { Rejection } from "../../rejection.ts"
import {
  PTR_MAYBE_NULL,
  PTR_TO_BTF_ID,
  PTR_TO_FLOW_KEYS,
  PTR_TO_PACKET,
  PTR_TO_PACKET_END,
  PTR_TO_PACKET_META,
  PTR_TO_SOCK_COMMON,
  PTR_TO_SOCKET,
  PTR_TO_TP_BUFFER,
  PTR_TRUSTED,
  SCALAR_VALUE,
} from "../../state/register-types.ts"
import { btfIndex } from "../../types/type-match.ts"
import type { Verifier } from "../../verifier.ts"
import { btfContextValue } from "./btf-context.ts"
import { type ContextValue, pointerValue, SCALAR } from "./context-value.ts"

export type { ContextValue } from "./context-value.ts"

/** Offset of the field that only programs behind a redirect have. */
const XDP_EGRESS_IFINDEX = 20

const remembered = new WeakMap<Verifier, Map<number, ContextValue>>()

/**
 * What `size` bytes at `off` of the context are. Throws "invalid bpf_context access off=%d
 * size=%d". Linux: check_ctx_access.
 */
export function contextValue(
  v: Verifier,
  off: number,
  size: number,
  write: boolean,
  signExtend: boolean,
): ContextValue {
  let values = remembered.get(v)
  if (values === undefined) remembered.set(v, (values = new Map()))
  const key = off * 64 + size * 4 + (write ? 2 : 0) + (signExtend ? 1 : 0)
  let value = values.get(key)
  if (value === undefined) {
    value = find(v, off, size, write, signExtend) ?? reject(v, off, size)
    // Types of arguments are printed at each load.
    if (!hasArguments(v)) values.set(key, value)
  }
  if (value.refObjId !== 0 && !v.state.refs.some(({ id }) => id === value.refObjId))
    v.reject(
      ERRNO.EACCES,
      `invalid bpf_context access off=${off}. Reference may already be released`,
      { rule: "context-access", offset: off },
    )
  return value
}

/** The same with the arguments that calls have: a byte of the context is accessed by a helper. */
export function checkContextAccess(
  v: Verifier,
  _insn: number,
  off: number,
  size: number,
  write: boolean,
): ContextValue {
  return contextValue(v, off, size, write, false)
}

function reject(v: Verifier, off: number, size: number): never {
  const message = `invalid bpf_context access off=${off} size=${size}`
  v.verbose(`${message}\n`)
  if (v.log.level !== 0) v.printLine(v.insn)
  throw new Rejection(ERRNO.EACCES, v.insn, message, { rule: "context-access", offset: off, size })
}

/** Whether the context is the list of a function's arguments. */
function hasArguments(v: Verifier): boolean {
  switch (v.input.type) {
    case PT.BPF_PROG_TYPE_TRACING:
    case PT.BPF_PROG_TYPE_LSM:
    case PT.BPF_PROG_TYPE_STRUCT_OPS:
    case PT.BPF_PROG_TYPE_EXT:
      return true
    default:
      return false
  }
}

function find(
  v: Verifier,
  off: number,
  size: number,
  write: boolean,
  signExtend: boolean,
): ContextValue | null {
  if (hasArguments(v)) return btfContextValue(v, off, size, write)
  const { type } = v.input
  if (!isAllowed(v, off, size, write)) return null
  if (type === PT.BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE && off === 0 && !write)
    return pointerValue(PTR_TO_TP_BUFFER)
  const layout = contextOf(type)
  const field = layout === null ? undefined : fieldAt(layout, off)
  if (field === undefined) return SCALAR
  if (!v.bpfCapable && needsCapability(type, field)) return null
  if (field.pointer === null || write) return SCALAR
  return size < field.sizeBytes || signExtend ? null : pointerOf(v, field)
}

function isAllowed(v: Verifier, off: number, size: number, write: boolean): boolean {
  const { type, expectedAttachType } = v.input
  // Linux compares tracepoints' offsets as unsigned numbers, so that negative ones pass.
  if (type === PT.BPF_PROG_TYPE_TRACEPOINT && off < 0) return !write && off % size === 0
  if (type === PT.BPF_PROG_TYPE_XDP && off === XDP_EGRESS_IFINDEX)
    return expectedAttachType === AT.BPF_XDP_DEVMAP && !write && size === 4
  const attachType =
    type === PT.BPF_PROG_TYPE_CGROUP_SOCK && expectedAttachType === 0
      ? AT.BPF_CGROUP_INET_SOCK_CREATE
      : expectedAttachType
  return contextAccessAllowed(type, attachType, { offset: off, sizeBytes: size, write })
}

/** Fields that only CAP_BPF may use, in the one type of program of unprivileged cgroups. */
function needsCapability(type: number, field: ContextField): boolean {
  return (
    type === PT.BPF_PROG_TYPE_CGROUP_SKB &&
    (field.name === "data" || field.name === "data_end" || field.name === "tstamp")
  )
}

function pointerOf(v: Verifier, field: ContextField): ContextValue {
  switch (field.pointer) {
    case "packet":
      return pointerValue(PTR_TO_PACKET)
    case "packet_end":
      return pointerValue(PTR_TO_PACKET_END)
    case "packet_meta":
      return pointerValue(PTR_TO_PACKET_META)
    case "flow_keys":
      return pointerValue(PTR_TO_FLOW_KEYS)
    case "sock":
      return pointerValue(socketType(v.input.type, field.name))
    default:
      return kernelStruct(v, field.pointer!)
  }
}

function socketType(type: number, name: string): number {
  switch (type) {
    case PT.BPF_PROG_TYPE_SOCK_OPS:
    case PT.BPF_PROG_TYPE_SK_LOOKUP:
      return PTR_TO_SOCKET | PTR_MAYBE_NULL
    case PT.BPF_PROG_TYPE_CGROUP_SOCK_ADDR:
    case PT.BPF_PROG_TYPE_SK_MSG:
    case PT.BPF_PROG_TYPE_CGROUP_SOCKOPT:
      return PTR_TO_SOCKET
    case PT.BPF_PROG_TYPE_SK_REUSEPORT:
      return name === "sk" ? PTR_TO_SOCKET : PTR_TO_SOCK_COMMON | PTR_MAYBE_NULL
    default:
      return PTR_TO_SOCK_COMMON | PTR_MAYBE_NULL
  }
}

function kernelStruct(v: Verifier, name: string): ContextValue {
  const btf = v.btfs[0] ?? v.input.kernelBtf()
  const id = btf.findByName(name, "struct")
  if (id === undefined) return { ...SCALAR, type: SCALAR_VALUE }
  return { ...pointerValue(PTR_TO_BTF_ID | PTR_TRUSTED), a: id, b: btfIndex(v, btf) }
}
