/**
 * The maps that ld_imm64 instructions name, found before exploration, and whether this program
 * may use them.
 *
 * Source: linux v6.18 kernel/bpf/verifier.c resolve_pseudo_ldimm64, check_map_prog_compatibility.
 */

import {
  BPF_LD_IMM64,
  BPF_PSEUDO_BTF_ID,
  BPF_PSEUDO_FUNC,
  BPF_PSEUDO_MAP_FD,
  BPF_PSEUDO_MAP_IDX,
  BPF_PSEUDO_MAP_IDX_VALUE,
  BPF_PSEUDO_MAP_VALUE,
} from "../../isa/index.ts"
import { ERRNO, MAX_USED_MAPS, BPF_MAP_TYPE as MT, BPF_PROG_TYPE as PT } from "../../spec/index.ts"
import type { Explorer } from "../explore/explorer.ts"
import type { VerifierMap } from "../input.ts"
import { kernelSymbolAt } from "../rules/memory/kernel-symbol.ts"
import { recordOfMap } from "../types/record.ts"

/** Maps that programs which may sleep can use. */
const SLEEPABLE_MAPS: readonly number[] = [
  MT.BPF_MAP_TYPE_HASH,
  MT.BPF_MAP_TYPE_LRU_HASH,
  MT.BPF_MAP_TYPE_ARRAY,
  MT.BPF_MAP_TYPE_PERCPU_HASH,
  MT.BPF_MAP_TYPE_PERCPU_ARRAY,
  MT.BPF_MAP_TYPE_LRU_PERCPU_HASH,
  MT.BPF_MAP_TYPE_ARRAY_OF_MAPS,
  MT.BPF_MAP_TYPE_HASH_OF_MAPS,
  MT.BPF_MAP_TYPE_RINGBUF,
  MT.BPF_MAP_TYPE_USER_RINGBUF,
  MT.BPF_MAP_TYPE_INODE_STORAGE,
  MT.BPF_MAP_TYPE_SK_STORAGE,
  MT.BPF_MAP_TYPE_TASK_STORAGE,
  MT.BPF_MAP_TYPE_CGRP_STORAGE,
  MT.BPF_MAP_TYPE_QUEUE,
  MT.BPF_MAP_TYPE_STACK,
  MT.BPF_MAP_TYPE_ARENA,
]

/** Fills `code.mapIndex` and the list of maps. */
export function resolveMaps(x: Explorer): void {
  const { code } = x
  for (let insn = 0; insn < code.length; insn++) {
    if (code.opcode[insn] !== BPF_LD_IMM64) continue
    const source = code.src[insn]
    x.insn = insn
    if (isMapSource(source)) code.mapIndex[insn] = resolve(x, insn, source)
    else if (source === BPF_PSEUDO_BTF_ID) kernelSymbolAt(x, insn)
    else if (source !== 0 && source !== BPF_PSEUDO_FUNC)
      x.reject(ERRNO.EINVAL, "unrecognized bpf_ld_imm64 insn", { rule: "encoding" })
    insn++
  }
}

function isMapSource(source: number): boolean {
  return (
    source === BPF_PSEUDO_MAP_FD ||
    source === BPF_PSEUDO_MAP_VALUE ||
    source === BPF_PSEUDO_MAP_IDX ||
    source === BPF_PSEUDO_MAP_IDX_VALUE
  )
}

function resolve(x: Explorer, insn: number, source: number): number {
  const indexed = source === BPF_PSEUDO_MAP_IDX || source === BPF_PSEUDO_MAP_IDX_VALUE
  const operand = x.code.imm[insn]
  const map = x.input.map(operand, indexed)
  if (typeof map === "number") {
    if (map === -ERRNO.EPROTO)
      x.reject(ERRNO.EPROTO, "fd_idx without fd_array is invalid", { rule: "map" })
    x.reject(-map, `fd ${operand} is not pointing to valid bpf_map`, { rule: "map" })
  }
  if (source === BPF_PSEUDO_MAP_VALUE || source === BPF_PSEUDO_MAP_IDX_VALUE)
    checkDirectValue(x, map, x.code.imm[insn + 1] >>> 0)
  const known = x.maps.indexOf(map)
  if (known >= 0) return known
  if (x.maps.length >= MAX_USED_MAPS)
    x.reject(
      ERRNO.E2BIG,
      `The total number of maps per program has reached the limit of ${MAX_USED_MAPS}`,
      { rule: "limits" },
    )
  x.maps.push(map)
  const index = x.maps.length - 1
  checkFields(x, index)
  checkSleepable(x, map)
  return index
}

/** Programs that may interrupt anything: they can take no lock and start no timer. */
const TRACING_TYPES: readonly number[] = [
  PT.BPF_PROG_TYPE_KPROBE,
  PT.BPF_PROG_TYPE_TRACEPOINT,
  PT.BPF_PROG_TYPE_PERF_EVENT,
  PT.BPF_PROG_TYPE_RAW_TRACEPOINT,
  PT.BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE,
]

function checkFields(x: Explorer, index: number): void {
  const record = recordOfMap(x, index)
  if (record === null) return
  const tracing = TRACING_TYPES.includes(x.input.type)
  const refuse = (what: string): never =>
    x.reject(ERRNO.EINVAL, `tracing progs cannot use ${what} yet`, {
      rule: "map-field",
      subject: what,
    })
  if (tracing && (record.has("list_head") || record.has("rb_root")))
    refuse("bpf_{list_head,rb_root}")
  if (record.has("spin_lock") || record.has("res_spin_lock")) {
    if (x.input.type === PT.BPF_PROG_TYPE_SOCKET_FILTER)
      x.reject(ERRNO.EINVAL, "socket filter progs cannot use bpf_spin_lock yet", {
        rule: "map-field",
      })
    if (tracing) refuse("bpf_spin_lock")
  }
  if (tracing && record.has("timer")) refuse("bpf_timer")
  if (tracing && record.has("workqueue")) refuse("bpf_wq")
}

/** BPF_MAX_VAR_OFF: offsets into values that instructions may have. */
const DIRECT_OFFSET_MAX = 1 << 29

function checkDirectValue(x: Explorer, map: VerifierMap, offset: number): void {
  if (offset >= DIRECT_OFFSET_MAX)
    x.reject(ERRNO.EINVAL, `direct value offset of ${offset} is not allowed`, { rule: "map-value" })
  const direct = map.type === MT.BPF_MAP_TYPE_ARRAY || map.type === MT.BPF_MAP_TYPE_ARENA
  if (!direct)
    x.reject(ERRNO.EINVAL, "no direct value access support for this map type", {
      rule: "map-value",
    })
  if (map.type === MT.BPF_MAP_TYPE_ARENA) return
  if (map.maxEntries !== 1 || offset >= map.valueSize) {
    const errno = map.maxEntries !== 1 ? ERRNO.ENOTSUPP : ERRNO.EINVAL
    x.reject(
      errno,
      `invalid access to map value pointer, value_size=${map.valueSize} off=${offset}`,
      { rule: "map-value", offset },
    )
  }
}

function checkSleepable(x: Explorer, map: VerifierMap): void {
  if (!x.isSleepable || SLEEPABLE_MAPS.includes(map.type)) return
  x.reject(
    ERRNO.EINVAL,
    "Sleepable programs can only use array, hash, ringbuf and local storage maps",
    { rule: "sleepable" },
  )
}
