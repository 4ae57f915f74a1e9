/** Changing globals and maps of an object: what a C program would see in the bytes. */

import { expect, test } from "vitest"
import { formatHex } from "../../src/base/index.ts"
import {
  type BpfObject,
  findMap,
  readObject,
  withGlobals,
  withMaps,
} from "../../src/object/index.ts"
import { describeWith, requirement } from "../support/requirements.ts"
import { compile, objectBytes, objectsOf } from "./corpus.ts"

/** The bytes of a global's initial value. */
function bytesOf(object: BpfObject, name: string): string {
  const global = object.globals.find((one) => one.name === name)
  const data = global && findMap(object, global.map)?.data
  if (!global || !data) return "?"
  return formatHex(data.subarray(global.offset, global.offset + global.size))
}

const basic = () => readObject(objectBytes(compile("basic.c")), { name: "basic.o" })

describeWith([requirement.clang()], "withGlobals", () => {
  test("writes numbers, text, structs and arrays as C has them in memory", () => {
    const object = withGlobals(basic(), {
      scale: -2,
      label: "eth0",
      hits: [1, 2, 0x01020304],
      origin: { x: 7, tag: new Uint8Array([1, 2, 3, 4]), when: 0x0102030405060708n },
      port: 443,
    })
    expect(bytesOf(object, "scale")).toBe("feffffff")
    expect(bytesOf(object, "label")).toBe(`65746830${"00".repeat(12)}`)
    expect(bytesOf(object, "hits")).toBe("010000000200000004030201")
    expect(bytesOf(object, "origin")).toBe("07000000010203040807060504030201")
    expect(bytesOf(object, "port")).toBe("bb01")
  })

  test("writes in the object's byte order", () => {
    const [, big] = objectsOf("basic")
    const object = withGlobals(readObject(objectBytes(big.path)), { scale: 0x01020304, port: 443 })
    expect(bytesOf(object, "scale")).toBe("01020304")
    expect(bytesOf(object, "port")).toBe("01bb")
  })

  test("leaves the original as it was, and shares what stays", () => {
    const object = basic()
    const changed = withGlobals(object, { scale: 9 })
    expect(bytesOf(object, "scale")).toBe("05000000")
    expect(bytesOf(changed, "scale")).toBe("09000000")
    expect(findMap(changed, ".rodata")).toBe(findMap(object, ".rodata"))
    expect(changed.programs).toBe(object.programs)
    expect(withGlobals(object, {})).toBe(object)
  })

  test("refuses unknown names and values that do not fit, with the name", () => {
    const object = basic()
    expect(() => withGlobals(object, { nothing: 1 })).toThrow(
      /no global 'nothing' \(it has .*scale/,
    )
    expect(() => withGlobals(object, { port: 70_000 })).toThrow(/global 'port': .*70000.*65535/)
    expect(() => withGlobals(object, { origin: { x: "?" } })).toThrow(/global 'origin': .*x/)
    expect(() => withGlobals(object, { label: "longer than sixteen characters" })).toThrow(
      RangeError,
    )
    expect(() => withGlobals(object, { scale: 2.5 })).toThrow(/global 'scale'/)
  })

  test("takes integers and bytes for variables without type", () => {
    const plain = readObject(objectBytes(compile("sections.c", { flags: ["-O2"] })))
    expect(bytesOf(withGlobals(plain, { custom_one: 0x0a0b }), "custom_one")).toBe("0b0a0000")
    expect(bytesOf(withGlobals(plain, { custom_one: -1n }), "custom_one")).toBe("ffffffff")
    const bytes = new Uint8Array([9, 8, 7, 6])
    expect(bytesOf(withGlobals(plain, { custom_one: bytes }), "custom_one")).toBe("09080706")
    expect(() => withGlobals(plain, { custom_one: 2 ** 32 })).toThrow(/4294967296 does not fit/)
    expect(() => withGlobals(plain, { custom_one: new Uint8Array(3) })).toThrow(
      /has 4 bytes, not 3/,
    )
    expect(() => withGlobals(plain, { custom_one: "x" })).toThrow(TypeError)
  })
})

describeWith([requirement.clang()], "withMaps", () => {
  test("changes parameters in a copy", () => {
    const object = basic()
    const changed = withMaps(object, { counts: { maxEntries: 1 << 20, pinning: "by-name" } })
    expect(findMap(changed, "counts")).toMatchObject({ maxEntries: 1 << 20, pinning: "by-name" })
    expect(findMap(object, "counts")).toMatchObject({ maxEntries: 8, pinning: "none" })
    expect(findMap(changed, "counts")?.keyTypeId).toBe(findMap(object, "counts")?.keyTypeId)
  })

  test("drops the type of a value that gets another size", () => {
    const changed = withMaps(basic(), { counts: { valueSize: 64 } })
    expect(findMap(changed, "counts")).toMatchObject({ valueSize: 64, valueTypeId: 0 })
  })

  test("refuses unknown maps, numbers that are no u32, and sizes of data sections", () => {
    const object = basic()
    expect(() => withMaps(object, { flows: { maxEntries: 1 } })).toThrow(
      /no map 'flows' \(it has counts, basic.data, basic.rodata, basic.bss\)/,
    )
    expect(() => withMaps(object, { counts: { maxEntries: -1 } })).toThrow(
      /map 'counts': maxEntries -1 is not in 0 to 4294967295/,
    )
    expect(() => withMaps(object, { "basic.bss": { valueSize: 1 } })).toThrow(
      /valueSize follows from section .bss/,
    )
  })
})
