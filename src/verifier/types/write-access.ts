/**
 * Fields of kernel structs that some program types may write.
 *
 * Source: linux v6.18 net/core/filter.c tc_cls_act_btf_struct_access, net/ipv4/bpf_tcp_ca.c,
 * kernel/sched/ext.c, net/sched/bpf_qdisc.c, net/bpf/bpf_dummy_struct_ops.c (btf_struct_access).
 */

import type { Btf } from "../../btf/index.ts"
import { ERRNO } from "../../spec/errno.ts"
import { BPF_PROG_TYPE as PT } from "../../spec/program-types.ts"
import { Rejection } from "../rejection.ts"
import type { Verifier } from "../verifier.ts"
import type { StructAccess } from "./struct-walk.ts"

/** Writable fields by struct, as paths: `icsk_ack.pending`; with `*` also from their middle. */
interface WriteRules {
  readonly [struct: string]: readonly string[]
}

const NF_CONN: WriteRules = { nf_conn: ["mark"], nf_conn___init: ["mark"] }

/** Fields of struct sock and its extensions are found through their first members. */
const TCP_SOCK: WriteRules = {
  tcp_sock: [
    "inet_conn.icsk_inet.sk.sk_pacing_rate",
    "inet_conn.icsk_inet.sk.sk_pacing_status",
    "inet_conn.icsk_ca_priv*",
    "inet_conn.icsk_ack.pending",
    "snd_cwnd",
    "snd_cwnd_cnt",
    "snd_cwnd_stamp",
    "snd_ssthresh",
    "ecn_flags",
    "app_limited",
  ],
}

const SCHED_EXT: WriteRules = { task_struct: ["scx.slice*", "scx.dsq_vtime*", "scx.disallow*"] }
const QDISC: WriteRules = {
  sk_buff: ["tstamp", "cb*"],
  Qdisc: ["limit", "q.qlen", "qstats*"],
}
const DUMMY: WriteRules = { bpf_dummy_ops_state: ["val*"] }

/** By the struct of a struct_ops program. */
const STRUCT_OPS: Readonly<Record<string, WriteRules>> = {
  tcp_congestion_ops: TCP_SOCK,
  sched_ext_ops: SCHED_EXT,
  Qdisc_ops: QDISC,
  bpf_dummy_ops: DUMMY,
}

function rulesOf(v: Verifier): WriteRules | undefined {
  switch (v.input.type) {
    case PT.BPF_PROG_TYPE_SCHED_CLS:
    case PT.BPF_PROG_TYPE_SCHED_ACT:
    case PT.BPF_PROG_TYPE_XDP:
      return NF_CONN
    case PT.BPF_PROG_TYPE_STRUCT_OPS: {
      const { target } = v.input
      return target === null ? undefined : STRUCT_OPS[target.btf.resolve(target.btfId).name]
    }
    default:
      return undefined
  }
}

/** Whether stores to kernel structs are decided by {@link mayWriteStruct} (ops->btf_struct_access). */
export function hasWriteRules(v: Verifier): boolean {
  return rulesOf(v) !== undefined
}

interface Extent {
  readonly start: number
  readonly end: number
}

/** Where the field at a path lies; undefined when the kernel's BTF has no such field. */
function extentOf(btf: Btf, id: number, path: string): Extent | undefined {
  let at = btf.skipModifiers(id)
  let start = 0
  let size = 0
  for (const name of path.split(".")) {
    const type = btf.type(at)
    if (type.kind !== "struct" && type.kind !== "union") return undefined
    const found = memberOf(btf, at, name)
    if (found === undefined) return undefined
    start += found.offset
    at = btf.skipModifiers(found.type)
    size = btf.sizeOf(at)
  }
  return { start, end: start + size }
}

/** A member by name, also inside of anonymous structs and unions. */
function memberOf(
  btf: Btf,
  id: number,
  name: string,
): { readonly offset: number; readonly type: number } | undefined {
  const type = btf.resolve(id)
  if (type.kind !== "struct" && type.kind !== "union") return undefined
  for (const member of type.members) {
    const offset = Math.floor(member.bitOffset / 8)
    if (member.name === name) return { offset, type: member.type }
    if (member.name !== "") continue
    const inner = memberOf(btf, member.type, name)
    if (inner !== undefined) return { offset: offset + inner.offset, type: inner.type }
  }
  return undefined
}

/** Throws a Rejection when the program may not store there. */
export function mayWriteStruct(v: Verifier, { btf, id, off, size }: StructAccess): void {
  const rules = rulesOf(v) ?? {}
  const { name } = btf.resolve(id)
  const paths = rules[name]
  const details = { rule: "read-only", offset: off, size, subject: name }
  const silent = rules === SCHED_EXT
  if (paths === undefined) v.reject(ERRNO.EACCES, silent ? "" : "only read is supported", details)
  const field = paths
    .map((path) => ({ path, extent: extentOf(btf, id, path.replace("*", "")) }))
    .find(({ path, extent }) => {
      if (extent === undefined || off < extent.start || off >= extent.end) return false
      return off === extent.start || path.endsWith("*")
    })?.extent
  if (field === undefined) {
    if (silent) throw new Rejection(ERRNO.EACCES, v.insn, "", details)
    v.reject(ERRNO.EACCES, `no write support to ${name} at off ${off}`, details)
  }
  if (off + size > field.end)
    v.reject(
      ERRNO.EACCES,
      `write access at off ${off} with size ${size} beyond the member of ${name} ended at ${field.end}`,
      details,
    )
}
