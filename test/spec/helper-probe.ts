/**
 * Asks the running kernel about its helpers. Two ways: a trial load of a program that only makes
 * the call, whose log says whether the program type has the helper and what it wants in R1; and
 * the kernel's own `bpf_func_proto` structures, found in its memory by the address of the helper's
 * function and read by a syscall program (CONFIG_KALLSYMS and no confidentiality lockdown).
 */

import { existsSync, readFileSync } from "node:fs"
import { type Btf, readBtf } from "../../src/btf/index.ts"
import {
  BPF_ATTACH_TYPE as AT,
  HELPER_NAMES,
  type HelperCaller,
  BPF_PROG_TYPE as PT,
} from "../../src/spec/index.ts"
import { close } from "../support/linux.ts"
import { createMap, insn, load64, mapElement, runSyscallProgram, tryLoad } from "./trial.ts"

const EXIT = insn(0x95)
const vmlinuxPath = "/sys/kernel/btf/vmlinux"
let vmlinux: Btf | undefined

/** The running kernel's BTF; `null` where it is not exposed. */
export function kernelBtf(): Btf | null {
  if (!existsSync(vmlinuxPath)) return null
  return (vmlinux ??= readBtf(readFileSync(vmlinuxPath), { section: vmlinuxPath }))
}

export interface Scenario extends HelperCaller {
  readonly name: string
  readonly attachType: number
  readonly flags?: number
  readonly btfId?: number
}

function scenario(name: string, type: number, attachType = 0, flags = 0): Scenario {
  return { name, type, attachType, flags }
}

function typed(name: string, btf: Btf, attachType: number, id: string, target: string): Scenario {
  const btfId = btf.findByName(id, attachType === AT.BPF_TRACE_RAW_TP ? "typedef" : "func")
  return { name, type: PT.BPF_PROG_TYPE_TRACING, attachType, btfId, target }
}

/** struct_ops programs of the congestion control algorithm; the attach type is the member. */
function congestionControl(btf: Btf): Scenario[] {
  const id = btf.findByName("tcp_congestion_ops", "struct")
  if (id === undefined) return []
  const members = btf.typeOf(id, "struct").members
  return ["ssthresh", "init", "release"].map((member) => ({
    name: `struct_ops ${member}`,
    type: PT.BPF_PROG_TYPE_STRUCT_OPS,
    attachType: members.findIndex(({ name }) => name === member),
    btfId: id,
    target: `tcp_congestion_ops.${member}`,
  }))
}

/** Every program type and attach type that can decide about helpers and loads without a target. */
export function scenarios(): Scenario[] {
  const plain = [
    scenario("socket_filter", PT.BPF_PROG_TYPE_SOCKET_FILTER),
    scenario("kprobe", PT.BPF_PROG_TYPE_KPROBE),
    scenario("kprobe_multi", PT.BPF_PROG_TYPE_KPROBE, AT.BPF_TRACE_KPROBE_MULTI),
    scenario("kprobe_session", PT.BPF_PROG_TYPE_KPROBE, AT.BPF_TRACE_KPROBE_SESSION),
    scenario("uprobe_multi", PT.BPF_PROG_TYPE_KPROBE, AT.BPF_TRACE_UPROBE_MULTI),
    scenario("uprobe.s", PT.BPF_PROG_TYPE_KPROBE, 0, 0x10),
    scenario("sched_cls", PT.BPF_PROG_TYPE_SCHED_CLS),
    scenario("sched_act", PT.BPF_PROG_TYPE_SCHED_ACT),
    scenario("tracepoint", PT.BPF_PROG_TYPE_TRACEPOINT),
    scenario("xdp", PT.BPF_PROG_TYPE_XDP),
    scenario("perf_event", PT.BPF_PROG_TYPE_PERF_EVENT),
    scenario("cgroup_skb", PT.BPF_PROG_TYPE_CGROUP_SKB, AT.BPF_CGROUP_INET_EGRESS),
    scenario("lwt_in", PT.BPF_PROG_TYPE_LWT_IN),
    scenario("lwt_out", PT.BPF_PROG_TYPE_LWT_OUT),
    scenario("lwt_xmit", PT.BPF_PROG_TYPE_LWT_XMIT),
    scenario("lwt_seg6local", PT.BPF_PROG_TYPE_LWT_SEG6LOCAL),
    scenario("sock_ops", PT.BPF_PROG_TYPE_SOCK_OPS, AT.BPF_CGROUP_SOCK_OPS),
    scenario("sk_skb parser", PT.BPF_PROG_TYPE_SK_SKB, AT.BPF_SK_SKB_STREAM_PARSER),
    scenario("sk_skb verdict", PT.BPF_PROG_TYPE_SK_SKB, AT.BPF_SK_SKB_VERDICT),
    scenario("cgroup_device", PT.BPF_PROG_TYPE_CGROUP_DEVICE, AT.BPF_CGROUP_DEVICE),
    scenario("sk_msg", PT.BPF_PROG_TYPE_SK_MSG, AT.BPF_SK_MSG_VERDICT),
    scenario("raw_tracepoint", PT.BPF_PROG_TYPE_RAW_TRACEPOINT),
    scenario("raw_tracepoint_writable", PT.BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE),
    scenario("lirc_mode2", PT.BPF_PROG_TYPE_LIRC_MODE2, AT.BPF_LIRC_MODE2),
    scenario("sk_reuseport", PT.BPF_PROG_TYPE_SK_REUSEPORT, AT.BPF_SK_REUSEPORT_SELECT),
    scenario("flow_dissector", PT.BPF_PROG_TYPE_FLOW_DISSECTOR, AT.BPF_FLOW_DISSECTOR),
    scenario("cgroup_sysctl", PT.BPF_PROG_TYPE_CGROUP_SYSCTL, AT.BPF_CGROUP_SYSCTL),
    scenario("getsockopt", PT.BPF_PROG_TYPE_CGROUP_SOCKOPT, AT.BPF_CGROUP_GETSOCKOPT),
    scenario("setsockopt", PT.BPF_PROG_TYPE_CGROUP_SOCKOPT, AT.BPF_CGROUP_SETSOCKOPT),
    scenario("sk_lookup", PT.BPF_PROG_TYPE_SK_LOOKUP, AT.BPF_SK_LOOKUP),
    scenario("syscall", PT.BPF_PROG_TYPE_SYSCALL, 0, 0x10),
    scenario("netfilter", PT.BPF_PROG_TYPE_NETFILTER, AT.BPF_NETFILTER),
  ]
  const sockets = Object.entries(AT)
    .filter(([name]) => /SOCK_CREATE|SOCK_RELEASE|POST_BIND/.test(name))
    .map(([name, attachType]) => scenario(name, PT.BPF_PROG_TYPE_CGROUP_SOCK, attachType))
  const addresses = Object.entries(AT)
    .filter(([name]) => /[46X]_(BIND|CONNECT|SENDMSG|RECVMSG|GETPEERNAME|GETSOCKNAME)$/.test(name))
    .map(([name, attachType]) => scenario(name, PT.BPF_PROG_TYPE_CGROUP_SOCK_ADDR, attachType))
  const btf = kernelBtf()
  const targeted =
    btf === null
      ? []
      : [
          typed("tp_btf", btf, AT.BPF_TRACE_RAW_TP, "btf_trace_sys_enter", "sys_enter"),
          typed("iter task", btf, AT.BPF_TRACE_ITER, "bpf_iter_task", "task"),
          typed("iter tcp", btf, AT.BPF_TRACE_ITER, "bpf_iter_tcp", "tcp"),
          typed("fentry", btf, AT.BPF_TRACE_FENTRY, "bpf_fentry_test1", "bpf_fentry_test1"),
          ...congestionControl(btf),
        ]
  return [...plain, ...sockets, ...addresses, ...targeted].filter(
    ({ name, flags }) => flags !== 0x10 || name === "syscall" || name === "uprobe.s",
  )
}

function load(scenario: Scenario, code: readonly Uint8Array[], license = "GPL"): string | null {
  const { result, log } = tryLoad({ ...scenario, instructions: code, license })
  return result >= 0 ? null : log
}

/** Whether the kernel loads an empty program of this kind at all (config, lockdown). */
export function loads(scenario: Scenario): boolean {
  return [0, 1].some((value) => load(scenario, [insn(0xb7, 0, 0, 0, value), EXIT]) === null)
}

/**
 * What a bare call says: `"absent"` if the type has no such helper, `"refused"` if it has but not
 * in this place, otherwise the complaint about an argument, or `null` if the call is fine.
 * R1 is the context, or the number 0 when `scalar`; other registers are unset.
 */
export function callVerdict(
  scenario: Scenario,
  id: number,
  options: { readonly scalar?: boolean; readonly license?: string } = {},
): string | null {
  const first = options.scalar === true ? [insn(0xb7, 1, 0, 0, 0)] : []
  const code = [...first, insn(0x85, 0, 0, 0, id), insn(0xb7, 0, 0, 0, 1), EXIT]
  const log = load(scenario, code, options.license)
  if (log === null) return null
  if (/program of this type cannot use helper/.test(log)) return "absent"
  if (/not allowed in probe|supported only for|not supported for program type/.test(log))
    return "refused"
  if (/might sleep/.test(log)) return "sleeps"
  const line = log.split("\n").find((text) => /^R\d /.test(text) || /GPL-restricted/.test(text))
  return line ?? null
}

/** `struct bpf_func_proto` as it lies in the kernel. */
export interface KernelSignature {
  readonly function: string
  readonly gplOnly: boolean
  readonly packetAccess: boolean
  readonly mightSleep: boolean
  readonly fastcall: boolean
  readonly result: number
  readonly parameters: readonly number[]
  /** The size words of fixed-size memory arguments. */
  readonly sizes: readonly number[]
}

const CHUNK = 1 << 16

/** Reads kernel memory in chunks of 64 KiB; a chunk with an unreadable byte is `null`. */
class KernelMemory {
  private readonly map: number
  private readonly program: number
  private readonly chunks = new Map<bigint, DataView | null>()

  constructor() {
    this.map = createMap({ type: 2, keySize: 4, valueSize: CHUNK, maxEntries: 1 })
    const code = [
      insn(0xbf, 6, 1),
      insn(0x62, 10, 0, -4, 0),
      ...load64(1, 1, this.map),
      insn(0xbf, 2, 10),
      insn(0x07, 2, 0, 0, -4),
      insn(0x85, 0, 0, 0, 1),
      insn(0x55, 0, 0, 2),
      insn(0xb7, 0, 0, 0, 1),
      EXIT,
      insn(0xbf, 1, 0),
      insn(0xb7, 2, 0, 0, CHUNK),
      insn(0x79, 3, 6, 0),
      insn(0x85, 0, 0, 0, 113),
      EXIT,
    ]
    const type = PT.BPF_PROG_TYPE_SYSCALL
    this.program = tryLoad({ type, flags: 0x10, instructions: code }, true).result
  }

  close(): void {
    close(this.program)
    close(this.map)
  }

  chunk(start: bigint): DataView | null {
    const known = this.chunks.get(start)
    if (known !== undefined) return known
    const context = new Uint8Array(8)
    new DataView(context.buffer).setBigUint64(0, start, true)
    const value = new Uint8Array(CHUNK)
    const read = this.program >= 0 && runSyscallProgram(this.program, context) === 0
    const bytes = read && mapElement(1, this.map, new Uint8Array(4), value) === 0
    const view = bytes ? new DataView(value.buffer) : null
    this.chunks.set(start, view)
    return view
  }

  u32(address: bigint): number {
    const offset = Number(address & BigInt(CHUNK - 1))
    return this.chunk(address - BigInt(offset))?.getUint32(offset, true) ?? 0xffff_ffff
  }
}

/** Addresses of the kernel's own functions (no modules'), by address. */
function kernelFunctions(): Map<bigint, string[]> {
  const functions = new Map<bigint, string[]>()
  for (const line of readFileSync("/proc/kallsyms", "utf8").split("\n")) {
    const [address, kind, name] = line.split(" ")
    if (name === undefined || name.includes("[") || !/^[tTwW]$/.test(kind)) continue
    const at = BigInt(`0x${address}`)
    if (at === 0n) continue
    functions.set(at, [...(functions.get(at) ?? []), name])
  }
  return functions
}

const ARGUMENT_KIND_MAX = 24
const RETURN_KIND_MAX = 9

function signatureAt(memory: KernelMemory, at: bigint, name: string): KernelSignature | null {
  const flags = memory.u32(at + 8n)
  const result = memory.u32(at + 12n)
  const parameters = [16n, 20n, 24n, 28n, 32n].map((offset) => memory.u32(at + offset))
  const plausible =
    (flags & ~0x0101_0101) === 0 &&
    (result & 0xff) < RETURN_KIND_MAX &&
    parameters.every((kind) => (kind & 0xff) < ARGUMENT_KIND_MAX && kind <= 0x0fff_ffff)
  if (!plausible) return null
  return {
    function: name,
    gplOnly: (flags & 1) !== 0,
    packetAccess: (flags & 0x100) !== 0,
    mightSleep: (flags & 0x1_0000) !== 0,
    fastcall: (flags & 0x100_0000) !== 0,
    result,
    parameters,
    sizes: [40n, 48n, 56n, 64n, 72n].map((offset) => memory.u32(at + offset)),
  }
}

/**
 * The `bpf_func_proto` structures of functions with certain names; empty where kernel memory or
 * symbols cannot be read. Read-only data follows the code, so the search starts at its end.
 */
export function kernelSignatures(wanted: ReadonlySet<string>): KernelSignature[] {
  if (!existsSync("/proc/kallsyms")) return []
  const functions = kernelFunctions()
  const end = [...functions].find(([, names]) => names.includes("_etext"))?.[0]
  if (end === undefined) return []
  const memory = new KernelMemory()
  const found: KernelSignature[] = []
  const start = (end >> 16n) << 16n
  for (let at = start; at < start + 24n * 1024n * 1024n; at += BigInt(CHUNK)) {
    const view = memory.chunk(at)
    for (let offset = 0; view !== null && offset < CHUNK; offset += 8) {
      if (view.getUint32(offset + 4, true) < 0x8000_0000) continue
      const names = functions.get(view.getBigUint64(offset, true))
      const name = names?.find((known) => wanted.has(known))
      const signature = name && signatureAt(memory, at + BigInt(offset), name)
      if (signature) found.push(signature)
    }
  }
  memory.close()
  return found
}

/** Words of the kernel's read-only data, from the end of its code; unreadable parts are zero. */
function* readOnlyChunks(memory: KernelMemory): Generator<DataView> {
  const functions = existsSync("/proc/kallsyms") ? kernelFunctions() : new Map<bigint, string[]>()
  const end = [...functions].find(([, names]) => names.includes("_etext"))?.[0]
  if (end === undefined) return
  const start = (end >> 16n) << 16n
  for (let at = start; at < start + 24n * 1024n * 1024n; at += BigInt(CHUNK)) {
    const view = memory.chunk(at)
    if (view !== null) yield view
  }
}

/**
 * The KF_ flags of kfuncs by BTF id, from the kernel's BTF_KFUNCS sets: a count, the number 1, and
 * pairs of id and flags. Sets that span two chunks are missed.
 */
export function kernelKfuncFlags(ids: ReadonlySet<number>): Map<number, number> {
  const memory = new KernelMemory()
  const found = new Map<number, number>()
  for (const view of readOnlyChunks(memory)) {
    const words = new Uint32Array(view.buffer)
    for (let at = 0; at + 4 <= words.length; at++) {
      const count = words[at]
      if (count === 0 || count > 200 || words[at + 1] !== 1) continue
      const pairs = Array.from(words.subarray(at + 2, at + 2 + 2 * count))
      if (pairs.length < 2 * count) continue
      if (!pairs.every((word, index) => (index % 2 === 0 ? ids.has(word) : word <= 0xffff)))
        continue
      for (let index = 0; index < pairs.length; index += 2)
        found.set(pairs[index], pairs[index + 1])
    }
  }
  memory.close()
  return found
}

/** Ids from 1 to the last. */
export const helperIds: readonly number[] = HELPER_NAMES.map((_name, id) => id).slice(1)
