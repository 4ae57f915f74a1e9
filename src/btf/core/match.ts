/**
 * Finds in a target type what a local spec names: members by name, wherever they have moved, also
 * into or out of anonymous structs; array elements by index; enumerators by name.
 */

import { ObjectError } from "../../base/index.ts"
import type { Btf } from "../btf.ts"
import { resolveType, sizeOf } from "../layout.ts"
import { essentialName } from "../name-index.ts"
import { type Budget, fieldsCompatible, typesCompatible, typesMatch } from "./compatible.ts"
import { BPF_CORE_TYPE_MATCHES, coreSubject } from "./kinds.ts"
import {
  CORE_SPEC_MAX_LEN,
  type CoreAccess,
  type CoreSpec,
  isComposite,
  isEnum,
  isFlexible,
} from "./spec.ts"

/**
 * The spec's counterpart in a candidate type.
 *
 * @returns `null` if the candidate does not have it.
 */
export function matchSpec(
  local: CoreSpec,
  target: Btf,
  id: number,
  budget: Budget,
): CoreSpec | null {
  const spec: CoreSpec = {
    btf: target,
    root: id,
    kind: local.kind,
    accesses: [],
    raw: [],
    bitOffset: 0,
  }
  const pair = { local: local.btf, target, budget }
  switch (coreSubject(local.kind)) {
    case "type": {
      const relation = local.kind === BPF_CORE_TYPE_MATCHES ? typesMatch : typesCompatible
      return relation(pair, local.root, id) ? spec : null
    }
    case "enumerator":
      return matchEnumerator(local, spec)
    default:
      return matchField(local, spec, budget) ? spec : null
  }
}

function matchEnumerator(local: CoreSpec, spec: CoreSpec): CoreSpec | null {
  const type = resolveType(spec.btf, spec.root)
  if (!isEnum(type)) return null
  const wanted = essentialName(local.accesses[0].name ?? "")
  const index = type.values.findIndex(({ name }) => essentialName(name) === wanted)
  if (index < 0) return null
  spec.accesses.push({ type: type.id, index, name: type.values[index].name })
  spec.raw.push(index)
  return spec
}

function matchField(local: CoreSpec, spec: CoreSpec, budget: Budget): boolean {
  const { btf } = spec
  let id = spec.root
  for (const [step, access] of local.accesses.entries()) {
    id = btf.skipModifiers(id)
    if (access.name !== null) {
      const next = findMember(local.btf, access, spec, id, budget)
      if (next === null) return false
      id = next
      continue
    }
    // Step 0 indexes the root itself, as if it were an array.
    if (step > 0) {
      const array = btf.type(id)
      if (array.kind !== "array") return false
      if (access.index >= array.length && !isFlexible(btf, spec.accesses.at(-1), array))
        return false
      id = btf.skipModifiers(array.type)
    }
    pushIndex(spec, access.index)
    spec.accesses.push({ type: id, index: access.index, name: null })
    spec.bitOffset += 8 * access.index * sizeOf(btf, id)
  }
  return true
}

function pushIndex(spec: CoreSpec, index: number): void {
  if (spec.raw.length >= CORE_SPEC_MAX_LEN)
    throw new ObjectError(`type ${spec.root} is nested more than ${CORE_SPEC_MAX_LEN} deep`)
  spec.raw.push(index)
}

/**
 * Looks for a member by name, depth first through anonymous members, and adds it to the spec.
 *
 * @returns the member's type, or `null` if there is none or it is incompatible.
 */
function findMember(
  local: Btf,
  access: CoreAccess,
  spec: CoreSpec,
  id: number,
  budget: Budget,
): number | null {
  const { btf } = spec
  const localType = local.type(access.type)
  if (!isComposite(localType)) return null
  const localMember = localType.members[access.index]
  const search = (at: number): number | null => {
    const type = resolveType(btf, at)
    if (!isComposite(type)) return null
    for (const [index, member] of type.members.entries()) {
      budget.step()
      if (member.name === "") {
        pushIndex(spec, index)
        spec.bitOffset += member.bitOffset
        const found = search(member.type)
        if (found !== null) return found
        spec.bitOffset -= member.bitOffset
        spec.raw.pop()
      } else if (member.name === localMember.name) {
        if (!fieldsCompatible({ local, target: btf, budget }, localMember.type, member.type))
          return null
        pushIndex(spec, index)
        spec.bitOffset += member.bitOffset
        spec.accesses.push({ type: type.id, index, name: member.name })
        return member.type
      }
    }
    return null
  }
  return search(id)
}
