/**
 * When a local type and a target type count as the same.
 *
 * There are three relations, all of them blind to typedefs and qualifiers:
 * - a *field* matches loosely: any struct for any struct, any pointer for any pointer, any integer
 *   for any integer, so that a field may be found that has changed its width;
 * - a type *exists* if the kinds agree along pointers, arrays and prototypes;
 * - a type *matches* if in addition names, sizes, signs, members and enumerators agree.
 * These are libbpf's rules (bpf_core_fields_are_compat, bpf_core_types_are_compat,
 * bpf_core_types_match).
 *
 * Types may be hostile: every question costs steps of a {@link Budget}.
 */

import { ObjectError } from "../../base/index.ts"
import type { Btf } from "../btf.ts"
import { MAX_RESOLVE_DEPTH } from "../constants.ts"
import { resolveType } from "../layout.ts"
import { essentialName } from "../name-index.ts"
import type { BtfFuncProto, BtfFwd, BtfStruct, BtfType, BtfUnion } from "../types.ts"
import { isComposite, isEnum, sameKind } from "./spec.ts"

/** Most comparisons of types and members for one relocation. */
const STEPS_MAX = 1_000_000

/** Bounds the time that one relocation may take. */
export class Budget {
  private steps = 0

  step(): void {
    if (++this.steps > STEPS_MAX)
      throw new ObjectError(`types are too entangled: more than ${STEPS_MAX} comparisons`)
  }
}

/** A local and a target type. */
interface Pair {
  readonly local: Btf
  readonly target: Btf
  readonly budget: Budget
}

/** Names equal but for CO-RE flavours; anonymous only equals anonymous. */
function sameName(local: string, target: string): boolean {
  return target === "" ? local === "" : essentialName(local) === essentialName(target)
}

/** Whether a field of type `localId` may be read from one of type `targetId`. */
export function fieldsCompatible(pair: Pair, localId: number, targetId: number): boolean {
  let [a, b] = [localId, targetId]
  for (let depth = 0; depth <= MAX_RESOLVE_DEPTH; depth++) {
    pair.budget.step()
    const local = resolveType(pair.local, a)
    const target = resolveType(pair.target, b)
    if (isComposite(local) && isComposite(target)) return true
    if (!sameKind(local, target)) return false
    if (local.kind === "array" && target.kind === "array") {
      ;[a, b] = [local.type, target.type]
      continue
    }
    if (local.kind === "ptr" || local.kind === "float") return true
    if (local.kind === "fwd" || isEnum(local))
      return local.name === "" || target.name === "" || sameName(local.name, target.name)
    if (local.kind === "int" && target.kind === "int")
      return local.bitOffset === 0 && target.bitOffset === 0
    return false
  }
  throw new ObjectError(`type ${localId} is nested more than ${MAX_RESOLVE_DEPTH} deep`)
}

/** Whether the target has the local type at all; the caller has compared the names. */
export function typesCompatible(
  pair: Pair,
  localId: number,
  targetId: number,
  level: number = MAX_RESOLVE_DEPTH,
): boolean {
  if (!sameKind(pair.local.type(localId), pair.target.type(targetId))) return false
  let [a, b] = [localId, targetId]
  for (let depth = 0; depth < MAX_RESOLVE_DEPTH; depth++) {
    pair.budget.step()
    const local = resolveType(pair.local, a)
    const target = resolveType(pair.target, b)
    if (!sameKind(local, target)) return false
    if (local.kind === "ptr" && target.kind === "ptr") [a, b] = [local.type, target.type]
    else if (local.kind === "array" && target.kind === "array") [a, b] = [local.type, target.type]
    else if (local.kind === "func_proto" && target.kind === "func_proto") {
      const same = paramsAgree(local, target, (x, y) => {
        if (level <= 0) throw new ObjectError("function prototypes are nested too deeply")
        const skippedX = pair.local.skipModifiers(x)
        return typesCompatible(pair, skippedX, pair.target.skipModifiers(y), level - 1)
      })
      if (!same) return false
      ;[a, b] = [local.returnType, target.returnType]
    } else if (local.kind === "int" && target.kind === "int")
      return local.bitOffset === 0 && target.bitOffset === 0
    else return isComposite(local) || isEnum(local) || local.kind === "fwd" || local.kind === "void"
  }
  throw new ObjectError(`type ${localId} is nested more than ${MAX_RESOLVE_DEPTH} deep`)
}

/** Parameters as the BTF lists them: `...` counts as one of type void. */
function paramsAgree(
  local: BtfFuncProto,
  target: BtfFuncProto,
  agree: (local: number, target: number) => boolean,
): boolean {
  if (
    local.params.length + Number(local.variadic) !==
    target.params.length + Number(target.variadic)
  )
    return false
  const count = Math.max(local.params.length, target.params.length)
  for (let i = 0; i < count; i++)
    if (!agree(local.params[i]?.type ?? 0, target.params[i]?.type ?? 0)) return false
  return true
}

/** Whether the target has the local type with all that the local declaration says of it. */
export function typesMatch(
  pair: Pair,
  localId: number,
  targetId: number,
  behindPointer = false,
  level: number = MAX_RESOLVE_DEPTH,
): boolean {
  if (level <= 0) throw new ObjectError(`type ${localId} is nested too deeply to be matched`)
  let [a, b, pointed] = [localId, targetId, behindPointer]
  for (let depth = 0; depth < MAX_RESOLVE_DEPTH; depth++) {
    pair.budget.step()
    const local = resolveType(pair.local, a)
    const target = resolveType(pair.target, b)
    if (!sameName(local.name, target.name)) return false
    if (local.kind === "ptr" && target.kind === "ptr") {
      ;[a, b, pointed] = [local.type, target.type, true]
    } else if (local.kind === "array" && target.kind === "array") {
      if (local.length !== target.length) return false
      ;[a, b] = [local.type, target.type]
    } else if (local.kind === "func_proto" && target.kind === "func_proto") {
      const behind = pointed
      if (!paramsAgree(local, target, (x, y) => typesMatch(pair, x, y, behind, level - 1)))
        return false
      ;[a, b] = [local.returnType, target.returnType]
    } else return leavesMatch(pair, local, target, pointed, level)
  }
  throw new ObjectError(`type ${localId} is nested more than ${MAX_RESOLVE_DEPTH} deep`)
}

function leavesMatch(
  pair: Pair,
  local: BtfType,
  target: BtfType,
  behindPointer: boolean,
  level: number,
): boolean {
  if (local.kind === "void") return target.kind === "void"
  if (local.kind === "fwd") return forwardMatches(local, target, behindPointer)
  if (isEnum(local)) return isEnum(target) && enumeratorsMatch(pair, local, target)
  if (isComposite(local)) {
    if (behindPointer)
      return local.kind === target.kind || (target.kind === "fwd" && target.of === local.kind)
    return (
      isComposite(target) && local.kind === target.kind && membersMatch(pair, local, target, level)
    )
  }
  if (local.kind === "int" && target.kind === "int")
    return local.size === target.size && local.signed === target.signed
  return false
}

function forwardMatches(local: BtfFwd, target: BtfType, behindPointer: boolean): boolean {
  if (target.kind === "fwd") return local.of === target.of
  return behindPointer && target.kind === local.of
}

type AnyEnum = Extract<BtfType, { kind: "enum" | "enum64" }>

/** Every local enumerator has one of its name, whatever its value. */
function enumeratorsMatch(pair: Pair, local: AnyEnum, target: AnyEnum): boolean {
  if (local.size !== target.size || local.values.length > target.values.length) return false
  const names = new Set<string>()
  for (const { name } of target.values) {
    pair.budget.step()
    names.add(essentialName(name))
  }
  return local.values.every(({ name }) => names.has(essentialName(name)))
}

/** Every local member has one of its name and of a matching type. */
function membersMatch(
  pair: Pair,
  local: BtfStruct | BtfUnion,
  target: BtfStruct | BtfUnion,
  level: number,
): boolean {
  if (local.members.length > target.members.length) return false
  return local.members.every((member) =>
    target.members.some((other) => {
      pair.budget.step()
      return (
        sameName(member.name, other.name) &&
        typesMatch(pair, member.type, other.type, false, level - 1)
      )
    }),
  )
}
