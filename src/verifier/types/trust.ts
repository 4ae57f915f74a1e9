/**
 * How far a pointer that was loaded from a kernel struct can be trusted: some fields are valid as
 * long as what they were read from is, some inside of an RCU section, the rest not at all.
 *
 * Source: linux v6.18 kernel/bpf/verifier.c BTF_TYPE_SAFE_…, rcu_protected_types.
 */

import type { Btf } from "../../btf/index.ts"
import {
  BASE_TYPE_MASK,
  MEM_ALLOC,
  MEM_RCU,
  NON_OWN_REF,
  PTR_TO_SOCK_COMMON,
  PTR_TO_SOCKET,
  PTR_TO_TCP_SOCK,
  PTR_TRUSTED,
} from "../state/register-types.ts"
import { refObjIdOf, typeOf } from "../state/registers.ts"
import type { Verifier } from "../verifier.ts"

/** `struct field → struct`, by what holds of the field. The kernel's BTF has these as types. */
type FieldTable = Readonly<Record<string, Readonly<Record<string, string>>>>

const SAFE_RCU: FieldTable = {
  task_struct: {
    cpus_ptr: "cpumask",
    cgroups: "css_set",
    real_parent: "task_struct",
    group_leader: "task_struct",
  },
  cgroup: { kn: "kernfs_node" },
  css_set: { dfl_cgrp: "cgroup" },
  cgroup_subsys_state: { cgroup: "cgroup" },
}
const SAFE_RCU_OR_NULL: FieldTable = {
  mm_struct: { exe_file: "file" },
  sk_buff: { sk: "sock" },
  request_sock: { sk: "sock" },
}
const SAFE_TRUSTED: FieldTable = {
  bpf_iter_meta: { seq: "seq_file" },
  bpf_iter__task: { meta: "bpf_iter_meta", task: "task_struct" },
  linux_binprm: { file: "file" },
  file: { f_inode: "inode" },
}
const SAFE_TRUSTED_OR_NULL: FieldTable = {
  dentry: { d_inode: "inode" },
  socket: { sk: "sock" },
  vm_area_struct: { vm_mm: "mm_struct", vm_file: "file" },
}

/** Types whose objects live until the end of an RCU grace period. */
const RCU_PROTECTED: ReadonlySet<string> = new Set([
  "prog_test_ref_kfunc",
  "cgroup",
  "bpf_cpumask",
  "task_struct",
  "bpf_crypto_ctx",
])

const SUFFIXES = {
  rcu: "__safe_rcu",
  rcuOrNull: "__safe_rcu_or_null",
  trusted: "__safe_trusted",
  trustedOrNull: "__safe_trusted_or_null",
} as const

export type Safety = keyof typeof SUFFIXES

const TABLES: Readonly<Record<Safety, FieldTable>> = {
  rcu: SAFE_RCU,
  rcuOrNull: SAFE_RCU_OR_NULL,
  trusted: SAFE_TRUSTED,
  trustedOrNull: SAFE_TRUSTED_OR_NULL,
}

/** Whether field `field` of struct `typeId`, a pointer to `targetId`, is safe in the given way. */
export function isSafeField(
  btf: Btf,
  typeId: number,
  field: string,
  targetId: number,
  safety: Safety,
): boolean {
  const { name } = btf.type(typeId)
  const declared = btf.findByName(`${name}${SUFFIXES[safety]}`, "struct")
  if (declared === undefined) return TABLES[safety][name]?.[field] === btf.type(targetId).name
  return btf.typeOf(declared, "struct").members.some((member) => {
    const type = btf.type(member.type)
    return type.kind === "ptr" && member.name === field && btf.skipModifiers(type.type) === targetId
  })
}

/** Linux: rcu_protected_object. */
export function isRcuProtected(btf: Btf, typeId: number, kernel: boolean): boolean {
  return !kernel || RCU_PROTECTED.has(btf.type(typeId).name)
}

/** The program may sleep here: a timer's callback never does, whatever the program is. */
export function inSleepable(v: Verifier): boolean {
  return v.state.inSleepable
}

/** What RCU protects stays valid here. Linux: in_rcu_cs. */
export function inRcuSection(v: Verifier): boolean {
  const { state } = v
  return state.activeRcuLocks > 0 || state.activeLocks > 0 || !inSleepable(v)
}

/** Flags of pointers that are valid. */
export const TRUSTED_FLAGS: number = MEM_ALLOC | PTR_TRUSTED | NON_OWN_REF

/** Linux: is_trusted_reg. `reg`: address. */
export function isTrusted(v: Verifier, reg: number): boolean {
  if (refObjIdOf(v.domain, reg) !== 0) return true
  const type = typeOf(v.domain, reg)
  const flags = type & ~BASE_TYPE_MASK
  if (flags & ~TRUSTED_FLAGS) return false
  switch (type & BASE_TYPE_MASK) {
    case PTR_TO_SOCKET:
    case PTR_TO_SOCK_COMMON:
    case PTR_TO_TCP_SOCK:
      return true
    default:
      return (flags & TRUSTED_FLAGS) !== 0
  }
}

/** Linux: is_rcu_reg. */
export function isRcu(v: Verifier, reg: number): boolean {
  return (typeOf(v.domain, reg) & MEM_RCU) !== 0
}
