/**
 * From an offset in a struct to what lies there: a number, a pointer to another struct, a pointer
 * to something else, or a struct that starts there.
 *
 * Source: linux v6.18 kernel/bpf/btf.c btf_struct_walk; messages are the kernel's.
 */

import type { Btf, BtfMember, BtfStruct, BtfType, BtfUnion } from "../../btf/index.ts"
import { ERRNO } from "../../spec/errno.ts"
import { MEM_PERCPU, MEM_RCU, MEM_USER, PTR_UNTRUSTED } from "../state/register-types.ts"

/** An access of a struct. */
export interface StructAccess {
  readonly btf: Btf
  readonly id: number
  /** Type of the register, for what is special about allocated objects. */
  readonly type: number
  readonly off: number
  readonly size: number
}

/** What one step finds. `flags`: of the pointer, and PTR_UNTRUSTED below a union. */
export type Step =
  | { readonly kind: "scalar"; readonly flags: number }
  | {
      readonly kind: "pointer"
      readonly id: number
      readonly flags: number
      readonly field: string
    }
  /** A pointer to a number, a function, a pointer…: readable with care. */
  | { readonly kind: "memory"; readonly flags: number }
  | { readonly kind: "struct"; readonly id: number; readonly flags: number }
  | { readonly kind: "error"; readonly errno: number; readonly message: string }

type Composite = BtfStruct | BtfUnion

function isComposite(type: BtfType): type is Composite {
  return type.kind === "struct" || type.kind === "union"
}

function error(errno: number, message: string): Step {
  return { kind: "error", errno, message }
}

/** As messages call a type or a member. */
function nameOf(named: { readonly name: string }): string {
  return named.name === "" ? "(anon)" : named.name
}

/** Nested structs that one step goes through. */
const NESTING_MAX = 64

/** What `size` bytes at `off` of type `id` are. `flags`: what was found above. */
export function step(btf: Btf, id: number, off: number, size: number, flags: number): Step {
  let type = btf.resolve(id)
  let offset = off
  let found = flags
  for (let depth = 0; depth < NESTING_MAX; depth++) {
    if (!isComposite(type)) return error(ERRNO.EINVAL, `Type '${nameOf(type)}' is not a struct`)
    // One of several members was meant; which one is not known.
    if (type.kind === "union" && type.members.length !== 1) found |= PTR_UNTRUSTED
    if (offset + size > type.size) {
      const beyond = error(
        ERRNO.EACCES,
        `access beyond struct ${nameOf(type)} at off ${offset >>> 0} size ${size}`,
      )
      const element = flexibleElement(btf, type, offset)
      if (element === null) return beyond
      if (element.type.kind === "int") return { kind: "scalar", flags: found }
      if (!isComposite(element.type) || element.type.size === 0) return beyond
      offset = (offset - element.offset) % element.type.size
      type = element.type
      continue
    }
    const next = stepInto(btf, type, offset, size, found)
    if (next.kind !== "inside") return next
    type = next.type
    offset -= next.offset
  }
  return error(ERRNO.EINVAL, `Type '${nameOf(type)}' is not a struct`)
}

interface Element {
  readonly type: BtfType
  readonly offset: number
}

/** The element of a flexible array at the end of a struct, when `offset` is in there. */
function flexibleElement(btf: Btf, type: Composite, offset: number): Element | null {
  const last = type.members.at(-1)
  if (last === undefined) return null
  const array = btf.resolve(last.type)
  if (array.kind !== "array" || array.length !== 0) return null
  const start = Math.floor(last.bitOffset / 8)
  return offset < start ? null : { type: btf.resolve(array.type), offset: start }
}

/** A struct or union around the offset that does not start there. */
interface Inside {
  readonly kind: "inside"
  readonly type: Composite
  readonly offset: number
}

function stepInto(
  btf: Btf,
  type: Composite,
  off: number,
  size: number,
  flags: number,
): Step | Inside {
  for (const member of type.members) {
    const start = Math.floor(member.bitOffset / 8)
    if (off + size <= start) break
    if (member.bitSize > 0) {
      const end = Math.ceil((member.bitOffset + member.bitSize) / 8)
      if (off <= start && end <= off + size) return { kind: "scalar", flags }
      continue
    }
    if (off < start) break
    const place = placeIn(btf, member, start, off)
    if (place === "unsized") return error(ERRNO.EFAULT, `field ${nameOf(member)} doesn't have size`)
    if (place === null) continue
    return enter(btf, type, member, place, { off, size, flags })
  }
  return error(ERRNO.EINVAL, `struct ${nameOf(type)} doesn't have field at offset ${off}`)
}

/** The member, or the array element in it, that an offset lies in. */
interface Place {
  readonly type: BtfType
  /** As declared, behind arrays: a struct is entered by this id. */
  readonly id: number
  /** Bytes from the struct to this element, its size, and the end of the whole member. */
  readonly offset: number
  readonly size: number
  readonly end: number
}

/** null: the offset lies behind the member. */
function placeIn(
  btf: Btf,
  member: BtfMember,
  start: number,
  off: number,
): Place | null | "unsized" {
  let id = btf.skipModifiers(member.type)
  let type = btf.type(id)
  let count = 1
  let isArray = false
  while (type.kind === "array") {
    isArray = true
    count *= type.length
    id = btf.skipModifiers(type.type)
    type = btf.type(id)
  }
  let size: number
  try {
    size = btf.sizeOf(id)
  } catch {
    return "unsized"
  }
  const end = start + size * count
  if (off >= end) return null
  if (!isArray) return { type, id, offset: start, size, end }
  if (size === 0) return null
  const index = Math.floor((off - start) / size)
  return { type, id, offset: start + index * size, size, end }
}

interface Access {
  readonly off: number
  readonly size: number
  readonly flags: number
}

function enter(
  btf: Btf,
  parent: Composite,
  member: BtfMember,
  place: Place,
  { off, size, flags }: Access,
): Step | Inside {
  const { type } = place
  if (isComposite(type)) {
    if (off === place.offset) return { kind: "struct", id: place.id, flags }
    return { kind: "inside", type, offset: place.offset }
  }
  if (type.kind === "ptr") {
    if (place.size !== size || off !== place.offset)
      return error(
        ERRNO.EACCES,
        `cannot access ptr member ${nameOf(member)} with moff ${place.offset} in struct ${nameOf(parent)} with off ${off} size ${size}`,
      )
    const target = btf.skipModifiers(type.type)
    if (!isComposite(btf.type(target))) return { kind: "memory", flags }
    return {
      kind: "pointer",
      id: target,
      flags: flags | tagFlags(btf, type.type),
      field: member.name,
    }
  }
  if (off + size > place.end && (flags & PTR_UNTRUSTED) === 0)
    return error(
      ERRNO.EACCES,
      `access beyond the end of member ${nameOf(member)} (mend:${place.end}) in struct ${nameOf(parent)} with off ${off} size ${size}`,
    )
  return { kind: "scalar", flags }
}

/** `__user`, `__percpu`, `__rcu`: the first type tag of what a pointer points to. */
export function tagFlags(btf: Btf, id: number): number {
  const tag = btf.type(id)
  if (tag.kind !== "type_tag" || tag.attribute) return 0
  switch (tag.name) {
    case "user":
      return MEM_USER
    case "percpu":
      return MEM_PERCPU
    case "rcu":
      return MEM_RCU
    default:
      return 0
  }
}
