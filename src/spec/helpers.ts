/**
 * The helper functions of Linux: ids, C prototypes and what the verifier demands of a call.
 * Which program may call which is in `helper-availability.ts`.
 *
 * Source: linux v6.18 include/uapi/linux/bpf.h, and see `helper-signatures.ts`.
 */

import { HELPER_NAMES, type HelperName } from "./helper-names.ts"
import { HELPER_PROTOTYPES } from "./helper-prototypes.ts"
import {
  type ArgumentKind,
  HELPER_SIGNATURES,
  type ReturnKind,
  type SignatureText,
} from "./helper-signatures.ts"
import { BPF_ATTACH_TYPE as AT, BPF_PROG_TYPE as PT } from "./program-types.ts"

/** One argument of a helper, as the verifier checks it. */
export interface HelperArgument {
  readonly kind: ArgumentKind
  /** NULL is allowed (PTR_MAYBE_NULL). */
  readonly nullable: boolean
  /** Memory may be uninitialised before the call (MEM_UNINIT). */
  readonly uninit: boolean
  /** The helper writes it (MEM_WRITE); read-only memory is refused. */
  readonly write: boolean
  /** The helper only reads it (MEM_RDONLY). */
  readonly readonly: boolean
  /** Memory must be aligned to its size (MEM_ALIGNED). */
  readonly aligned: boolean
  /** The reference passed here is given up (OBJ_RELEASE). */
  readonly release: boolean
  /** Bytes, for `fixed`; 0 otherwise. */
  readonly sizeBytes: number
  /** Kernel type, for `btf`; `null` for none or for any of the map's. */
  readonly btf: string | null
  /** Kind of dynptr, where only one will do. */
  readonly dynptr: "local" | "ringbuf" | null
}

/** The result of a helper. */
export interface HelperResult {
  readonly kind: ReturnKind
  /** May be NULL: must be tested before use. */
  readonly nullable: boolean
  readonly readonly: boolean
  /** Pointer to trusted kernel memory (PTR_TRUSTED). */
  readonly trusted: boolean
  /** Memory of a ring buffer record (MEM_RINGBUF). */
  readonly ringbuf: boolean
  readonly btf: string | null
}

export interface Helper {
  /** The immediate of the call instruction. */
  readonly id: number
  /** Without `bpf_`: "map_lookup_elem". */
  readonly name: HelperName
  /** `void *(void *map, const void *key)` */
  readonly prototype: string
  readonly result: HelperResult
  readonly parameters: readonly HelperArgument[]
  /** Refused to programs whose license is not GPL compatible. */
  readonly gplOnly: boolean
  /** Packet pointers are accepted for memory and key arguments. */
  readonly packetAccess: boolean
  /** Refused to programs that are not sleepable, and inside critical sections. */
  readonly mightSleep: boolean
  /** Registers R1-R5 survive the call where the compiler relied on it. */
  readonly fastcall: boolean
  /** After the call no packet pointer is valid. */
  readonly movesPacket: boolean
  /** The result is a reference that must be released. */
  readonly acquires: boolean
}

function split(text: string): { kind: string; inner: string | null; modifiers: Set<string> } {
  const match = /^(\w+)(?:\((\w+)\))?((?:\.\w+)*)$/.exec(text)
  if (match === null) throw new RangeError(`'${text}' is not an argument of a helper`)
  return {
    kind: match[1],
    inner: match[2] ?? null,
    modifiers: new Set(match[3].split(".").filter((modifier) => modifier !== "")),
  }
}

/** Signatures repeat a few dozen words: each is read once. */
const argumentsByText = new Map<string, HelperArgument>()
const resultsByText = new Map<string, HelperResult>()

function argument(text: string): HelperArgument {
  let known = argumentsByText.get(text)
  if (known === undefined) argumentsByText.set(text, (known = readArgument(text)))
  return known
}

function outcome(text: string): HelperResult {
  let known = resultsByText.get(text)
  if (known === undefined) resultsByText.set(text, (known = readResult(text)))
  return known
}

function readArgument(text: string): HelperArgument {
  const { kind, inner, modifiers } = split(text)
  const out = modifiers.has("out")
  return {
    kind: kind as ArgumentKind,
    nullable: modifiers.has("null"),
    uninit: out,
    write: out || modifiers.has("inout"),
    readonly: modifiers.has("in"),
    aligned: modifiers.has("aligned"),
    release: modifiers.has("release"),
    sizeBytes: kind === "fixed" ? Number(inner) : 0,
    btf: kind === "btf" ? inner : null,
    dynptr: modifiers.has("local") ? "local" : modifiers.has("ringbuf") ? "ringbuf" : null,
  }
}

function readResult(text: string): HelperResult {
  const { kind, inner, modifiers } = split(text)
  return {
    kind: kind as ReturnKind,
    nullable: modifiers.has("null"),
    readonly: modifiers.has("readonly"),
    trusted: modifiers.has("trusted"),
    ringbuf: modifiers.has("ringbuf"),
    btf: inner,
  }
}

function parse(id: number, name: HelperName, prototype: string, text: SignatureText): Helper {
  const flags = text.flags.split(" ")
  return {
    id,
    name,
    prototype,
    result: outcome(text.result),
    parameters: text.parameters === "" ? [] : text.parameters.split(", ").map(argument),
    gplOnly: flags.includes("gpl"),
    packetAccess: flags.includes("packet"),
    mightSleep: flags.includes("sleep"),
    fastcall: flags.includes("fastcall"),
    movesPacket: flags.includes("moves"),
    acquires: flags.includes("acquires"),
  }
}

const none: SignatureText = { result: "int", parameters: "", flags: "" }

/** Every helper; index is the id. Entry 0 (`unspec`) is no helper. */
export const HELPERS: readonly Helper[] = HELPER_NAMES.map((name, id) =>
  name === "unspec"
    ? parse(id, name, "", none)
    : parse(id, name, HELPER_PROTOTYPES[name], HELPER_SIGNATURES[name]),
)

const byName = new Map<string, Helper>(HELPERS.slice(1).map((helper) => [helper.name, helper]))

/** A helper by its name, with or without `bpf_`; `undefined` for a name of none. */
export function helperByName(name: string): Helper | undefined {
  return byName.get(name.startsWith("bpf_") ? name.slice(4) : name)
}

/** A program type whose helper differs from the table's main line; attach types narrow it. */
interface Variant {
  readonly types: readonly number[]
  readonly attachTypes?: readonly number[]
  readonly result?: string
  readonly parameters?: string
  readonly flags?: string
}

const tracing = [PT.BPF_PROG_TYPE_TRACING, PT.BPF_PROG_TYPE_LSM, PT.BPF_PROG_TYPE_SYSCALL]
const multiProbes = [
  AT.BPF_TRACE_KPROBE_MULTI,
  AT.BPF_TRACE_KPROBE_SESSION,
  AT.BPF_TRACE_UPROBE_MULTI,
  AT.BPF_TRACE_UPROBE_SESSION,
]
const classified = [
  PT.BPF_PROG_TYPE_SCHED_CLS,
  PT.BPF_PROG_TYPE_SCHED_ACT,
  PT.BPF_PROG_TYPE_LWT_IN,
  PT.BPF_PROG_TYPE_LWT_OUT,
  PT.BPF_PROG_TYPE_LWT_XMIT,
  PT.BPF_PROG_TYPE_LWT_SEG6LOCAL,
]
const socketPointers = [
  PT.BPF_PROG_TYPE_TRACING,
  PT.BPF_PROG_TYPE_LSM,
  PT.BPF_PROG_TYPE_CGROUP_SOCKOPT,
  PT.BPF_PROG_TYPE_STRUCT_OPS,
]
const notLookups = [PT.BPF_PROG_TYPE_CGROUP_SOCK_ADDR]
const everyType = Object.values(PT)

const variants: Readonly<Partial<Record<HelperName, readonly Variant[]>>> = {
  get_cgroup_classid: [
    {
      types: everyType.filter((type) => !classified.some((known) => known === type)),
      parameters: "",
    },
  ],
  get_socket_cookie: [
    { types: [...tracing, PT.BPF_PROG_TYPE_SK_REUSEPORT], parameters: "btf_sock.null" },
  ],
  setsockopt: [{ types: socketPointers, parameters: "btf_sock, any, any, mem.in, size" }],
  getsockopt: [{ types: socketPointers, parameters: "btf_sock, any, any, mem.out, size" }],
  sk_storage_get: [
    { types: [PT.BPF_PROG_TYPE_CGROUP_SOCK], parameters: "map, ctx, value.null, any" },
    {
      types: [PT.BPF_PROG_TYPE_TRACING],
      parameters: "map, btf(sock_common).null, value.null, any",
    },
  ],
  sk_storage_delete: [
    { types: [PT.BPF_PROG_TYPE_TRACING], parameters: "map, btf(sock_common).null" },
  ],
  xdp_get_buff_len: [{ types: tracing, parameters: "btf(xdp_buff)" }],
  sk_assign: [{ types: [PT.BPF_PROG_TYPE_SK_LOOKUP], parameters: "ctx, socket.null, any" }],
  sk_lookup_tcp: [{ types: notLookups, flags: "acquires" }],
  sk_lookup_udp: [{ types: notLookups, flags: "acquires" }],
  skc_lookup_tcp: [{ types: notLookups, flags: "acquires" }],
  get_func_ip: [{ types: [PT.BPF_PROG_TYPE_KPROBE], attachTypes: multiProbes, flags: "" }],
  get_stackid: [{ types: [PT.BPF_PROG_TYPE_PERF_EVENT], flags: "" }],
}

const made = new Map<Variant, Helper>()

/**
 * A helper as programs of one type see it: a few take other arguments, or lose a restriction,
 * depending on the program's type (and expected attach type). Says nothing of whether that type
 * may call it. `undefined` for an id of no helper.
 */
export function helperFor(id: number, programType: number, attachType = 0): Helper | undefined {
  const helper = id > 0 ? HELPERS[id] : undefined
  if (helper === undefined || helper.name === "unspec") return undefined
  const variant = variants[helper.name]?.find(
    ({ types, attachTypes }) =>
      types.includes(programType) && (attachTypes?.includes(attachType) ?? true),
  )
  if (variant === undefined) return helper
  let known = made.get(variant)
  if (known === undefined) {
    const text = { ...HELPER_SIGNATURES[helper.name], ...variant }
    known = parse(id, helper.name, helper.prototype, text)
    made.set(variant, known)
  }
  return known
}
