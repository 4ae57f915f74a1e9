/**
 * What the BTF of a function of the program says of its arguments: numbers, the context, memory of
 * a known size, pointers to kernel types; `arg:` tags say more. A global function is verified once
 * for all arguments of that kind; of a static one a mismatch only means that its BTF is wrong.
 *
 * Source: linux v6.18 kernel/bpf/btf.c btf_prepare_func_args, btf_is_prog_ctx_type.
 */

import { type Btf, type BtfFuncProto, type BtfType, essentialName } from "../../../btf/index.ts"
import { ERRNO } from "../../../spec/errno.ts"
import type { Subprogram } from "../../program/code.ts"
import type { Verifier } from "../../verifier.ts"
import { isContextPointer, validContextType } from "./context-types.ts"

export type FunctionArgument =
  | { readonly kind: "scalar" | "ctx" | "dynptr" | "arena" }
  | { readonly kind: "mem"; readonly size: number; readonly nullable: boolean }
  /** Read with care, so that anything may be passed. */
  | { readonly kind: "untrusted-mem" | "untrusted-btf"; readonly typeId: number }
  | { readonly kind: "btf"; readonly typeId: number; readonly nullable: boolean }

/** The arguments, or why there are none: a positive errno; the log has said what is wrong. */
export type FunctionArguments = readonly FunctionArgument[] | number

const TAGS = ["ctx", "trusted", "untrusted", "nonnull", "nullable", "arena"] as const
type Tag = (typeof TAGS)[number]

/** The kernel's name of a kind of type: `STRUCT`, `FUNC_PROTO`. */
export function kindText(type: BtfType): string {
  return type.kind === "void" ? "UNKNOWN" : type.kind.toUpperCase()
}

/** `sizeof`, or null for a type that has no size (btf_resolve_size). */
export function resolvedSize(btf: Btf, id: number): number | null {
  const type = btf.resolve(id)
  switch (type.kind) {
    case "int":
    case "struct":
    case "union":
    case "enum":
    case "enum64":
    case "float":
      return type.size
    case "ptr":
      return 8
    case "array": {
      const element = resolvedSize(btf, type.type)
      return element === null ? null : element * type.length
    }
    default:
      return null
  }
}

/** Thrown inside this file only. */
class Unusable {
  readonly errno: number
  constructor(errno: number) {
    this.errno = errno
  }
}

class Reader {
  private readonly v: Verifier
  private readonly btf: Btf
  private readonly subprogram: Subprogram
  private readonly isGlobal: boolean

  constructor(v: Verifier, btf: Btf, subprogram: Subprogram) {
    this.v = v
    this.btf = btf
    this.subprogram = subprogram
    this.isGlobal = subprogram.linkage === "global"
  }

  private refuse(errno: number, text = ""): never {
    if (text !== "") this.v.verbose(`${text}\n`)
    throw new Unusable(errno)
  }

  read(): FunctionArgument[] {
    const { btf, subprogram } = this
    const func = btf.type(subprogram.typeId)
    if (func.kind !== "func") this.refuse(ERRNO.EFAULT, `BTF of func doesn't point to KIND_FUNC`)
    const proto = btf.type((func as { type: number }).type)
    if (proto.kind !== "func_proto")
      return this.refuse(ERRNO.EFAULT, `Invalid type of function ${func.name}()`)
    this.checkShape(func.name, proto)
    return proto.params.map((param, index) => this.argument(func.name, param.type, index))
  }

  private checkShape(name: string, proto: BtfFuncProto): void {
    const count = proto.params.length + (proto.variadic ? 1 : 0)
    if (count > 5)
      this.refuse(
        ERRNO.EINVAL,
        this.isGlobal ? `Global function ${name}() with ${count} > 5 args. Buggy compiler.` : "",
      )
    const { kind } = this.btf.resolve(proto.returnType)
    if (kind !== "int" && kind !== "enum" && kind !== "enum64")
      this.refuse(
        ERRNO.EINVAL,
        this.isGlobal
          ? `Global function ${name}() doesn't return scalar. Only those are supported.`
          : "",
      )
  }

  private tags(index: number): Set<Tag> {
    const tags = new Set<Tag>()
    for (const text of this.btf.declTags(this.subprogram.typeId, index)) {
      if (!text.startsWith("arg:")) continue
      if (!this.isGlobal)
        this.refuse(ERRNO.EOPNOTSUPP, `arg#${index} type tag is not supported in static functions`)
      const tag = TAGS.find((known) => known === text.slice(4))
      if (tag === undefined)
        return this.refuse(ERRNO.EOPNOTSUPP, `arg#${index} has unsupported set of tags`)
      tags.add(tag)
    }
    return tags
  }

  private argument(name: string, typeId: number, index: number): FunctionArgument {
    const { btf } = this
    const tags = this.tags(index)
    const type = btf.resolve(typeId)
    if (type.kind === "ptr") {
      const pointer = this.pointer(type.type, index, tags)
      if (pointer !== null) return pointer
    }
    if (tags.size > 0)
      this.refuse(ERRNO.EINVAL, `arg#${index} has pointer tag, but is not a pointer type`)
    if (type.kind === "int" || type.kind === "enum" || type.kind === "enum64")
      return { kind: "scalar" }
    return this.refuse(
      ERRNO.EINVAL,
      this.isGlobal ? `Arg#${index} type ${kindText(type)} in ${name}() is not supported yet.` : "",
    )
  }

  private only(tags: Set<Tag>, allowed: readonly Tag[], index: number): void {
    for (const tag of tags)
      if (!allowed.includes(tag))
        this.refuse(ERRNO.EINVAL, `arg#${index} has invalid combination of tags`)
  }

  /** A pointer to type `target`; null for one that only static functions have. */
  private pointer(target: number, index: number, tags: Set<Tag>): FunctionArgument | null {
    const { v, btf } = this
    if (tags.has("ctx") || isContextPointer(v, btf, target)) {
      this.only(tags, ["ctx"], index)
      if (tags.has("ctx")) {
        const wrong = validContextType(v, btf, target, index)
        if (wrong !== "") this.refuse(ERRNO.EINVAL, wrong)
      }
      return { kind: "ctx" }
    }
    const pointee = btf.resolve(target)
    const named = pointee.kind === "struct" || (pointee.kind === "fwd" && pointee.of === "struct")
    if (named && pointee.name === "bpf_dynptr") {
      this.only(tags, [], index)
      return { kind: "dynptr" }
    }
    if (tags.has("trusted")) {
      this.only(tags, ["trusted", "nullable", "untrusted", "arena"], index)
      return {
        kind: "btf",
        typeId: this.kernelType(pointee, index),
        nullable: tags.has("nullable"),
      }
    }
    if (tags.has("untrusted")) return this.untrusted(pointee, index, tags)
    if (tags.has("arena")) {
      if (tags.size > 1)
        this.refuse(ERRNO.EINVAL, `arg#${index} arena cannot be combined with any other tags`)
      return { kind: "arena" }
    }
    return this.isGlobal ? this.memory(target, index, tags) : null
  }

  private untrusted(pointee: BtfType, index: number, tags: Set<Tag>): FunctionArgument {
    if (tags.size > 1)
      this.refuse(ERRNO.EINVAL, `arg#${index} untrusted cannot be combined with any other tags`)
    const { kind } = pointee
    const primitive = kind === "int" || kind === "enum" || kind === "enum64" || kind === "float"
    if (kind === "void" || (primitive && [1, 2, 4, 8].includes(pointee.size)))
      return { kind: "untrusted-mem", typeId: 0 }
    const typeId = this.kernelType(pointee, index)
    const found = this.v.input.kernelBtf().resolve(typeId)
    if (found.kind !== "struct" && found.kind !== "union")
      this.refuse(
        ERRNO.EINVAL,
        `arg#${index} has type ${kindText(found)} '${found.name}', but only struct or primitive types are allowed`,
      )
    return { kind: "untrusted-btf", typeId }
  }

  private memory(target: number, index: number, tags: Set<Tag>): FunctionArgument {
    const { btf } = this
    this.only(tags, ["nonnull"], index)
    const size = resolvedSize(btf, target)
    if (size === null) {
      const type = btf.resolve(target)
      return this.refuse(
        ERRNO.EINVAL,
        `arg#${index} reference type('${kindText(type)} ${type.name}') size cannot be determined: -22`,
      )
    }
    return { kind: "mem", size, nullable: !tags.has("nonnull") }
  }

  /** The kernel's type of the same name and kind: the only one. */
  private kernelType(pointee: BtfType, index: number): number {
    const kernel = this.v.input.kernelBtf()
    const kind = pointee.kind === "fwd" ? pointee.of : pointee.kind
    const found = kernel.findAll(essentialName(pointee.name), kind)
    if (found.length === 1) return found[0]
    const [errno, why] =
      found.length === 0 ? [ERRNO.ENOENT, "has no matches"] : [ERRNO.ESRCH, "is ambiguous"]
    return this.refuse(
      errno,
      `arg#${index} reference type('${kindText(pointee)} ${pointee.name}') ${why}`,
    )
  }
}

const known = new WeakMap<Subprogram, readonly FunctionArgument[]>()

/** Reads the arguments of a subprogram (kept when they are good). */
export function functionArguments(v: Verifier, index: number): FunctionArguments {
  const subprogram = v.code.subprograms[index]
  const before = known.get(subprogram)
  if (before !== undefined) return before
  const { btf } = v.input
  if (btf === null || subprogram.typeId === 0) {
    if (subprogram.linkage !== "global") return ERRNO.EINVAL
    v.verbose("Global functions need valid BTF\n")
    return ERRNO.EFAULT
  }
  try {
    const found = new Reader(v, btf, subprogram).read()
    known.set(subprogram, found)
    return found
  } catch (problem) {
    if (problem instanceof Unusable) return problem.errno
    throw problem
  }
}
