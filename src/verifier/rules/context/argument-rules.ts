/**
 * Arguments whose type in the target's prototype is not the whole story: iterators' objects (NULL
 * at the end), keys and values as buffers; struct_ops arguments that may be NULL or that the
 * program owns.
 *
 * Source: linux v6.18 bpf_iter_reg of the iterators (ctx_arg_info), kernel/bpf/bpf_struct_ops.c
 * prepare_arg_info.
 */

import type { Btf } from "../../../btf/index.ts"
import { BPF_ATTACH_TYPE as AT, BPF_PROG_TYPE as PT } from "../../../spec/program-types.ts"
import {
  MEM_RDONLY,
  PTR_MAYBE_NULL,
  PTR_TO_BTF_ID,
  PTR_TO_BUF,
  PTR_TRUSTED,
} from "../../state/register-types.ts"
import type { Verifier } from "../../verifier.ts"

export interface ArgumentRule {
  readonly kind: "object" | "buffer"
  readonly offset: number
  /** Register type with flags. */
  readonly type: number
  readonly btf: Btf
  readonly typeId: number
  readonly refObjId: number
}

const OBJECT = PTR_TO_BTF_ID | PTR_MAYBE_NULL
const TRUSTED = OBJECT | PTR_TRUSTED
const BUFFER = PTR_TO_BUF | PTR_MAYBE_NULL

type Row = readonly [offset: number, type: number, struct?: string]

/** By iterator: offset, type of register, struct. */
const ITERATORS: Readonly<Record<string, readonly Row[]>> = {
  task: [[8, TRUSTED, "task_struct"]],
  task_file: [
    [8, OBJECT, "task_struct"],
    [24, OBJECT, "file"],
  ],
  task_vma: [
    [8, OBJECT, "task_struct"],
    [16, OBJECT, "vm_area_struct"],
  ],
  cgroup: [[8, TRUSTED, "cgroup"]],
  bpf_map: [[8, TRUSTED, "bpf_map"]],
  bpf_prog: [[8, OBJECT, "bpf_prog"]],
  bpf_link: [[8, OBJECT, "bpf_link"]],
  bpf_map_elem: [
    [16, BUFFER | MEM_RDONLY],
    [24, BUFFER],
  ],
  bpf_sk_storage_map: [
    [16, OBJECT, "sock"],
    [24, BUFFER],
  ],
  sockmap: [
    [16, BUFFER | MEM_RDONLY],
    [24, OBJECT, "sock"],
  ],
  tcp: [[8, TRUSTED, "sock_common"]],
  udp: [[8, TRUSTED, "udp_sock"]],
  unix: [[8, OBJECT, "unix_sock"]],
  netlink: [[8, OBJECT, "netlink_sock"]],
  ipv6_route: [[8, OBJECT, "fib6_info"]],
  ksym: [[8, OBJECT, "kallsym_iter"]],
  kmem_cache: [[8, TRUSTED, "kmem_cache"]],
  dmabuf: [[8, OBJECT, "dma_buf"]],
}

const remembered = new WeakMap<Verifier, readonly ArgumentRule[]>()

/** The rules for the program's target; none for most. */
export function argumentRules(v: Verifier): readonly ArgumentRule[] {
  let rules = remembered.get(v)
  if (rules === undefined) remembered.set(v, (rules = find(v)))
  return rules
}

function find(v: Verifier): ArgumentRule[] {
  const { type, expectedAttachType, target } = v.input
  if (target === null) return []
  if (type === PT.BPF_PROG_TYPE_STRUCT_OPS) return structOpsRules(target.btf, target.btfId, v)
  if (type !== PT.BPF_PROG_TYPE_TRACING || expectedAttachType !== AT.BPF_TRACE_ITER) return []
  const rows = ITERATORS[target.name.replace(/^bpf_iter_/, "")] ?? []
  return rows.map(([offset, register, struct]) => ({
    kind: struct === undefined ? "buffer" : "object",
    offset,
    type: register,
    btf: target.btf,
    typeId: struct === undefined ? 0 : (target.btf.findByName(struct, "struct") ?? 0),
    refObjId: 0,
  }))
}

/** By the suffixes of the parameters of the member's stub, `tcp_congestion_ops__ssthresh`. */
function structOpsRules(btf: Btf, id: number, v: Verifier): ArgumentRule[] {
  const ops = btf.resolve(id)
  if (ops.kind !== "struct") return []
  const member = ops.members[v.input.expectedAttachType]
  const stub =
    member === undefined ? undefined : btf.findByName(`${ops.name}__${member.name}`, "func")
  if (stub === undefined) return []
  const proto = btf.typeOf(btf.typeOf(stub, "func").type, "func_proto")
  const rules: ArgumentRule[] = []
  proto.params.forEach((param, index) => {
    const nullable = param.name.endsWith("__nullable")
    const owned = param.name.endsWith("__ref")
    const pointer = btf.resolve(param.type)
    if ((!nullable && !owned) || pointer.kind !== "ptr") return
    rules.push({
      kind: "object",
      offset: 8 * index,
      type: PTR_TO_BTF_ID | PTR_TRUSTED | (nullable ? PTR_MAYBE_NULL : 0),
      btf,
      typeId: btf.skipModifiers(pointer.type),
      refObjId: owned ? ownedReference(v, rules) : 0,
    })
  })
  return rules
}

/** References that come with arguments are the first that the program holds, in their order. */
function ownedReference(v: Verifier, before: readonly ArgumentRule[]): number {
  const index = before.filter(({ refObjId }) => refObjId !== 0).length
  return v.state.refs[index]?.id ?? 0
}
