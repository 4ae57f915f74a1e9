/** Configuration values as bytes of an extern's type: libbpf's rules, one line a case. */

import { expect, test } from "vitest"
import { formatHex } from "../../src/base/index.ts"
import { BtfBuilder, readBtf } from "../../src/btf/index.ts"
import { encodeKconfig, type KconfigValue, lookUpKconfig } from "../../src/loader/kconfig.ts"
import { FakeKernel } from "./fake-kernel.ts"

const TYPES = [
  "bool",
  "char",
  "signed char",
  "tristate",
  "int",
  "unsigned",
  "long",
  "text",
] as const

function typesOf(littleEndian: boolean): { btf: ReturnType<typeof readBtf>; ids: number[] } {
  const builder = new BtfBuilder({ littleEndian })
  const char = builder.int("char", 1, "signed")
  const ids = [
    builder.int("_Bool", 1, "bool"),
    char,
    builder.int("signed char", 1, "signed"),
    builder.enum("libbpf_tristate", { TRI_NO: 0, TRI_YES: 1, TRI_MODULE: 2 }),
    builder.int("int", 4, "signed"),
    builder.int("unsigned int", 4),
    builder.int("unsigned long", 8),
    builder.array(char, 6, builder.int("index", 4)),
  ]
  return { btf: readBtf(builder.build()), ids }
}

function encode(type: (typeof TYPES)[number], value: KconfigValue, littleEndian = true): string {
  const { btf, ids } = typesOf(littleEndian)
  const typeId = ids[TYPES.indexOf(type)]
  const size = btf.sizeOf(typeId)
  const extern = {
    kind: "kconfig",
    name: "CONFIG_X",
    weak: false,
    offset: 0,
    size,
    typeId,
  } as const
  return formatHex(encodeKconfig(btf, extern, value))
}

test.each([
  ["bool", "y", "01"],
  ["bool", "n", "00"],
  ["bool", true, "01"],
  ["bool", 1, "01"],
  ["char", "m", "6d"],
  ["char", "y", "79"],
  ["char", 5, "05"],
  ["signed char", -3, "fd"],
  ["tristate", "n", "00000000"],
  ["tristate", "y", "01000000"],
  ["tristate", "m", "02000000"],
  ["int", "250", "fa000000"],
  ["int", "-1", "ffffffff"],
  ["unsigned", "0xdeadbeef", "efbeadde"],
  ["unsigned", 4294967295, "ffffffff"],
  ["long", "0x0102030405060708", "0807060504030201"],
  ["long", 1n << 63n, "0000000000000080"],
  ["text", '"abc"', "616263000000"],
  ["text", '"too long"', "746f6f206c00"],
  ["text", '""', "000000000000"],
] as const)("%s takes %s as %s", (type, value, bytes) => {
  expect(encode(type, value)).toBe(bytes)
})

test.each([
  ["bool", "m"],
  ["bool", 2],
  ["int", "y"],
  ["int", "2147483648"],
  ["unsigned", -1],
  ["unsigned", "0x100000000"],
  ["int", '"text"'],
  ["int", 1.5],
  ["tristate", 1],
  ["text", 5],
  ["text", '"open'],
] as const)("%s refuses %s", (type, value) => {
  expect(() => encode(type, value)).toThrow(RangeError)
  expect(() => encode(type, value)).toThrow(/does not fit into/)
})

test("numbers are in the object's byte order", () => {
  expect(encode("int", 250, false)).toBe("000000fa")
  expect(encode("tristate", "m", false)).toBe("00000002")
})

test("the caller's values come before the kernel's, and the version is the kernel's", () => {
  const kernel = new FakeKernel()
  kernel.config = new Map([
    ["CONFIG_HZ", "250"],
    ["CONFIG_ARCH_HAS_SYSCALL_WRAPPER", "y"],
  ])
  expect(lookUpKconfig("CONFIG_HZ", kernel, undefined)).toBe("250")
  expect(lookUpKconfig("CONFIG_HZ", kernel, { CONFIG_HZ: 100 })).toBe(100)
  expect(lookUpKconfig("CONFIG_NONE", kernel, {})).toBeUndefined()
  expect(lookUpKconfig("toString", kernel, {})).toBeUndefined()
  expect(lookUpKconfig("LINUX_KERNEL_VERSION", kernel, undefined)).toBe(0x061200n)
  expect(lookUpKconfig("LINUX_HAS_SYSCALL_WRAPPER", kernel, undefined)).toBe(1n)
})
