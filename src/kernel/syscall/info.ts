/**
 * OBJ_GET_INFO_BY_FD: programs, maps, BTF and links described in the kernel's own structures
 * (linux v6.18 include/uapi/linux/bpf.h struct bpf_prog_info, bpf_map_info, bpf_btf_info,
 * bpf_link_info). Offsets stand beside the field names.
 */

import { viewOf } from "../../base/index.ts"
import {
  BPF_LD_IMM64,
  BPF_PSEUDO_MAP_FD,
  BPF_PSEUDO_MAP_IDX,
  BPF_PSEUDO_MAP_IDX_VALUE,
  BPF_PSEUDO_MAP_VALUE,
  INSN_SIZE,
} from "../../isa/index.ts"
import { ERRNO, type ObjGetInfoByFdAttr } from "../../spec/index.ts"
import type { Link } from "../hooks/link.ts"
import type { KernelTables } from "../kernel-tables.ts"
import type { BtfObject } from "../objects/btf-object.ts"
import { isKind, type MapEntry } from "../objects/kernel-object.ts"
import type { Program } from "../programs/program.ts"

type Arrays = Readonly<Record<string, Uint8Array>>

/** Sizes of the structures in Linux 6.18. */
const SIZE = { program: 232, map: 104, btf: 32, link: 80 } as const
/** Bytes of one bpf_func_info and bpf_line_info record. */
const FUNC_INFO_SIZE = 8
const LINE_INFO_SIZE = 16

export function objGetInfoByFd(tables: KernelTables, attr: ObjGetInfoByFdAttr): number {
  const object = tables.fds.find(attr.bpf_fd)
  if (object === undefined) return -ERRNO.EBADFD
  const arrays = attr.arrays ?? {}
  let info: Uint8Array
  if (isKind(object, "program")) info = programInfo(tables, object.value, arrays)
  else if (isKind(object, "map")) info = mapInfo(object.value)
  else if (isKind(object, "btf")) info = btfInfo(object.value, arrays)
  else if (isKind(object, "link")) info = linkInfo(object.value, arrays)
  else return -ERRNO.EINVAL
  // A longer buffer must be zero beyond what the kernel knows (bpf_check_uarg_tail_zero).
  if (attr.info.subarray(info.length).some((byte) => byte !== 0)) return -ERRNO.E2BIG
  const length = Math.min(info.length, attr.info.length)
  attr.info.set(info.subarray(0, length))
  attr.info_len = length
  return 0
}

function setText(info: Uint8Array, offset: number, text: string): void {
  info.set(new TextEncoder().encode(text).subarray(0, 15), offset)
}

function fill(target: Uint8Array | undefined, content: Uint8Array): void {
  target?.set(content.subarray(0, target.length))
}

function programInfo(tables: KernelTables, program: Program, arrays: Arrays): Uint8Array {
  const info = new Uint8Array(SIZE.program)
  const view = viewOf(info)
  const xlated = dumpInstructions(tables, program)
  const held = tables.heldMaps.get(program) ?? []
  const mapIds = new Uint32Array(held.map((map) => map.value.map.id))
  view.setUint32(0, program.type, true)
  view.setUint32(4, program.id, true)
  info.set(program.tag, 8)
  view.setUint32(20, xlated.length, true) // xlated_prog_len
  view.setBigUint64(40, program.loadedAtNs, true) // load_time
  view.setUint32(52, mapIds.length, true) // nr_map_ids
  setText(info, 64, program.name)
  view.setUint32(84, program.gplCompatible ? 1 : 0, true)
  view.setUint32(128, program.btf?.id ?? 0, true) // btf_id
  view.setUint32(132, program.funcInfo.length ? FUNC_INFO_SIZE : 0, true)
  view.setUint32(144, program.funcInfo.length / FUNC_INFO_SIZE, true)
  view.setUint32(148, program.lineInfo.length / LINE_INFO_SIZE, true)
  view.setUint32(172, program.lineInfo.length ? LINE_INFO_SIZE : 0, true)
  view.setBigUint64(192, program.runTimeNs, true)
  view.setBigUint64(200, program.runCount, true)
  view.setBigUint64(208, program.recursionMisses, true)
  view.setUint32(220, program.attachBtfId === 0 ? 0 : tables.vmlinux.value.id, true)
  view.setUint32(224, program.attachBtfId, true)
  fill(arrays["xlated_prog_insns"], xlated)
  fill(arrays["map_ids"], new Uint8Array(mapIds.buffer))
  fill(arrays["func_info"], program.funcInfo)
  fill(arrays["line_info"], program.lineInfo)
  return info
}

/** What `bpftool prog dump xlated` shows: map ids instead of descriptors, no addresses. */
function dumpInstructions(tables: KernelTables, program: Program): Uint8Array {
  const dump = program.insns.slice()
  const held = tables.heldMaps.get(program) ?? []
  const view = viewOf(dump)
  const translated = viewOf(program.translated)
  for (let at = 0; at + 2 * INSN_SIZE <= dump.length; at += INSN_SIZE) {
    if (dump[at] !== BPF_LD_IMM64) continue
    const source = dump[at + 1] >> 4
    const low = translated.getInt32(at + 4, true)
    at += INSN_SIZE
    if (source === BPF_PSEUDO_MAP_FD || source === BPF_PSEUDO_MAP_IDX) {
      const map = held.find((one) => one.value.map.address === low)
      if (map === undefined) continue
      dump[at - INSN_SIZE + 1] = (dump[at - INSN_SIZE + 1] & 15) | (BPF_PSEUDO_MAP_FD << 4)
      view.setInt32(at - 4, map.value.map.id, true)
      view.setInt32(at + 4, 0, true)
    } else if (source === BPF_PSEUDO_MAP_VALUE || source === BPF_PSEUDO_MAP_IDX_VALUE) {
      const map = held.find((one) => {
        const start = one.value.map.maxEntries === 1 ? one.value.map.lookup(tables.zeroKey) : 0
        return start !== 0 && low >= start && low < start + one.value.map.valueSize
      })
      if (map === undefined) continue
      dump[at - INSN_SIZE + 1] = (dump[at - INSN_SIZE + 1] & 15) | (BPF_PSEUDO_MAP_VALUE << 4)
      view.setInt32(at - 4, map.value.map.id, true)
      view.setInt32(at + 4, low - map.value.map.lookup(tables.zeroKey), true)
    }
  }
  return dump
}

function mapInfo(entry: MapEntry): Uint8Array {
  const info = new Uint8Array(SIZE.map)
  const view = viewOf(info)
  const { map } = entry
  view.setUint32(0, map.type, true)
  view.setUint32(4, map.id, true)
  view.setUint32(8, map.keySize, true)
  view.setUint32(12, map.valueSize, true)
  view.setUint32(16, map.maxEntries, true)
  view.setUint32(20, map.flags, true)
  setText(info, 24, map.name)
  view.setUint32(64, entry.btf?.value.id ?? 0, true) // btf_id
  view.setUint32(68, entry.keyTypeId, true)
  view.setUint32(72, entry.valueTypeId, true)
  view.setBigUint64(80, map.mapExtra, true)
  return info
}

function btfInfo(object: BtfObject, arrays: Arrays): Uint8Array {
  const info = new Uint8Array(SIZE.btf)
  const view = viewOf(info)
  view.setUint32(8, object.bytes.length, true)
  view.setUint32(12, object.id, true)
  view.setUint32(24, object.name.length, true)
  view.setUint32(28, object.kernel ? 1 : 0, true)
  fill(arrays["btf"], object.bytes)
  fill(arrays["name"], new TextEncoder().encode(`${object.name}\0`))
  return info
}

/** `enum bpf_perf_event_type`. */
const BPF_PERF_EVENT_UPROBE = 1
const BPF_PERF_EVENT_URETPROBE = 2
const BPF_PERF_EVENT_KPROBE = 3
const BPF_PERF_EVENT_KRETPROBE = 4
const BPF_PERF_EVENT_EVENT = 6

function linkInfo(link: Link, arrays: Arrays): Uint8Array {
  const info = new Uint8Array(SIZE.link)
  const view = viewOf(info)
  view.setUint32(0, link.type, true)
  view.setUint32(4, link.id, true)
  view.setUint32(8, link.attachment.program.value.id, true)
  const { target } = link
  switch (target.kind) {
    case "device":
      view.setUint32(16, link.attached ? target.ifindex : 0, true)
      view.setUint32(20, link.attachType, true)
      break
    case "cgroup":
      view.setBigUint64(16, link.attached ? target.cgroupId : 0n, true)
      view.setUint32(24, link.attachType, true)
      break
    case "raw_tracepoint":
      view.setUint32(24, target.name.length + 1, true)
      view.setBigUint64(32, link.attachment.cookie, true)
      fill(arrays["tp_name"], new TextEncoder().encode(`${target.name}\0`))
      break
    case "tracing":
      view.setUint32(16, link.attachType, true)
      view.setUint32(20, target.objectId, true)
      view.setUint32(24, target.btfId, true)
      view.setBigUint64(32, link.attachment.cookie, true)
      break
    case "tracepoint":
      view.setUint32(16, 5, true) // BPF_PERF_EVENT_TRACEPOINT
      view.setUint32(32, target.name.length + 1, true)
      view.setBigUint64(40, link.attachment.cookie, true)
      fill(arrays["tp_name"], new TextEncoder().encode(`${target.name}\0`))
      break
    case "iter":
      fill(arrays["name"], new TextEncoder().encode(`${target.name}\0`))
      view.setUint32(24, target.name.length + 1, true)
      if (target.map !== null) view.setUint32(32, target.map.id, true)
      break
    case "kprobe":
      view.setUint32(16, target.onReturn ? BPF_PERF_EVENT_KRETPROBE : BPF_PERF_EVENT_KPROBE, true)
      view.setUint32(32, target.name.length + 1, true)
      view.setBigUint64(56, link.attachment.cookie, true)
      fill(arrays["func_name"], new TextEncoder().encode(`${target.name}\0`))
      break
    case "uprobe":
      view.setUint32(16, target.onReturn ? BPF_PERF_EVENT_URETPROBE : BPF_PERF_EVENT_UPROBE, true)
      view.setUint32(32, target.path.length + 1, true)
      view.setUint32(36, Number(target.offset), true)
      view.setBigUint64(40, link.attachment.cookie, true)
      fill(arrays["file_name"], new TextEncoder().encode(`${target.path}\0`))
      break
    case "event":
      view.setUint32(16, BPF_PERF_EVENT_EVENT, true)
      view.setBigUint64(24, target.config, true)
      view.setUint32(32, target.type, true)
      view.setBigUint64(40, link.attachment.cookie, true)
      break
    case "kprobe_multi":
      view.setUint32(24, target.count, true)
      view.setUint32(28, target.flags, true)
      break
    case "uprobe_multi":
      view.setUint32(44, target.count, true)
      view.setUint32(48, target.flags, true)
      view.setUint32(52, target.pid, true)
      break
    case "netns":
      view.setUint32(16, link.attached ? target.inode : 0, true)
      view.setUint32(20, link.attachType, true)
      break
    case "netfilter":
      view.setUint32(16, target.pf, true)
      view.setUint32(20, target.hook, true)
      view.setInt32(24, target.priority, true)
      view.setUint32(28, target.flags, true)
      break
    case "sockmap":
      view.setUint32(16, link.attached ? target.mapId : 0, true)
      view.setUint32(20, link.attachType, true)
  }
  return info
}
