import { describe, expect, test } from "vitest"
import { BtfBuilder, readBtf, validateBtf } from "../../src/btf/index.ts"
import { describeWith, requirement } from "../support/requirements.ts"
import { linuxBtf, loadBtf } from "./linux.ts"
import { compileBpf, elfSection, newSeed, Random, rounds } from "./support.ts"

/** One type of each kind, as the kernel accepts them. */
function everyKind(): BtfBuilder {
  const builder = new BtfBuilder()
  const int = builder.int("int", 4, "signed")
  const long = builder.int("long", 8, "signed")
  const flag = builder.int("_Bool", 1, "bool")
  const node = builder.reserve()
  const pointer = builder.ptr(node)
  const list = builder.array(pointer, 3, int)
  builder.define(node, {
    kind: "struct",
    name: "node",
    size: 40,
    kindFlag: false,
    members: [
      { name: "list", type: list, bitOffset: 0, bitSize: 0 },
      { name: "low", type: int, bitOffset: 192, bitSize: 3 },
      { name: "high", type: int, bitOffset: 195, bitSize: 29 },
      { name: "key", type: long, bitOffset: 256, bitSize: 0 },
    ],
  })
  builder.union("both", 8, [
    { name: "a", type: int, bitOffset: 0, bitSize: 0 },
    { name: "b", type: long, bitOffset: 0, bitSize: 0 },
  ])
  builder.enum("color", { RED: 0, BLUE: -1 })
  builder.enum64("wide", { BIG: 1n << 40n })
  builder.fwd("elsewhere", "struct")
  builder.fwd("another", "union")
  const named = builder.typedef("node_t", pointer)
  const constant = builder.const(int)
  const unstable = builder.volatile(constant)
  builder.restrict(pointer)
  builder.typeTag("user", unstable)
  const proto = builder.funcProto(int, [{ name: "n", type: named }], true)
  const func = builder.func("visit", proto, "static")
  const variable = builder.var("counter", long)
  const other = builder.var("flag", flag, "static")
  builder.datasec(".bss", 16, [
    { type: variable, offset: 0, size: 8 },
    { type: other, offset: 8, size: 1 },
  ])
  builder.float("double", 8)
  builder.declTag("kptr", node, 1)
  builder.declTag("bpf_kfunc", func)
  return builder
}

describe("BtfBuilder", () => {
  test("writes what readBtf reads, in both byte orders", () => {
    const little = readBtf(everyKind().build())
    expect(new Set([...little.types()].map((type) => type.kind)).size).toBe(19)
    const builder = new BtfBuilder({ littleEndian: false })
    for (const type of little.types()) if (type.kind !== "void") builder.add(type)
    const big = readBtf(builder.build())
    expect([...big.types()]).toEqual([...little.types()])
  })

  test("writes split BTF that continues its base", () => {
    const base = readBtf(everyKind().build())
    const builder = new BtfBuilder({ base })
    const node = base.findByName("node", "struct")!
    const split = builder.struct("wrapper", 40, [
      { name: "inner", type: node, bitOffset: 0, bitSize: 0 },
    ])
    const btf = readBtf(builder.build(), { base })
    expect(split).toBe(base.typeCount)
    expect(btf.findByName("wrapper")).toBe(split)
    expect(btf.findByName("node", "struct")).toBe(node)
    expect(btf.type(split)).toMatchObject({ name: "wrapper", members: [{ name: "inner" }] })
    expect(btf.sizeOf(split)).toBe(40)
    expect(validateBtf(builder.build(), { base })).toBeNull()
  })

  test("refuses to write a reserved id that was not defined", () => {
    const builder = new BtfBuilder()
    builder.reserve()
    expect(() => builder.build()).toThrow("type id 1 was not defined")
  })
})

describe("validateBtf", () => {
  test("accepts every kind", () => {
    expect(validateBtf(everyKind().build())).toBeNull()
  })

  test("names the type and the problem", () => {
    const builder = new BtfBuilder()
    const int = builder.int("int", 4, "signed")
    builder.struct("s", 4, [{ name: "x", type: int, bitOffset: 8, bitSize: 0 }])
    expect(validateBtf(builder.build())).toBe("[2] STRUCT s: Member exceeds struct_size")
  })
})

describeWith([linuxBtf], "validateBtf beside Linux", () => {
  test("accepts what Linux accepts", () => {
    expect(loadBtf(everyKind().build())).toMatchObject({ errno: 0 })
  })

  /** Changes words of a valid BTF, mostly to values that are nearly right. */
  function mutate(random: Random, original: Uint8Array): Uint8Array {
    const bytes = original.slice()
    const view = new DataView(bytes.buffer)
    for (let i = random.below(3); i >= 0; i--) {
      const at = 4 * random.below(bytes.length >>> 2)
      const old = view.getUint32(at, true)
      const next = random.pick([
        old + 1,
        old - 1,
        old ^ (1 << random.below(32)),
        random.below(40),
        old & 0xffff,
        (random.below(20) << 24) | random.below(3),
        old | 0x80000000,
      ])
      view.setUint32(at, next >>> 0, true)
    }
    return bytes
  }

  test("gives Linux's verdict on thousands of damaged BTFs", () => {
    const seed = newSeed()
    const random = new Random(seed)
    const seeds = [everyKind().build()]
    if (requirement.clang().available)
      seeds.push(
        elfSection(
          compileBpf(`struct list { struct list *next; int (*call)(struct list *, int x); };
            struct s { int a[4]; unsigned b : 3; union { long c; char d[3]; }; struct list e; };
            typedef const struct s s_t; int f(s_t *s) { return s->a[1] + s->b; }`),
          ".BTF",
        ),
      )
    let refused = 0
    const differences: string[] = []
    const total = rounds(3000)
    for (let round = 0; round < total; round++) {
      const bytes = mutate(random, random.pick(seeds))
      const ours = validateBtf(bytes)
      const linux = loadBtf(bytes)
      if (linux.errno !== 0) refused++
      if ((ours === null) !== (linux.errno === 0))
        differences.push(`round ${round}: ours ${ours}, Linux ${linux.errno} ${linux.log}`)
    }
    expect(differences, `seed ${seed}`).toEqual([])
    expect(refused).toBeGreaterThan(total / 10)
    expect(refused).toBeLessThan(total)
  })
})
