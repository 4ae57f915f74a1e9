import { describe, expect, test } from "vitest"
import { RelocationError } from "../../../src/base/index.ts"
import {
  BPF_CORE_ENUMVAL_VALUE,
  BPF_CORE_TYPE_EXISTS,
  BPF_CORE_TYPE_MATCHES,
  type Btf,
  BtfBuilder,
  CORE_POISON_HELPER,
  declaredBtf,
  parseDeclarations,
  readBtf,
  relocateCore,
} from "../../../src/btf/index.ts"
import { decodeInstruction } from "../../../src/isa/index.ts"
import { describeWith, requirement } from "../../support/requirements.ts"
import { newSeed, Random, rounds, runC } from "../support.ts"
import { compileProgram, compileTarget, heldValue, relocateAll } from "./programs.ts"

const CORE = "#define core __attribute__((preserve_access_index))\n"

/** One function for each expression, in sections x0, x1, … */
function functions(expressions: readonly string[]): string {
  return expressions
    .map((text, i) => `__attribute__((section("x${i}"))) long f${i}(void) { return ${text}; }`)
    .join("\n")
}

/** What a native compiler says of the target's types. */
function nativeNumbers(text: string, expressions: readonly string[]): bigint[] {
  const prints = expressions.map((one) => `printf("%lld\\n", (long long)(${one}));`).join(" ")
  const source = `#include <stdio.h>\n#include <stddef.h>\n${text}\nint main() { ${prints} }`
  return runC(source).trim().split("\n").map(BigInt)
}

describeWith([requirement.clang()], "relocations", () => {
  const LOCAL = `${CORE}
    enum state { IDLE, BUSY, GONE };
    struct inner { int x; short y[4]; } core;
    struct task { int pid; char comm[16]; struct inner in; struct inner many[3]; void *next;
      unsigned flag : 3; int level : 5; unsigned short port; int missing; } core;
    struct absent { int a; } core;
    typedef struct { int v; } wrapped_t;
    union number { int i; long l; } core;
    struct task___old { long renamed; } core;`
  const TARGET = `
    enum state { NONE, BUSY = 7, IDLE = 9 };
    struct inner { long pad; short y[8]; int x; };
    struct task { long first; struct { void *next; int pad; }; char comm[32]; int pid;
      struct inner many[5]; union { struct inner in; char bytes[100]; }; unsigned short port;
      int before : 7; unsigned flag : 3; int level : 5; long renamed; };
    typedef struct { int v; int w; } wrapped_t;
    union number { long l; int i; char c[24]; };`
  const target = requirement.clang().available
    ? compileTarget(TARGET, ["struct task", "wrapped_t", "union number", "enum state"])
    : null

  const field = (path: string, kind: number) =>
    `__builtin_preserve_field_info(((struct task *)0)->${path}, ${kind})`
  /** What to relocate, and the same question in C about the target's own types. */
  const CASES: Readonly<Record<string, readonly [expression: string, native: string][]>> = {
    "FIELD_BYTE_OFFSET follows fields to where the target has them": [
      ..."pid comm in.x in.y[2] many[2].x many[1].y[3] next port".split(" "),
    ].map((path) => [field(path, 0), `offsetof(struct task, ${path})`]),
    "FIELD_BYTE_SIZE gives the target's sizes": [..."pid comm in many[2] next in.y".split(" ")].map(
      (path) => [field(path, 1), `sizeof(((struct task *)0)->${path})`],
    ),
    "FIELD_EXISTS tells whether the target has a field of a compatible type": [
      [field("pid", 2), "1"],
      [field("missing", 2), "0"],
      ["__builtin_preserve_field_info(((struct absent *)0)->a, 2)", "0"],
      ["__builtin_preserve_field_info(((struct task___old *)0)->renamed, 2)", "1"],
    ],
    "FIELD_SIGNED gives the target's signs": [
      [field("flag", 3), "0"],
      [field("level", 3), "1"],
      [field("port", 3), "0"],
      [field("pid", 3), "1"],
    ],
    "FIELD_RSHIFT_U64 and FIELD_LSHIFT_U64 leave the field's bits": [
      [field("flag", 5), "64 - 3"],
      [field("level", 5), "64 - 5"],
      [field("port", 5), "64 - 16"],
      [field("port", 4), "64 - 16"],
    ],
    "TYPE_EXISTS and TYPE_SIZE ask for types, 0 if there is none": [
      ["__builtin_preserve_type_info(*(struct task *)0, 0)", "1"],
      ["__builtin_preserve_type_info(*(struct absent *)0, 0)", "0"],
      ["__builtin_preserve_type_info(*(wrapped_t *)0, 0)", "1"],
      ["__builtin_preserve_type_info(*(struct task *)0, 1)", "sizeof(struct task)"],
      ["__builtin_preserve_type_info(*(wrapped_t *)0, 1)", "sizeof(wrapped_t)"],
      ["__builtin_preserve_type_info(*(union number *)0, 1)", "sizeof(union number)"],
      ["__builtin_preserve_type_info(*(struct absent *)0, 1)", "0"],
    ],
    "ENUMVAL_EXISTS and ENUMVAL_VALUE find enumerators by name": [
      ["__builtin_preserve_enum_value(*(enum state *)IDLE, 0)", "1"],
      ["__builtin_preserve_enum_value(*(enum state *)GONE, 0)", "0"],
      ["__builtin_preserve_enum_value(*(enum state *)IDLE, 1)", "IDLE"],
      ["__builtin_preserve_enum_value(*(enum state *)BUSY, 1)", "BUSY"],
    ],
  }
  const BIT_FIELDS = ["flag", "level"].flatMap((name) =>
    [0, 1, 4, 5].map((kind) => field(name, kind)),
  )
  const cases = Object.values(CASES).flat()
  const available = requirement.clang().available
  const everything = available
    ? compileProgram(LOCAL + functions([...cases.map(([one]) => one), ...BIT_FIELDS]))
    : null
  const natives = available
    ? nativeNumbers(
        TARGET,
        cases.map(([, native]) => native),
      )
    : []

  /** The value of function `f<index>` after relocation, and the number its instruction holds. */
  function relocated(index: number): { value: bigint; held: bigint } {
    const program = everything!.programs.find((one) => one.section === `x${index}`)!
    expect(program.relocations.length).toBe(1)
    const { results, program: bytes } = relocateAll(everything!, program, [target!])
    const [result] = results
    if (result.status !== "patched") throw new Error(result.reason)
    return { value: result.value, held: heldValue(bytes, program.relocations[0].offset / 8) }
  }

  for (const [name, list] of Object.entries(CASES))
    test(name, () => {
      for (const [expression, native] of list) {
        const index = cases.findIndex((one) => one[0] === expression && one[1] === native)
        expect(BigInt.asIntN(64, relocated(index).held), expression).toBe(natives[index])
      }
    })

  test("the offset, size and shifts of a bit-field extract exactly its bits", () => {
    const task = target!.typeOf(target!.findByName("task")!, "struct")
    for (const [which, name] of ["flag", "level"].entries()) {
      const [offset, size, left, right] = [0, 1, 2, 3].map((i) =>
        Number(relocated(cases.length + 4 * which + i).value),
      )
      const member = task.members.find((one) => one.name === name)!
      expect(offset % size).toBe(0)
      expect(right - left).toBe(member.bitOffset - 8 * offset)
      expect(64 - right).toBe(member.bitSize)
      expect(8 * (offset + size)).toBeGreaterThanOrEqual(member.bitOffset + member.bitSize)
    }
  })

  test("TYPE_ID_LOCAL and TYPE_ID_TARGET give ids", () => {
    const object = compileProgram(
      LOCAL +
        functions([
          "__builtin_btf_type_id(*(struct task *)0, 0)",
          "__builtin_btf_type_id(*(struct task *)0, 1)",
          "__builtin_btf_type_id(*(struct absent *)0, 1)",
        ]),
    )
    const values = object.programs.map((program) => relocateAll(object, program, [target!]).results)
    expect(values.flat()).toMatchObject([
      { status: "patched", value: BigInt(object.btf.findByName("task", "struct")!) },
      { status: "patched", value: BigInt(target!.findByName("task", "struct")!) },
      { status: "patched", value: 0n },
    ])
  })

  test("loads and stores get the target's offset and, for unsigned fields, its width", () => {
    const object = compileProgram(`${CORE}
      struct s { unsigned a; unsigned long b; int c; void *p; } core;
      __attribute__((section("load"))) long f(struct s *s) { return s->a + s->b; }
      __attribute__((section("store"))) void g(struct s *s) { s->b = 5; s->c = 1; }
      __attribute__((section("signed"))) long h(struct s *s) { return s->c; }`)
    const moved = compileTarget(
      `struct s { int c[1]; unsigned short a; unsigned b; void *p; };`.replace("c[1]", "c"),
      ["struct s"],
    )
    const program = (name: string) => object.programs.find((one) => one.section === name)!
    const load = relocateAll(object, program("load"), [moved])
    expect(load.results.map((result) => result.status)).toEqual(["patched", "patched"])
    const loads = program("load").relocations.map(({ offset }) =>
      decodeInstruction(load.program, offset / 8),
    )
    // a: 2 bytes at 4 (BPF_LDX | BPF_MEM | BPF_H), b: 4 bytes at 8 (BPF_W).
    expect(loads.map(({ opcode, off }) => [opcode, off])).toEqual([
      [0x69, 4],
      [0x61, 8],
    ])
    const store = relocateAll(object, program("store"), [moved])
    expect(store.results).toMatchObject([
      { status: "patched", value: 8n },
      { status: "patched", value: 0n },
    ])
    const wide = compileTarget("struct s { long c; };", ["struct s"])
    const signed = relocateAll(object, program("signed"), [wide])
    expect(signed.results).toMatchObject([{ status: "poisoned" }])
    expect(signed.results[0]).toHaveProperty("reason", expect.stringMatching(/4 bytes.*8/))
  })

  test("poison what the target lacks with a call of helper 0xbad2310", () => {
    const object = compileProgram(`${LOCAL}
      __attribute__((section("x"))) long f(struct task *t) { return t->missing; }
      __attribute__((section("y"))) long g(void) { return __builtin_preserve_enum_value(*(enum state *)GONE, 1); }`)
    const [x, y] = object.programs
    const load = relocateAll(object, x, [target!])
    expect(load.results).toEqual([
      {
        status: "poisoned",
        reason: "task.missing is not in the target's types",
        spec: expect.stringMatching(
          /^<byte_off> \[\d+\] struct task\.missing \(0:8 @ offset 84\)$/,
        ),
      },
    ])
    const poison = { opcode: 0x85, dst: 0, src: 0, off: 0, imm: CORE_POISON_HELPER }
    expect(decodeInstruction(load.program, x.relocations[0].offset / 8)).toEqual(poison)
    const value = relocateAll(object, y, [target!])
    const slot = y.relocations[0].offset / 8
    expect(decodeInstruction(value.program, slot)).toEqual(poison)
    if (y.bytes[8 * slot] === 0x18)
      expect(decodeInstruction(value.program, slot + 1)).toEqual(poison)
  })

  test("flavours of the local type stand for the target's type", () => {
    const object = compileProgram(`${LOCAL}
      __attribute__((section("x"))) long f(struct task___old *t) { return t->renamed; }`)
    const { results } = relocateAll(object, object.programs[0], [target!])
    const [expected] = nativeNumbers(TARGET, ["offsetof(struct task, renamed)"])
    expect(results).toMatchObject([{ status: "patched", value: expected }])
  })

  test("flavours of the target's type must agree, or the relocation is ambiguous", () => {
    const object = compileProgram(`${CORE}
      struct s { int a, b; } core;
      __attribute__((section("x"))) long f(struct s *s) { return s->a; }
      __attribute__((section("y"))) long g(struct s *s) { return s->b; }`)
    const [x, y] = object.programs
    const both = declaredBtf("struct s { int b, a; }; struct s___2 { int q, a, b; };")
    expect(relocateAll(object, x, [both]).results).toMatchObject([{ value: 4n }])
    expect(() => relocateAll(object, y, [both])).toThrow(RelocationError)
    try {
      relocateAll(object, y, [both])
    } catch (error) {
      expect(error).toMatchObject({
        program: "y",
        instruction: 0,
        kind: "FIELD_BYTE_OFFSET",
        local: "s.b",
        message: expect.stringContaining("candidates disagree: at bit 0 or 64"),
      })
      expect((error as RelocationError).candidates).toHaveLength(2)
    }
    // A candidate that lacked a field before is out: then there is nothing to disagree with.
    const lacking = declaredBtf("struct s { int q, a, b; }; struct s___2 { int b; };")
    const cache = new Map()
    expect(relocateAll(object, x, [lacking], cache).results).toMatchObject([{ value: 4n }])
    expect(relocateAll(object, y, [lacking], cache).results).toMatchObject([{ value: 8n }])
    expect(() => relocateAll(object, y, [lacking])).toThrow(/disagree/)
  })

  test("modules are consulted only for what the kernel lacks", () => {
    const object = compileProgram(`${CORE}
      struct k { int a; } core; struct m { int a; } core;
      __attribute__((section("x"))) long f(struct k *k) { return k->a; }
      __attribute__((section("y"))) long g(struct m *m) { return m->a; }`)
    const kernel = declaredBtf("struct k { long pad; int a; };")
    const builder = new BtfBuilder({ base: kernel })
    parseDeclarations("struct m { char pad[12]; int a; }; struct k { int a; };", builder)
    const module = readBtf(builder.build(), { base: kernel })
    const targets = [kernel, module]
    const [x, y] = object.programs
    expect(relocateAll(object, x, targets).results).toMatchObject([{ value: 8n }])
    expect(relocateAll(object, y, targets).results).toMatchObject([
      { value: 12n, target: { btf: module } },
    ])
  })

  test("big-endian objects are patched in their byte order", () => {
    const text = `${CORE} struct s { int a; unsigned b : 3; } core;
      __attribute__((section("x"))) long f(struct s *s) { return s->a; }
      __attribute__((section("y"))) long g(struct s *s) { return __builtin_preserve_field_info(s->b, 4); }`
    const object = compileProgram(text, ["--target=bpfeb"])
    const builder = new BtfBuilder({ littleEndian: false })
    parseDeclarations("struct s { long pad; int a; unsigned c : 4, b : 3; };", builder)
    const big = readBtf(builder.build())
    const [x, y] = object.programs
    const { program } = relocateAll(object, x, [big])
    expect(decodeInstruction(program, x.relocations[0].offset / 8, false).off).toBe(8)
    // In a 4-byte unit b begins 4 bits from the most significant end: 8 * (8 - 4) + 4.
    expect(relocateAll(object, y, [big]).results).toMatchObject([{ value: 36n }])
  })

  test("instructions that are not what the relocation says are refused", () => {
    const object = compileProgram(`${CORE} struct s { int a, b; } core;
      __attribute__((section("x"))) long f(struct s *s) { return s->b; }`)
    const [x] = object.programs
    const same = declaredBtf("struct s { int a, b; };")
    const request = {
      program: x.bytes.slice(),
      slot: 0,
      relocation: x.relocations[0],
      local: object.btf,
      targets: [same],
      programName: "x",
    }
    const wrong = x.bytes.slice()
    wrong[2] = 9
    expect(() => relocateCore({ ...request, program: wrong })).toThrow(
      "program 'x', instruction 0: FIELD_BYTE_OFFSET of s.b: the instruction holds 9, not 4 as its own types say",
    )
    expect(() => relocateCore({ ...request, slot: 100 })).toThrow(RelocationError)
    const exit = new Uint8Array([0x95, 0, 0, 0, 0, 0, 0, 0])
    expect(() => relocateCore({ ...request, program: exit })).toThrow("opcode 0x95 cannot be")
    for (const access of ["", "0:", "x", "0:7", "0:1:0", ":1", "0:-1"])
      expect(
        () => relocateCore({ ...request, relocation: { ...request.relocation, access } }),
        access,
      ).toThrow(RelocationError)
    expect(() =>
      relocateCore({ ...request, relocation: { ...request.relocation, kind: 13 } }),
    ).toThrow("relocation kind 13 is unknown")
    const far = declaredBtf("struct s { char pad[40000]; int a, b; };")
    expect(() => relocateCore({ ...request, targets: [far] })).toThrow("offset 40004 is beyond")
  })
})

/** `r0 = 1` with one relocation of a type, as clang 15 writes it for TYPE_MATCHES. */
function typeRelocation(local: string, name: string, target: string, kind: number): bigint {
  const btf = declaredBtf(local)
  const program = new Uint8Array([0xb7, 0, 0, 0, 1, 0, 0, 0])
  const result = relocateCore({
    program,
    slot: 0,
    relocation: { offset: 0, type: btf.findByName(name)!, access: "0", kind },
    local: btf,
    targets: [declaredBtf(target)],
    programName: "p",
  })
  return result.status === "patched" ? result.value : -1n
}

describe("TYPE_MATCHES", () => {
  // What bpf_core_type_matches() promises (libbpf's bpf_core_read.h and relo_core.c).
  const cases: [verdict: boolean, local: string, target: string][] = [
    [true, "struct s { int a; };", "struct s { long b; int a; };"],
    [false, "struct s { int a; };", "struct s { long a; };"],
    [false, "struct s { int a; };", "struct s { unsigned a; };"],
    [false, "struct s { int a; };", "struct s { int b; };"],
    [false, "struct s { int a; };", "union s { int a; };"],
    [true, "struct s { int a[3]; };", "struct s { const int a[3]; };"],
    [false, "struct s { int a[3]; };", "struct s { int a[4]; };"],
    [
      true,
      "struct t; struct s { struct t *t; };",
      "struct t { int x; }; struct s { struct t *t; };",
    ],
    [
      false,
      "struct t; struct s { struct t *t; };",
      "union t { int x; }; struct s { union t *t; };",
    ],
    [false, "struct s { struct t *t; };", "struct s { struct u *t; };"],
    [true, "struct t { int x; }; struct s { struct t *t; };", "struct s { struct t *t; };"],
    [true, "enum e { A }; struct s { enum e e; };", "enum e { B, A = 5 }; struct s { enum e e; };"],
    [false, "enum e { C }; struct s { enum e e; };", "enum e { B, A }; struct s { enum e e; };"],
    [true, "struct s { int (*f)(int, long); };", "struct s { int (*f)(int x, long y); };"],
    [false, "struct s { int (*f)(int, long); };", "struct s { int (*f)(int); };"],
    [false, "struct s { int (*f)(int); };", "struct s { long (*f)(int); };"],
    [true, "struct s___mine { int a; };", "struct s { int a; };"],
    [true, "struct s { struct { int a; }; };", "struct s { struct { int b; int a; }; };"],
  ]
  test.each(cases)("is %s for %s against %s", (verdict, local, target) => {
    const name = local.includes("s___mine") ? "s___mine" : "s"
    expect(typeRelocation(local, name, target, BPF_CORE_TYPE_MATCHES)).toBe(verdict ? 1n : 0n)
  })

  test("TYPE_EXISTS needs no more than the kind", () => {
    for (const [local, target] of [
      ["struct s { int a; };", "struct s { long b; };"],
      ["typedef int (*s)(int);", "typedef int (*s)(long);"],
    ])
      expect(typeRelocation(local, "s", target, BPF_CORE_TYPE_EXISTS)).toBe(1n)
    for (const [local, target] of [
      ["typedef int (*s)(int);", "typedef int (*s)(int, int);"],
      ["typedef int *s;", "typedef int s;"],
      ["struct s { int a; };", "union s { int a; };"],
    ])
      expect(typeRelocation(local, "s", target, BPF_CORE_TYPE_EXISTS)).toBe(0n)
  })

  test("ENUMVAL_VALUE reads enums of 64 bits", () => {
    const local = declaredBtf("enum e { BIG = 1ull << 40 };")
    const program = new Uint8Array([0x18, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0])
    const result = relocateCore({
      program,
      slot: 0,
      relocation: { offset: 0, type: 1, access: "0", kind: BPF_CORE_ENUMVAL_VALUE },
      local,
      targets: [declaredBtf("enum e { OTHER = 1ull << 50, BIG = 3ull << 41 };")],
      programName: "p",
    })
    expect(result).toMatchObject({ status: "patched", value: 3n << 41n })
    expect(heldValue(program, 0)).toBe(3n << 41n)
  })
})

describeWith([requirement.clang()], "relocations of damaged types", () => {
  test("end with a result or a RelocationError", () => {
    const seed = newSeed()
    const random = new Random(seed)
    const object = compileProgram(`${CORE}
      struct inner { int x; short y[4]; } core; enum e { A, B };
      struct task { int pid; struct { struct inner in; }; unsigned flag : 3; struct task *next; } core;
      __attribute__((section("x"))) long f(struct task *t) { return t->in.y[2] + t->next->pid; }
      __attribute__((section("y"))) long g(struct task *t) {
        return __builtin_preserve_field_info(t->flag, 4) + __builtin_preserve_enum_value(*(enum e *)B, 1)
          + __builtin_preserve_type_info(*(struct inner *)0, 1) + __builtin_btf_type_id(*(struct task *)0, 1); }`)
    const target = declaredBtf(`enum e { B = 4 }; struct inner { long q; int x; short y[8]; };
      struct task { char c; union { struct { struct inner in; int pid; }; }; unsigned flag : 3; struct task *next; };`)
    const damage = (bytes: Uint8Array): Btf | null => {
      const copy = bytes.slice()
      for (let i = random.below(5); i > 0; i--)
        copy[random.below(copy.length)] = random.pick([0, 1, 0xff, random.below(256)])
      try {
        return readBtf(copy)
      } catch {
        return null
      }
    }
    for (let round = 0; round < rounds(500); round++) {
      const local = damage(object.btf.bytes)
      const kernel = damage(target.bytes)
      if (local === null || kernel === null) continue
      for (const program of object.programs)
        for (const relocation of program.relocations) {
          const kind = random.below(5) === 0 ? random.below(14) : relocation.kind
          try {
            relocateCore({
              program: program.bytes.slice(),
              slot: relocation.offset / 8,
              relocation: { ...relocation, kind },
              local,
              targets: [kernel],
              programName: program.section,
            })
          } catch (error) {
            if (!(error instanceof RelocationError))
              throw new Error(`seed ${seed}, round ${round}`, { cause: error })
          }
        }
    }
  })
})

describe("hostile types", () => {
  test("cannot make a relocation take forever", () => {
    let text = "struct u0 { int q; };"
    for (let i = 1; i < 30; i++) text += `struct u${i} { int (*f)(struct u0 *, int (*)(int)); };`
    const builder = new BtfBuilder()
    let id = builder.union("", 4, [])
    for (let level = 0; level < 40; level++)
      id = builder.union(
        level === 39 ? "s" : "",
        4,
        Array.from({ length: 8 }, () => ({ name: "", type: id, bitOffset: 0, bitSize: 0 })),
      )
    const target = readBtf(builder.build())
    const local = declaredBtf(`${text} union s { int a; };`)
    const request = {
      program: new Uint8Array([0xb7, 0, 0, 0, 0, 0, 0, 0]),
      slot: 0,
      relocation: { offset: 0, type: local.findByName("s")!, access: "0:0", kind: 2 },
      local,
      targets: [target],
      programName: "p",
    }
    expect(() => relocateCore(request)).toThrow(RelocationError)
  })
})
