/**
 * Helpers as one program sees them: which it may call, and what is demanded of each argument, with
 * the register types that will do. Made once a program and helper.
 *
 * Source: linux v6.18 kernel/bpf/verifier.c compatible_reg_types, is_callback_calling_function.
 */

import {
  BASE_HELPERS,
  type HelperRefusal,
  helperRefusal,
} from "../../../spec/helper-availability.ts"
import { HELPER_NAMES, type HelperName } from "../../../spec/helper-names.ts"
import type { ArgumentKind } from "../../../spec/helper-signatures.ts"
import { type Helper, type HelperArgument, helperFor } from "../../../spec/helpers.ts"
import { BPF_PROG_TYPE } from "../../../spec/program-types.ts"
import type { VerifierInput } from "../../input.ts"
import { registerTypeName } from "../../log/type-names.ts"
import {
  CONST_PTR_TO_DYNPTR,
  CONST_PTR_TO_MAP,
  MEM_ALLOC,
  MEM_PERCPU,
  MEM_RCU,
  MEM_RINGBUF,
  PTR_TO_BTF_ID,
  PTR_TO_BUF,
  PTR_TO_CTX,
  PTR_TO_FUNC,
  PTR_TO_MAP_KEY,
  PTR_TO_MAP_VALUE,
  PTR_TO_MEM,
  PTR_TO_PACKET,
  PTR_TO_PACKET_META,
  PTR_TO_SOCK_COMMON,
  PTR_TO_SOCKET,
  PTR_TO_STACK,
  PTR_TO_TCP_SOCK,
  PTR_TO_XDP_SOCK,
  PTR_TRUSTED,
  SCALAR_VALUE,
} from "../../state/register-types.ts"

/** Register types that an argument accepts, and how a refusal lists them. */
export interface Compatible {
  readonly types: readonly number[]
  /** `fp, pkt, map_value` */
  readonly text: string
  /** Memory, for which trusted BTF pointers will do when it is only read. */
  readonly memory: boolean
}

function compatible(types: readonly number[], memory = false): Compatible {
  return { types, text: types.map(registerTypeName).join(", "), memory }
}

const memory = compatible(
  [
    PTR_TO_STACK,
    PTR_TO_PACKET,
    PTR_TO_PACKET_META,
    PTR_TO_MAP_KEY,
    PTR_TO_MAP_VALUE,
    PTR_TO_MEM,
    PTR_TO_MEM | MEM_RINGBUF,
    PTR_TO_BUF,
    PTR_TO_BTF_ID | PTR_TRUSTED,
  ],
  true,
)
const scalar = compatible([SCALAR_VALUE])
const mapValue = compatible([PTR_TO_MAP_VALUE])
const sockets = [PTR_TO_SOCK_COMMON, PTR_TO_SOCKET, PTR_TO_TCP_SOCK, PTR_TO_XDP_SOCK]
const percpu = PTR_TO_BTF_ID | MEM_PERCPU
const allocated = PTR_TO_BTF_ID | MEM_ALLOC

/** BTF pointers of the types that a call accepts by their id. */
export const BTF_POINTERS: Compatible = compatible([
  PTR_TO_BTF_ID,
  PTR_TO_BTF_ID | PTR_TRUSTED,
  PTR_TO_BTF_ID | MEM_RCU,
])

const byKind: Readonly<Record<ArgumentKind, Compatible>> = {
  map: compatible([CONST_PTR_TO_MAP]),
  key: memory,
  value: memory,
  mem: memory,
  fixed: memory,
  size: scalar,
  size0: scalar,
  alloc_size0: scalar,
  ctx: compatible([PTR_TO_CTX]),
  any: compatible([]),
  spin_lock: compatible([PTR_TO_MAP_VALUE, allocated]),
  sock_common: compatible(sockets),
  socket: compatible([PTR_TO_SOCKET]),
  btf: BTF_POINTERS,
  ringbuf_mem: compatible([PTR_TO_MEM | MEM_RINGBUF]),
  btf_sock: compatible([...sockets, PTR_TO_BTF_ID, PTR_TO_BTF_ID | PTR_TRUSTED]),
  percpu: compatible([percpu, percpu | MEM_RCU, percpu | PTR_TRUSTED]),
  func: compatible([PTR_TO_FUNC]),
  stack: compatible([PTR_TO_STACK]),
  str: mapValue,
  timer: mapValue,
  kptr: compatible([PTR_TO_MAP_VALUE, allocated]),
  dynptr: compatible([PTR_TO_STACK, CONST_PTR_TO_DYNPTR]),
}

export interface ArgumentRule extends HelperArgument {
  readonly compatible: Compatible
}

function argumentRule(argument: HelperArgument): ArgumentRule {
  const btf = argument.kind === "btf_sock" ? "sock_common" : argument.btf
  return { ...argument, btf, compatible: byKind[argument.kind] }
}

/** What `value` means for sock maps: a socket. */
export const SOCKET_VALUE: ArgumentRule = argumentRule({
  kind: "btf_sock",
  nullable: false,
  uninit: false,
  write: false,
  readonly: false,
  aligned: false,
  release: false,
  sizeBytes: 0,
  btf: null,
  dynptr: null,
})

export interface HelperRule {
  readonly helper: Helper
  readonly name: HelperName
  /** `bpf_map_lookup_elem#1`, as messages call it. */
  readonly label: string
  readonly arguments: readonly ArgumentRule[]
  /** Why the program may not call it; null if it may. */
  readonly refusal: HelperRefusal | null
}

const syncCallbacks = ["for_each_map_elem", "find_vma", "loop", "user_ringbuf_drain"]

/** Runs a function of the program before it returns. */
export function callsBack(name: HelperName): boolean {
  return syncCallbacks.includes(name)
}

/** What needs neither CAP_BPF nor CAP_PERFMON. */
const unprivileged = new Set<HelperName>(
  `map_lookup_elem map_update_elem map_delete_elem map_push_elem map_pop_elem map_peek_elem
  map_lookup_percpu_elem get_prandom_u32 get_smp_processor_id get_numa_node_id tail_call
  ktime_get_ns ktime_get_boot_ns ringbuf_output ringbuf_reserve ringbuf_submit ringbuf_discard
  ringbuf_query strncmp strtol strtoul get_current_pid_tgid get_ns_current_pid_tgid
  get_current_uid_gid`.split(/\s+/) as HelperName[],
)
const needPerfmon = new Set<HelperName>(
  `trace_printk trace_vprintk get_current_task get_current_task_btf probe_read_user
  probe_read_kernel probe_read_user_str probe_read_kernel_str snprintf_btf snprintf task_pt_regs
  perf_event_read perf_event_read_value find_vma copy_from_user copy_from_user_task
  get_task_stack get_branch_snapshot send_signal send_signal_thread`.split(/\s+/) as HelperName[],
)
const base = new Set(BASE_HELPERS)

function isPrivileged(input: VerifierInput, name: HelperName): boolean {
  const { privileges } = input
  if (privileges === undefined || !base.has(name)) return true
  if (!privileges.bpf) return unprivileged.has(name)
  return privileges.perfmon || !needPerfmon.has(name)
}

/** The target as the table of availability names it: hook, iterator, `struct.member`. */
function targetName(input: VerifierInput): string | undefined {
  const { target, type, expectedAttachType } = input
  if (target === null) return undefined
  if (type !== BPF_PROG_TYPE.BPF_PROG_TYPE_STRUCT_OPS)
    return target.name.replace(/^bpf_(lsm|iter)_/, "")
  const struct = target.btf.resolve(target.btfId)
  if (struct.kind !== "struct") return target.name
  return `${struct.name}.${struct.members[expectedAttachType]?.name ?? ""}`
}

function makeRule(input: VerifierInput, id: number): HelperRule | null {
  const attachType = input.expectedAttachType
  const helper = helperFor(id, input.type, attachType)
  if (helper === undefined) return null
  const caller = { type: input.type, attachType, target: targetName(input) }
  const present = isPrivileged(input, helper.name) && (input.implemented?.({ helper: id }) ?? true)
  return {
    helper,
    name: helper.name,
    label: `bpf_${helper.name}#${id}`,
    arguments: helper.parameters.map(argumentRule),
    refusal: present ? helperRefusal(id, caller) : "absent",
  }
}

const tables = new WeakMap<VerifierInput, (HelperRule | null | undefined)[]>()

/** The rule of helper `id` for a program; null for an id of no helper. */
export function helperRule(input: VerifierInput, id: number): HelperRule | null {
  let table = tables.get(input)
  if (table === undefined) {
    table = []
    tables.set(input, table)
  }
  let rule = table[id]
  if (rule === undefined) {
    rule = makeRule(input, id)
    table[id] = rule
  }
  return rule
}

/** One more than the largest id of a helper: __BPF_FUNC_MAX_ID. */
export const HELPER_ID_END: number = HELPER_NAMES.length

/** `bpf_map_lookup_elem#1`; `unknown#999` for an id of none. */
export function helperLabel(id: number): string {
  const name = HELPER_NAMES[id]
  return name === undefined ? `unknown#${id}` : `bpf_${name}#${id}`
}
