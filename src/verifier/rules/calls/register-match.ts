/**
 * Whether a register is of a type that an argument accepts.
 *
 * Source: linux v6.18 kernel/bpf/verifier.c check_reg_type.
 */

import type { Btf } from "../../../btf/index.ts"
import { ERRNO } from "../../../spec/errno.ts"
import type { HelperName } from "../../../spec/helper-names.ts"
import { registerTypeName } from "../../log/type-names.ts"
import {
  BASE_TYPE_MASK,
  DYNPTR_TYPE_LOCAL,
  DYNPTR_TYPE_RINGBUF,
  DYNPTR_TYPE_SKB,
  DYNPTR_TYPE_SKB_META,
  DYNPTR_TYPE_XDP,
  MEM_ALLOC,
  MEM_PERCPU,
  MEM_RDONLY,
  PTR_MAYBE_NULL,
  PTR_TO_BTF_ID,
} from "../../state/register-types.ts"
import { aOf, bOf, offOf, typeOf } from "../../state/registers.ts"
import type { RecordField } from "../../types/record.ts"
import { structIdsMatch } from "../../types/walk.ts"
import type { Verifier } from "../../verifier.ts"
import { checkKptrMatch } from "../memory/map-kptr.ts"
import { checkPointerOffset } from "../pointers/offset.ts"
import type { Compatible } from "./helper-table.ts"

const DYNPTR_FLAGS =
  DYNPTR_TYPE_LOCAL | DYNPTR_TYPE_RINGBUF | DYNPTR_TYPE_SKB | DYNPTR_TYPE_XDP | DYNPTR_TYPE_SKB_META

/** What {@link checkRegisterType} must know of an argument. */
export interface TypedArgument {
  readonly compatible: Compatible
  readonly nullable: boolean
  readonly readonly: boolean
  readonly release: boolean
  /** Name of the kernel's struct, or its id. */
  readonly btf: string | number | null
}

const structIds = new WeakMap<Btf, Map<string, number>>()

/** The kernel's struct of a name; 0 when it has none. */
export function kernelStruct(v: Verifier, name: string): number {
  const btf = v.input.kernelBtf()
  let known = structIds.get(btf)
  if (known === undefined) structIds.set(btf, (known = new Map()))
  let id = known.get(name)
  if (id === undefined) known.set(name, (id = btf.findByName(name, "struct") ?? 0))
  return id
}

/** A pointer to a struct must be to the one that is wanted. */
function checkStruct(
  v: Verifier,
  regno: number,
  argument: TypedArgument,
  helper: HelperName | null,
): void {
  const { domain } = v
  const reg = v.reg(regno)
  const type = typeOf(domain, reg)
  if (type & PTR_MAYBE_NULL && (!argument.nullable || argument.release))
    v.reject(ERRNO.EACCES, `Possibly NULL pointer passed to helper arg${regno}`, {
      rule: "argument-null",
      register: regno,
    })
  const wanted =
    typeof argument.btf === "number" ? argument.btf : kernelStruct(v, argument.btf ?? "")
  checkPointerOffset(v, reg, regno, true)
  const kernel = v.input.kernelBtf()
  const btf = v.btfs[bOf(domain, reg)]
  const strict = argument.release && helper !== "sk_release"
  if (structIdsMatch(v, btf, aOf(domain, reg), offOf(domain, reg), kernel, wanted, strict)) return
  const have = btf.type(aOf(domain, reg)).name
  v.reject(
    ERRNO.EACCES,
    `R${regno} is of type ${have} but ${kernel.type(wanted).name} is expected`,
    { rule: "argument-struct", register: regno },
  )
}

/** `helper` is null for arguments of global functions; `kptr` is where bpf_kptr_xchg() puts R2. */
export function checkRegisterType(
  v: Verifier,
  regno: number,
  argument: TypedArgument,
  helper: HelperName | null,
  kptr: RecordField | null,
): void {
  const { domain } = v
  const whole = typeOf(domain, v.reg(regno))
  const { compatible } = argument
  const exchanged = helper === "kptr_xchg" && regno === 2
  let type = whole
  if (argument.readonly) type &= ~MEM_RDONLY
  if (argument.nullable) type &= ~PTR_MAYBE_NULL
  if (compatible.memory) type &= ~DYNPTR_FLAGS
  if (exchanged && type & MEM_ALLOC) type &= ~(MEM_ALLOC | MEM_PERCPU)
  if (!compatible.types.includes(type))
    v.reject(
      ERRNO.EACCES,
      `R${regno} type=${registerTypeName(whole)} expected=${compatible.text}`,
      { rule: "argument-type", register: regno },
    )
  if ((whole & BASE_TYPE_MASK) !== PTR_TO_BTF_ID) return
  if (compatible.memory) {
    if (!argument.readonly)
      v.reject(
        ERRNO.EACCES,
        `bpf_${helper}() may write into memory pointed by R${regno} type=${registerTypeName(whole)}`,
        { rule: "argument-readonly", register: regno },
      )
    return
  }
  if (exchanged) {
    if (whole & PTR_MAYBE_NULL)
      v.reject(ERRNO.EACCES, `Possibly NULL pointer passed to helper arg${regno}`, {
        rule: "argument-null",
        register: regno,
      })
    if (kptr !== null) checkKptrMatch(v, regno, kptr, ERRNO.EACCES)
    return
  }
  // Locks, exchanged kptrs and per-CPU variables have rules of their own.
  if (whole & (MEM_ALLOC | MEM_PERCPU)) return
  checkStruct(v, regno, argument, helper)
}
