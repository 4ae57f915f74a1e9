/**
 * Decoded values as people read them: IP and MAC addresses, host-order ports, enumerators. The
 * result is plain JSON (with bigint), and {@link parseValue} takes it back.
 */

import { formatHex, viewOf } from "../../base/index.ts"
import type { Btf, BtfMember, BtfType } from "../../btf/index.ts"
import { formatIpv4, formatIpv6, formatMac } from "../../packet/index.ts"
import { bigEndianBits, isAddressName, isMacName, isNumberName } from "./naming.ts"

/** A value ready for printing. */
export type Presented =
  | string
  | number
  | bigint
  | boolean
  | null
  | readonly Presented[]
  | { readonly [name: string]: Presented }

/** A decoded value of BTF type `typeId` (0: bytes without type). `name` is what holds it. */
export function present(btf: Btf | null, typeId: number, value: unknown, name: string): Presented {
  if (btf === null || typeId === 0) return presentUntyped(value, name)
  const type = btf.resolve(typeId)
  switch (type.kind) {
    case "int":
      return presentInteger(btf, typeId, type.size, value, name)
    case "ptr":
      return `0x${BigInt(value as bigint).toString(16)}`
    case "enum":
    case "enum64": {
      const found = type.values.find((one) => BigInt(one.value) === BigInt(value as number))
      return found?.name ?? (value as number | bigint)
    }
    case "array":
      return presentArray(btf, type.type, value, name)
    case "struct":
    case "union":
      return presentFields(btf, type, value, name)
    default:
      return presentUntyped(value, name)
  }
}

function presentUntyped(value: unknown, name: string): Presented {
  if (value instanceof Uint8Array) return presentBytes(value, name)
  if (Array.isArray(value)) return value.map((one) => presentUntyped(one, name))
  if (typeof value === "object" && value !== null)
    return Object.fromEntries(
      Object.entries(value).map(([field, one]) => [field, presentUntyped(one, field)]),
    )
  return value as Presented
}

function presentInteger(
  btf: Btf,
  typeId: number,
  sizeBytes: number,
  value: unknown,
  name: string,
): Presented {
  if (typeof value !== "number" && typeof value !== "bigint") return value as Presented
  const bits = bigEndianBits(btf, typeId)
  if (sizeBytes === 4) {
    const address = bits === 32 ? !isNumberName(name) : isAddressName(name)
    if (address) return formatIpv4(integerBytes(value, 4, btf.littleEndian))
  }
  if (bits === 8 * sizeBytes) return swapped(value, sizeBytes, btf.littleEndian)
  return value
}

/** The bytes of an integer as they lie in memory. */
export function integerBytes(
  value: number | bigint,
  sizeBytes: number,
  littleEndian: boolean,
): Uint8Array {
  const bytes = new Uint8Array(8)
  const whole = BigInt.asUintN(8 * sizeBytes, BigInt(value))
  viewOf(bytes).setBigUint64(
    0,
    littleEndian ? whole : whole << BigInt(64 - 8 * sizeBytes),
    littleEndian,
  )
  return bytes.slice(0, sizeBytes)
}

/** A big-endian integer that was read in the byte order of the machine, or the other way round. */
export function swapped<T extends number | bigint>(
  value: T,
  sizeBytes: number,
  littleEndian: boolean,
): T {
  if (!littleEndian) return value
  let result = 0n
  for (const byte of integerBytes(value, sizeBytes, true)) result = (result << 8n) | BigInt(byte)
  return (typeof value === "bigint" ? result : Number(result)) as T
}

function presentArray(btf: Btf, elementId: number, value: unknown, name: string): Presented {
  if (value instanceof Uint8Array) return presentBytes(value, name)
  if (!Array.isArray(value)) return value as Presented
  const element = btf.resolve(elementId)
  // in6_addr as four words.
  if (
    value.length === 4 &&
    element.kind === "int" &&
    element.size === 4 &&
    (isAddressName(name) || bigEndianBits(btf, elementId) === 32)
  ) {
    const bytes = new Uint8Array(16)
    value.forEach((word: number, index) => {
      bytes.set(integerBytes(word, 4, btf.littleEndian), 4 * index)
    })
    return formatIpv6(bytes)
  }
  return value.map((one) => present(btf, elementId, one, name))
}

/** 4, 6 and 16 bytes are addresses where the name says so, or where there is no name. */
function presentBytes(bytes: Uint8Array, name: string): Presented {
  if (bytes.length === 6 && (name === "" || isMacName(name) || isAddressName(name)))
    return formatMac(bytes)
  if (name === "" || isAddressName(name)) {
    if (bytes.length === 4) return formatIpv4(bytes)
    if (bytes.length === 16) return formatIpv6(bytes)
  }
  return formatHex(bytes)
}

function presentFields(
  btf: Btf,
  type: Extract<BtfType, { kind: "struct" | "union" }>,
  value: unknown,
  name: string,
): Presented {
  if (typeof value !== "object" || value === null) return value as Presented
  const fields = value as Readonly<Record<string, unknown>>
  if (type.name === "in_addr" && typeof fields["s_addr"] === "number")
    return formatIpv4(integerBytes(fields["s_addr"], 4, btf.littleEndian))
  if (type.name === "in6_addr") {
    const views = (fields["in6_u"] ?? fields["__in6_u"] ?? fields) as Record<string, unknown>
    const bytes = Object.values(views).find((view) => view instanceof Uint8Array)
    if (bytes instanceof Uint8Array && bytes.length === 16) return formatIpv6(bytes)
  }
  const types = memberTypes(btf, type.members)
  return Object.fromEntries(
    Object.entries(fields).map(([field, one]) => {
      const memberType = types.get(field)
      // `remote.v4` is an address when `remote` is one.
      const called = isAddressName(field) || !isAddressName(name) ? field : `${name}_${field}`
      return [
        field,
        memberType === undefined
          ? presentUntyped(one, field)
          : present(btf, memberType, one, called),
      ]
    }),
  )
}

/** Types of members by name; those of anonymous structs and unions count as the outer ones'. */
export function memberTypes(btf: Btf, members: readonly BtfMember[]): Map<string, number> {
  const types = new Map<string, number>()
  for (const member of members) {
    if (member.name !== "") types.set(member.name, member.type)
    else {
      const inner = btf.resolve(member.type)
      if (inner.kind === "struct" || inner.kind === "union")
        for (const [name, type] of memberTypes(btf, inner.members)) types.set(name, type)
    }
  }
  return types
}

/** A presented value on one line: `saddr 10.0.0.1, packets 3`; strings as they are. */
export function presentedText(value: Presented): string {
  if (value === null) return "-"
  if (typeof value !== "object") return String(value)
  if (Array.isArray(value)) return `[${value.map(presentedText).join(", ")}]`
  return Object.entries(value)
    .map(([name, one]) => {
      const text = presentedText(one)
      return `${name} ${typeof one === "object" && !Array.isArray(one) ? `{${text}}` : text}`
    })
    .join(", ")
}
