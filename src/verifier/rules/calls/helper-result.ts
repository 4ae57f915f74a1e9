/**
 * What a helper leaves in R0: its type, its bounds, its identity for NULL checks, and the
 * reference that it acquired.
 *
 * Source: linux v6.18 kernel/bpf/verifier.c check_helper_call (second half),
 * do_refine_retval_range, is_acquire_function, is_ptr_cast_function.
 */

import { ERRNO } from "../../../spec/errno.ts"
import type { HelperName } from "../../../spec/helper-names.ts"
import { BPF_MAP_TYPE } from "../../../spec/map-types.ts"
import {
  DEF_NOT_SUBREG,
  MEM_ALLOC,
  MEM_PERCPU,
  MEM_RCU,
  MEM_RDONLY,
  MEM_RINGBUF,
  PTR_MAYBE_NULL,
  PTR_TO_BTF_ID,
  PTR_TO_MAP_VALUE,
  PTR_TO_MEM,
  PTR_TO_SOCK_COMMON,
  PTR_TO_SOCKET,
  PTR_TO_TCP_SOCK,
  PTR_TRUSTED,
} from "../../state/register-types.ts"
import {
  setA,
  setB,
  setId,
  setRefObjId,
  setSubregDef,
  setType,
  typeOf,
} from "../../state/registers.ts"
import { recordOfMap } from "../../types/record.ts"
import { btfIndex } from "../../types/walk.ts"
import type { Verifier } from "../../verifier.ts"
import { indexNeverMisses } from "./arguments.ts"
import type { CallMeta } from "./call-meta.ts"
import type { HelperRule } from "./helper-table.ts"
import { kernelStruct } from "./register-match.ts"

const MAX_ERRNO = 4095

/** The result is the socket that was passed, as another type: it shares its reference. */
const casts = new Set<HelperName>([
  "tcp_sock",
  "sk_fullsock",
  "skc_to_tcp_sock",
  "skc_to_tcp6_sock",
  "skc_to_udp6_sock",
  "skc_to_mptcp_sock",
  "skc_to_tcp_timewait_sock",
  "skc_to_tcp_request_sock",
])

/** At most as many bytes as the buffer has, or an error. */
const returnsLength = new Set<HelperName>([
  "get_stack",
  "get_task_stack",
  "probe_read_str",
  "probe_read_kernel_str",
  "probe_read_user_str",
])

function acquires(v: Verifier, rule: HelperRule, meta: CallMeta): boolean {
  if (rule.helper.acquires) return true
  if (rule.name !== "map_lookup_elem" || meta.mapIndex < 0) return false
  const { type } = v.maps[meta.mapIndex]
  return type === BPF_MAP_TYPE.BPF_MAP_TYPE_SOCKMAP || type === BPF_MAP_TYPE.BPF_MAP_TYPE_SOCKHASH
}

function resultFlags(rule: HelperRule): number {
  const { nullable, readonly, trusted, ringbuf } = rule.helper.result
  return (
    (nullable ? PTR_MAYBE_NULL : 0) |
    (readonly ? MEM_RDONLY : 0) |
    (trusted ? PTR_TRUSTED : 0) |
    (ringbuf ? MEM_RINGBUF : 0)
  )
}

function markMapValue(v: Verifier, r0: number, rule: HelperRule, meta: CallMeta): void {
  const { domain } = v
  const map = v.maps[meta.mapIndex]
  let flags = resultFlags(rule)
  const hits = meta.constantKey >= 0 && meta.constantKey < map.maxEntries
  if (rule.name === "map_lookup_elem" && hits && indexNeverMisses(map.type))
    flags &= ~PTR_MAYBE_NULL
  setType(domain, r0, PTR_TO_MAP_VALUE | flags)
  setA(domain, r0, meta.mapIndex)
  setB(domain, r0, meta.mapUid)
  if (flags & PTR_MAYBE_NULL) return
  const record = recordOfMap(v, meta.mapIndex)
  if (record !== null && (record.spinLockOffset >= 0 || record.resSpinLockOffset >= 0))
    setId(domain, r0, v.newId())
}

function markBtfPointer(v: Verifier, r0: number, rule: HelperRule, meta: CallMeta): void {
  const { domain } = v
  let type = PTR_TO_BTF_ID | resultFlags(rule)
  const kptr = meta.kptr?.kptr
  if (kptr) {
    if (!kptr.kernel) type |= MEM_ALLOC | (meta.kptr?.kind === "kptr_percpu" ? MEM_PERCPU : 0)
    setA(domain, r0, kptr.typeId)
    setB(domain, r0, btfIndex(v, kptr.btf))
  } else {
    setA(domain, r0, kernelStruct(v, rule.helper.result.btf ?? ""))
    setB(domain, r0, 0)
  }
  setType(domain, r0, type)
}

/** per_cpu_ptr() and this_cpu_ptr(): a variable of the kernel, or an object of the program. */
function markPerCpu(
  v: Verifier,
  r0: number,
  flags: number,
  allocated: boolean,
  meta: CallMeta,
): void {
  const { domain } = v
  const btf = v.btfs[meta.returnBtf]
  const type = btf.resolve(meta.returnTypeId)
  if (type.kind !== "struct" && type.kind !== "union") {
    setType(domain, r0, PTR_TO_MEM | flags)
    setA(domain, r0, btf.sizeOf(meta.returnTypeId))
    return
  }
  setType(domain, r0, PTR_TO_BTF_ID | (allocated ? MEM_ALLOC | MEM_RCU : flags & ~MEM_RDONLY))
  setA(domain, r0, meta.returnTypeId)
  setB(domain, r0, meta.returnBtf)
}

function markType(
  v: Verifier,
  r0: number,
  rule: HelperRule,
  allocated: boolean,
  meta: CallMeta,
): void {
  const { domain } = v
  const { kind } = rule.helper.result
  if (kind === "int") {
    domain.markUnknown(r0)
    return
  }
  if (kind === "void") return
  domain.markKnownZero(r0)
  const flags = resultFlags(rule)
  switch (kind) {
    case "map_value":
      markMapValue(v, r0, rule, meta)
      break
    case "socket":
      setType(domain, r0, PTR_TO_SOCKET | flags)
      break
    case "sock_common":
      setType(domain, r0, PTR_TO_SOCK_COMMON | flags)
      break
    case "tcp_sock":
      setType(domain, r0, PTR_TO_TCP_SOCK | flags)
      break
    case "mem":
      setType(domain, r0, PTR_TO_MEM | flags)
      setA(domain, r0, meta.memorySize)
      break
    case "mem_or_btf":
      markPerCpu(v, r0, flags, allocated, meta)
      break
    case "btf":
      markBtfPointer(v, r0, rule, meta)
      break
  }
}

function refine(v: Verifier, r0: number, rule: HelperRule, meta: CallMeta): void {
  const { domain } = v
  if (rule.helper.result.kind !== "int") return
  if (returnsLength.has(rule.name))
    domain.setBounds(r0, -MAX_ERRNO, -1, Number(meta.memory.maxSize), 0)
  else if (rule.name === "get_smp_processor_id")
    domain.setBounds(r0, 0, 0, (v.input.cpuCount ?? 1) - 1, 0)
  else return
  if (domain.boundsInsane(r0) !== 0)
    v.reject(ERRNO.EFAULT, "verifier bug: REG INVARIANTS VIOLATION (retval)")
}

/** Gives R0 the result; `allocated`: the per-CPU argument is an object of the program. */
export function markResult(
  v: Verifier,
  rule: HelperRule,
  allocated: boolean,
  meta: CallMeta,
): void {
  const { domain } = v
  const r0 = v.reg(0)
  markType(v, r0, rule, allocated, meta)
  setSubregDef(domain, r0, DEF_NOT_SUBREG)
  if (rule.helper.result.kind !== "void" && typeOf(domain, r0) & PTR_MAYBE_NULL)
    setId(domain, r0, v.newId())
  if (rule.name === "dynptr_data") setB(domain, r0, meta.dynptrId)
  if (rule.name === "dynptr_data" || casts.has(rule.name)) {
    setRefObjId(domain, r0, meta.refObjId)
  } else if (acquires(v, rule, meta)) {
    const id = v.acquireReference(v.insn)
    setId(domain, r0, id)
    setRefObjId(domain, r0, id)
  }
  refine(v, r0, rule, meta)
}
