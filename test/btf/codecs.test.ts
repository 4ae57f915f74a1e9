import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { formatHex, ObjectError, parseHex } from "../../src/base/index.ts"
import {
  array,
  BtfBuilder,
  bool,
  bytes,
  type Codec,
  chars,
  codecFor,
  decodeValue,
  encodeValue,
  readBtf,
  s8,
  s16,
  s32,
  s64,
  struct,
  u8,
  u16,
  u32,
  u64,
} from "../../src/btf/index.ts"
import { describeWith, requirement } from "../support/requirements.ts"
import { ENUM, structType } from "./random-types.ts"
import { compileBpf, elfSection, newSeed, Random, rounds, runC } from "./support.ts"

describeWith([requirement.clang()], "codecs from BTF", () => {
  test("write and read the bytes that compiled C writes, for random types and values", () => {
    const seed = newSeed()
    const random = new Random(seed)
    const count = rounds(60)
    let declarations = ENUM
    let keep = ""
    let main = ""
    const values: unknown[] = []
    const unions: boolean[] = []
    for (let i = 0; i < count; i++) {
      const type = structType(random, 0, `s${i}`)
      const declaration = `${type.declare("").trim()};\n`
      declarations += declaration
      unions.push(declaration.includes("union"))
      keep += `struct s${i} *keep${i};\n`
      const { value, store } = type.value("x")
      values.push(value)
      main += `{ struct s${i} x; memset(&x, 0, sizeof x); ${store} show(&x, sizeof x); }\n`
    }
    const program = `#include <stdio.h>\n#include <string.h>\n${declarations}
      static void show(void *p, size_t n) {
        for (size_t i = 0; i < n; i++) printf("%02x", ((unsigned char *)p)[i]);
        puts("");
      }
      int main() { ${main} }`
    const expected = runC(program).trim().split("\n")
    const btf = readBtf(elfSection(compileBpf(`${declarations}${keep}`, ["-w"]), ".BTF"))
    for (let i = 0; i < count; i++) {
      const where = `seed ${seed}, struct s${i}`
      const codec = codecFor(btf, btf.findByName(`s${i}`, "struct")!)
      expect(formatHex(encodeValue(codec, values[i])), where).toBe(expected[i])
      const read = decodeValue(codec, parseHex(expected[i]))
      // Unions read as all their views; those that were written must be among them.
      expect(read, where).toMatchObject(values[i] as object)
      if (!unions[i]) expect(formatHex(encodeValue(codec, read)), where).toBe(expected[i])
    }
  })

  test("write bit-fields of big-endian objects from the most significant bit", () => {
    const text = "struct s { unsigned a : 3, b : 7; int c : 5; unsigned long long d : 40; } *keep;"
    const btf = readBtf(elfSection(compileBpf(text, ["--target=bpfeb"]), ".BTF"))
    const codec = codecFor(btf, btf.findByName("s")!)
    // a b c are the first 15 bits; d does not fit into the same 8 bytes after them... it does: 55.
    const value = { a: 5, b: 0x55, c: -3, d: 0x123456789an }
    const bits = `${(5).toString(2)}${"1010101"}${"11101"}${0x123456789an.toString(2).padStart(40, "0")}`
    const expected = BigInt(`0b${bits.padEnd(64, "0")}`)
      .toString(16)
      .padStart(16, "0")
    expect(formatHex(encodeValue(codec, value))).toBe(expected)
    expect(decodeValue(codec, parseHex(expected))).toEqual(value)
  })

  const TEXT = `
    enum verdict { DROP, PASS = 2 };
    enum wide { BIG = 0x7fffffff };
    struct flow { unsigned short port; enum verdict verdict; char name[8]; unsigned low : 4; };
    struct event { long when; struct flow flow[2]; int count; short extra[]; };
    struct line { int length; char text[]; };
    union any { unsigned int word; unsigned char bytes[4]; char text[4]; };
    struct event *a; union any *b; struct line *c;
    int counter = 4; static volatile long total; const char greeting[6] = "hello";
    __attribute__((section("x"))) int f() { total++; return counter + greeting[total & 3]; }`
  const elf = requirement.clang().available ? compileBpf(TEXT) : null
  const btf = elf === null ? null : readBtf(elfSection(elf, ".BTF"))
  const codec = (name: string): Codec<unknown> => codecFor(btf!, btf!.findByName(name)!)
  const flow = { port: 80, verdict: 2, name: "eth0", low: 9 }

  test("name the field, the value and the limit when a value does not fit", () => {
    const event = (changes: object) => ({
      when: 1n,
      flow: [flow, { ...flow, ...changes }],
      count: 1,
      extra: [],
    })
    const write = (changes: object) => () => encodeValue(codec("event"), event(changes))
    expect(write({ port: 70000 })).toThrow("flow[1].port: 70000 is not in 0 to 65535")
    expect(write({ port: 1.5 })).toThrow("flow[1].port: 1.5 is not an integer")
    expect(write({ port: "80" })).toThrow("flow[1].port: '80' is not a number")
    expect(write({ port: undefined })).toThrow(TypeError)
    expect(write({ low: 16 })).toThrow("flow[1].low: 16 is not in 0 to 15")
    expect(write({ name: "much too long" })).toThrow(
      "flow[1].name: 'much too long' has 13 bytes, more than char[8]",
    )
    expect(write({ verdict: "MAYBE" })).toThrow("'MAYBE' is no enumerator of enum verdict")
    expect(() => encodeValue(codec("event"), { ...event({}), when: 1 })).toThrow(
      "when: 1 is not a bigint",
    )
    expect(() => encodeValue(codec("event"), { ...event({}), when: 1n << 63n })).toThrow(RangeError)
    expect(() => encodeValue(codec("event"), { ...event({}), flow: [flow] })).toThrow(
      "flow: 1 elements given, exactly 2 wanted",
    )
  })

  test("take enumerators by name", () => {
    expect(encodeValue(codec("flow"), { ...flow, verdict: "PASS" })).toEqual(
      encodeValue(codec("flow"), flow),
    )
  })

  test("read flexible arrays to the end of the buffer", () => {
    const value = { when: -5n, flow: [flow, flow], count: 3, extra: [1, -2, 3] }
    const encoded = encodeValue(codec("event"), value)
    const fixed = btf!.sizeOf(btf!.findByName("event")!)
    expect(encoded.length).toBe(Math.max(fixed, 8 + 2 * 20 + 4 + 6))
    // The array starts in the struct's tail padding, which reads as elements too.
    expect(decodeValue(codec("event"), encoded)).toEqual({ ...value, extra: [1, -2, 3] })
    const line = encodeValue(codec("line"), { length: 2, text: "hi" })
    expect(formatHex(line)).toBe("02000000686900")
    expect(decodeValue(codec("line"), line)).toEqual({ length: 2, text: "hi" })
  })

  test("read a union as all its views and write the one that is given", () => {
    const any = codec("any")
    const encoded = encodeValue(any, { text: "hi" })
    expect(formatHex(encoded)).toBe("68690000")
    expect(decodeValue(any, encoded)).toEqual({
      word: 0x6968,
      bytes: new Uint8Array([0x68, 0x69, 0, 0]),
      text: "hi",
    })
    const broken = parseHex("00ff0041")
    expect(encodeValue(any, decodeValue(any, broken))).toEqual(broken)
  })

  test("read a section as its variables", () => {
    const section = btf!.typeOf(btf!.findByName(".rodata", "datasec")!, "datasec")
    expect(section.variables.length).toBe(1)
    const value = decodeValue(codecFor(btf!, section.id), elfSection(elf!, ".rodata"))
    expect(value).toEqual({ greeting: "hello" })
  })

  test("refuse to read past the end of a buffer", () => {
    expect(() => decodeValue(codec("flow"), new Uint8Array(19))).toThrow(RangeError)
  })
})

describe("codecs by hand", () => {
  test("write the little-endian bytes of each integer type and refuse what is out of range", () => {
    const cases: [Codec<number>, number, boolean][] = [
      [u8, 8, false],
      [u16, 16, false],
      [u32, 32, false],
      [s8, 8, true],
      [s16, 16, true],
      [s32, 32, true],
    ]
    for (const [codec, bits, signed] of cases)
      fc.assert(
        fc.property(fc.maxSafeInteger(), (value) => {
          const min = signed ? -(2 ** (bits - 1)) : 0
          const max = 2 ** bits + min - 1
          if (value < min || value > max) {
            expect(() => encodeValue(codec, value)).toThrow(RangeError)
            return
          }
          const encoded = encodeValue(codec, value)
          let model = BigInt.asUintN(bits, BigInt(value))
          for (const byte of encoded) {
            expect(BigInt(byte)).toBe(model & 255n)
            model >>= 8n
          }
          expect(decodeValue(codec, encoded)).toBe(value)
        }),
        { numRuns: 60 },
      )
    for (const value of [0n, -1n, 1n << 63n, -(1n << 63n)]) {
      const fits = value < 1n << 63n
      if (fits) expect(decodeValue(s64, encodeValue(s64, value))).toBe(value)
      else expect(() => encodeValue(s64, value)).toThrow(RangeError)
      if (value < 0n) expect(() => encodeValue(u64, value)).toThrow(RangeError)
      else expect(decodeValue(u64, encodeValue(u64, value))).toBe(value)
    }
  })

  test("place fields as C does", () => {
    const codec = struct({ a: u8, b: u64, c: array(u16, 3), d: bool, e: chars(5), f: bytes(2) })
    // struct { u8 a; u64 b; u16 c[3]; bool d; char e[5]; u8 f[2]; }: 0, 8, 16, 22, 23, 28; 32 bytes
    expect(codec.size).toBe(32)
    const value = {
      a: 1,
      b: 2n,
      c: [3, 4, 5],
      d: true,
      e: "abc",
      f: new Uint8Array([6, 7]),
    }
    const encoded = encodeValue(codec, value)
    expect(formatHex(encoded)).toBe(
      "01000000000000000200000000000000030004000500016162630000060700" + "00",
    )
    expect(decodeValue(codec, encoded)).toEqual(value)
    expect(struct({ a: u8, b: u64 }, { packed: true }).size).toBe(9)
  })

  test("zero the padding of a buffer that was used before", () => {
    const target = new Uint8Array(16).fill(0xff)
    struct({ a: u8, b: u64 }).write(new DataView(target.buffer), 0, { a: 1, b: 2n })
    expect(formatHex(target)).toBe("01000000000000000200000000000000")
  })
})

describe("codecs of hostile BTF", () => {
  test("refuse a struct that contains itself", () => {
    const builder = new BtfBuilder()
    const id = builder.reserve()
    builder.define(id, {
      kind: "struct",
      name: "s",
      size: 4,
      kindFlag: false,
      members: [{ name: "s", type: id, bitOffset: 0, bitSize: 0 }],
    })
    expect(() => codecFor(readBtf(builder.build()), id)).toThrow(ObjectError)
  })

  test("refuse unions that fan out without end", () => {
    const builder = new BtfBuilder()
    let id = builder.int("int", 4)
    for (let level = 0; level < 20; level++)
      id = builder.union(
        `u${level}`,
        4,
        ["a", "b", "c"].map((name) => ({ name, type: id, bitOffset: 0, bitSize: 0 })),
      )
    expect(() => codecFor(readBtf(builder.build()), id)).toThrow(/more than 65536 fields/)
  })

  test("refuse members outside their struct", () => {
    const builder = new BtfBuilder()
    const int = builder.int("int", 4)
    const id = builder.struct("s", 4, [{ name: "x", type: int, bitOffset: 8, bitSize: 0 }])
    expect(() => codecFor(readBtf(builder.build()), id)).toThrow(
      "member 'x' of struct 's', 4 bytes: it ends at 5",
    )
  })

  test("keep a field named __proto__ a field", () => {
    const builder = new BtfBuilder()
    const int = builder.int("int", 4)
    const id = builder.struct("s", 4, [{ name: "__proto__", type: int, bitOffset: 0, bitSize: 0 }])
    const value = decodeValue(codecFor(readBtf(builder.build()), id), new Uint8Array([5, 0, 0, 0]))
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype)
    expect(Object.entries(value as object)).toEqual([["__proto__", 5]])
  })
})
