/**
 * The arguments of a kfunc: numbers, constants, and pointers that must be what the parameter's
 * type and the kfunc's flags demand.
 *
 * Source: linux v6.18 kernel/bpf/verifier.c check_kfunc_args, process_kf_arg_ptr_to_btf_id.
 */

import { ERRNO } from "../../../spec/errno.ts"
import { registerTypeName } from "../../log/type-names.ts"
import { Rejection } from "../../rejection.ts"
import {
  BASE_TYPE_MASK,
  CONST_PTR_TO_MAP,
  MEM_ALLOC,
  MEM_RCU,
  NON_OWN_REF,
  PTR_MAYBE_NULL,
  PTR_TO_BTF_ID,
  PTR_TO_CTX,
  PTR_TO_FUNC,
  PTR_TO_MAP_KEY,
  PTR_TO_MAP_VALUE,
  PTR_TRUSTED,
  SCALAR_VALUE,
} from "../../state/register-types.ts"
import {
  aOf,
  bOf,
  constantLow,
  isConstant,
  offOf,
  refObjIdOf,
  typeOf,
  varOffValueOf,
} from "../../state/registers.ts"
import { recordOfMap } from "../../types/record.ts"
import { structIdsMatch } from "../../types/walk.ts"
import type { Verifier } from "../../verifier.ts"
import { checkConstString } from "../memory/const-string.ts"
import { checkKfuncMemorySizePair, checkMemoryRegister } from "../memory/helper-memory.ts"
import { checkArgumentOffset } from "../pointers/offset.ts"
import { isProjection, kernelContextName } from "./context-types.ts"
import { kindText, resolvedSize } from "./function-arguments.ts"
import { type KfuncArgument, refuse } from "./kfunc-argument.ts"
import {
  isScalarType,
  type KfuncArgumentKind,
  kfuncArgumentKind,
  STRUCT_OF_TYPE,
} from "./kfunc-kinds.ts"
import type { KfuncMeta } from "./kfunc-meta.ts"
import {
  checkAllocated,
  checkDynptr,
  checkField,
  checkFlag,
  checkIterator,
  checkNode,
  checkRefcounted,
  checkResilientLock,
  checkRoot,
} from "./kfunc-objects.ts"
import type { KfuncRule } from "./kfunc-table.ts"
import { kernelStruct } from "./register-match.ts"

const TRUSTED = MEM_ALLOC | PTR_TRUSTED | NON_OWN_REF

function hasUnsafeFlags(type: number): boolean {
  return (type & ~BASE_TYPE_MASK & ~TRUSTED) !== 0
}

/** The object exists as long as the program may use the pointer (is_trusted_reg). */
function isTrusted(v: Verifier, reg: number): boolean {
  if (refObjIdOf(v.domain, reg) !== 0) return true
  const type = typeOf(v.domain, reg)
  if (hasUnsafeFlags(type)) return false
  return STRUCT_OF_TYPE[type & BASE_TYPE_MASK] !== undefined || (type & TRUSTED) !== 0
}

function checkTrust(argument: KfuncArgument): void {
  const { v, rule, reg, regno } = argument
  if (isTrusted(v, reg)) return
  if (!rule.has("rcu")) refuse(argument, `R${regno} must be referenced or trusted`)
  if (!(typeOf(v.domain, reg) & MEM_RCU)) refuse(argument, `R${regno} must be a rcu pointer`)
}

function checkScalar(v: Verifier, rule: KfuncRule, index: number, meta: KfuncMeta): void {
  const { domain } = v
  const regno = index + 1
  const reg = v.reg(regno)
  const { name } = rule.proto.params[index]
  const stop = (text: string): never =>
    v.reject(ERRNO.EINVAL, text, { rule: "kfunc-argument", argument: index, subject: rule.name })
  if (typeOf(domain, reg) !== SCALAR_VALUE) stop(`R${regno} is not a scalar`)
  if (name.endsWith("__k")) {
    if (!isConstant(domain, reg)) stop(`R${regno} must be a known constant`)
    v.markPrecise(regno)
    meta.constant = varOffValueOf(domain, reg)
    return
  }
  if (name !== "rdonly_buf_size" && name !== "rdwr_buf_size") return
  if (name === "rdonly_buf_size") meta.resultReadonly = true
  if (meta.resultSize !== 0) stop("2 or more rdonly/rdwr_buf_size parameters for kfunc")
  if (!isConstant(domain, reg)) stop(`R${regno} is not a const`)
  meta.resultSize = constantLow(domain, reg)
  v.markPrecise(regno)
}

function checkMap(argument: KfuncArgument): void {
  const { v, meta, reg, regno } = argument
  const { domain } = v
  const base = typeOf(domain, reg) & BASE_TYPE_MASK
  const known = [CONST_PTR_TO_MAP, PTR_TO_MAP_VALUE, PTR_TO_MAP_KEY, PTR_TO_BTF_ID]
  if (!known.includes(base)) refuse(argument, `pointer in R${regno} isn't map pointer`)
  if (base === PTR_TO_BTF_ID) return
  const index = aOf(domain, reg)
  const uid = bOf(domain, reg)
  const record = recordOfMap(v, index)
  const work = (record?.taskWorkOffset ?? -1) >= 0
  const matters = work || (record?.workqueueOffset ?? -1) >= 0
  if (meta.mapIndex >= 0 && matters && (meta.mapIndex !== index || meta.mapUid !== uid))
    refuse(
      argument,
      work
        ? `bpf_task_work pointer in R2 map_uid=${meta.mapUid} doesn't match map pointer in R3 map_uid=${uid}`
        : `workqueue pointer in R1 map_uid=${meta.mapUid} doesn't match map pointer in R2 map_uid=${uid}`,
    )
  meta.mapIndex = index
  meta.mapUid = uid
}

/** Names that differ in `___init` only are types of one layout that must not be mixed. */
function isNoCastAlias(have: string, want: string): boolean {
  const suffix = "___init"
  return (
    have.endsWith(suffix) !== want.endsWith(suffix) &&
    have.replace(suffix, "") === want.replace(suffix, "")
  )
}

/** A pointer to a kernel struct; `wanted` overrides the parameter's type. */
function checkStruct(argument: KfuncArgument, wanted = argument.target): void {
  const { v, rule, index, regno, reg } = argument
  const { domain } = v
  const type = typeOf(domain, reg)
  const base = type & BASE_TYPE_MASK
  const known = STRUCT_OF_TYPE[base]
  const unfit = base !== PTR_TO_BTF_ID || (hasUnsafeFlags(type) && !(type & MEM_RCU))
  if (unfit && known === undefined) {
    const expected = registerTypeName(base | (type & TRUSTED))
    refuse(argument, `arg#${index} is ${registerTypeName(type)} expected ${expected} or socket`)
  }
  const isBtf = base === PTR_TO_BTF_ID
  const btf = isBtf ? v.btfs[bOf(domain, reg)] : v.input.kernelBtf()
  const id = btf.skipModifiers(isBtf ? aOf(domain, reg) : kernelStruct(v, known))
  const wantedId = rule.btf.skipModifiers(wanted)
  const want = rule.btf.type(wantedId)
  const have = btf.type(id)
  const strict =
    (rule.has("release") && refObjIdOf(domain, reg) !== 0) || isNoCastAlias(have.name, want.name)
  if (structIdsMatch(v, btf, id, offOf(domain, reg), rule.btf, wantedId, strict)) return
  if (isProjection(want.name, have.name)) return
  refuse(
    argument,
    `kernel function ${rule.name} args#${index} expected pointer to ${kindText(want)} ${want.name} ` +
      `but R${regno} has a pointer to ${kindText(have)} ${have.name}`,
  )
}

function checkContext(argument: KfuncArgument): void {
  const { v, rule, meta, index, reg } = argument
  const type = typeOf(v.domain, reg)
  if (type !== PTR_TO_CTX)
    refuse(argument, `arg#${index} expected pointer to ctx, but got ${registerTypeName(type)}`)
  if (rule.name !== "bpf_cast_to_kern_ctx") return
  const name = kernelContextName(v.input.type)
  if (name === "") v.rejectQuietly(ERRNO.EINVAL, "the context has no type of its own")
  meta.contextId = kernelStruct(v, name)
}

function checkMemory(argument: KfuncArgument): void {
  const { v, rule, index, regno, target } = argument
  const size = resolvedSize(rule.btf, target)
  if (size === null) {
    const type = rule.btf.resolve(target)
    refuse(
      argument,
      `arg#${index} reference type('${kindText(type)} ${type.name}') size cannot be determined: -22`,
    )
  } else checkMemoryRegister(v, regno, size)
}

function checkSizedMemory(argument: KfuncArgument): void {
  const { v, rule, meta, index, regno, reg } = argument
  const { domain } = v
  const [memory, size] = rule.proto.params.slice(index)
  const optional = /__(opt|nullable)$/.test(memory.name)
  if (!(optional && domain.isNull(reg)))
    try {
      checkKfuncMemorySizePair(v, regno, regno + 1)
    } catch (problem) {
      if (!(problem instanceof Rejection)) throw problem
      refuse(
        argument,
        `arg#${index} arg#${index + 1} memory, len pair leads to invalid memory access`,
        problem.errno,
      )
    }
  if (!size.name.endsWith("__szk")) return
  const sizeReg = v.reg(regno + 1)
  if (!isConstant(domain, sizeReg)) refuse(argument, `R${regno + 1} must be a known constant`)
  meta.constant = varOffValueOf(domain, sizeReg)
}

/** What the argument's kind demands. */
function checkKind(argument: KfuncArgument, kind: KfuncArgumentKind): void {
  const { v, meta, index, regno, reg } = argument
  switch (kind) {
    case "ctx":
      checkContext(argument)
      break
    case "allocated":
      checkAllocated(argument)
      break
    case "refcounted":
      checkRefcounted(argument)
      break
    case "dynptr":
      checkDynptr(argument)
      break
    case "iter":
      checkIterator(argument)
      break
    case "list_head":
    case "rb_root":
      checkRoot(argument, kind)
      break
    case "list_node":
    case "rb_node":
      checkNode(argument, kind)
      break
    case "map":
      checkStruct(argument, kernelStruct(v, "bpf_map"))
      break
    case "btf":
      checkStruct(argument)
      break
    case "mem":
      checkMemory(argument)
      break
    case "mem_size":
      checkSizedMemory(argument)
      break
    case "workqueue":
      checkField(argument, "bpf_wq")
      break
    case "task_work":
      checkField(argument, "bpf_task_work")
      break
    case "irq_flag":
      checkFlag(argument)
      break
    case "res_spin_lock":
      checkResilientLock(argument)
      break
    case "callback":
      if (typeOf(v.domain, reg) !== PTR_TO_FUNC)
        refuse(argument, `arg${index} expected pointer to func`)
      meta.subprogram = aOf(v.domain, reg)
      break
    case "string":
      if (typeOf(v.domain, reg) !== PTR_TO_MAP_VALUE)
        refuse(argument, `arg#${index} doesn't point to a const string`)
      checkConstString(v, regno)
      break
  }
}

function checkPointer(argument: KfuncArgument): KfuncArgumentKind {
  const { v, rule, meta, index, regno, reg } = argument
  const { domain } = v
  const maybeNull = domain.isNull(reg) !== 0 || (typeOf(domain, reg) & PTR_MAYBE_NULL) !== 0
  if (maybeNull && !/__(nullable|opt)$/.test(rule.proto.params[index].name))
    refuse(argument, `Possibly NULL pointer passed to trusted arg${index}`, ERRNO.EACCES)
  const reference = refObjIdOf(domain, reg)
  if (reference !== 0) {
    meta.refObjId = reference
    if (rule.has("release")) meta.releaseRegno = regno
  }
  const kind = kfuncArgumentKind(v, rule, index, argument.target)
  if (kind === "null") return kind
  if (kind === "map") checkMap(argument)
  if (kind === "map" || kind === "allocated" || kind === "btf") checkTrust(argument)
  checkArgumentOffset(v, reg, regno, { release: rule.has("release") && reference !== 0 })
  checkKind(argument, kind)
  return kind
}

/** Checks all arguments of the current kfunc call. */
export function checkKfuncArguments(v: Verifier, rule: KfuncRule, meta: KfuncMeta): void {
  const { params } = rule.proto
  if (params.length > 5)
    v.reject(ERRNO.EINVAL, `Function ${rule.name} has ${params.length} > 5 args`)
  for (let index = 0; index < params.length; index++) {
    const { name, type } = params[index]
    if (name.endsWith("__ign") || name.endsWith("__prog")) continue
    const resolved = rule.btf.resolve(type)
    if (isScalarType(resolved)) {
      checkScalar(v, rule, index, meta)
      continue
    }
    if (resolved.kind !== "ptr") {
      v.reject(ERRNO.EINVAL, `Unrecognized arg#${index} type ${kindText(resolved)}`)
      return
    }
    const regno = index + 1
    const target = resolved.type
    const kind = checkPointer({ v, rule, meta, index, regno, reg: v.reg(regno), target })
    // The size that follows was checked with its memory.
    if (kind === "mem_size") index++
  }
  if (rule.has("release") && meta.releaseRegno === 0)
    v.reject(
      ERRNO.EINVAL,
      `release kernel function ${rule.name} expects refcounted PTR_TO_BTF_ID`,
      { rule: "kfunc-release", subject: rule.name },
    )
}
