/**
 * Loads and stores through BTF pointers: bounds by the struct's type, the type of what was loaded,
 * and how far that can be trusted.
 *
 * Source: linux v6.18 kernel/bpf/verifier.c check_ptr_to_btf_access, kernel/bpf/btf.c
 * btf_struct_access.
 */

import type { Btf } from "../../btf/index.ts"
import { ERRNO } from "../../spec/errno.ts"
import {
  BASE_TYPE_MASK,
  MEM_ALLOC,
  MEM_PERCPU,
  MEM_RCU,
  MEM_RDONLY,
  MEM_USER,
  NON_OWN_REF,
  PTR_MAYBE_NULL,
  PTR_TO_BTF_ID,
  PTR_TO_MEM,
  PTR_TRUSTED,
  PTR_UNTRUSTED,
} from "../state/register-types.ts"
import { aOf, bOf, setA, setB, setId, setPrecise, setType, typeOf } from "../state/registers.ts"
import type { Verifier } from "../verifier.ts"
import { fieldName, recordOf } from "./record.ts"
import { type StructAccess, step } from "./struct-walk.ts"
import { hasVariablePart, variablePart } from "./tnum-text.ts"
import { inRcuSection, isRcu, isSafeField, isTrusted, TRUSTED_FLAGS } from "./trust.ts"
import { isKernelBtf } from "./type-match.ts"
import { hasWriteRules, mayWriteStruct } from "./write-access.ts"

export type { StructAccess } from "./struct-walk.ts"
export { btfIndex, structIdsMatch } from "./type-match.ts"

/** What a load finds in a struct. */
export interface Loaded {
  readonly kind: "scalar" | "pointer" | "memory"
  /** Of a pointer: the struct pointed to. */
  readonly id: number
  readonly flags: number
  readonly field: string
}

const SCALAR: Loaded = { kind: "scalar", id: 0, flags: 0, field: "" }
const MEMORY: Loaded = { kind: "memory", id: 0, flags: MEM_RDONLY | PTR_UNTRUSTED, field: "" }

/** Results of accesses of kernel structs: key from type, offset and size. */
const remembered = new WeakMap<Btf, Map<number, Loaded>>()
const REMEMBERED_OFFSET_MAX = 1 << 22

/** Linux: btf_struct_access. Throws a Rejection when there is no such field. */
export function accessStruct(v: Verifier, access: StructAccess): Loaded {
  const { btf, id, type, off, size } = access
  if (type & MEM_ALLOC) checkSpecialFields(v, access)
  const key = (id * REMEMBERED_OFFSET_MAX + off) * 16 + size
  const memory = rememberedOf(btf)
  let loaded = off < REMEMBERED_OFFSET_MAX ? memory.get(key) : undefined
  if (loaded === undefined) {
    loaded = walk(v, access)
    if (off < REMEMBERED_OFFSET_MAX) memory.set(key, loaded)
  }
  // Pointers in a program's own objects are numbers, unless they are kptrs.
  return loaded.kind === "pointer" && type & MEM_ALLOC ? SCALAR : loaded
}

function rememberedOf(btf: Btf): Map<number, Loaded> {
  let memory = remembered.get(btf)
  if (memory === undefined) remembered.set(btf, (memory = new Map()))
  return memory
}

function walk(v: Verifier, { btf, id, off, size }: StructAccess): Loaded {
  let at = id
  let offset = off
  let flags = 0
  for (;;) {
    const next = step(btf, at, offset, size, flags)
    switch (next.kind) {
      case "scalar":
        return SCALAR
      case "memory":
        return MEMORY
      case "pointer":
        return { kind: "pointer", id: next.id, flags: next.flags, field: next.field }
      case "error":
        v.reject(next.errno, next.message, { rule: "struct-field", offset: off, size })
    }
    at = next.id
    offset = 0
    flags = next.flags
  }
}

function checkSpecialFields(v: Verifier, { btf, id, off, size }: StructAccess): void {
  const record = recordOf(btf, id, v.input.kernelBtf)
  for (const field of record?.fields ?? [])
    if (off < field.offset + field.size && field.offset < off + size)
      v.reject(ERRNO.EACCES, `direct access to ${fieldName(field.kind)} is disallowed`, {
        rule: "special-field",
        offset: off,
        size,
      })
}

/** Linux: mark_btf_ld_reg. Leaves in register `valueReg` what was loaded. */
export function loadBtf(
  v: Verifier,
  valueReg: number,
  loaded: Loaded,
  btf: Btf,
  flags: number,
): void {
  const d = v.domain
  const reg = v.reg(valueReg)
  if (loaded.kind === "scalar") {
    d.markUnknown(reg)
    if (!v.bpfCapable) setPrecise(d, reg, true)
    return
  }
  d.markKnownZero(reg)
  if (loaded.kind === "memory") {
    setType(d, reg, PTR_TO_MEM | flags)
    return
  }
  setType(d, reg, PTR_TO_BTF_ID | flags)
  setA(d, reg, loaded.id)
  setB(d, reg, v.btfs.indexOf(btf))
  if (flags & PTR_MAYBE_NULL) setId(d, reg, v.newId())
}

/**
 * Linux: check_ptr_to_btf_access. `size` bytes at `off` (with the pointer's fixed offset) of what
 * register `regno` points to; a load leaves its type in register `valueReg`.
 */
export function accessBtf(
  v: Verifier,
  regno: number,
  off: number,
  size: number,
  write: boolean,
  valueReg: number,
): void {
  const d = v.domain
  const reg = v.reg(regno)
  const btf = v.btfs[bOf(d, reg)]
  const id = aOf(d, reg)
  const type = typeOf(d, reg)
  checkReachable(v, regno, btf, id, off)
  const access: StructAccess = { btf, id, type, off, size }
  if (write && (type & MEM_ALLOC) === 0 && hasWriteRules(v)) {
    mayWriteStruct(v, access)
    return
  }
  if (write && (type & (MEM_ALLOC | PTR_UNTRUSTED)) !== MEM_ALLOC)
    v.reject(ERRNO.EACCES, "only read is supported", {
      rule: "read-only",
      register: regno,
      offset: off,
      size,
    })
  const loaded = accessStruct(v, access)
  if (write || valueReg < 0) return
  const flags = loaded.kind === "pointer" ? loadedFlags(v, reg, access, loaded) : loaded.flags
  loadBtf(v, valueReg, loaded, btf, flags)
}

function checkReachable(v: Verifier, regno: number, btf: Btf, id: number, off: number): void {
  const d = v.domain
  const reg = v.reg(regno)
  const type = typeOf(d, reg)
  const details = { rule: "struct-access", register: regno, offset: off }
  if (!v.allowPtrLeaks)
    v.reject(
      ERRNO.EPERM,
      `'struct ${btf.type(id).name}' access is allowed only to CAP_PERFMON and CAP_SYS_ADMIN`,
      details,
    )
  if (!v.input.gplCompatible && isKernelBtf(v, btf))
    v.reject(
      ERRNO.EINVAL,
      `Cannot access kernel 'struct ${btf.type(id).name}' from non-GPL compatible program`,
      details,
    )
  if (off >= 0 && (type & (MEM_USER | MEM_PERCPU)) === 0 && !hasVariablePart(d, reg)) return
  const what = `R${regno} is ptr_${btf.type(id).name}`
  if (off < 0) v.reject(ERRNO.EACCES, `${what} invalid negative access: off=${off}`, details)
  if (hasVariablePart(d, reg))
    v.reject(
      ERRNO.EACCES,
      `${what} invalid variable offset: off=${off}, var_off=${variablePart(d, reg)}`,
      details,
    )
  const memory = type & MEM_USER ? "user" : "percpu"
  v.reject(ERRNO.EACCES, `${what} access ${memory} memory: off=${off}`, details)
}

/** How far a pointer found in a struct can be trusted, by how far the struct's pointer is. */
function loadedFlags(v: Verifier, reg: number, access: StructAccess, loaded: Loaded): number {
  const type = typeOf(v.domain, reg)
  if (type & PTR_UNTRUSTED) return PTR_UNTRUSTED
  const plain = loaded.flags & ~(TRUSTED_FLAGS | MEM_RCU)
  if (!isTrusted(v, reg) && !isRcu(v, reg)) return plain
  const is = (safety: Parameters<typeof isSafeField>[4]): boolean =>
    isSafeField(access.btf, access.id, loaded.field, loaded.id, safety)
  if (is("trusted")) return loaded.flags | PTR_TRUSTED
  if (is("trustedOrNull")) return loaded.flags | PTR_TRUSTED | PTR_MAYBE_NULL
  if (!inRcuSection(v) || type & PTR_MAYBE_NULL) return PTR_UNTRUSTED
  if (is("rcu")) return loaded.flags | MEM_RCU
  const rcuOrNull = is("rcuOrNull")
  if (loaded.flags & MEM_RCU || rcuOrNull) {
    const flags = loaded.flags | MEM_RCU | PTR_MAYBE_NULL
    return rcuOrNull ? flags & ~PTR_UNTRUSTED : flags
  }
  return loaded.flags & (MEM_PERCPU | MEM_USER) ? loaded.flags : plain
}

/** Whether the object is the program's own (type_is_non_owning_ref and owning ones). */
export function isAllocated(type: number): boolean {
  return (type & BASE_TYPE_MASK) === PTR_TO_BTF_ID && (type & (MEM_ALLOC | NON_OWN_REF)) !== 0
}
