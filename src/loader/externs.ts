/**
 * What externs stand for in a kernel: configuration becomes the content of the `.kconfig` map,
 * kernel symbols become BTF ids (if typed) or addresses. A weak extern that the kernel lacks is 0.
 * Only externs that a program to be loaded uses are asked for.
 */

import { RelocationError } from "../base/index.ts"
import { Budget, typesCompatible } from "../btf/core/compatible.ts"
import { type Btf, essentialName } from "../btf/index.ts"
import type { Extern, ProgramDefinition } from "../object/index.ts"
import { encodeKconfig, type KconfigExtern, lookUpKconfig } from "./kconfig.ts"
import type { LoadSession } from "./session.ts"

type KsymExtern = Extract<Extern, { kind: "ksym" }>

/** What an instruction that refers to an extern gets. */
export type ResolvedExtern =
  | { readonly kind: "kconfig"; readonly map: string; readonly offset: number }
  /** A variable or function of the kernel by its id in vmlinux BTF. */
  | { readonly kind: "btf"; readonly id: number; readonly function: boolean }
  /** An address without type; 0 for a weak one that is missing. */
  | { readonly kind: "address"; readonly address: bigint; readonly index: number }

export interface ResolvedExterns {
  readonly byName: ReadonlyMap<string, ResolvedExtern>
  /** Content of the `.kconfig` map, or `null` if there is none. */
  readonly kconfig: Uint8Array | null
}

/**
 * Resolves the externs that `programs` use.
 *
 * @param kernelTypes the kernel's own types, or `null` if it has none.
 * @throws RelocationError for a strong extern that the kernel does not have, or a configuration
 * value that its type cannot hold.
 */
export function resolveExterns(
  session: LoadSession,
  programs: readonly ProgramDefinition[],
  kernelTypes: () => Btf | null,
): ResolvedExterns {
  const { object } = session
  const byName = new Map<string, ResolvedExtern>()
  const map = object.maps.find((one) => one.section === ".kconfig")
  const kconfig = map?.data?.slice() ?? null
  const users = usersOf(programs)
  object.externs.forEach((extern, index) => {
    const user = users.get(extern.name)
    if (user === undefined) return
    if (extern.kind === "kconfig") {
      if (kconfig === null || map === undefined) return
      kconfig.set(kconfigBytes(session, extern, user), extern.offset)
      byName.set(extern.name, { kind: "kconfig", map: map.name, offset: extern.offset })
    } else {
      byName.set(extern.name, resolveKsym(session, extern, user, kernelTypes, index))
    }
  })
  return { byName, kconfig }
}

interface User {
  readonly program: string
  readonly slot: number
}

/** The first instruction that refers to each extern. */
function usersOf(programs: readonly ProgramDefinition[]): Map<string, User> {
  const users = new Map<string, User>()
  for (const { name, relocations } of programs)
    for (const relocation of relocations)
      if (relocation.kind === "extern" && !users.has(relocation.extern))
        users.set(relocation.extern, { program: name, slot: relocation.slot })
  return users
}

function unresolved(extern: Extern, user: User, problem: string, cause?: unknown): RelocationError {
  return new RelocationError(
    `program '${user.program}', instruction ${user.slot}: extern '${extern.name}' ${problem}`,
    {
      program: user.program,
      instruction: user.slot,
      kind: extern.kind,
      local: extern.name,
      cause,
    },
  )
}

function kconfigBytes(session: LoadSession, extern: KconfigExtern, user: User): Uint8Array {
  const { kernel, object, options } = session
  const value = lookUpKconfig(extern.name, kernel, options.kconfig)
  if (value === undefined || object.btf === null) {
    if (extern.weak) return new Uint8Array(extern.size)
    throw unresolved(
      extern,
      user,
      "is not in the kernel's configuration: give it in `kconfig`, or declare it __weak",
    )
  }
  try {
    return encodeKconfig(object.btf, extern, value)
  } catch (cause) {
    throw unresolved(extern, user, cause instanceof Error ? cause.message : String(cause), cause)
  }
}

/** Whether the kernel's variable or function has the type that the object declares. */
function hasSameType(session: LoadSession, extern: KsymExtern, types: Btf, id: number): boolean {
  const { btf } = session.object
  const target = types.type(id)
  if (btf === null || (target.kind !== "var" && target.kind !== "func")) return false
  return typesCompatible(
    { local: btf, target: types, budget: new Budget() },
    extern.typeId,
    types.skipModifiers(target.type),
  )
}

function resolveKsym(
  session: LoadSession,
  extern: KsymExtern,
  user: User,
  kernelTypes: () => Btf | null,
  index: number,
): ResolvedExtern {
  const { kernel } = session
  const missing: ResolvedExtern = { kind: "address", address: 0n, index }
  if (extern.function || extern.typeId !== 0) {
    const kind = extern.function ? "func" : "var"
    // `bpf_thing___v2` asks for bpf_thing with another prototype.
    const name = extern.function ? essentialName(extern.name) : extern.name
    const types = kernelTypes()
    const id = types?.findByName(name, kind)
    const fits = types !== null && id !== undefined && hasSameType(session, extern, types, id)
    if (id !== undefined && fits) return { kind: "btf", id, function: extern.function }
    if (extern.weak) return missing
    const problem =
      types === null
        ? "needs the kernel's types, which it does not offer (CONFIG_DEBUG_INFO_BTF)"
        : id === undefined
          ? `is no ${extern.function ? "function" : "variable"} of the kernel's types`
          : "has another type in the kernel"
    throw unresolved(extern, user, `${problem}: declare it __weak if it may be missing`)
  }
  const address = kernel.kernelSymbol(extern.name)
  if (address !== undefined) return { kind: "address", address, index }
  if (extern.weak) return missing
  throw unresolved(
    extern,
    user,
    "is no symbol of the kernel: declare it __weak if it may be missing",
  )
}
