import { spawnSync } from "node:child_process"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { transformSync } from "esbuild"
import { describe, expect, test } from "vitest"
import { formatHex } from "../../../src/base/index.ts"
import {
  type Btf,
  BtfBuilder,
  type Codec,
  codecFor,
  declaredBtf,
  decodeValue,
  encodeValue,
  printCodecs,
  printTypeScript,
  readBtf,
} from "../../../src/btf/index.ts"
import { root } from "../../support/requirements.ts"
import { ENUM, structType } from "../random-types.ts"
import { inFolder, newSeed, Random, rounds } from "../support.ts"

const TEXT = `
  typedef unsigned char u8; typedef unsigned short u16; typedef unsigned int u32;
  typedef unsigned long long u64; typedef long long s64; typedef _Bool bool;
  enum verdict { DROP, PASS = 2, LATER = 0x7fffffff };
  enum wide { BIG = 1ull << 40, SMALL = 1 };
  typedef enum { ON = 1, OFF } switch_t;
  struct flow_key { u32 saddr; u16 ports[2]; u8 mac[6]; char ifname[8]; };
  typedef struct { s64 when; int x; } stamp_t;
  union number { u32 word; u8 raw[4]; struct { u16 low, high; }; };
  struct event {
    struct flow_key key; stamp_t at[3]; enum verdict verdict; switch_t state; enum wide wide;
    bool ok; unsigned few : 3; int more : 7; u64 many : 40; u16 span : 13; bool flag : 1;
    union number number; union { u64 cookie; void *pointer; };
    struct { char a; short grid[2][3]; } inner; double ratio; float part; __int128 huge;
    s64 longs[12]; enum verdict history[2]; int tail[];
  };
  struct line { u32 length; char text[]; };
`

/** The exports of printed codecs. */
async function importCodecs(source: string): Promise<Record<string, Codec<unknown>>> {
  const { code } = transformSync(source, { loader: "ts", format: "esm" })
  return import(`data:text/javascript,${encodeURIComponent(code)}`)
}

const EVENT = {
  key: {
    saddr: 0xfffffffe,
    ports: [80, 65535],
    mac: new Uint8Array([1, 2, 3, 4, 5, 6]),
    ifname: "eth0",
  },
  at: [1, 2, 3].map((n) => ({ when: BigInt(-n), x: -n })),
  verdict: 2,
  state: 1,
  wide: 1n << 40n,
  ok: true,
  few: 5,
  more: -64,
  many: (1n << 40n) - 2n,
  span: 8191,
  flag: true,
  number: { word: 0x04030201, raw: new Uint8Array([1, 2, 3, 4]), low: 0x0201, high: 0x0403 },
  cookie: 1n << 63n,
  pointer: 1n << 63n,
  inner: {
    a: -1,
    grid: [
      [1, -2, 3],
      [4, 5, -6],
    ],
  },
  ratio: 0.25,
  part: -1.5,
  huge: -(1n << 100n),
  longs: Array.from({ length: 12 }, (_, i) => BigInt(i) - 5n),
  history: [0, 0x7fffffff],
  tail: [7, -8],
}

function idsOf(btf: Btf, names: readonly string[]): number[] {
  return names.map((name) => btf.findByName(name)!)
}

describe("printTypeScript", () => {
  test("prints an interface for each struct and a table for each enum", () => {
    const btf = declaredBtf(TEXT)
    expect(printTypeScript(btf, idsOf(btf, ["flow_key", "verdict", "number"]))).toBe(
      `/** struct flow_key, 24 bytes */
export interface FlowKey {
  saddr: number
  ports: number[]
  mac: Uint8Array
  ifname: string
}

/** enum verdict */
export const Verdict = {
  DROP: 0,
  PASS: 2,
  LATER: 2147483647,
} as const
export type Verdict = number

/** union number, 4 bytes: all views of the same bytes */
export interface Number2 {
  word: number
  raw: Uint8Array
  low: number
  high: number
}
`,
    )
  })

  test("names anonymous structs by their typedef, or writes them in place", () => {
    const btf = declaredBtf(TEXT)
    const text = printTypeScript(btf, idsOf(btf, ["event"]))
    expect(text).toContain("at: StampT[]")
    expect(text).toContain("inner: { a: number; grid: number[][] }")
    expect(text).toContain("state: SwitchT")
    expect(text).toContain("wide: Wide")
    expect(text).toContain("BIG: 1099511627776n,")
    expect(text.indexOf("interface FlowKey")).toBeLessThan(text.indexOf("interface Event"))
  })
})

describe("printCodecs", () => {
  test("prints codecs that write and read what codecFor does", async () => {
    const btf = declaredBtf(TEXT)
    const names = ["event", "flow_key", "number", "line"]
    const printed = await importCodecs(printCodecs(btf, idsOf(btf, names)))
    const values = [
      EVENT,
      EVENT.key,
      { raw: new Uint8Array([9, 8, 7, 6]) },
      { length: 2, text: "hé" },
    ]
    const exports = ["eventCodec", "flowKeyCodec", "number2Codec", "lineCodec"]
    for (const [i, name] of names.entries()) {
      const expected = codecFor(btf, btf.findByName(name)!)
      const codec = printed[exports[i]]
      expect([codec.size, codec.align]).toEqual([expected.size, expected.align])
      const bytes = encodeValue(expected, values[i])
      expect(formatHex(encodeValue(codec, values[i])), name).toBe(formatHex(bytes))
      expect(decodeValue(codec, bytes), name).toEqual(decodeValue(expected, bytes))
    }
    expect(decodeValue(printed.eventCodec, encodeValue(printed.eventCodec, EVENT))).toEqual(EVENT)
  })

  test("prints codecs that refuse with codecFor's messages", async () => {
    const btf = declaredBtf(TEXT)
    const id = btf.findByName("event")!
    const { eventCodec } = await importCodecs(printCodecs(btf, [id]))
    const runtime = codecFor(btf, id)
    const changes = [
      { key: { ...EVENT.key, saddr: -1 } },
      { key: { ...EVENT.key, ports: [1] } },
      { key: { ...EVENT.key, ports: [1, 65536] } },
      { key: { ...EVENT.key, mac: new Uint8Array(5) } },
      { key: { ...EVENT.key, ifname: "much too long" } },
      { key: null },
      { at: [EVENT.at[0], EVENT.at[1], { when: 1, x: 0 }] },
      { few: 8 },
      { more: 64 },
      { many: 1n << 40n },
      { ok: 1 },
      { ratio: "x" },
      {
        inner: {
          a: 0,
          grid: [
            [1, 2, 3],
            [4, 40000, 5],
          ],
        },
      },
      { tail: [1.5] },
      { huge: 1n << 127n },
    ]
    for (const change of changes) {
      const value = { ...EVENT, ...change }
      const messageOf = (codec: Codec<unknown>): string => {
        try {
          encodeValue(codec, value)
        } catch (error) {
          return `${(error as Error).name}: ${(error as Error).message}`
        }
        return "accepted"
      }
      expect(messageOf(eventCodec)).toBe(messageOf(runtime))
      expect(messageOf(eventCodec)).not.toBe("accepted")
    }
    expect(() => decodeValue(eventCodec, new Uint8Array(10))).toThrow(RangeError)
  })

  test("prints no code that a hostile name carries", async () => {
    const builder = new BtfBuilder()
    const int = builder.int("int", 4, "signed")
    const evil = `*/ globalThis.evil = 1 /*\n}; globalThis.evil = 1; \`\${globalThis.evil = 1}\` '"`
    const kind = builder.enum(evil, { [evil]: 1 })
    const id = builder.struct(evil, 8, [
      { name: evil, type: int, bitOffset: 0, bitSize: 0 },
      { name: "__proto__", type: kind, bitOffset: 32, bitSize: 0 },
    ])
    const source = printCodecs(readBtf(builder.build()), [id])
    const [codec] = Object.values(await importCodecs(source)).filter((one) => "read" in one)
    const value = decodeValue(codec, new Uint8Array([1, 0, 0, 0, 2, 0, 0, 0]))
    expect(Object.entries(value as object)).toEqual([
      [evil, 1],
      ["__proto__", 2],
    ])
    expect(globalThis).not.toHaveProperty("evil")
  })

  test("agrees with codecFor on random structs", async () => {
    const seed = newSeed()
    const random = new Random(seed)
    const count = rounds(60)
    const types = Array.from({ length: count }, (_, i) => structType(random, 0, `s${i}`))
    const btf = declaredBtf(ENUM + types.map((type) => `${type.declare("").trim()};\n`).join(""))
    const ids = types.map((_, i) => btf.findByName(`s${i}`)!)
    const printed = await importCodecs(printCodecs(btf, ids))
    for (const [i, type] of types.entries()) {
      const where = `seed ${seed}, s${i}`
      const { value } = type.value("")
      const expected = codecFor(btf, ids[i])
      const codec = printed[`s${i}Codec`]
      const bytes = encodeValue(expected, value)
      expect(formatHex(encodeValue(codec, value)), where).toBe(formatHex(bytes))
      const noise = Uint8Array.from(bytes, () => random.below(256))
      expect(decodeValue(codec, noise), where).toEqual(decodeValue(expected, noise))
    }
  })

  test("prints TypeScript that compiles strictly", () => {
    const btf = declaredBtf(TEXT)
    const source = printCodecs(btf, idsOf(btf, ["event", "number", "line", "flow_key", "u64"]), {
      importFrom: "./codec.ts",
    })
    const use = `import { eventCodec, type Event, Verdict } from "./printed.ts"
      export function f(view: DataView): bigint {
        const event: Event = eventCodec.read(view, 0)
        eventCodec.write(view, 0, { ...event, verdict: Verdict.PASS })
        return event.at[0].when + BigInt(event.key.ports[1])
      }`
    const output = inFolder((folder) => {
      const write = (name: string, text: string) => writeFileSync(join(folder, name), text)
      write("printed.ts", source)
      write("use.ts", use)
      write(
        "codec.ts",
        `export interface Codec<T> { readonly size: number; readonly align?: number
          read(view: DataView, offset: number): T
          write(view: DataView, offset: number, value: T): void
          sizeFor?(value: T): number }`,
      )
      const options = { strict: true, noEmit: true, target: "es2022", module: "nodenext" }
      const more = {
        noUnusedLocals: true,
        allowImportingTsExtensions: true,
        erasableSyntaxOnly: true,
      }
      write(
        "tsconfig.json",
        JSON.stringify({
          compilerOptions: {
            ...options,
            ...more,
            isolatedDeclarations: true,
            declaration: true,
            types: [],
            lib: ["es2022", "dom"],
          },
        }),
      )
      return spawnSync(process.execPath, [join(root, "scripts/tsc.mjs"), "-p", folder], {
        encoding: "utf8",
      }).stdout
    })
    expect(output).toBe("")
  })
})
