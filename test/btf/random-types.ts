/**
 * Random C declarations together with random values of them, in both languages: the C statements
 * that store a value, and the JavaScript value that a codec must turn into the same bytes.
 */

import type { Random } from "./support.ts"

/** A type by its C declarator, and how values of it are made. */
interface RandomType {
  /** Declares `name`: `unsigned x : 3`. */
  declare(name: string): string
  /** A value, and the statements that store it at the C lvalue `at`. */
  value(at: string): { value: unknown; store: string }
}

const INTEGERS = [
  { c: "signed char", bits: 8, signed: true },
  { c: "unsigned char", bits: 8, signed: false },
  { c: "short", bits: 16, signed: true },
  { c: "unsigned short", bits: 16, signed: false },
  { c: "int", bits: 32, signed: true },
  { c: "unsigned int", bits: 32, signed: false },
  { c: "long", bits: 64, signed: true },
  { c: "unsigned long long", bits: 64, signed: false },
] as const

/** The enum that random structs use; it must be declared before them. */
export const ENUM = "enum level { LOW, MID = 7, HIGH = 0x7fffffff };\n"

/** C literal of an integer of any width. */
function literal(value: bigint, signed: boolean): string {
  if (!signed) return `${value}ull`
  return value === -(1n << 63n) ? "(-9223372036854775807ll - 1)" : `${value}ll`
}

function integerValue(random: Random, bits: number, signed: boolean): bigint {
  const raw = random.u64() & ((1n << BigInt(bits)) - 1n)
  return signed ? BigInt.asIntN(bits, raw) : raw
}

function integerType(random: Random): RandomType {
  const type = random.pick(INTEGERS)
  return {
    declare: (name) => `${type.c} ${name}`,
    value(at) {
      const value = integerValue(random, type.bits, type.signed)
      return {
        value: type.bits > 32 ? value : Number(value),
        store: `${at} = ${literal(value, type.signed)};`,
      }
    },
  }
}

function bitFieldType(random: Random): RandomType {
  if (random.below(6) === 0)
    return {
      declare: (name) => `_Bool ${name} : 1`,
      value(at) {
        const value = random.below(2) === 1
        return { value, store: `${at} = ${value ? 1 : 0};` }
      },
    }
  const type = random.pick(INTEGERS)
  const width = 1 + random.below(type.bits)
  return {
    declare: (name) => `${type.c} ${name} : ${width}`,
    value(at) {
      const value = integerValue(random, width, type.signed)
      return {
        value: type.bits > 32 ? value : Number(value),
        store: `${at} = ${literal(value, type.signed)};`,
      }
    },
  }
}

function charsType(random: Random): RandomType {
  const length = 1 + random.below(9)
  return {
    declare: (name) => `char ${name}[${length}]`,
    value(at) {
      let text = ""
      for (let i = random.below(length + 1); i > 0; i--)
        text += String.fromCharCode(97 + random.below(26))
      return { value: text, store: `memcpy(${at}, "${text}", ${text.length});` }
    },
  }
}

function bytesType(random: Random): RandomType {
  const length = 1 + random.below(7)
  return {
    declare: (name) => `unsigned char ${name}[${length}]`,
    value(at) {
      const value = Uint8Array.from({ length }, () => random.below(256))
      return { value, store: [...value].map((byte, i) => `${at}[${i}] = ${byte};`).join(" ") }
    },
  }
}

function simpleType(random: Random): RandomType {
  switch (random.below(7)) {
    case 0:
      return {
        declare: (name) => `_Bool ${name}`,
        value(at) {
          const value = random.below(2) === 1
          return { value, store: `${at} = ${value ? 1 : 0};` }
        },
      }
    case 1:
      return {
        declare: (name) => `enum level ${name}`,
        value(at) {
          const value = random.pick([0, 7, 0x7fffffff])
          return { value, store: `${at} = ${value};` }
        },
      }
    case 2:
      return {
        declare: (name) => `void *${name}`,
        value(at) {
          const value = random.u64()
          return { value, store: `${at} = (void *)${value}ull;` }
        },
      }
    case 3:
      return {
        declare: (name) => `double ${name}`,
        value(at) {
          const value = random.below(2000) / 8 - 100
          return { value, store: `${at} = ${value};` }
        },
      }
    default:
      return integerType(random)
  }
}

function arrayType(random: Random, depth: number): RandomType {
  const length = 1 + random.below(3)
  // An array of 1-byte unsigned integers would be bytes: see bytesType.
  const element = random.below(2) === 0 ? structType(random, depth + 1, "") : wideType(random)
  return {
    declare: (name) => element.declare(`${name}[${length}]`),
    value(at) {
      const parts = Array.from({ length }, (_, i) => element.value(`${at}[${i}]`))
      return {
        value: parts.map((part) => part.value),
        store: parts.map((part) => part.store).join(" "),
      }
    },
  }
}

function wideType(random: Random): RandomType {
  for (;;) {
    const type = integerType(random)
    if (!type.declare("x").startsWith("unsigned char")) return type
  }
}

function memberType(random: Random, depth: number): RandomType {
  const choice = random.below(12)
  if (choice < 3) return bitFieldType(random)
  if (choice === 3) return charsType(random)
  if (choice === 4) return bytesType(random)
  if (choice === 5 && depth < 3) return arrayType(random, depth)
  if (choice === 6 && depth < 3) return structType(random, depth + 1, "")
  return simpleType(random)
}

let fieldCount = 0

/** A struct or union; with a tag, one that can be declared by itself. */
export function structType(random: Random, depth: number, tag: string): RandomType {
  const union = tag === "" && random.below(3) === 0
  const packed = random.below(4) === 0
  const members = Array.from({ length: 1 + random.below(6) }, () => {
    // Anonymous members put their fields into this struct, so names are unique everywhere.
    const anonymous = !union && depth < 3 && random.below(8) === 0
    const type = anonymous ? structType(random, depth + 1, "") : memberType(random, depth)
    return { name: anonymous ? "" : `f${fieldCount++}`, type }
  })
  const body = members.map(({ name, type }) => `${type.declare(name)};`).join(" ")
  const attribute = packed ? "__attribute__((packed)) " : ""
  return {
    declare: (name) => `${union ? "union" : "struct"} ${attribute}${tag} { ${body} } ${name}`,
    value(at) {
      const value: Record<string, unknown> = {}
      const stores: string[] = []
      for (const { name, type } of union ? [random.pick(members)] : members) {
        const part = type.value(name === "" ? at : `${at}.${name}`)
        stores.push(part.store)
        if (name === "") Object.assign(value, part.value)
        else value[name] = part.value
      }
      return { value, store: stores.join(" ") }
    },
  }
}
