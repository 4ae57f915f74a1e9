/**
 * The types of a BTF as a graph: does every chain end in something of the right kind, does every
 * struct end (pointers may lead back, members may not), do members fit
 * (linux v6.18 kernel/bpf/btf.c btf_check_all_types and the `resolve` of each kind).
 *
 * The walk is the kernel's: a type that is being resolved when it is met again is a loop, and at
 * most MAX_RESOLVE_DEPTH types may be open at once.
 */

import type { Btf } from "./btf.ts"
import { MAX_RESOLVE_DEPTH } from "./constants.ts"
import { isIdentifier } from "./identifiers.ts"
import { isModifier } from "./layout.ts"
import type { BtfDeclTag, BtfFuncProto, BtfMember, BtfStruct, BtfType, BtfUnion } from "./types.ts"

/** What stops the walk; its message is the verdict. */
class GraphProblem extends Error {}

interface Walk {
  readonly btf: Btf
  readonly resolved: Set<number>
  readonly open: Set<number>
  /** What the walk started with, pointers or values; it stays within these. */
  mode: "any" | "pointers" | "values"
}

/** @returns `null`, or what is wrong with the first bad type in order of the kernel's walk. */
export function graphProblem(btf: Btf, types: readonly BtfType[]): string | null {
  const walk: Walk = { btf, resolved: new Set(), open: new Set(), mode: "any" }
  try {
    for (const type of types) {
      resolveFrom(walk, type.id)
      if (type.kind === "func_proto") checkProto(walk, type)
    }
    for (const type of types) if (isModifier(type)) checkTagOrder(btf, type)
    return null
  } catch (error) {
    if (error instanceof GraphProblem) return error.message
    throw error
  }
}

function fail(type: BtfType, problem: string): never {
  throw new GraphProblem(
    `[${type.id}] ${type.kind.toUpperCase()} ${type.name || "(anon)"}: ${problem}`,
  )
}

/** Types that nothing else may be made of. */
function isSourceOnly(type: BtfType): boolean {
  return type.kind === "var" || type.kind === "decl_tag" || type.kind === "datasec"
}

/** Types without size. */
function isSizeless(type: BtfType): boolean {
  return ["void", "fwd", "func", "func_proto"].includes(type.kind)
}

function needsResolve(type: BtfType): boolean {
  switch (type.kind) {
    case "ptr":
    case "array":
    case "struct":
    case "union":
    case "var":
    case "func":
    case "decl_tag":
    case "datasec":
      return true
    default:
      return isModifier(type)
  }
}

/** Resolves a type and all that it needs, as one walk. */
function resolveFrom(walk: Walk, id: number): void {
  walk.mode = "any"
  resolve(walk, id)
}

function resolve(walk: Walk, id: number): void {
  const { btf, resolved, open } = walk
  const type = btf.type(id)
  if (id < btf.firstId || !needsResolve(type) || resolved.has(id)) return
  if (open.has(id)) fail(type, "Loop detected")
  if (open.size >= MAX_RESOLVE_DEPTH)
    fail(type, `Exceeded max resolving depth:${MAX_RESOLVE_DEPTH}`)
  if (walk.mode === "any") {
    if (type.kind === "ptr") walk.mode = "pointers"
    else if (isAggregate(type)) walk.mode = "values"
  }
  open.add(id)
  resolveType(walk, type)
  open.delete(id)
  resolved.add(id)
}

/** Resolves a part, unless the walk ends there: pointers do not look into structs, nor structs
 * behind pointers. */
function resolvePart(walk: Walk, id: number): void {
  const type = walk.btf.type(id)
  if (walk.mode === "pointers" && !isModifier(type) && type.kind !== "ptr") return
  if (walk.mode === "values" && !isModifier(type) && !isAggregate(type)) return
  resolve(walk, id)
}

function isAggregate(type: BtfType): boolean {
  return type.kind === "struct" || type.kind === "union" || type.kind === "array"
}

function resolveType(walk: Walk, type: BtfType): void {
  const { btf } = walk
  switch (type.kind) {
    case "ptr":
      if (isSourceOnly(btf.type(type.type))) fail(type, "Invalid type_id")
      resolvePart(walk, type.type)
      resolveHiddenPointer(walk, type.type)
      requirePointee(walk, type, type.type)
      return
    case "typedef":
    case "const":
    case "volatile":
    case "restrict":
    case "type_tag":
      if (isSourceOnly(btf.type(type.type))) fail(type, "Invalid type_id")
      resolvePart(walk, type.type)
      requirePointee(walk, type, type.type)
      return
    case "array":
      resolveArray(walk, type)
      return
    case "struct":
    case "union":
      resolveMembers(walk, type)
      return
    case "var":
      if (isSourceOnly(btf.type(type.type))) fail(type, "Invalid type_id")
      resolvePart(walk, type.type)
      resolveHiddenPointer(walk, type.type)
      if (sizeOrNull(btf, type.type) === null) fail(type, "Invalid type_id")
      return
    case "datasec":
      for (const variable of type.variables) {
        const target = btf.type(variable.type)
        if (target.kind !== "var") fail(type, "Not a VAR kind member")
        resolve(walk, target.id)
        const size = sizeOrNull(btf, target.type)
        if (size === null) fail(type, "Invalid type")
        if (variable.size < size) fail(type, "Invalid size")
      }
      return
    case "func":
      checkFunc(btf, type)
      return
    case "decl_tag":
      resolveTag(walk, type)
      return
    default:
      return
  }
}

/** A pointer or qualifier may lead to anything with a size, to void, a forward or a prototype. */
function requirePointee(walk: Walk, type: BtfType, id: number): void {
  const target = behindModifiers(walk.btf, id)
  const good = target !== null && (target.kind !== "func" || walk.resolved.has(target.id))
  if (!good) fail(type, "Invalid type_id")
}

/** A pointer behind qualifiers that an earlier walk resolved as values, without following it. */
function resolveHiddenPointer(walk: Walk, id: number): void {
  if (!isModifier(walk.btf.type(id))) return
  const target = behindModifiers(walk.btf, id)
  if (target !== null && target.kind === "ptr") resolvePart(walk, target.id)
}

function behindModifiers(btf: Btf, id: number): BtfType | null {
  let type = btf.type(id)
  for (let depth = 0; isModifier(type); depth++) {
    if (depth > MAX_RESOLVE_DEPTH) return null
    type = btf.type(type.type)
  }
  return type
}

/** The size of a type, or `null` if it has none. The walk has proved that its chain ends. */
function sizeOrNull(btf: Btf, id: number): number | null {
  try {
    return btf.sizeOf(id)
  } catch {
    return null
  }
}

function resolveArray(walk: Walk, type: Extract<BtfType, { kind: "array" }>): void {
  const { btf } = walk
  const check = (id: number, what: string) => {
    const part = btf.type(id)
    if (isSizeless(part) || isSourceOnly(part)) fail(type, `Invalid ${what}`)
    resolvePart(walk, id)
  }
  check(type.indexType, "index")
  const index = behindModifiers(btf, type.indexType)
  if (index === null || !isRegularInt(index)) fail(type, "Invalid index")
  check(type.type, "elem")
  const size = sizeOrNull(btf, type.type)
  if (size === null) fail(type, "Invalid elem")
  const element = behindModifiers(btf, type.type)
  if (element !== null && element.kind === "int" && !isRegularInt(element))
    fail(type, "Invalid array of int")
  if (size * type.length > 0xffffffff) fail(type, "Array size overflows u32")
}

/** An int whose bits are 1, 2, 4, 8 or 16 whole bytes (btf_type_int_is_regular). */
function isRegularInt(type: BtfType): boolean {
  return type.kind === "int" && type.bitOffset === 0 && [8, 16, 32, 64, 128].includes(type.bits)
}

function resolveMembers(walk: Walk, type: BtfStruct | BtfUnion): void {
  const { btf } = walk
  for (const member of type.members) {
    const target = btf.type(member.type)
    if (isSizeless(target) || isSourceOnly(target)) fail(type, "Invalid member")
    resolvePart(walk, member.type)
    checkMember(btf, type, member)
  }
}

function checkMember(btf: Btf, type: BtfStruct | BtfUnion, member: BtfMember): void {
  const target = behindModifiers(btf, member.type)
  if (target === null || isSizeless(target)) fail(type, `Invalid member ${member.name}`)
  const { bitOffset, bitSize } = member
  if (target.kind === "int" || target.kind === "enum" || target.kind === "enum64") {
    const typeBits = target.kind === "int" ? target.bits : 8 * target.size
    if (type.kindFlag && target.kind === "int" && !isRegularInt(target))
      fail(type, "Invalid member base type")
    if (bitSize > typeBits) fail(type, "Invalid member bitfield_size")
    const aligned = type.kindFlag || target.kind !== "int"
    if (bitSize === 0 && aligned && bitOffset % 8 !== 0) fail(type, "Invalid member offset")
    const bits = bitSize === 0 ? typeBits + (target.kind === "int" ? target.bitOffset : 0) : bitSize
    if ((bitOffset % 8) + bits > 128) fail(type, "nr_copy_bits exceeds 128")
    checkRoom(type, bitOffset, Math.ceil(((bitOffset % 8) + bits) / 8))
    return
  }
  if (bitSize !== 0) fail(type, "Invalid member bitfield_size")
  if (target.kind === "float") {
    if (bitOffset % (8 * Math.min(8, target.size)) !== 0)
      fail(type, "Member is not properly aligned")
  } else if (bitOffset % 8 !== 0) {
    fail(type, "Member is not byte aligned")
  }
  const size = sizeOrNull(btf, member.type)
  if (size === null) fail(type, `Invalid member ${member.name}`)
  checkRoom(type, bitOffset, size)
}

function checkRoom(type: BtfStruct | BtfUnion, bitOffset: number, size: number): void {
  if (Math.floor(bitOffset / 8) + size > type.size) fail(type, "Member exceeds struct_size")
}

function checkFunc(btf: Btf, type: Extract<BtfType, { kind: "func" }>): void {
  const proto = btf.type(type.type)
  if (proto.kind !== "func_proto") fail(type, "Invalid type_id")
  proto.params.forEach((param, index) => {
    if (param.name === "" && param.type !== 0) fail(type, `Invalid arg#${index + 1}`)
  })
}

function checkProto(walk: Walk, type: BtfFuncProto): void {
  const { btf } = walk
  if (type.returnType !== 0) {
    const result = btf.type(type.returnType)
    if (isSourceOnly(result)) fail(type, "Invalid return type")
    resolveFrom(walk, result.id)
    if (sizeOrNull(btf, result.id) === null) fail(type, "Invalid return type")
  }
  if (type.variadic && paramNameOffset(btf, type, type.params.length) !== 0)
    fail(type, `Invalid arg#${type.params.length + 1}`)
  type.params.forEach((param, index) => {
    const target = btf.type(param.type)
    if (isSourceOnly(target)) fail(type, `Invalid arg#${index + 1}`)
    const nameOffset = paramNameOffset(btf, type, index)
    if (nameOffset !== 0 && !isIdentifier(btf.stringBytes(nameOffset)))
      fail(type, `Invalid arg#${index + 1}`)
    resolveFrom(walk, target.id)
    if (sizeOrNull(btf, target.id) === null) fail(type, `Invalid arg#${index + 1}`)
  })
}

/** The offset of a parameter's name, which tells an empty name from none. */
function paramNameOffset(btf: Btf, type: BtfFuncProto, index: number): number {
  const view = new DataView(btf.bytes.buffer, btf.bytes.byteOffset, btf.bytes.byteLength)
  return view.getUint32(btf.recordOffset(type.id) + 12 + 8 * index, true)
}

function resolveTag(walk: Walk, type: BtfDeclTag): void {
  const { btf } = walk
  const target = btf.type(type.type)
  const { componentIndex } = type
  switch (target.kind) {
    case "struct":
    case "union":
      resolve(walk, target.id)
      if (componentIndex >= target.members.length) fail(type, "Invalid component_idx")
      return
    case "func": {
      resolve(walk, target.id)
      if (componentIndex === -1) return
      const proto = btf.type(target.type)
      const count = proto.kind === "func_proto" ? proto.params.length + Number(proto.variadic) : 0
      if (componentIndex >= count) fail(type, "Invalid component_idx")
      return
    }
    case "var":
    case "typedef":
      resolve(walk, target.id)
      if (componentIndex !== -1) fail(type, "Invalid component_idx")
      return
    default:
      fail(type, "Invalid type_id")
  }
}

/** Type tags come before qualifiers and typedefs (btf_check_type_tags). */
function checkTagOrder(btf: Btf, start: BtfType): void {
  let type = start
  let inTags = type.kind === "type_tag"
  for (let limit = MAX_RESOLVE_DEPTH; isModifier(type); limit--) {
    if (limit === 0) fail(start, "Max chain length or cycle detected")
    if (type.kind !== "type_tag") inTags = false
    else if (!inTags) fail(start, "Type tags don't precede modifiers")
    type = btf.type(type.type)
  }
}
