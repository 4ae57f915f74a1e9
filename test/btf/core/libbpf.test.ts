import { readFileSync } from "node:fs"
import { expect, test } from "vitest"
import { RelocationError } from "../../../src/base/index.ts"
import {
  type Btf,
  type CoreCache,
  declaredBtf,
  readBtf,
  relocateCore,
} from "../../../src/btf/index.ts"
import { describeWith, requirement } from "../../support/requirements.ts"
import { linuxBtf } from "../linux.ts"
import { newSeed, Random, rounds, vmlinux, vmlinuxPath } from "../support.ts"
import {
  type CompiledObject,
  compileProgram,
  type LibbpfOutcome,
  libbpf,
  relocateWithLibbpf,
} from "./programs.ts"

const CORE = "#define core __attribute__((preserve_access_index))\n"

/** Our outcomes in libbpf's terms, by program and relocation number. */
function ours(
  object: CompiledObject,
  target: Btf,
): Map<string, Map<number, LibbpfOutcome | "error">> {
  const cache: CoreCache = new Map()
  const programs = new Map<string, Map<number, LibbpfOutcome | "error">>()
  for (const program of object.programs) {
    const outcomes = new Map<number, LibbpfOutcome | "error">()
    const bytes = program.bytes.slice()
    program.relocations.forEach((relocation, number) => {
      const slot = relocation.offset / 8
      try {
        const result = relocateCore({
          program: bytes,
          slot,
          relocation,
          local: object.btf,
          targets: [target],
          programName: program.section,
          cache,
        })
        outcomes.set(number, {
          slot,
          value: result.status === "patched" ? result.value : null,
        })
      } catch (error) {
        if (!(error instanceof RelocationError)) throw error
        outcomes.set(number, "error")
      }
    })
    programs.set(`f${program.section.slice("socket/x".length)}`, outcomes)
  }
  return programs
}

interface Field {
  readonly name: string
  declare(random: Random): string
}

/** Struct members that change between local and target: type, width, place or presence. */
function randomFields(random: Random): Field[] {
  const types = ["char", "unsigned char", "short", "unsigned", "int", "long", "unsigned long long"]
  return Array.from({ length: 3 + random.below(6) }, (_, i) => {
    const name = `m${i}`
    const shape = random.below(8)
    const basic = random.pick(types)
    return {
      name,
      declare(r) {
        const type = r.below(4) === 0 ? r.pick(types) : basic
        switch (shape) {
          case 0:
            return `${r.pick(["int", "unsigned"])} ${name} : ${1 + r.below(31)}`
          case 1:
            return `${type} ${name}[${1 + r.below(5)}]`
          case 2:
            return `struct { ${type} a; int b; } ${name}`
          case 3:
            return r.below(4) === 0 ? `long ${name}` : `void *${name}`
          case 4:
            return `enum ${r.pick(["e", "e"])} ${name}`
          default:
            return `${type} ${name}`
        }
      },
    }
  })
}

function shuffled<T>(random: Random, items: readonly T[]): T[] {
  const list = [...items]
  for (let i = list.length - 1; i > 0; i--) {
    const j = random.below(i + 1)
    ;[list[i], list[j]] = [list[j], list[i]]
  }
  return list
}

/** A struct with most of the fields, some of them in an anonymous struct or union. */
function declareStruct(random: Random, tag: string, fields: readonly Field[]): string {
  const parts = fields.filter(() => random.below(8) > 0).map((field) => `${field.declare(random)};`)
  const at = random.below(parts.length + 1)
  const inner = parts.splice(at, random.below(3)).join(" ")
  if (inner !== "") parts.splice(at, 0, `${random.pick(["struct", "union"])} { ${inner} };`)
  return `struct ${tag} { ${parts.join(" ")} }`
}

/** Local and target structs, and a function for each question about each local field. */
function randomSources(random: Random, count: number): { program: string; target: string } {
  let local = `${CORE}enum e { A, B };\n`
  let target = "enum e { B = 3, A };\n"
  let code = ""
  let functions = 0
  for (let i = 0; i < count; i++) {
    const fields = randomFields(random)
    const declaration = declareStruct(random, `s${i}`, fields)
    local += `${declaration} core;\n`
    target += `${declareStruct(random, `s${i}`, shuffled(random, fields))};\n`
    // Flavours that disagree end libbpf's work, so they come last.
    if (i >= count - 3)
      target += `${declareStruct(random, `s${i}___2`, shuffled(random, fields))};\n`
    for (const { name } of fields) {
      if (!declaration.includes(name)) continue
      for (const expression of questions(declaration, `s${i}`, name)) {
        const section = `__attribute__((section("socket/x${functions}")))`
        code += `${section} long f${functions++}(void *ctx) { return ${expression}; }\n`
      }
    }
  }
  return { program: `${local}${code}`, target }
}

/** The relocatable expressions that clang supports for a field of this shape. */
function questions(declaration: string, tag: string, name: string): string[] {
  const isArray = declaration.includes(`${name}[`)
  const isPointer = declaration.includes(`*${name}`)
  const isBitField = declaration.includes(`${name} :`)
  const isStruct = declaration.includes(`} ${name}`)
  const kinds = isArray || isStruct ? [0, 1, 2] : isPointer ? [0, 1, 2, 4, 5] : [0, 1, 2, 3, 4, 5]
  const expressions = kinds.map(
    (kind) => `__builtin_preserve_field_info(((struct ${tag} *)0)->${name}, ${kind})`,
  )
  if (isArray) expressions.push(`((struct ${tag} *)ctx)->${name}[0]`)
  else if (!isBitField && !isStruct) expressions.push(`(long)((struct ${tag} *)ctx)->${name}`)
  return expressions
}

describeWith([requirement.clang(), libbpf, linuxBtf], "relocation beside libbpf", () => {
  test("gives libbpf's verdict and value for random structs, field by field and kind by kind", () => {
    const seed = newSeed()
    const random = new Random(seed)
    const pairs: { object: CompiledObject; kernel: Btf }[] = []
    for (let round = 0; round < rounds(3); round++) {
      const { program, target } = randomSources(random, 6)
      try {
        pairs.push({ object: compileProgram(program, ["-w"]), kernel: declaredBtf(target) })
      } catch {
        // clang 14 gives up on some bit-fields ("requiring too big alignment").
      }
    }
    const theirs = relocateWithLibbpf(
      pairs.map(({ object, kernel }) => ({ object: object.elf, target: kernel.bytes })),
    )
    const counts = { value: 0, poison: 0, error: 0 }
    for (const [index, { object, kernel }] of pairs.entries()) {
      const mine = ours(object, kernel)
      // libbpf stops at its first refusal; nothing is known of the programs after it.
      for (const [name, outcomes] of theirs[index])
        for (const [number, outcome] of outcomes) {
          const where = `seed ${seed}, pair ${index}, ${name} #${number}`
          expect(mine.get(name)?.get(number), where).toEqual(outcome)
          counts[outcome === "error" ? "error" : outcome.value === null ? "poison" : "value"]++
        }
    }
    const { value, poison, error } = counts
    console.info(`libbpf agrees: ${value} values, ${poison} poisoned, ${error} refused`)
  })
})

describeWith([requirement.clang(), libbpf, linuxBtf, vmlinux], "relocation to this kernel", () => {
  test("gives libbpf's values for fields, bit-fields, types and enumerators", () => {
    const local = `${CORE}
      struct list_head { struct list_head *next; } core;
      struct task_struct { int pid, tgid; char comm[16]; struct task_struct *real_parent;
        struct list_head tasks; unsigned in_execve : 1; unsigned long start_time; int gone; } core;
      struct task_struct___x { unsigned int __state; } core;
      struct sk_buff { unsigned len; unsigned char *head; unsigned short protocol;
        unsigned char pkt_type : 3; unsigned short transport_header; struct sock *sk; } core;
      struct sock_common { unsigned short skc_dport; unsigned short skc_family; } core;
      struct sock { struct sock_common __sk_common; } core;
      struct file { struct { struct dentry *dentry; } f_path; } core;
      enum bpf_map_type { BPF_MAP_TYPE_RINGBUF = 1, BPF_MAP_TYPE_NONE = 77 };
      union bpf_attr { int x; };`
    const expressions = [
      "pid tgid comm real_parent tasks.next start_time gone"
        .split(" ")
        .map((one) => `struct task_struct,${one},0`),
      [0, 1, 2, 3, 4, 5].map((kind) => `struct task_struct,in_execve,${kind}`),
      ["struct task_struct___x,__state,0", "struct task_struct,gone,2"],
      "len head protocol transport_header sk".split(" ").map((one) => `struct sk_buff,${one},0`),
      [0, 1, 3, 4, 5].map((kind) => `struct sk_buff,pkt_type,${kind}`),
      ["struct sock,__sk_common.skc_dport,0", "struct sock,__sk_common.skc_family,1"],
      ["struct file,f_path.dentry,0"],
    ]
      .flat()
      .map((text) => text.split(","))
      .map(
        ([type, path, kind]) => `__builtin_preserve_field_info(((${type} *)0)->${path}, ${kind})`,
      )
    expressions.push(
      "__builtin_preserve_type_info(*(struct sk_buff *)0, 1)",
      "__builtin_preserve_type_info(*(union bpf_attr *)0, 0)",
      "__builtin_btf_type_id(*(struct task_struct *)0, 1)",
      "__builtin_preserve_enum_value(*(enum bpf_map_type *)BPF_MAP_TYPE_RINGBUF, 1)",
      "__builtin_preserve_enum_value(*(enum bpf_map_type *)BPF_MAP_TYPE_NONE, 0)",
    )
    const code = expressions.map(
      (one, i) => `__attribute__((section("socket/x${i}"))) long f${i}(void *c) { return ${one}; }`,
    )
    const object = compileProgram(`${local}\n${code.join("\n")}`, ["-w"])
    const bytes = new Uint8Array(readFileSync(vmlinuxPath))
    const [theirs] = relocateWithLibbpf([{ object: object.elf, target: bytes }])
    const mine = ours(object, readBtf(bytes))
    expect(theirs.size).toBe(expressions.length)
    for (const [i, expression] of expressions.entries())
      expect(mine.get(`f${i}`), expression).toEqual(theirs.get(`f${i}`))
  })
})
