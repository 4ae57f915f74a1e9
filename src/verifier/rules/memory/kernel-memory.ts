/**
 * Memory of the kernel that is read by fixed layouts: flow keys, sockets as programs see them,
 * tracepoint buffers, iterators' buffers, and the struct behind a map pointer.
 *
 * Source: linux v6.18 kernel/bpf/verifier.c check_sock_access, check_buffer_access,
 * check_ptr_to_map_access; net/core/filter.c bpf_sock_is_valid_access.
 */

import { ERRNO } from "../../../spec/errno.ts"
import { BPF_MAP_TYPE as MT } from "../../../spec/map-types.ts"
import { registerTypeName } from "../../log/type-names.ts"
import {
  BASE_TYPE_MASK,
  MEM_RDONLY,
  PTR_TO_BTF_ID,
  PTR_TO_SOCK_COMMON,
  PTR_TO_SOCKET,
  PTR_TO_TCP_SOCK,
  PTR_TO_XDP_SOCK,
} from "../../state/register-types.ts"
import { aOf, sminNumber, typeOf } from "../../state/registers.ts"
import { accessStruct, loadBtf } from "../../types/walk.ts"
import type { Verifier } from "../../verifier.ts"
import { rejectNegative } from "./region.ts"
import { hasNoVariablePart, leaksPointer, loadUnknown, variableText } from "./values.ts"

/** sizeof(struct bpf_flow_keys). */
const FLOW_KEYS_SIZE = 56

export function accessFlowKeys(
  v: Verifier,
  off: number,
  size: number,
  write: boolean,
  valueReg: number,
  signExtend: boolean,
): void {
  if (write && valueReg >= 0 && leaksPointer(v, v.reg(valueReg)))
    v.reject(ERRNO.EACCES, `R${valueReg} leaks addr into flow keys`, { rule: "pointer-leak" })
  if (off < 0 || off + size > FLOW_KEYS_SIZE)
    v.reject(ERRNO.EACCES, `invalid access to flow keys off=${off} size=${size}`, {
      rule: "flow-keys-bounds",
      offset: off,
      size,
    })
  if (!write && valueReg >= 0) loadUnknown(v, valueReg, size, signExtend)
}

export function accessSocket(
  v: Verifier,
  regno: number,
  off: number,
  size: number,
  write: boolean,
  valueReg: number,
  signExtend: boolean,
): void {
  const d = v.domain
  const reg = v.reg(regno)
  const type = typeOf(d, reg)
  if (write)
    v.reject(ERRNO.EACCES, `R${regno} cannot write into ${registerTypeName(type)}`, {
      rule: "read-only",
      register: regno,
    })
  if (sminNumber(d, reg) < 0) rejectNegative(v, regno)
  if (!socketAccessAllowed(type, off, size))
    v.reject(
      ERRNO.EACCES,
      `R${regno} invalid ${registerTypeName(type)} access off=${off} size=${size}`,
      { rule: "socket-access", register: regno, offset: off, size },
    )
  if (valueReg >= 0) loadUnknown(v, valueReg, size, signExtend)
}

function socketAccessAllowed(type: number, off: number, size: number): boolean {
  if (off < 0 || off % size !== 0) return false
  switch (type & BASE_TYPE_MASK) {
    case PTR_TO_SOCK_COMMON:
      // From `type` to `priority`: only full sockets have them.
      return (off < 8 || off >= 24) && bpfSockAccessAllowed(off, size)
    case PTR_TO_SOCKET:
      return bpfSockAccessAllowed(off, size)
    case PTR_TO_TCP_SOCK:
      // bytes_received and bytes_acked are 64 bits wide; the last is icsk_retransmits.
      return off < 112 && size === (off === 80 || off === 88 ? 8 : 4)
    case PTR_TO_XDP_SOCK:
      return off < 4 && size === 4
    default:
      return false
  }
}

/** struct bpf_sock: narrow loads of some fields, from their start or anywhere. */
export function bpfSockAccessAllowed(off: number, size: number): boolean {
  if (off < 0 || off >= 80 || off % size !== 0) return false
  switch (off) {
    case 72: // state
    case 4: // family
    case 8: // type
    case 12: // protocol
    case 44: // src_port
    case 76: // rx_queue_mapping
      return size <= 4
    case 48: // dst_port, 16 bits, once 32
    case 49:
      return size <= 2 || (size === 4 && off === 48)
    case 50: // its padding
    case 51:
      return false
  }
  // src_ip4, src_ip6, dst_ip4, dst_ip6
  if ((off >= 24 && off < 44) || (off >= 52 && off < 72)) return size <= 4
  return size === 4
}

/** PTR_TO_TP_BUFFER and PTR_TO_BUF: any length, but at a constant offset. */
export function checkBuffer(
  v: Verifier,
  regno: number,
  off: number,
  size: number,
  name: string,
): void {
  const reg = v.reg(regno)
  const details = { rule: "buffer-offset", register: regno, offset: off, size }
  if (off < 0)
    v.reject(
      ERRNO.EACCES,
      `R${regno} invalid ${name} buffer access: off=${off}, size=${size}`,
      details,
    )
  if (!hasNoVariablePart(v.domain, reg))
    v.reject(
      ERRNO.EACCES,
      `R${regno} invalid variable buffer offset: off=${off}, var_off=${variableText(v.domain, reg)}`,
      details,
    )
}

/** `rdonly` or `rdwr`: what messages call a PTR_TO_BUF. */
export function bufferName(type: number): string {
  return type & MEM_RDONLY ? "rdonly" : "rdwr"
}

/** The kernel's struct of each map type (map_btf_id). */
const MAP_STRUCTS: Readonly<Record<number, string>> = {
  [MT.BPF_MAP_TYPE_HASH]: "bpf_htab",
  [MT.BPF_MAP_TYPE_PERCPU_HASH]: "bpf_htab",
  [MT.BPF_MAP_TYPE_LRU_HASH]: "bpf_htab",
  [MT.BPF_MAP_TYPE_LRU_PERCPU_HASH]: "bpf_htab",
  [MT.BPF_MAP_TYPE_HASH_OF_MAPS]: "bpf_htab",
  [MT.BPF_MAP_TYPE_ARRAY]: "bpf_array",
  [MT.BPF_MAP_TYPE_PERCPU_ARRAY]: "bpf_array",
  [MT.BPF_MAP_TYPE_PROG_ARRAY]: "bpf_array",
  [MT.BPF_MAP_TYPE_PERF_EVENT_ARRAY]: "bpf_array",
  [MT.BPF_MAP_TYPE_CGROUP_ARRAY]: "bpf_array",
  [MT.BPF_MAP_TYPE_ARRAY_OF_MAPS]: "bpf_array",
  [MT.BPF_MAP_TYPE_STACK_TRACE]: "bpf_stack_map",
  [MT.BPF_MAP_TYPE_LPM_TRIE]: "lpm_trie",
  [MT.BPF_MAP_TYPE_DEVMAP]: "bpf_dtab",
  [MT.BPF_MAP_TYPE_DEVMAP_HASH]: "bpf_dtab",
  [MT.BPF_MAP_TYPE_SOCKMAP]: "bpf_stab",
  [MT.BPF_MAP_TYPE_SOCKHASH]: "bpf_shtab",
  [MT.BPF_MAP_TYPE_CPUMAP]: "bpf_cpu_map",
  [MT.BPF_MAP_TYPE_XSKMAP]: "xsk_map",
  [MT.BPF_MAP_TYPE_CGROUP_STORAGE]: "bpf_cgroup_storage_map",
  [MT.BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE]: "bpf_cgroup_storage_map",
  [MT.BPF_MAP_TYPE_REUSEPORT_SOCKARRAY]: "reuseport_array",
  [MT.BPF_MAP_TYPE_QUEUE]: "bpf_queue_stack",
  [MT.BPF_MAP_TYPE_STACK]: "bpf_queue_stack",
  [MT.BPF_MAP_TYPE_SK_STORAGE]: "bpf_local_storage_map",
  [MT.BPF_MAP_TYPE_INODE_STORAGE]: "bpf_local_storage_map",
  [MT.BPF_MAP_TYPE_TASK_STORAGE]: "bpf_local_storage_map",
  [MT.BPF_MAP_TYPE_CGRP_STORAGE]: "bpf_local_storage_map",
  [MT.BPF_MAP_TYPE_STRUCT_OPS]: "bpf_struct_ops_map",
  [MT.BPF_MAP_TYPE_RINGBUF]: "bpf_ringbuf_map",
  [MT.BPF_MAP_TYPE_USER_RINGBUF]: "bpf_ringbuf_map",
  [MT.BPF_MAP_TYPE_BLOOM_FILTER]: "bpf_bloom_filter",
  [MT.BPF_MAP_TYPE_ARENA]: "bpf_arena",
}

/** A load from the kernel's own struct of a map, as if through a BTF pointer. */
export function accessMapPointer(
  v: Verifier,
  regno: number,
  off: number,
  size: number,
  write: boolean,
  valueReg: number,
): void {
  const { type } = v.maps[aOf(v.domain, v.reg(regno))]
  const name = MAP_STRUCTS[type]
  const btf = v.btfs[0] ?? v.input.kernelBtf()
  const id = name === undefined ? undefined : btf.findByName(name, "struct")
  if (name === undefined || id === undefined)
    v.reject(ERRNO.ENOTSUPP, `map_ptr access not supported for map type ${type}`, {
      rule: "map-pointer",
      register: regno,
    })
  if (!v.allowPtrLeaks)
    v.reject(
      ERRNO.EPERM,
      `'struct ${name}' access is allowed only to CAP_PERFMON and CAP_SYS_ADMIN`,
      { rule: "privilege", register: regno },
    )
  if (off < 0)
    v.reject(ERRNO.EACCES, `R${regno} is ${name} invalid negative access: off=${off}`, {
      rule: "map-pointer",
      register: regno,
      offset: off,
    })
  if (write)
    v.reject(ERRNO.EACCES, `only read from ${name} is supported`, {
      rule: "read-only",
      register: regno,
    })
  const loaded = accessStruct(v, { btf, id, type: PTR_TO_BTF_ID, off, size })
  if (valueReg >= 0) loadBtf(v, valueReg, loaded, btf, loaded.flags)
}
