/**
 * Each command's attributes, packed and unpacked. Offsets are those of `union bpf_attr` in
 * linux v6.18 include/uapi/linux/bpf.h.
 */

import type { CommandName, Commands, MapBatchAttr, MapElemAttr } from "../spec/index.ts"
import { BPF_CMD } from "../spec/index.ts"
import type { Attr } from "./attr.ts"

/** How one command is packed, and what is read back from the attribute afterwards. */
interface Packing<A> {
  pack(attr: Attr, from: A): void
  unpack?(attr: Attr, to: A, result: number): void
}

const element: Packing<MapElemAttr> = {
  pack: (attr, a) =>
    void attr.u32(0, a.map_fd).pointer(8, a.key).pointer(16, a.value).u64(24, a.flags),
}

const batch: Packing<MapBatchAttr> = {
  pack: (attr, a) =>
    void attr
      .pointer(0, a.in_batch)
      .pointer(8, a.out_batch)
      .pointer(16, a.keys)
      .pointer(24, a.values)
      .u32(32, a.count)
      .u32(36, a.map_fd)
      .u64(40, a.elem_flags)
      .u64(48, a.flags),
  unpack(attr, a) {
    a.count = attr.getU32(32)
  },
}

const nextId: Packing<Commands["PROG_GET_NEXT_ID"]> = {
  pack: (attr, a) => void attr.u32(0, a.start_id),
  unpack(attr, a) {
    a.next_id = attr.getU32(4)
  },
}

const byId: Packing<Commands["PROG_GET_FD_BY_ID"]> = {
  pack: (attr, a) => void attr.u32(0, a.id).u32(8, a.open_flags),
}

const attach: Packing<Commands["PROG_ATTACH"]> = {
  pack: (attr, a) =>
    void attr
      .u32(0, a.target_ifindex ?? a.target_fd)
      .u32(4, a.attach_bpf_fd)
      .u32(8, a.attach_type)
      .u32(12, a.attach_flags)
      .u32(16, a.replace_bpf_fd)
      .u32(20, a.relative_id ?? a.relative_fd)
      .u64(24, a.expected_revision),
}

/**
 * Where `struct bpf_prog_info`, `bpf_btf_info` and `bpf_link_info` have the pointer and the count
 * of each array, and the bytes of an element.
 */
const INFO_ARRAYS: Readonly<
  Record<string, { readonly pointer: number; readonly count: number; readonly element: number }>
> = {
  xlated_prog_insns: { pointer: 32, count: 20, element: 1 },
  map_ids: { pointer: 56, count: 52, element: 4 },
  func_info: { pointer: 136, count: 144, element: 8 },
  line_info: { pointer: 152, count: 148, element: 16 },
  btf: { pointer: 0, count: 8, element: 1 },
  name: { pointer: 16, count: 24, element: 1 },
  tp_name: { pointer: 16, count: 24, element: 1 },
}
/** Where bpf_prog_info has the record sizes that the kernel insists on. */
const RECORD_SIZES: Readonly<Record<string, number>> = { func_info: 132, line_info: 172 }

/** Puts the addresses and capacities of the caller's arrays into the info that the kernel reads. */
function packInfoArrays(attr: Attr, a: Commands["OBJ_GET_INFO_BY_FD"]): void {
  const view = new DataView(a.info.buffer, a.info.byteOffset, a.info.byteLength)
  for (const [name, bytes] of Object.entries(a.arrays ?? {})) {
    const place = INFO_ARRAYS[name]
    if (place === undefined || bytes.length === 0 || a.info.length < place.pointer + 8) continue
    view.setBigUint64(place.pointer, attr.keep(bytes), true)
    view.setUint32(place.count, bytes.length / place.element, true)
    const recordSize = RECORD_SIZES[name]
    if (recordSize !== undefined) view.setUint32(recordSize, place.element, true)
  }
}

/** Elements that the kernel may write into every array of a query that is there. */
function queryRoom(a: Commands["PROG_QUERY"]): number {
  const arrays = [a.prog_ids, a.prog_attach_flags, a.link_ids, a.link_attach_flags]
  const lengths = arrays.flatMap((array) => (array === undefined ? [] : [array.length]))
  return Math.min(
    a.prog_cnt ?? Number.POSITIVE_INFINITY,
    lengths.length === 0 ? 0 : Math.min(...lengths),
  )
}

export const PACKINGS: { readonly [C in CommandName]?: Packing<Commands[C]> } = {
  MAP_CREATE: {
    pack: (attr, a) =>
      void attr
        .u32(0, a.map_type)
        .u32(4, a.key_size)
        .u32(8, a.value_size)
        .u32(12, a.max_entries)
        .u32(16, a.map_flags)
        .u32(20, a.inner_map_fd)
        .u32(24, a.numa_node)
        .name(28, a.map_name)
        .u32(44, a.map_ifindex)
        .u32(48, a.btf_fd)
        .u32(52, a.btf_key_type_id)
        .u32(56, a.btf_value_type_id)
        .u32(60, a.btf_vmlinux_value_type_id)
        .u64(64, a.map_extra)
        .u32(72, a.value_type_btf_obj_fd)
        .u32(76, a.map_token_fd),
  },
  MAP_LOOKUP_ELEM: element,
  MAP_UPDATE_ELEM: element,
  MAP_DELETE_ELEM: element,
  MAP_LOOKUP_AND_DELETE_ELEM: element,
  MAP_GET_NEXT_KEY: {
    pack: (attr, a) => void attr.u32(0, a.map_fd).pointer(8, a.key).pointer(16, a.next_key),
  },
  MAP_FREEZE: { pack: (attr, a) => void attr.u32(0, a.map_fd) },
  MAP_LOOKUP_BATCH: batch,
  MAP_LOOKUP_AND_DELETE_BATCH: batch,
  MAP_UPDATE_BATCH: batch,
  MAP_DELETE_BATCH: batch,
  PROG_LOAD: {
    pack: (attr, a) =>
      void attr
        .u32(0, a.prog_type)
        .u32(4, a.insns.length / 8)
        .pointer(8, a.insns)
        .text(16, a.license)
        .u32(24, a.log_level)
        .u32(28, a.log_level ? a.log_buf?.length : 0)
        .pointer(32, a.log_level ? a.log_buf : undefined)
        .u32(40, a.kern_version)
        .u32(44, a.prog_flags)
        .name(48, a.prog_name)
        .u32(64, a.prog_ifindex)
        .u32(68, a.expected_attach_type)
        .u32(72, a.prog_btf_fd)
        .u32(76, a.func_info ? (a.func_info_rec_size ?? 8) : 0)
        .pointer(80, a.func_info)
        .u32(88, a.func_info ? a.func_info.length / (a.func_info_rec_size ?? 8) : 0)
        .u32(92, a.line_info ? (a.line_info_rec_size ?? 16) : 0)
        .pointer(96, a.line_info)
        .u32(104, a.line_info ? a.line_info.length / (a.line_info_rec_size ?? 16) : 0)
        .u32(108, a.attach_btf_id)
        .u32(112, a.attach_prog_fd ?? a.attach_btf_obj_fd)
        .pointer(120, a.fd_array ? new Int32Array(a.fd_array) : undefined)
        .u32(140, a.log_true_size)
        .u32(144, a.prog_token_fd),
    unpack(attr, a) {
      a.log_true_size = attr.getU32(140)
    },
  },
  OBJ_PIN: {
    pack: (attr, a) =>
      void attr.text(0, a.pathname).u32(8, a.bpf_fd).u32(12, a.file_flags).u32(16, a.path_fd),
  },
  OBJ_GET: {
    pack: (attr, a) => void attr.text(0, a.pathname).u32(12, a.file_flags).u32(16, a.path_fd),
  },
  PROG_ATTACH: attach,
  PROG_DETACH: attach,
  PROG_QUERY: {
    pack: (attr, a) =>
      void attr
        .u32(0, a.target_ifindex ?? a.target_fd)
        .u32(4, a.attach_type)
        .u32(8, a.query_flags)
        .pointer(16, a.prog_ids)
        .u32(24, queryRoom(a))
        .pointer(32, a.prog_attach_flags)
        .pointer(40, a.link_ids)
        .pointer(48, a.link_attach_flags),
    unpack(attr, a) {
      a.attach_flags = attr.getU32(12)
      a.prog_cnt = attr.getU32(24)
      a.revision = attr.getU64(56)
    },
  },
  PROG_TEST_RUN: {
    pack: (attr, a) =>
      void attr
        .u32(0, a.prog_fd)
        .u32(8, a.data_in?.length)
        .u32(12, a.data_out?.length)
        .pointer(16, a.data_in)
        .pointer(24, a.data_out)
        .u32(32, a.repeat)
        .u32(40, a.ctx_in?.length)
        .u32(44, a.ctx_out?.length)
        .pointer(48, a.ctx_in)
        .pointer(56, a.ctx_out)
        .u32(64, a.flags)
        .u32(68, a.cpu)
        .u32(72, a.batch_size),
    unpack(attr, a) {
      a.retval = attr.getU32(4)
      a.data_size_out = attr.getU32(12)
      a.duration = attr.getU32(36)
      a.ctx_size_out = attr.getU32(44)
    },
  },
  PROG_GET_NEXT_ID: nextId,
  MAP_GET_NEXT_ID: nextId,
  BTF_GET_NEXT_ID: nextId,
  LINK_GET_NEXT_ID: nextId,
  PROG_GET_FD_BY_ID: byId,
  MAP_GET_FD_BY_ID: byId,
  BTF_GET_FD_BY_ID: byId,
  LINK_GET_FD_BY_ID: byId,
  OBJ_GET_INFO_BY_FD: {
    pack(attr, a) {
      packInfoArrays(attr, a)
      attr.u32(0, a.bpf_fd).u32(4, a.info.length).pointer(8, a.info)
    },
    unpack(attr, a) {
      a.info_len = attr.getU32(4)
    },
  },
  RAW_TRACEPOINT_OPEN: {
    pack: (attr, a) => void attr.text(0, a.name).u32(8, a.prog_fd).u64(16, a.cookie),
  },
  BTF_LOAD: {
    pack: (attr, a) =>
      void attr
        .pointer(0, a.btf)
        .pointer(8, a.btf_log_level ? a.btf_log_buf : undefined)
        .u32(16, a.btf.length)
        .u32(20, a.btf_log_level ? a.btf_log_buf?.length : 0)
        .u32(24, a.btf_log_level),
    unpack(attr, a) {
      a.btf_log_true_size = attr.getU32(28)
    },
  },
  LINK_CREATE: {
    pack(attr, a) {
      attr
        .u32(0, a.prog_fd)
        .u32(4, a.target_ifindex ?? a.target_fd)
        .u32(8, a.attach_type)
        .u32(12, a.flags)
      if (a.perf_event) attr.u64(16, a.perf_event.bpf_cookie)
      else if (a.tracing) attr.u32(16, a.tracing.target_btf_id).u64(24, a.tracing.cookie)
      else if (a.netfilter)
        attr
          .u32(16, a.netfilter.pf)
          .u32(20, a.netfilter.hooknum)
          .u32(24, a.netfilter.priority)
          .u32(28, a.netfilter.flags)
      else if (a.relative)
        attr.u32(16, a.relative.id ?? a.relative.fd).u64(24, a.relative.expected_revision)
      else attr.u32(16, a.target_btf_id)
    },
  },
  LINK_UPDATE: {
    pack: (attr, a) =>
      void attr.u32(0, a.link_fd).u32(4, a.new_prog_fd).u32(8, a.flags).u32(12, a.old_prog_fd),
  },
  LINK_DETACH: { pack: (attr, a) => void attr.u32(0, a.link_fd) },
  ENABLE_STATS: { pack: (attr, a) => void attr.u32(0, a.type) },
  PROG_BIND_MAP: {
    pack: (attr, a) => void attr.u32(0, a.prog_fd).u32(4, a.map_fd).u32(8, a.flags),
  },
}

/** The number of a command for bpf(2). */
export function commandNumber(name: CommandName): number {
  return BPF_CMD[`BPF_${name}`]
}
