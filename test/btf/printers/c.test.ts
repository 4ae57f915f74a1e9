import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, test } from "vitest"
import { ObjectError } from "../../../src/base/index.ts"
import { type Btf, BtfBuilder, declaredBtf, printC, readBtf } from "../../../src/btf/index.ts"
import { describeWith, requirement } from "../../support/requirements.ts"
import { ENUM, structType } from "../random-types.ts"
import {
  compileBpf,
  elfSection,
  inFolder,
  newSeed,
  Random,
  rounds,
  run,
  vmlinux,
  vmlinuxPath,
} from "../support.ts"

/** What bpftool prints for the same types. */
function bpftoolC(bytes: Uint8Array): string {
  return inFolder((folder) => {
    writeFileSync(join(folder, "types"), bytes)
    return run("bpftool", ["btf", "dump", "file", join(folder, "types"), "format", "c"])
  })
}

/**
 * The definitions of a header, without forward declarations, which depend on the order. bpftool
 * before libbpf 1.3 lacks the attribute that makes an enum one byte wide.
 */
function definitions(header: string): Set<string> {
  return new Set(
    header
      .replaceAll(" __attribute__((mode(byte)))", "")
      .replaceAll(" __attribute__((mode(word)))", "")
      .split(/;\n\n/)
      .map((block) => block.trim())
      .filter((block) => !/^(struct|union) \w+$/.test(block)),
  )
}

function expectSameDefinitions(btf: Btf, where: string): number {
  const theirs = definitions(bpftoolC(btf.bytes))
  const mine = definitions(printC(btf))
  const missing = [...theirs].filter((block) => !mine.has(block))
  const extra = [...mine].filter((block) => !theirs.has(block))
  expect({ missing, extra }, where).toEqual({ missing: [], extra: [] })
  return mine.size
}

/** Whether clang takes the header, and finds in it the sizes and offsets that the BTF has. */
function compileHeader(btf: Btf, flags: readonly string[]): void {
  const checks: string[] = []
  const seen = new Set<string>()
  for (const type of btf.types()) {
    if (
      (type.kind !== "struct" && type.kind !== "union") ||
      type.name === "" ||
      seen.has(type.name)
    )
      continue
    seen.add(type.name)
    if (btf.findAll(type.name).filter((id) => btf.kindOf(id) !== "fwd").length > 1) continue
    const name = `${type.kind} ${type.name}`
    checks.push(`_Static_assert(sizeof(${name}) == ${type.size}, "sizeof ${name}");`)
    for (const member of type.members)
      if (member.name !== "" && member.bitSize === 0)
        checks.push(
          `_Static_assert(__builtin_offsetof(${name}, ${member.name}) == ${member.bitOffset / 8}, "${name}.${member.name}");`,
        )
  }
  inFolder((folder) => {
    const path = join(folder, "header.c")
    writeFileSync(path, `${printC(btf)}\n${checks.join("\n")}\n`)
    run("clang", [...flags, "-fsyntax-only", "-Wall", "-Werror", path])
  })
}

const SOURCE = `
  typedef unsigned int u32; typedef u32 *ptr_t; typedef const volatile char *const table_t[3][4];
  enum color { RED, GREEN = 7 }; typedef enum { ONE = 1, TWO } number_t;
  struct later; typedef struct later later_t;
  struct list { struct list *next; struct later *a; later_t *b; enum color color; number_t n; };
  struct later { struct list head; int x[4]; const int *const y; int *restrict z; };
  typedef struct { int x; struct { int y, z; } in; union { long l; char c[8]; }; } anon_t;
  struct holes { char a; long b; char c; int : 4; int d : 3; int : 0; short e; char f[3]; } ;
  struct __attribute__((packed)) packed { char a; int b; struct holes h; };
  struct aligned { char a; char b __attribute__((aligned(16))); short c; } ;
  struct bits { unsigned a : 1, : 5, b : 12; unsigned long c : 33; int d; unsigned char e : 2; };
  struct callbacks { int (*f)(void); void *(*g)(int, const char *name, ...); int (*h[3])(anon_t *);
    int (*(*i)(int))(long); void (*j)(int (*)(struct later *), later_t); int (*k)[5]; int *l[5]; };
  struct empty {}; struct with_empty { struct empty e; int x; struct {} in; int flex[]; };
  union all { struct list list; anon_t anon; table_t *table; ptr_t p; float f; double d; };
  struct callbacks *k1; struct packed *k2; struct aligned *k3; struct bits *k4; union all *k5;
  struct with_empty *k6;
`

describeWith([requirement.clang(), requirement.bpftool()], "printC", () => {
  test("prints the definitions that bpftool prints", () => {
    const btf = readBtf(elfSection(compileBpf(SOURCE, ["-w"]), ".BTF"))
    expect(expectSameDefinitions(btf, "SOURCE")).toBeGreaterThan(15)
    compileHeader(btf, ["--target=bpf"])
  })

  test("prints the definitions of random structs that bpftool prints", () => {
    const seed = newSeed()
    const random = new Random(seed)
    const count = rounds(80)
    let text = ENUM
    for (let i = 0; i < count; i++)
      text += `${structType(random, 0, `s${i}`).declare("").trim()};\n`
    for (let i = 0; i < count; i++) text += `struct s${i} *keep${i};\n`
    const btf = readBtf(elfSection(compileBpf(text, ["-w"]), ".BTF"))
    expectSameDefinitions(btf, `seed ${seed}`)
  })

  test("numbers names that occur twice, as flavours", () => {
    const builder = new BtfBuilder()
    const int = builder.int("int", 4, "signed")
    const member = (name: string) => [{ name, type: int, bitOffset: 0, bitSize: 0 }]
    const first = builder.struct("s", 4, member("a"))
    const second = builder.struct("s", 4, member("b"))
    builder.typedef("t", first)
    builder.typedef("t", builder.ptr(second))
    builder.enum("e", { A: 0 })
    builder.enum("f", { A: 1, t: 2 })
    const btf = readBtf(builder.build())
    expectSameDefinitions(btf, "duplicates")
    expect(printC(btf)).toContain("struct s___2 {\n\tint b;\n}")
  })

  test("prints enums of 64 bits, type tags and attributes", () => {
    const builder = new BtfBuilder()
    const int = builder.int("int", 4, "signed")
    builder.enum64("big", { A: 1n << 40n, B: -1n })
    const tagged = builder.ptr(builder.typeTag("user", builder.const(int)))
    builder.struct("s", 8, [{ name: "p", type: tagged, bitOffset: 0, bitSize: 0 }])
    expectSameDefinitions(readBtf(builder.build()), "tags")
  })
})

describeWith([requirement.clang(), requirement.bpftool(), vmlinux], "printC of this kernel", () => {
  test("prints every definition that bpftool prints, and clang finds the kernel's layout in it", () => {
    const btf = readBtf(new Uint8Array(readFileSync(vmlinuxPath)))
    const count = expectSameDefinitions(btf, "vmlinux")
    console.info(`${count} of ${count} definitions of the kernel agree with bpftool`)
    expect(count).toBeGreaterThan(1000)
    // For this machine itself, whose va_list some structs contain.
    compileHeader(btf, [
      "-Wno-unknown-attributes",
      "-Wno-unknown-pragmas",
      "-Wno-ignored-attributes",
    ])
  })
})

describe("printC", () => {
  test("prints chosen types with what they need", () => {
    const btf = declaredBtf(
      "typedef int t; struct a { t x; }; struct b { struct a a; struct c *c; }; struct d { int y; };",
    )
    expect(printC(btf, [btf.findByName("b")!], { frame: false })).toBe(
      "typedef int t;\n\nstruct a {\n\tt x;\n};\n\nstruct c;\n\nstruct b {\n\tstruct a a;\n\tstruct c *c;\n};\n\n",
    )
  })

  test("ends on types that contain themselves or nest without end", () => {
    const loop = new BtfBuilder()
    const id = loop.reserve()
    const members = [{ name: "s", type: id, bitOffset: 0, bitSize: 0 }]
    loop.define(id, { kind: "struct", name: "s", size: 4, kindFlag: false, members })
    expect(() => printC(readBtf(loop.build()))).toThrow(ObjectError)
    const fan = new BtfBuilder()
    let inner = fan.int("int", 4, "signed")
    for (let level = 0; level < 30; level++)
      inner = fan.struct(
        level === 29 ? "top" : "",
        4,
        ["a", "b", "c"].map((name) => ({ name, type: inner, bitOffset: 0, bitSize: 0 })),
      )
    expect(() => printC(readBtf(fan.build()))).toThrow(ObjectError)
  })
})
