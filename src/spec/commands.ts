/**
 * The commands of bpf(2) and where `union bpf_attr` keeps their attributes.
 *
 * Bytes of the attribute after a command's last field must be zero (EINVAL, or E2BIG beyond what
 * the kernel knows at all); an attribute may be passed shorter than the command's, the rest then
 * counts as zero.
 *
 * Source: linux v6.18 include/uapi/linux/bpf.h; kernel/bpf/syscall.c *_LAST_FIELD.
 */

import type { CommandName } from "./kernel-interface.ts"

/** `enum bpf_cmd`. */
export const BPF_CMD = {
  BPF_MAP_CREATE: 0,
  BPF_MAP_LOOKUP_ELEM: 1,
  BPF_MAP_UPDATE_ELEM: 2,
  BPF_MAP_DELETE_ELEM: 3,
  BPF_MAP_GET_NEXT_KEY: 4,
  BPF_PROG_LOAD: 5,
  BPF_OBJ_PIN: 6,
  BPF_OBJ_GET: 7,
  BPF_PROG_ATTACH: 8,
  BPF_PROG_DETACH: 9,
  BPF_PROG_TEST_RUN: 10,
  BPF_PROG_GET_NEXT_ID: 11,
  BPF_MAP_GET_NEXT_ID: 12,
  BPF_PROG_GET_FD_BY_ID: 13,
  BPF_MAP_GET_FD_BY_ID: 14,
  BPF_OBJ_GET_INFO_BY_FD: 15,
  BPF_PROG_QUERY: 16,
  BPF_RAW_TRACEPOINT_OPEN: 17,
  BPF_BTF_LOAD: 18,
  BPF_BTF_GET_FD_BY_ID: 19,
  BPF_TASK_FD_QUERY: 20,
  BPF_MAP_LOOKUP_AND_DELETE_ELEM: 21,
  BPF_MAP_FREEZE: 22,
  BPF_BTF_GET_NEXT_ID: 23,
  BPF_MAP_LOOKUP_BATCH: 24,
  BPF_MAP_LOOKUP_AND_DELETE_BATCH: 25,
  BPF_MAP_UPDATE_BATCH: 26,
  BPF_MAP_DELETE_BATCH: 27,
  BPF_LINK_CREATE: 28,
  BPF_LINK_UPDATE: 29,
  BPF_LINK_GET_FD_BY_ID: 30,
  BPF_LINK_GET_NEXT_ID: 31,
  BPF_ENABLE_STATS: 32,
  BPF_ITER_CREATE: 33,
  BPF_LINK_DETACH: 34,
  BPF_PROG_BIND_MAP: 35,
  BPF_TOKEN_CREATE: 36,
  BPF_PROG_STREAM_READ_BY_FD: 37,
} as const

/**
 * What a field holds: an integer, a name of up to 15 bytes in place (`name`), or the 64-bit
 * address of a zero-terminated string (`text`), of bytes that the kernel reads (`in`), writes
 * (`out`) or both (`inout`).
 */
export type AttrKind = "u32" | "s32" | "u64" | "name" | "text" | "in" | "out" | "inout"

export interface AttrField {
  /** The kernel's name. */
  readonly name: string
  /** Bytes from the start of `union bpf_attr`. */
  readonly offset: number
  readonly sizeBytes: number
  readonly kind: AttrKind
  /** The kernel writes this integer. */
  readonly result: boolean
}

export interface CommandLayout {
  readonly command: number
  readonly fields: readonly AttrField[]
  /** The end of the last field: what must be passed at most, and zero beyond. */
  readonly sizeBytes: number
}

const bytesOfKind: Readonly<Record<AttrKind, number>> = {
  u32: 4,
  s32: 4,
  u64: 8,
  name: 16,
  text: 8,
  in: 8,
  out: 8,
  inout: 8,
}

/** `name offset kind`, a `*` after the kind for a result; one field a line or `;` between. */
function fieldsOf(text: string): AttrField[] {
  return text
    .split(/[;\n]/)
    .map((row) => row.trim())
    .filter((row) => row !== "")
    .map((row) => {
      const [name, offset, shown] = row.split(/\s+/)
      const kind = shown.replace("*", "") as AttrKind
      const result = shown.endsWith("*")
      return { name, offset: Number(offset), sizeBytes: bytesOfKind[kind], kind, result }
    })
}

function layout(name: CommandName, text: string, end?: number): CommandLayout {
  const fields = fieldsOf(text)
  const sizeBytes = end ?? Math.max(...fields.map((field) => field.offset + field.sizeBytes))
  return { command: BPF_CMD[`BPF_${name}`], fields, sizeBytes }
}

const element = "map_fd 0 u32; key 8 in"
const batch = `in_batch 0 in; out_batch 8 out; keys 16 inout; values 24 inout; count 32 u32*
  map_fd 36 u32; elem_flags 40 u64; flags 48 u64`
const attach = `target_fd 0 u32; target_ifindex 0 u32; attach_bpf_fd 4 u32; attach_type 8 u32
  attach_flags 12 u32; replace_bpf_fd 16 u32; relative_fd 20 u32; relative_id 20 u32
  expected_revision 24 u64`
const nextId = "start_id 0 u32; next_id 4 u32*"
const fdById = "open_flags 8 u32; fd_by_id_token_fd 12 s32"
const path = "pathname 0 text; bpf_fd 8 u32; file_flags 12 u32; path_fd 16 s32"

/** The commands by name, with their attributes. */
export const COMMANDS: Readonly<Record<CommandName, CommandLayout>> = {
  MAP_CREATE: layout(
    "MAP_CREATE",
    `map_type 0 u32; key_size 4 u32; value_size 8 u32; max_entries 12 u32; map_flags 16 u32
     inner_map_fd 20 u32; numa_node 24 u32; map_name 28 name; map_ifindex 44 u32; btf_fd 48 u32
     btf_key_type_id 52 u32; btf_value_type_id 56 u32; btf_vmlinux_value_type_id 60 u32
     map_extra 64 u64; value_type_btf_obj_fd 72 s32; map_token_fd 76 s32; excl_prog_hash 80 in
     excl_prog_hash_size 88 u32`,
  ),
  MAP_LOOKUP_ELEM: layout("MAP_LOOKUP_ELEM", `${element}; value 16 out; flags 24 u64`),
  MAP_UPDATE_ELEM: layout("MAP_UPDATE_ELEM", `${element}; value 16 in; flags 24 u64`),
  MAP_DELETE_ELEM: layout("MAP_DELETE_ELEM", element),
  MAP_GET_NEXT_KEY: layout("MAP_GET_NEXT_KEY", `${element}; next_key 16 out`),
  PROG_LOAD: layout(
    "PROG_LOAD",
    `prog_type 0 u32; insn_cnt 4 u32; insns 8 in; license 16 text; log_level 24 u32
     log_size 28 u32; log_buf 32 out; kern_version 40 u32; prog_flags 44 u32; prog_name 48 name
     prog_ifindex 64 u32; expected_attach_type 68 u32; prog_btf_fd 72 u32
     func_info_rec_size 76 u32; func_info 80 in; func_info_cnt 88 u32; line_info_rec_size 92 u32
     line_info 96 in; line_info_cnt 104 u32; attach_btf_id 108 u32; attach_prog_fd 112 u32
     attach_btf_obj_fd 112 u32; core_relo_cnt 116 u32; fd_array 120 in; core_relos 128 in
     core_relo_rec_size 136 u32; log_true_size 140 u32*; prog_token_fd 144 s32
     fd_array_cnt 148 u32; signature 152 in; signature_size 160 u32; keyring_id 164 s32`,
  ),
  OBJ_PIN: layout("OBJ_PIN", path),
  OBJ_GET: layout("OBJ_GET", path),
  PROG_ATTACH: layout("PROG_ATTACH", attach),
  PROG_DETACH: layout("PROG_DETACH", attach),
  PROG_TEST_RUN: layout(
    "PROG_TEST_RUN",
    `prog_fd 0 u32; retval 4 u32*; data_size_in 8 u32; data_size_out 12 u32*; data_in 16 in
     data_out 24 out; repeat 32 u32; duration 36 u32*; ctx_size_in 40 u32; ctx_size_out 44 u32*
     ctx_in 48 in; ctx_out 56 out; flags 64 u32; cpu 68 u32; batch_size 72 u32`,
  ),
  PROG_GET_NEXT_ID: layout("PROG_GET_NEXT_ID", nextId),
  MAP_GET_NEXT_ID: layout("MAP_GET_NEXT_ID", nextId),
  PROG_GET_FD_BY_ID: layout("PROG_GET_FD_BY_ID", `prog_id 0 u32; ${fdById}`),
  MAP_GET_FD_BY_ID: layout("MAP_GET_FD_BY_ID", `map_id 0 u32; ${fdById}`),
  OBJ_GET_INFO_BY_FD: layout("OBJ_GET_INFO_BY_FD", "bpf_fd 0 u32; info_len 4 u32*; info 8 inout"),
  PROG_QUERY: layout(
    "PROG_QUERY",
    `target_fd 0 u32; target_ifindex 0 u32; attach_type 4 u32; query_flags 8 u32
     attach_flags 12 u32*; prog_ids 16 out; prog_cnt 24 u32*; prog_attach_flags 32 out
     link_ids 40 out; link_attach_flags 48 out; revision 56 u64*`,
  ),
  RAW_TRACEPOINT_OPEN: layout("RAW_TRACEPOINT_OPEN", "name 0 text; prog_fd 8 u32; cookie 16 u64"),
  BTF_LOAD: layout(
    "BTF_LOAD",
    `btf 0 in; btf_log_buf 8 out; btf_size 16 u32; btf_log_size 20 u32; btf_log_level 24 u32
     btf_log_true_size 28 u32*; btf_flags 32 u32; btf_token_fd 36 s32`,
  ),
  BTF_GET_FD_BY_ID: layout("BTF_GET_FD_BY_ID", `btf_id 0 u32; ${fdById}`),
  TASK_FD_QUERY: layout(
    "TASK_FD_QUERY",
    `pid 0 u32; fd 4 u32; flags 8 u32; buf_len 12 u32*; buf 16 out; prog_id 24 u32*
     fd_type 28 u32*; probe_offset 32 u64*; probe_addr 40 u64*`,
  ),
  MAP_LOOKUP_AND_DELETE_ELEM: layout(
    "MAP_LOOKUP_AND_DELETE_ELEM",
    `${element}; value 16 out; flags 24 u64`,
  ),
  MAP_FREEZE: layout("MAP_FREEZE", "map_fd 0 u32"),
  BTF_GET_NEXT_ID: layout("BTF_GET_NEXT_ID", nextId),
  MAP_LOOKUP_BATCH: layout("MAP_LOOKUP_BATCH", batch),
  MAP_LOOKUP_AND_DELETE_BATCH: layout("MAP_LOOKUP_AND_DELETE_BATCH", batch),
  MAP_UPDATE_BATCH: layout("MAP_UPDATE_BATCH", batch),
  MAP_DELETE_BATCH: layout("MAP_DELETE_BATCH", batch),
  LINK_CREATE: layout(
    "LINK_CREATE",
    `prog_fd 0 u32; map_fd 0 u32; target_fd 4 u32; target_ifindex 4 u32; attach_type 8 u32
     flags 12 u32; target_btf_id 16 u32; iter_info 16 in; iter_info_len 24 u32`,
    60,
  ),
  LINK_UPDATE: layout(
    "LINK_UPDATE",
    `link_fd 0 u32; new_prog_fd 4 u32; new_map_fd 4 u32; flags 8 u32; old_prog_fd 12 u32
     old_map_fd 12 u32`,
  ),
  LINK_GET_FD_BY_ID: layout("LINK_GET_FD_BY_ID", "link_id 0 u32"),
  LINK_GET_NEXT_ID: layout("LINK_GET_NEXT_ID", nextId),
  ENABLE_STATS: layout("ENABLE_STATS", "type 0 u32"),
  ITER_CREATE: layout("ITER_CREATE", "link_fd 0 u32; flags 4 u32"),
  LINK_DETACH: layout("LINK_DETACH", "link_fd 0 u32"),
  PROG_BIND_MAP: layout("PROG_BIND_MAP", "prog_fd 0 u32; map_fd 4 u32; flags 8 u32"),
  TOKEN_CREATE: layout("TOKEN_CREATE", "flags 0 u32; bpffs_fd 4 u32"),
  PROG_STREAM_READ_BY_FD: layout(
    "PROG_STREAM_READ_BY_FD",
    "stream_buf 0 out; stream_buf_len 8 u32; stream_id 12 u32; prog_fd 16 u32",
  ),
}

const ordered = "relative_fd 16 u32; relative_id 16 u32; expected_revision 24 u64"

/** The part of LINK_CREATE that depends on the kind of link, by its name in `union bpf_attr`. */
export const LINK_CREATE_PARTS: Readonly<Record<string, readonly AttrField[]>> = {
  perf_event: fieldsOf("bpf_cookie 16 u64"),
  kprobe_multi: fieldsOf("flags 16 u32; cnt 20 u32; syms 24 in; addrs 32 in; cookies 40 in"),
  tracing: fieldsOf("target_btf_id 16 u32; cookie 24 u64"),
  netfilter: fieldsOf("pf 16 u32; hooknum 20 u32; priority 24 s32; flags 28 u32"),
  uprobe_multi: fieldsOf(
    `path 16 text; offsets 24 in; ref_ctr_offsets 32 in; cookies 40 in; cnt 48 u32; flags 52 u32
     pid 56 u32`,
  ),
  tcx: fieldsOf(ordered),
  netkit: fieldsOf(ordered),
  cgroup: fieldsOf(ordered),
}

const namesByNumber = new Map<number, string>()
for (const [name, { command }] of Object.entries(COMMANDS)) namesByNumber.set(command, name)

/** `commandName(0)` is "MAP_CREATE"; an unknown number gives its digits. */
export function commandName(command: number): string {
  return namesByNumber.get(command) ?? String(command)
}
