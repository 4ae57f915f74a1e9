/**
 * Kernel pointers in map values (kptr, percpu_kptr, uptr): loads give typed pointers, stores take
 * NULL, and into unreferenced ones pointers of the right type.
 *
 * Source: linux v6.18 kernel/bpf/verifier.c check_map_kptr_access, map_kptr_match_type,
 * btf_ld_kptr_type.
 */

import { BPF_LDX, BPF_MEM, BPF_ST, BPF_STX } from "../../../isa/opcode.ts"
import { opcodeClass, opcodeMode } from "../../../isa/predicates.ts"
import { ERRNO } from "../../../spec/errno.ts"
import { registerTypeName } from "../../log/type-names.ts"
import {
  BASE_TYPE_MASK,
  MEM_ALLOC,
  MEM_PERCPU,
  MEM_RCU,
  NON_OWN_REF,
  PTR_MAYBE_NULL,
  PTR_TO_BTF_ID,
  PTR_TO_MEM,
  PTR_TRUSTED,
  PTR_UNTRUSTED,
} from "../../state/register-types.ts"
import { aOf, bOf, offOf, typeOf } from "../../state/registers.ts"
import { type KptrTarget, type RecordField, recordOf } from "../../types/record.ts"
import { inRcuSection, isRcuProtected } from "../../types/trust.ts"
import { btfIndex, structIdsMatch } from "../../types/type-match.ts"
import type { Verifier } from "../../verifier.ts"
import { checkPointerOffset } from "../pointers/offset.ts"
import { loadPointer } from "./values.ts"

/** The access was found to be 8 aligned bytes, exactly at `field`. */
export function checkKptrAccess(
  v: Verifier,
  _regno: number,
  valueReg: number,
  field: RecordField,
): void {
  const opcode = v.code.opcode[v.insn]
  const kind = opcodeClass(opcode)
  const details = { rule: "kptr-access", offset: field.offset }
  if (opcodeMode(opcode) !== BPF_MEM)
    v.reject(
      ERRNO.EACCES,
      "kptr in map can only be accessed using BPF_MEM instruction mode",
      details,
    )
  if (kind !== BPF_LDX && (field.kind === "kptr_ref" || field.kind === "kptr_percpu"))
    v.reject(ERRNO.EACCES, "store to referenced kptr disallowed", details)
  if (kind !== BPF_LDX && field.kind === "uptr")
    v.reject(ERRNO.EACCES, "store to uptr disallowed", details)
  const target = field.kptr!
  switch (kind) {
    case BPF_LDX:
      if (field.kind === "uptr")
        loadPointer(v, valueReg, PTR_TO_MEM | PTR_MAYBE_NULL, target.btf.sizeOf(target.typeId), 0)
      else
        loadPointer(
          v,
          valueReg,
          PTR_TO_BTF_ID | loadedFlags(v, field, target),
          target.typeId,
          btfIndex(v, target.btf),
        )
      return
    case BPF_STX:
      if (v.domain.isNull(v.reg(valueReg)) === 0) checkKptrMatch(v, valueReg, field)
      return
    case BPF_ST:
      if (v.code.imm[v.insn] !== 0)
        v.reject(
          ERRNO.EACCES,
          `BPF_ST imm must be 0 when storing to kptr at off=${field.offset}`,
          details,
        )
  }
}

/** How far what was loaded can be trusted: under RCU, or not at all. */
function loadedFlags(v: Verifier, field: RecordField, target: KptrTarget): number {
  const isPercpu = field.kind === "kptr_percpu"
  const safe =
    isPercpu ||
    (field.kind === "kptr_ref" && isRcuProtected(target.btf, target.typeId, target.kernel))
  if (!safe || !inRcuSection(v)) return PTR_MAYBE_NULL | PTR_UNTRUSTED
  let flags = PTR_MAYBE_NULL | MEM_RCU
  if (isPercpu) flags |= MEM_PERCPU
  else if (!target.kernel) {
    flags |= MEM_ALLOC
    const record = recordOf(target.btf, target.typeId, v.input.kernelBtf)
    if (record?.has("list_node") || record?.has("rb_node")) flags |= NON_OWN_REF
  }
  return flags
}

/**
 * Whether register `regno` may be put into the field, by a store or by
 * bpf_kptr_xchg(). Linux: map_kptr_match_type.
 */
export function checkKptrMatch(
  v: Verifier,
  regno: number,
  field: RecordField,
  errno: number = ERRNO.EACCES,
): void {
  const d = v.domain
  const reg = v.reg(regno)
  const type = typeOf(d, reg)
  const target = field.kptr!
  const unreferenced = field.kind === "kptr_unref"
  if ((type & BASE_TYPE_MASK) !== PTR_TO_BTF_ID) {
    rejectType(v, regno, field, "", errno)
    return
  }
  const btf = v.btfs[bOf(d, reg)]
  const isKernel = btf === v.btfs[0] || btf.base === v.btfs[0]
  let allowed = PTR_MAYBE_NULL
  if (isKernel) allowed |= PTR_TRUSTED | MEM_RCU | (unreferenced ? PTR_UNTRUSTED : 0)
  else allowed |= MEM_ALLOC | (field.kind === "kptr_percpu" ? MEM_PERCPU : 0)
  if (type & ~BASE_TYPE_MASK & ~allowed) {
    rejectType(v, regno, field, "", errno)
    return
  }
  checkPointerOffset(v, reg, regno, true)
  const id = aOf(d, reg)
  if (!structIdsMatch(v, btf, id, offOf(d, reg), target.btf, target.typeId, !unreferenced))
    rejectType(v, regno, field, btf.type(id).name, errno)
}

function rejectType(
  v: Verifier,
  regno: number,
  field: RecordField,
  name: string,
  errno: number,
): never {
  const target = field.kptr!
  const expected = target.btf.type(target.typeId).name
  let text = `invalid kptr access, R${regno} type=${registerTypeName(typeOf(v.domain, v.reg(regno)))}${name} `
  text += `expected=${registerTypeName(PTR_TO_BTF_ID)}${expected}`
  if (field.kind === "kptr_unref")
    text += ` or ${registerTypeName(PTR_TO_BTF_ID | PTR_UNTRUSTED)}${expected}`
  v.reject(errno, text, { rule: "kptr-type", register: regno, offset: field.offset })
}
