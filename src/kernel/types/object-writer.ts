/**
 * Writes plain JavaScript values into kernel memory as C objects, by field name, against whatever
 * BTF the kernel has. Fields that are not mentioned stay zero. A pointer field takes an address
 * (number or bigint), a string (a C string is allocated), bytes, or a plain object (the pointee is
 * allocated and written); `__data_loc` fields of trace records take the string itself.
 */

import type { Btf, BtfMember, BtfType } from "../../btf/index.ts"
import { REGION_TAG } from "../../interpreter/index.ts"
import type { KernelMemory } from "../memory/kernel-memory.ts"

/** What a field can be given. */
export type FieldValue =
  | number
  | bigint
  | boolean
  | string
  | Uint8Array
  | readonly FieldValue[]
  | { readonly [field: string]: FieldValue | undefined }

export interface WriterHost {
  readonly memory: KernelMemory
  readonly types: Btf
  readonly kernelRegion: number
}

/** Nested pointees may be this deep: a value that contains itself is a mistake. */
const DEPTH_MAX = 16
const DATA_LOC = "__data_loc_"

/** Collects what one write allocates, so that it can be given back when the event is over. */
export class ObjectWriter {
  private readonly host: WriterHost
  private readonly allocations: number[] = []
  /** Where the variable part of the trace record in progress goes on. */
  private tail: Uint8Array[] | null = null
  private tailStart = 0

  constructor(host: WriterHost) {
    this.host = host
  }

  /** The address (as programs see it) of an offset in kernel memory. */
  address(offset: number): bigint {
    return kernelAddress(this.host.kernelRegion, offset)
  }

  /** Zeroed memory that {@link release} gives back. */
  allocate(size: number): number {
    const offset = this.host.memory.allocate(Math.max(size, 8))
    if (offset === 0) throw new RangeError(`kernel memory is exhausted: ${size} bytes wanted`)
    this.allocations.push(offset)
    return offset
  }

  release(): void {
    for (const offset of this.allocations) this.host.memory.free(offset)
    this.allocations.length = 0
  }

  /** A new object of type `typeId`; returns its offset. */
  create(typeId: number, value: FieldValue): number {
    const offset = this.allocate(this.host.types.sizeOf(typeId))
    this.write(typeId, offset, value, "")
    return offset
  }

  /** A C string; returns its offset. */
  createString(text: string): number {
    const bytes = new TextEncoder().encode(`${text}\0`)
    const offset = this.allocate(bytes.length)
    this.host.memory.write(offset, bytes)
    return offset
  }

  /**
   * A trace record of struct `typeId`: fixed fields, then the strings of its `__data_loc` fields.
   * Returns offset and size.
   */
  createRecord(
    typeId: number,
    value: { readonly [field: string]: FieldValue | undefined },
  ): { offset: number; size: number } {
    const { types } = this.host
    const fixed = types.sizeOf(typeId)
    const strings: Uint8Array[] = []
    const struct = types.resolve(typeId)
    if (struct.kind !== "struct") throw new TypeError(`${types.typeName(typeId)} is no record`)
    for (const member of struct.members)
      if (member.name.startsWith(DATA_LOC)) {
        const text = value[member.name.slice(DATA_LOC.length)] ?? ""
        strings.push(new TextEncoder().encode(`${String(text)}\0`))
      }
    const size = strings.reduce((sum, part) => sum + part.length, fixed)
    const offset = this.allocate(size)
    this.tail = strings.reverse()
    this.tailStart = fixed
    this.writeMembers(struct.members, offset, value, types.typeName(typeId), offset)
    this.tail = null
    return { offset, size }
  }

  /** Writes `value` as type `typeId` at `offset`. */
  write(typeId: number, offset: number, value: FieldValue, path: string, depth = 0): void {
    if (depth > DEPTH_MAX) throw new RangeError(`${path}: nested more than ${DEPTH_MAX} deep`)
    const { types } = this.host
    const type = types.resolve(typeId)
    switch (type.kind) {
      case "int":
      case "enum":
      case "enum64":
        this.writeInteger(type.size, offset, value, path)
        return
      case "ptr":
        this.host.memory.view.setBigUint64(
          offset,
          this.pointee(type.type, value, path, depth),
          true,
        )
        return
      case "struct":
      case "union":
        if (typeof value !== "object" || Array.isArray(value) || value instanceof Uint8Array)
          throw new TypeError(`${path}: ${types.typeName(typeId)} wants an object with its fields`)
        this.writeMembers(
          type.members,
          offset,
          value as { readonly [field: string]: FieldValue | undefined },
          path,
          offset,
          depth,
        )
        return
      case "array":
        this.writeArray(type, offset, value, path, depth)
        return
      default:
        throw new TypeError(`${path}: a ${type.kind} cannot be written`)
    }
  }

  private writeMembers(
    members: readonly BtfMember[],
    offset: number,
    value: { readonly [field: string]: FieldValue | undefined },
    path: string,
    record: number,
    depth = 0,
  ): void {
    const { types } = this.host
    const known = new Set<string>()
    this.collectNames(members, known)
    for (const name of Object.keys(value))
      if (!known.has(name) && path !== "" && !path.startsWith("trace_event"))
        throw new TypeError(`${path}: no field '${name}' (there are ${[...known].join(", ")})`)
    for (const member of members) {
      const at = offset + (member.bitOffset >> 3)
      const inner = `${path === "" ? "" : `${path}.`}${member.name}`
      if (member.name === "") {
        const nested = types.resolve(member.type)
        if (nested.kind === "struct" || nested.kind === "union")
          this.writeMembers(nested.members, at, pick(value, nested, types), "", record, depth)
      } else if (member.name.startsWith(DATA_LOC)) {
        const text = this.tail?.pop() ?? new Uint8Array(1)
        this.host.memory.write(record + this.tailStart, text)
        this.host.memory.view.setUint32(at, (text.length << 16) | this.tailStart, true)
        this.tailStart += text.length
      } else {
        const field = value[member.name]
        if (field === undefined) continue
        if (member.bitSize > 0) this.writeBits(offset, member, field, inner)
        else this.write(member.type, at, field, inner, depth + 1)
      }
    }
  }

  private collectNames(members: readonly BtfMember[], names: Set<string>): void {
    for (const member of members) {
      if (member.name === "") {
        const nested = this.host.types.resolve(member.type)
        if (nested.kind === "struct" || nested.kind === "union")
          this.collectNames(nested.members, names)
      } else names.add(member.name.replace(DATA_LOC, ""))
    }
  }

  private writeInteger(size: number, offset: number, value: FieldValue, path: string): void {
    if (typeof value !== "number" && typeof value !== "bigint" && typeof value !== "boolean")
      throw new TypeError(`${path}: an integer is wanted, not ${typeof value}`)
    const integer = BigInt(value)
    const { view } = this.host.memory
    const bits = 8 * size
    if (integer < -(1n << BigInt(bits - 1)) || integer >= 1n << BigInt(bits))
      throw new RangeError(`${path}: ${integer} does not fit into ${bits} bits`)
    for (let i = 0; i < size; i++)
      view.setUint8(offset + i, Number(BigInt.asUintN(8, integer >> BigInt(8 * i))))
  }

  private writeBits(struct: number, member: BtfMember, value: FieldValue, path: string): void {
    if (typeof value !== "number" && typeof value !== "bigint" && typeof value !== "boolean")
      throw new TypeError(`${path}: an integer is wanted, not ${typeof value}`)
    const integer = BigInt.asUintN(member.bitSize, BigInt(value))
    const { view } = this.host.memory
    for (let i = 0; i < member.bitSize; i++) {
      const bit = member.bitOffset + i
      const at = struct + (bit >> 3)
      const mask = 1 << (bit & 7)
      const set = (integer >> BigInt(i)) & 1n
      view.setUint8(at, set === 1n ? view.getUint8(at) | mask : view.getUint8(at) & ~mask)
    }
  }

  private writeArray(
    type: BtfType & { readonly kind: "array" },
    offset: number,
    value: FieldValue,
    path: string,
    depth: number,
  ): void {
    const { types, memory } = this.host
    const elementSize = types.sizeOf(type.type)
    if (typeof value === "string" || value instanceof Uint8Array) {
      const bytes = typeof value === "string" ? new TextEncoder().encode(value) : value
      const room = type.length * elementSize
      // A string keeps its terminating zero, as strscpy would leave it.
      const limit = typeof value === "string" ? Math.max(room - 1, 0) : room
      memory.write(offset, bytes.subarray(0, limit))
      return
    }
    if (!Array.isArray(value)) throw new TypeError(`${path}: an array is wanted`)
    if (value.length > type.length)
      throw new RangeError(`${path}: ${value.length} elements, but there are only ${type.length}`)
    value.forEach((element: FieldValue, index) => {
      this.write(type.type, offset + index * elementSize, element, `${path}[${index}]`, depth + 1)
    })
  }

  private pointee(typeId: number, value: FieldValue, path: string, depth: number): bigint {
    if (typeof value === "number" || typeof value === "bigint")
      return BigInt.asUintN(64, BigInt(value))
    if (typeof value === "string") return this.address(this.createString(value))
    if (value instanceof Uint8Array) {
      const offset = this.allocate(value.length)
      this.host.memory.write(offset, value)
      return this.address(offset)
    }
    if (typeof value === "boolean") throw new TypeError(`${path}: a pointer cannot be a boolean`)
    const resolved = this.host.types.resolve(typeId)
    if (resolved.kind === "fwd" || resolved.kind === "void")
      throw new TypeError(`${path}: the type it points to is not known here; give an address`)
    const offset = this.allocate(this.host.types.sizeOf(typeId))
    this.write(typeId, offset, value, path, depth + 1)
    return this.address(offset)
  }
}

/** The 64-bit address of an offset in kernel memory. */
export function kernelAddress(region: number, offset: number): bigint {
  return (BigInt((REGION_TAG | region) >>> 0) << 32n) | BigInt(offset)
}

/** The fields of `value` that belong to an anonymous member. */
function pick(
  value: { readonly [field: string]: FieldValue | undefined },
  type: BtfType & { readonly kind: "struct" | "union" },
  types: Btf,
): { [field: string]: FieldValue | undefined } {
  const picked: { [field: string]: FieldValue | undefined } = {}
  const visit = (members: readonly BtfMember[]): void => {
    for (const member of members) {
      if (member.name !== "") picked[member.name] = value[member.name]
      else {
        const nested = types.resolve(member.type)
        if (nested.kind === "struct" || nested.kind === "union") visit(nested.members)
      }
    }
  }
  visit(type.members)
  return picked
}
