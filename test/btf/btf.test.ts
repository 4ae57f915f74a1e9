import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, test } from "vitest"
import { ObjectError } from "../../src/base/index.ts"
import {
  type Btf,
  codecFor,
  printC,
  printCodecs,
  readBtf,
  validateBtf,
} from "../../src/btf/index.ts"
import { describeWith, requirement } from "../support/requirements.ts"
import {
  compileBpf,
  elfSection,
  inFolder,
  newSeed,
  Random,
  rounds,
  run,
  runC,
  vmlinux,
  vmlinuxPath,
} from "./support.ts"

const SOURCE = `
enum color { RED, GREEN = 5, BLUE = 0x7fffffff };
union number { int i; long l; char c[8]; };
struct node;
typedef struct node *node_t;
typedef int (*callback)(struct node *, const char *fmt, ...);
struct __attribute__((packed)) tight { char a; int b; };
struct node {
  node_t next;
  const volatile int count;
  unsigned flags : 3, mode : 7;
  _Bool on : 1;
  enum color color;
  union { long key; char text[16]; };
  struct { short x, y; } at[3][2];
  callback call;
  union number n;
  struct tight t;
  void *opaque;
  unsigned char tail[];
};
struct undefined;
struct node *keep;
struct undefined *other;
const int limit = 3;
static volatile int hits;
__attribute__((section("socket"))) int entry(struct node *n) { hits++; return n->count + limit; }
`

/** `bpftool -j btf dump`, as an independent reading of the same bytes. */
function bpftoolTypes(path: string): Record<string, unknown>[] {
  return JSON.parse(run("bpftool", ["-j", "btf", "dump", "file", path])).types
}

/** Our reading in the terms of bpftool's JSON. */
function asBpftool(btf: Btf): Record<string, unknown>[] {
  const name = (text: string) => (text === "" ? "(anon)" : text)
  return [...btf.types()].map((type) => {
    const common = { id: type.id, kind: type.kind.toUpperCase(), name: name(type.name) }
    switch (type.kind) {
      case "int":
        return {
          ...common,
          size: type.size,
          bits_offset: type.bitOffset,
          nr_bits: type.bits,
          encoding: type.signed ? "SIGNED" : type.char ? "CHAR" : type.bool ? "BOOL" : "(none)",
        }
      case "array":
        return {
          ...common,
          type_id: type.type,
          index_type_id: type.indexType,
          nr_elems: type.length,
        }
      case "struct":
      case "union":
        return {
          ...common,
          size: type.size,
          vlen: type.members.length,
          members: type.members.map((member) => ({
            name: name(member.name),
            type_id: member.type,
            bits_offset: member.bitOffset,
            ...(member.bitSize > 0 ? { bitfield_size: member.bitSize } : {}),
          })),
        }
      case "enum":
      case "enum64":
        return {
          ...common,
          encoding: type.signed ? "SIGNED" : "UNSIGNED",
          size: type.size,
          vlen: type.values.length,
          values: type.values.map((one) => ({ name: one.name, val: Number(one.value) })),
        }
      case "fwd":
        return { ...common, fwd_kind: type.of }
      case "func":
        return { ...common, type_id: type.type, linkage: type.linkage }
      case "func_proto":
        return {
          ...common,
          ret_type_id: type.returnType,
          vlen: type.params.length + (type.variadic ? 1 : 0),
          params: [
            ...type.params.map((param) => ({ name: name(param.name), type_id: param.type })),
            ...(type.variadic ? [{ name: "(anon)", type_id: 0 }] : []),
          ],
        }
      case "var":
        return { ...common, type_id: type.type, linkage: type.linkage }
      case "datasec":
        return {
          ...common,
          size: type.size,
          vlen: type.variables.length,
          vars: type.variables.map(({ type: id, offset, size }) => ({ type_id: id, offset, size })),
        }
      case "float":
        return { ...common, size: type.size }
      case "decl_tag":
        return { ...common, type_id: type.type, component_idx: type.componentIndex }
      case "void":
        return common
      default:
        return { ...common, type_id: type.type }
    }
  })
}

describeWith([requirement.clang(), requirement.bpftool()], "BTF of clang", () => {
  test("reads type by type as bpftool reads it", () => {
    const elf = compileBpf(SOURCE)
    const expected = inFolder((folder) => {
      writeFileSync(join(folder, "o"), elf)
      return bpftoolTypes(join(folder, "o"))
    })
    const btf = readBtf(elfSection(elf, ".BTF"))
    // bpftool fills the sizes of sections from the ELF file; the BTF itself has zeros there.
    const withoutSections = (types: Record<string, unknown>[]) =>
      types.map((type) => (type.kind === "DATASEC" ? { ...type, size: 0, vars: 0 } : type))
    expect(withoutSections(asBpftool(btf))).toEqual(withoutSections(expected))
  })

  test("reads the same types from a big-endian object", () => {
    const little = readBtf(elfSection(compileBpf(SOURCE), ".BTF"))
    const big = readBtf(elfSection(compileBpf(SOURCE, ["--target=bpfeb"]), ".BTF"))
    expect(big.littleEndian).toBe(false)
    expect([...big.types()]).toEqual([...little.types()])
  })
})

describeWith([requirement.clang()], "layout", () => {
  test("has the sizes and alignments that C has", () => {
    const names = ["struct node", "union number", "struct tight", "node_t", "callback"]
    const lines = names.map((name) => `printf("%zu %zu\\n", sizeof(${name}), _Alignof(${name}));`)
    const program = `#include <stdio.h>\n${SOURCE}\nint main() { ${lines.join(" ")} }`
    const expected = runC(program.replace('__attribute__((section("socket")))', ""))
    const btf = readBtf(elfSection(compileBpf(SOURCE), ".BTF"))
    const ours = ["node", "number", "tight", "node_t"].map((name) => btf.findByName(name)!)
    const node = btf.typeOf(btf.findByName("node", "struct")!, "struct")
    const ids = [...ours, node.members.find((member) => member.name === "call")!.type]
    expect(ids.map((id) => `${btf.sizeOf(id)} ${btf.alignOf(id)}\n`).join("")).toBe(expected)
  })

  test("spells types as C does", () => {
    const btf = readBtf(elfSection(compileBpf(SOURCE), ".BTF"))
    const node = btf.typeOf(btf.findByName("node", "struct")!, "struct")
    const spelled = new Map(node.members.map((m) => [m.name, btf.typeName(m.type)]))
    expect(spelled.get("next")).toBe("node_t")
    expect(spelled.get("count")).toBe("const volatile int")
    expect(spelled.get("at")).toBe("struct {…}[3][2]")
    expect(spelled.get("tail")).toBe("unsigned char[]")
    expect(spelled.get("opaque")).toBe("void *")
    const callback = btf.typeOf(btf.findByName("callback", "typedef")!, "typedef")
    expect(btf.typeName(callback.type)).toBe("int (*)(struct node *, const char *, ...)")
    expect(btf.typeName(btf.findByName("entry", "func")!)).toBe("int entry(struct node *n)")
  })
})

describeWith([vmlinux], "BTF of the running kernel", () => {
  const kernel = vmlinux.available ? readBtf(new Uint8Array(readFileSync(vmlinuxPath))) : null

  test("finds types by name and kind", () => {
    const btf = kernel!
    const id = btf.findByName("task_struct", "struct")!
    expect(btf.type(id)).toMatchObject({ kind: "struct", name: "task_struct" })
    expect(btf.findByName("task_struct", "union")).toBeUndefined()
    expect(btf.findByName("no_such_type_anywhere")).toBeUndefined()
    const names = new Map<string, number[]>()
    for (const type of btf.types())
      if (type.name !== "") names.set(type.name, [...(names.get(type.name) ?? []), type.id])
    for (const [name, ids] of names) if (ids[0] % 97 === 0) expect(btf.findAll(name)).toEqual(ids)
  })

  test("gives every struct and array a size", () => {
    const btf = kernel!
    for (const type of btf.types()) {
      if (type.kind === "struct" || type.kind === "union")
        expect(type.size % btf.alignOf(type.id)).toBe(0)
      else if (type.kind === "array" && type.length > 0 && type.length < 100)
        expect(btf.sizeOf(type.id)).toBe(type.length * btf.sizeOf(type.type))
    }
  })

  test("reads kfunc tags", () => {
    const btf = kernel!
    expect(btf.declTags(btf.findByName("bpf_obj_new_impl", "func")!)).toContain("bpf_kfunc")
  })
})

/** Everything that can be asked of a BTF. */
function readAll(btf: Btf): void {
  for (let id = 0; id < btf.typeCount; id++) {
    for (const ask of [
      () => btf.type(id),
      () => btf.sizeOf(id),
      () => btf.alignOf(id),
      () => btf.typeName(id),
      () => btf.declTags(id),
      () => btf.findAll(btf.type(id).name),
      () => codecFor(btf, id),
      () => printC(btf, [id]),
      () => printCodecs(btf, [id]),
    ])
      onlyObjectErrors(ask)
  }
  onlyObjectErrors(() => printC(btf))
  validateBtf(btf.bytes)
}

function onlyObjectErrors(ask: () => unknown): void {
  try {
    ask()
  } catch (error) {
    if (!(error instanceof ObjectError)) throw error
  }
}

describeWith([requirement.clang()], "hostile BTF", () => {
  test("is refused with an ObjectError wherever it is cut", () => {
    const bytes = elfSection(compileBpf(SOURCE), ".BTF")
    for (let length = 0; length < bytes.length; length++)
      expect(() => readBtf(bytes.slice(0, length))).toThrow(ObjectError)
  })

  test("is read or refused with an ObjectError whatever bytes change", () => {
    const seed = newSeed()
    const random = new Random(seed)
    const original = elfSection(compileBpf(SOURCE), ".BTF")
    for (let round = 0; round < rounds(150); round++) {
      const bytes = original.slice()
      for (let i = 0; i <= random.below(4); i++)
        bytes[random.below(bytes.length)] =
          random.below(3) === 0 ? random.pick([0, 1, 0x7f, 0x80, 0xff]) : random.below(256)
      try {
        onlyObjectErrors(() => readAll(readBtf(bytes)))
      } catch (error) {
        throw new Error(`seed ${seed}, round ${round}`, { cause: error })
      }
    }
  })
})

describe("a modifier chain", () => {
  test("that never ends is refused", () => {
    const words = [0, 0x0a000000, 2, 0, 0x0a000000, 1]
    const btf = readBtf(rawBtf(words))
    expect(() => btf.skipModifiers(1)).toThrow(/made of more than 32 nested types/)
    expect(() => btf.sizeOf(1)).toThrow(ObjectError)
    expect(btf.typeName(1)).toContain("…")
  })
})

/** BTF of these type words and the strings "" and "x". */
function rawBtf(words: readonly number[]): Uint8Array {
  const all = [0x1eb9f, 24, 0, 4 * words.length, 4 * words.length, 3, ...words]
  const bytes = new Uint8Array(4 * all.length + 3)
  const view = new DataView(bytes.buffer)
  all.forEach((word, index) => {
    view.setUint32(4 * index, word, true)
  })
  bytes[bytes.length - 2] = 0x78
  return bytes
}
