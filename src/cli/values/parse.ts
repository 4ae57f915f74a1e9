/**
 * Values from command lines and JSON files, against BTF: numbers (also `0x…`), strings, IP and MAC
 * addresses where an integer or byte array takes one, enumerators, objects for structs. Big-endian
 * integers (`__be16`, `__be32`) are given in host order, as they are shown.
 */

import { parseHex } from "../../base/index.ts"
import { type Btf, type BtfType, codecFor, encodeValue } from "../../btf/index.ts"
import { ipv4Bytes, macBytes, parseIp, parseIpv4, parsePrefix } from "../../packet/index.ts"
import { bigEndianBits } from "./naming.ts"
import { memberTypes, swapped } from "./present.ts"

const IPV4 = /^[0-9]{1,3}(\.[0-9]{1,3}){3}$/
const IPV6 = /^[0-9a-f:.]*:[0-9a-f:.]*:[0-9a-f:.]*$/i
const MAC = /^[0-9a-f]{2}([:-][0-9a-f]{2}){5}$/i
const INTEGER = /^[+-]?(0x[0-9a-f]+|[0-9]+)$/i

/** Whether a text is an IP address. */
export function looksLikeIp(text: string): boolean {
  return IPV4.test(text) || (IPV6.test(text) && !MAC.test(text))
}

/** An integer in decimal or hexadecimal; undefined when the text is none. */
export function parseInteger(text: string): bigint | undefined {
  if (!INTEGER.test(text)) return undefined
  const sign = text.startsWith("-") ? -1n : 1n
  return sign * BigInt(text.replace(/^[+-]/, ""))
}

/**
 * A word of the command line: JSON where it is JSON, an integer (bigint), else text. Text in
 * quotes that survived the shell is text whatever it looks like.
 */
export function parseWord(word: string): unknown {
  if (word === "true" || word === "false") return word === "true"
  const integer = parseInteger(word)
  if (integer !== undefined) return integer
  if (/^(\[.*\]|\{.*\}|".*")$/s.test(word)) {
    try {
      return JSON.parse(word)
    } catch (error) {
      throw new RangeError(`${word} is not JSON: ${(error as Error).message}`)
    }
  }
  return /^'.*'$/s.test(word) ? word.slice(1, -1) : word
}

/**
 * The value that the codec of type `typeId` takes, from JSON (or {@link parseWord}).
 *
 * @throws RangeError or TypeError saying what the type takes.
 */
export function parseValue(btf: Btf, typeId: number, json: unknown): unknown {
  const type = btf.resolve(typeId)
  switch (type.kind) {
    case "int":
      return parseIntegerValue(btf, typeId, type, json)
    case "enum":
    case "enum64":
      return typeof json === "string" && parseInteger(json) === undefined
        ? json
        : fitting(integerOf(json, type.kind), type.size)
    case "ptr":
      return integerOf(json, "pointer")
    case "array":
      return parseArray(btf, type, json)
    case "struct":
    case "union":
      return parseFields(btf, type, json)
    default:
      return json
  }
}

/** An integer given as number, bigint, decimal or hexadecimal text. */
function integerOf(json: unknown, what: string): bigint {
  if (typeof json === "bigint") return json
  if (typeof json === "boolean") return json ? 1n : 0n
  if (typeof json === "number" && Number.isInteger(json)) return BigInt(json)
  const integer = typeof json === "string" ? parseInteger(json) : undefined
  if (integer === undefined)
    throw new TypeError(`${JSON.stringify(json)} is not a number (${what})`)
  return integer
}

/** Codecs take numbers up to 32 bits and bigint above. */
function fitting(value: bigint, sizeBytes: number): number | bigint {
  return sizeBytes > 4 ? value : Number(value)
}

function parseIntegerValue(
  btf: Btf,
  typeId: number,
  type: Extract<BtfType, { kind: "int" }>,
  json: unknown,
): unknown {
  if (type.bool) return typeof json === "boolean" ? json : integerOf(json, "bool") !== 0n
  if (typeof json === "string" && type.size === 4 && IPV4.test(json)) {
    const bytes = parseIpv4(json)
    const value = new DataView(bytes.buffer).getUint32(0, btf.littleEndian)
    return type.signed ? value | 0 : value
  }
  // One character.
  if (typeof json === "string" && type.size === 1 && [...json].length === 1 && !/[0-9]/.test(json))
    return json.codePointAt(0)
  const value = fitting(integerOf(json, btf.typeName(typeId)), type.size)
  return bigEndianBits(btf, typeId) === 8 * type.size
    ? swapped(value, type.size, btf.littleEndian)
    : value
}

function parseArray(btf: Btf, type: Extract<BtfType, { kind: "array" }>, json: unknown): unknown {
  const element = btf.resolve(type.type)
  const oneByte = element.kind === "int" && element.size === 1 && !element.bool
  if (oneByte && element.name === "char" && typeof json === "string") return json
  if (oneByte && !element.signed) return parseBytes(json, type.length)
  if (
    typeof json === "string" &&
    element.kind === "int" &&
    element.size === 4 &&
    looksLikeIp(json)
  ) {
    const bytes = parseIp(json)
    const view = new DataView(bytes.buffer)
    return Array.from({ length: bytes.length / 4 }, (_, i) =>
      view.getUint32(4 * i, btf.littleEndian),
    )
  }
  if (!Array.isArray(json)) throw new TypeError(`${JSON.stringify(json)} is not an array`)
  return json.map((one) => parseValue(btf, type.type, one))
}

/** Bytes as an address, hex digits, or an array of numbers. */
export function parseBytes(json: unknown, length: number): Uint8Array {
  let bytes: Uint8Array
  if (json instanceof Uint8Array) bytes = json
  else if (Array.isArray(json)) {
    const numbers = json.map((one) => Number(integerOf(one, "byte")))
    const bad = numbers.find((byte) => byte < 0 || byte > 255)
    if (bad !== undefined) throw new RangeError(`byte ${bad} is not in 0 to 255`)
    bytes = Uint8Array.from(numbers)
  } else if (typeof json === "string") {
    if (MAC.test(json) && length === 6) bytes = macBytes(json)
    else if (IPV4.test(json) && length === 4) bytes = ipv4Bytes(json)
    else if (looksLikeIp(json) && length >= 4) bytes = parseIp(json)
    else bytes = parseHex(json)
  } else throw new TypeError(`${JSON.stringify(json)} is neither hex text nor an array of bytes`)
  if (bytes.length !== length)
    throw new RangeError(`${JSON.stringify(json)} has ${bytes.length} bytes, not ${length}`)
  return bytes
}

function parseFields(
  btf: Btf,
  type: Extract<BtfType, { kind: "struct" | "union" }>,
  json: unknown,
): unknown {
  if (typeof json === "string") {
    if (type.name === "in_addr" && IPV4.test(json)) return parseInAddr(btf, type, json)
    if (type.size === 16 && looksLikeIp(json)) return parseIn6Addr(btf, type, json)
    throw new TypeError(`${JSON.stringify(json)} is not a ${type.kind} ${type.name}`)
  }
  if (typeof json !== "object" || json === null || Array.isArray(json))
    throw new TypeError(`${JSON.stringify(json)} is not an object (${type.kind} ${type.name})`)
  const types = memberTypes(btf, type.members)
  return Object.fromEntries(
    Object.entries(json).map(([field, one]) => {
      const memberType = types.get(field)
      if (memberType === undefined)
        throw new RangeError(
          `${type.kind} ${type.name} has no field '${field}' (it has ${[...types.keys()].join(", ")})`,
        )
      try {
        return [field, parseValue(btf, memberType, one)]
      } catch (error) {
        if (error instanceof RangeError) throw new RangeError(`${field}: ${error.message}`)
        if (error instanceof TypeError) throw new TypeError(`${field}: ${error.message}`)
        throw error
      }
    }),
  )
}

/** A struct from its bytes, through its codec: whatever views it has, they agree. */
function fromBytes(btf: Btf, typeId: number, bytes: Uint8Array): unknown {
  return codecFor(btf, typeId).read(new DataView(bytes.buffer), 0)
}

function parseInAddr(btf: Btf, type: BtfType, text: string): unknown {
  return fromBytes(btf, type.id, parseIpv4(text))
}

function parseIn6Addr(btf: Btf, type: BtfType, text: string): unknown {
  return fromBytes(btf, type.id, parseIp(text))
}

/**
 * A map's key (or value) as bytes, from JSON. Without type: hex digits, an address, an array of
 * bytes, or an integer for sizes that have one.
 */
export function parseElement(
  btf: Btf | null,
  typeId: number,
  sizeBytes: number,
  json: unknown,
): Uint8Array {
  if (btf !== null && typeId !== 0) {
    const codec = codecFor(btf, typeId)
    if (codec.size === sizeBytes) return encodeValue(codec, parseValue(btf, typeId, json))
  }
  const integer =
    typeof json === "number" || typeof json === "bigint"
      ? BigInt(json)
      : typeof json === "string"
        ? parseInteger(json)
        : undefined
  if (integer !== undefined && [1, 2, 4, 8].includes(sizeBytes)) {
    const bytes = new Uint8Array(8)
    new DataView(bytes.buffer).setBigInt64(0, BigInt.asIntN(64, integer), true)
    return bytes.slice(0, sizeBytes)
  }
  return parseBytes(json, sizeBytes)
}

/** The key of an LPM trie from `10.0.0.0/8`: the prefix length as u32, then the address. */
export function parsePrefixKey(text: string, keySize: number, littleEndian: boolean): Uint8Array {
  const { address, length } = parsePrefix(text)
  if (address.length + 4 !== keySize)
    throw new RangeError(
      `'${text}' has an address of ${address.length} bytes, the key has room for ${keySize - 4}`,
    )
  const key = new Uint8Array(keySize)
  new DataView(key.buffer).setUint32(0, length, littleEndian)
  key.set(address, 4)
  return key
}
