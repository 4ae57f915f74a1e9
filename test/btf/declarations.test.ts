import { describe, expect, test } from "vitest"
import { SyntaxIssue } from "../../src/base/index.ts"
import {
  type Btf,
  BtfBuilder,
  declaredBtf,
  parseDeclarations,
  readBtf,
  validateBtf,
} from "../../src/btf/index.ts"
import { describeWith, requirement } from "../support/requirements.ts"
import { linuxBtf, loadBtf } from "./linux.ts"
import { ENUM, structType } from "./random-types.ts"
import { compileBpf, elfSection, newSeed, Random, rounds } from "./support.ts"

const TEXT = `
typedef unsigned char u8; typedef unsigned short u16; typedef unsigned int u32;
typedef unsigned long long u64; typedef long long int s64; typedef _Bool bool;
enum color { RED, GREEN = 5, BLUE };
enum { COUNT = sizeof(u64) * 2 + (1 << 2), LAST = COUNT - 1, LETTER = 'a', MASK = ~0 & 0xff };
struct list_head { struct list_head *next, *prev; };
typedef struct { int counter; } atomic_t;
struct __attribute__((packed)) header { u8 type; u32 length; u64 cookie; };
struct late { u8 a; u32 b; } __attribute__((packed));
struct aligned { u8 a; } __attribute__((aligned(64)));
struct holder { u8 a; struct aligned b; u8 c; };
struct mixed { u8 a; u32 b __attribute__((packed)); u8 c; u16 d __attribute__((aligned(8))); };
typedef u32 wide_t __attribute__((aligned(16)));
struct user { u8 a; wide_t b; };
struct bits {
  unsigned a : 3; unsigned : 5; unsigned b : 25; u8 c : 4; u16 : 0; u64 d : 33; int e : 31; bool f : 1;
  enum color g : 3; u8 h;
};
struct __attribute__((packed)) tight_bits { u8 a : 3; u32 b : 30; u64 c : 40; u8 d; u16 e : 9; };
union any { u8 bytes[COUNT]; u64 word; struct { u16 low; u16 high; }; u32 few : 5; };
struct task {
  volatile long state; const char *name; void *const stack; char comm[16];
  struct list_head tasks; atomic_t usage; enum color color;
  union { struct { u32 pid, tgid; }; u64 both; };
  struct { u16 port; struct { u8 x, y; } at[3]; } inner[2][4];
  int (*probe)(struct task *, const void *, u32);
  void (*handlers[4])(int), *(*make)(void);
  u32 (*table)[8];
  int (*(*find)(struct task *, ...))(u32);
  union any any; struct undefined *other; long double big; __int128 huge;
  const volatile u8 *const *deep; u8 tail[];
};
`

/** Everything that a struct's layout is, with the types of members in C. */
function layoutOf(btf: Btf, id: number): unknown {
  const type = btf.resolve(id)
  if (type.kind !== "struct" && type.kind !== "union") return btf.typeName(id)
  return {
    kind: type.kind,
    size: type.size,
    members: type.members.map((member) => {
      const target = btf.resolve(member.type)
      const anonymous = (target.kind === "struct" || target.kind === "union") && target.name === ""
      return {
        name: member.name,
        bitOffset: member.bitOffset,
        bitSize: member.bitSize,
        type: anonymous ? layoutOf(btf, member.type) : btf.typeName(member.type),
      }
    }),
  }
}

function structNames(btf: Btf): string[] {
  return [...btf.types()]
    .filter((type) => (type.kind === "struct" || type.kind === "union") && type.name !== "")
    .map((type) => type.name)
}

/** Declares one variable of each struct, so that clang keeps its type. */
function clangBtf(text: string, names: readonly string[]): Btf {
  const keep = names.map((name, i) => `typeof(${name}) *keep${i};`).join("\n")
  return readBtf(elfSection(compileBpf(`${text}\n${keep}`, ["-w"]), ".BTF"))
}

describeWith([requirement.clang()], "declarations", () => {
  test("have the layout and the member types that clang gives the same text", () => {
    const ours = declaredBtf(TEXT)
    const names = structNames(ours)
    expect(names.length).toBeGreaterThan(10)
    const clang = clangBtf(
      TEXT,
      names.map((name) => `${ours.kindOf(ours.findByName(name)!)} ${name}`),
    )
    for (const name of names) {
      const mine = layoutOf(ours, ours.findByName(name)!)
      expect(mine, name).toEqual(layoutOf(clang, clang.findByName(name)!))
    }
  })

  test("have clang's layout for random structs", () => {
    const seed = newSeed()
    const random = new Random(seed)
    const count = rounds(150)
    let text = ENUM
    for (let i = 0; i < count; i++)
      text += `${structType(random, 0, `s${i}`).declare("").trim()};\n`
    const ours = declaredBtf(text)
    const names = Array.from({ length: count }, (_, i) => `s${i}`)
    const clang = clangBtf(
      text,
      names.map((name) => `struct ${name}`),
    )
    for (const name of names)
      expect(layoutOf(ours, ours.findByName(name)!), `seed ${seed}, ${name}`).toEqual(
        layoutOf(clang, clang.findByName(name)!),
      )
  })

  test("have clang's enumerators", () => {
    const ours = declaredBtf(TEXT)
    const anonymous = [...ours.types()].find((type) => type.kind === "enum" && type.name === "")!
    const clang = readBtf(
      elfSection(compileBpf(`${TEXT} int f() { return COUNT + LETTER; }`, ["-w"]), ".BTF"),
    )
    const theirs = [...clang.types()].find((type) => type.kind === "enum" && type.name === "")
    expect(anonymous).toMatchObject({
      values: [
        { name: "COUNT", value: 20 },
        { name: "LAST", value: 19 },
        { name: "LETTER", value: 97 },
        { name: "MASK", value: 255 },
      ],
    })
    if (theirs !== undefined && theirs.kind === "enum")
      expect(anonymous).toMatchObject({ values: theirs.values })
  })
})

describe("parseDeclarations", () => {
  test("declares functions, variables, tags on them, and forwards", () => {
    const builder = new BtfBuilder()
    const names = parseDeclarations(
      `struct sk_buff; typedef unsigned int u32;
       __attribute__((btf_decl_tag("bpf_kfunc"))) u32 read(struct sk_buff *skb, u32 list[4], u32 f(int x));
       static inline void quiet(void);
       extern int counter;
       struct marked { int x; int __attribute__((btf_type_tag("rcu"))) *y
         __attribute__((btf_decl_tag("field"))); };`,
      builder,
    )
    const btf = readBtf(builder.build())
    expect(btf.type(names.get("struct sk_buff")!)).toMatchObject({ kind: "fwd", of: "struct" })
    const read = names.get("read")!
    expect(btf.typeName(read)).toBe("u32 read(struct sk_buff *skb, u32 *list, u32 (*f)(int x))")
    expect(btf.declTags(read)).toEqual(["bpf_kfunc"])
    expect(btf.type(names.get("quiet")!)).toMatchObject({ kind: "func", linkage: "static" })
    expect(btf.type(names.get("counter")!)).toMatchObject({ kind: "var", linkage: "extern" })
    const marked = names.get("struct marked")!
    expect(btf.declTags(marked, 1)).toEqual(["field"])
    const member = btf.typeOf(marked, "struct").members[1]
    const tag = btf.type(btf.typeOf(member.type, "ptr").type)
    expect(tag).toMatchObject({ kind: "type_tag", name: "rcu" })
  })

  test("continues where the builder's last text ended", () => {
    const builder = new BtfBuilder()
    parseDeclarations("typedef int pid_t; struct later;", builder)
    const names = parseDeclarations(
      "struct now { pid_t pid; struct later *l; }; struct later { struct now n; };",
      builder,
    )
    const btf = readBtf(builder.build())
    expect(btf.type(names.get("struct later")!)).toMatchObject({ kind: "struct", size: 16 })
  })

  test("gives enums of 64 bits and packed enums the size they need", () => {
    const btf = declaredBtf(
      `enum big { A = 1ull << 40, B = -1 }; enum small { C = 200 } __attribute__((packed));
       enum negative { D = -1 };`,
    )
    expect(btf.type(btf.findByName("big")!)).toMatchObject({
      kind: "enum64",
      size: 8,
      signed: true,
      values: [
        { name: "A", value: 1n << 40n },
        { name: "B", value: -1n },
      ],
    })
    expect(btf.type(btf.findByName("small")!)).toMatchObject({ kind: "enum", size: 1 })
    expect(btf.type(btf.findByName("negative")!)).toMatchObject({ size: 4, signed: true })
  })

  test("says where a text is wrong", () => {
    const cases: [string, string][] = [
      ["struct s { int x };", "declarations:1:18: expected ';' before '}'"],
      ["\n  unknown_t x;", "declarations:2:3: 'unknown_t' is not a known type"],
      ["#define X 1", "declarations:1:1: no preprocessor here: '#'"],
      ["int x = 5;", "declarations:1:7: only types are declared here: '='"],
      ["int f() { }", "declarations:1:9: only types are declared here: '{'"],
      ["struct s { struct t x; };", "member 'x' of struct has no known size"],
      ["struct s { int x; }; struct s { int y; };", "'struct s' is defined twice"],
      ["struct s { char c : 9; };", "bit-field 'c' has 9 bits, its type 8"],
      ["int a[1 / 0];", "division by zero"],
      ["int a[N];", "'N' is not a known constant"],
      ["signed unsigned x;", "'signed unsigned' is not a type"],
      ["int x; /* open", "declarations:1:8: comment without end"],
      ["struct s { float f : 3; };", "bit-field 'f' is not an integer"],
    ]
    for (const [text, message] of cases) expect(() => declaredBtf(text), text).toThrow(message)
  })

  test("never hangs or crashes on damaged text", () => {
    const seed = newSeed()
    const random = new Random(seed)
    const pieces = TEXT.split(/(\s+|\b)/)
    for (let round = 0; round < rounds(300); round++) {
      const damaged = [...pieces]
      for (let i = random.below(4); i >= 0; i--) {
        const at = random.below(damaged.length)
        damaged[at] = random.pick(["", "(", ")", "{", "}", "*", "struct", "[", ";", pieces[at]])
      }
      try {
        declaredBtf(damaged.join(""))
      } catch (error) {
        if (!(error instanceof SyntaxIssue))
          throw new Error(`seed ${seed}, round ${round}`, { cause: error })
      }
    }
    expect(() => declaredBtf(`int ${"(".repeat(10000)}x${")".repeat(10000)};`)).toThrow(SyntaxIssue)
    expect(() => declaredBtf(`int a[${"(".repeat(10000)}1${")".repeat(10000)}];`)).toThrow(
      SyntaxIssue,
    )
    expect(() => declaredBtf(`int a[${"-".repeat(10000)}1];`)).toThrow(SyntaxIssue)
    expect(() => declaredBtf(`int a${"[1]".repeat(10000)};`)).toThrow(SyntaxIssue)
  })

  test("makes valid BTF", () => {
    expect(validateBtf(declaredBtf(TEXT).bytes)).toBeNull()
  })
})

describeWith([linuxBtf], "declared BTF", () => {
  test("is loadable on Linux", () => {
    const text = `${TEXT} int visit(struct task *task, u32 flags); struct task *current;`
    expect(loadBtf(declaredBtf(text).bytes)).toMatchObject({ errno: 0 })
  })
})
