/**
 * The context of tracing, LSM and struct_ops programs: the arguments of their target in 64 bits
 * each (structs in as many as they take), then its return value where the program runs after it.
 *
 * Source: linux v6.18 kernel/bpf/btf.c btf_ctx_access.
 */

import type { Btf, BtfFuncProto, BtfType } from "../../../btf/index.ts"
import { BPF_ATTACH_TYPE as AT, BPF_PROG_TYPE as PT } from "../../../spec/program-types.ts"
import {
  MEM_PERCPU,
  MEM_USER,
  PTR_MAYBE_NULL,
  PTR_TO_BTF_ID,
  PTR_TRUSTED,
  SCALAR_VALUE,
} from "../../state/register-types.ts"
import { tagFlags } from "../../types/struct-walk.ts"
import { btfIndex } from "../../types/type-match.ts"
import type { Verifier } from "../../verifier.ts"
import { attachPrototype } from "../exit/attach-prototype.ts"
import { type ArgumentRule, argumentRules } from "./argument-rules.ts"
import { type ContextValue, SCALAR } from "./context-value.ts"
import { lsmReturnRange } from "./lsm-return.ts"
import { tracepointArgument } from "./tracepoint-arguments.ts"

/** MAX_BPF_FUNC_ARGS. */
const ARGUMENTS_MAX = 12
/** MAX_BPF_FUNC_REG_ARGS: what a target without a type is taken to have. */
const UNKNOWN_ARGUMENTS = 5

/** LSM hooks whose arguments are being made or torn down. */
const UNTRUSTED_HOOKS: ReadonlySet<string> = new Set([
  "bpf_lsm_bpf_map_free",
  "bpf_lsm_bpf_prog_free",
  "bpf_lsm_file_alloc_security",
  "bpf_lsm_file_free_security",
  "bpf_lsm_sk_alloc_security",
  "bpf_lsm_sk_free_security",
  "bpf_lsm_task_free",
])

interface Target {
  readonly btf: Btf
  readonly proto: BtfFuncProto | null
  /** As messages call it. */
  readonly name: string
  /** The first parameter is the tracepoint's own. */
  readonly isTracepoint: boolean
}

/** What an access gives; null where there is nothing (the reason was written to the log). */
export function btfContextValue(
  v: Verifier,
  off: number,
  size: number,
  write: boolean,
): ContextValue | null {
  if (v.input.type !== PT.BPF_PROG_TYPE_LSM) {
    if (off < 0 || off >= 8 * ARGUMENTS_MAX || write || off % size !== 0) return null
  }
  const target = targetOf(v)
  if (target === null) return null
  if (off % 8 !== 0) {
    v.verbose(`func '${target.name}' offset ${off} is not multiple of 8\n`)
    return null
  }
  return argumentAt(v, target, off, size)
}

function targetOf(v: Verifier): Target | null {
  const { target, expectedAttachType, type } = v.input
  if (target === null) return null
  const proto = attachPrototype(v)
  let { name } = target
  if (type === PT.BPF_PROG_TYPE_LSM && !name.startsWith("bpf_lsm_")) name = `bpf_lsm_${name}`
  if (type === PT.BPF_PROG_TYPE_STRUCT_OPS) {
    const ops = target.btf.resolve(target.btfId)
    if (ops.kind === "struct") name = ops.members[expectedAttachType]?.name ?? name
  }
  const isTracepoint =
    type === PT.BPF_PROG_TYPE_TRACING && expectedAttachType === AT.BPF_TRACE_RAW_TP
  return { btf: target.btf, proto, name, isTracepoint }
}

/** Index of the 64-bit slot's argument; the number of parameters for the return value. */
function argumentIndex({ btf, proto }: Target, off: number): number {
  if (proto === null) return Math.floor(off / 8)
  let end = 0
  for (let index = 0; index < proto.params.length; index++) {
    end += slotBytes(btf, proto.params[index].type)
    if (off < end) return index
  }
  end += slotBytes(btf, proto.returnType)
  return off < end ? proto.params.length : proto.params.length + 1
}

function slotBytes(btf: Btf, id: number): number {
  const type = btf.resolve(id)
  switch (type.kind) {
    case "ptr":
      return 8
    case "void":
    case "func":
    case "func_proto":
    case "fwd":
      return 0
    default:
      return Math.ceil(btf.sizeOf(id) / 8) * 8
  }
}

function argumentAt(v: Verifier, target: Target, off: number, size: number): ContextValue | null {
  const { btf, proto, name, isTracepoint } = target
  const index = argumentIndex(target, off)
  const skipped = isTracepoint ? 1 : 0
  const count = proto === null ? UNKNOWN_ARGUMENTS : proto.params.length - skipped
  if (index > count) {
    v.verbose(`func '${name}' doesn't have ${index + 1}-th argument\n`)
    return null
  }
  let id: number
  let range: { readonly min: number; readonly max: number } | null = null
  if (index === count) {
    switch (v.input.expectedAttachType) {
      case AT.BPF_LSM_MAC:
        range = v.input.type === PT.BPF_PROG_TYPE_LSM ? lsmReturnRange(v) : null
        break
      case AT.BPF_LSM_CGROUP:
      case AT.BPF_TRACE_FEXIT:
        break
      case AT.BPF_MODIFY_RETURN:
        if (proto === null) return null
        if (btf.resolve(proto.returnType).kind !== "int") {
          v.verbose(
            `ret type ${kindName(btf.resolve(proto.returnType))} not allowed for fmod_ret\n`,
          )
          return null
        }
        break
      default:
        v.verbose(`func '${name}' doesn't have ${index + 1}-th argument\n`)
        return null
    }
    if (proto === null) return SCALAR
    id = proto.returnType
  } else {
    if (proto === null) return SCALAR
    id = proto.params[index + skipped].type
  }
  return valueOfType(v, target, { index, off, size, id, range })
}

interface Argument {
  readonly index: number
  readonly off: number
  readonly size: number
  readonly id: number
  readonly range: { readonly min: number; readonly max: number } | null
}

function valueOfType(v: Verifier, target: Target, argument: Argument): ContextValue | null {
  const { btf, name } = target
  const { index, off, size } = argument
  const type = btf.resolve(argument.id)
  switch (type.kind) {
    case "int":
    case "enum":
    case "enum64":
    case "struct":
    case "union":
      return argument.range === null
        ? SCALAR
        : { ...SCALAR, min: argument.range.min, max: argument.range.max }
    case "ptr":
      break
    default:
      v.verbose(
        `func '${name}' arg${index} '${type.name || "(anon)"}' has type ${kindName(type)}. Only pointer access is allowed\n`,
      )
      return null
  }
  if (size !== 8) {
    v.verbose(`func '${name}' size ${size} must be 8\n`)
    return null
  }
  const rule = argumentRules(v).find((candidate) => candidate.offset === off)
  if (rule?.kind === "buffer") return { ...SCALAR, type: rule.type }
  const pointee = btf.resolve(type.type)
  if (pointee.kind === "void" || pointee.kind === "int") return SCALAR
  if (rule !== undefined) return fromRule(v, rule)
  return pointerTo(v, target, argument, type.type)
}

function fromRule(v: Verifier, rule: ArgumentRule): ContextValue {
  const { type, refObjId } = rule
  return { ...SCALAR, type, a: rule.typeId, b: btfIndex(v, rule.btf), refObjId }
}

/** Linux: prog_args_trusted. */
function argumentsTrusted(v: Verifier, name: string): boolean {
  const { type, expectedAttachType } = v.input
  switch (type) {
    case PT.BPF_PROG_TYPE_TRACING:
      return expectedAttachType === AT.BPF_TRACE_RAW_TP || expectedAttachType === AT.BPF_TRACE_ITER
    case PT.BPF_PROG_TYPE_LSM:
      return !UNTRUSTED_HOOKS.has(name)
    default:
      return type === PT.BPF_PROG_TYPE_STRUCT_OPS
  }
}

function pointerTo(
  v: Verifier,
  target: Target,
  { index }: Argument,
  declared: number,
): ContextValue | null {
  const { btf, proto, name, isTracepoint } = target
  let flags = argumentsTrusted(v, name) ? PTR_TRUSTED : 0
  const param = proto?.params[index + (isTracepoint ? 1 : 0)]
  if (param?.name.endsWith("__nullable")) flags |= PTR_MAYBE_NULL
  let mayBeError = false
  if (isTracepoint) {
    const known = tracepointArgument(name, index, btf.base !== null)
    if (known.nullable) flags |= PTR_MAYBE_NULL
    mayBeError = known.error
  }
  flags |= tagFlags(btf, declared) & (MEM_USER | MEM_PERCPU)
  let id = btf.skipModifiers(declared)
  const type = btf.type(id)
  if (type.kind !== "struct" && type.kind !== "union") {
    v.verbose(`func '${name}' arg${index} type ${kindName(type)} is not a struct\n`)
    return null
  }
  v.verbose(
    `func '${name}' arg${index} has btf_id ${id} type ${kindName(type)} '${type.name || "(anon)"}'\n`,
  )
  if (mayBeError) {
    v.verbose(`marking pointer arg${index} as scalar as it may encode error`)
    return { ...SCALAR, type: SCALAR_VALUE }
  }
  id = promoted(v, btf, id, type, flags)
  return { ...SCALAR, type: PTR_TO_BTF_ID | flags, a: id, b: btfIndex(v, btf) }
}

/** Congestion control gets TCP sockets only, whatever its prototypes say. */
function promoted(v: Verifier, btf: Btf, id: number, type: BtfType, flags: number): number {
  const { type: programType, target } = v.input
  if (programType !== PT.BPF_PROG_TYPE_STRUCT_OPS || type.name !== "sock") return id
  if (flags & ~PTR_TRUSTED) return id
  if (target?.btf.resolve(target.btfId).name !== "tcp_congestion_ops") return id
  return btf.findByName("tcp_sock", "struct") ?? id
}

/** `STRUCT`, `FUNC_PROTO`: a kind in messages. */
export function kindName(type: BtfType): string {
  return type.kind === "void" ? "UNKNOWN" : type.kind.toUpperCase()
}
