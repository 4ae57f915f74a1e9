/**
 * Reading objects that every clang compiles from the sources in `fixtures/`, in both byte orders.
 * What is expected follows from the C text.
 */

import { expect, test } from "vitest"
import { ObjectError, viewOf } from "../../src/base/index.ts"
import { decodeInstruction } from "../../src/isa/instruction.ts"
import {
  type BpfObject,
  findMap,
  findProgram,
  type MapDefinition,
  readObject,
  sectionOf,
} from "../../src/object/index.ts"
import { BPF_MAP_FLAG, BPF_MAP_TYPE, BPF_PROG_TYPE } from "../../src/spec/index.ts"
import { describeWith, requirement } from "../support/requirements.ts"
import {
  type CompileOptions,
  type CorpusObject,
  compile,
  compileText,
  objectBytes,
  objectsOf,
} from "./corpus.ts"

function read(source: string, options: CompileOptions & { strict?: boolean } = {}): BpfObject {
  const { strict, ...how } = options
  return readObject(objectBytes(compile(`${source}.c`, how)), {
    name: `dir/${source}.bpf.o`,
    strict,
  })
}

function map(object: BpfObject, name: string): MapDefinition {
  const found = findMap(object, name)
  if (found === undefined) throw new Error(`no map ${name}`)
  return found
}

function readAt(path: string, source: string): BpfObject {
  return readObject(objectBytes(path), { name: `dir/${source}.bpf.o` })
}

/** The cases of `test.each`; none without a compiler, when the tests are skipped anyway. */
function objects(source: string): CorpusObject[] {
  return requirement.clang().available ? objectsOf(source) : []
}

describeWith([requirement.clang()], "Programs and globals", () => {
  test.each(objects("basic"))("$label", ({ path }) => {
    const object = readAt(path, "basic")
    expect(object.littleEndian).toBe(objectBytes(path)[5] === 1)
    expect(object.license).toBe("GPL")
    expect(object.kernelVersion).toBe(0x060102)
    expect(object.warnings).toEqual([])
    // Their order is compared with libbpf's in libbpf.test.ts.
    expect(
      object.programs.map((p) => [p.name, ...p.subprograms.slice(1).map(nameOf).toSorted()]),
    ).toEqual([
      ["count_packets", "global_sum", "on_each", "triple"],
      ["lookup", "triple"],
      ["filter", "global_sum", "hidden_sum", "triple"],
    ])
    const linkage = new Map(
      object.programs.flatMap((p) => p.subprograms.map((fn) => [fn.name, fn.global])),
    )
    expect(linkage.get("global_sum")).toBe(true)
    expect(linkage.get("hidden_sum")).toBe(false)
    expect(linkage.get("triple")).toBe(false)
    expect(linkage.get("filter")).toBe(true)
    for (const program of object.programs) {
      expectCallsToFunctions(program, object.littleEndian)
      expect(program.funcInfo.map((f) => f.insnOffset)).toEqual(
        program.subprograms.map((fn) => fn.slot),
      )
      const names = program.funcInfo.map((f) => object.btf?.type(f.typeId).name)
      expect(names).toEqual(program.subprograms.map((fn) => fn.name))
      expect(program.lineInfo.length).toBeGreaterThan(5)
    }
  })

  test.each(objects("basic"))("globals of $label", ({ path }) => {
    const object = readAt(path, "basic")
    const value = (name: string): DataView => {
      const global = object.globals.find((one) => one.name === name)
      if (global === undefined) throw new Error(`no global ${name}`)
      const data = map(object, global.map).data ?? new Uint8Array()
      return viewOf(data.slice(global.offset, global.offset + global.size))
    }
    const little = object.littleEndian
    expect(value("scale").getInt32(0, little)).toBe(5)
    expect(value("limit").getInt32(0, little)).toBe(3)
    expect(value("origin").getInt32(0, little)).toBe(-1)
    expect(value("origin").getBigUint64(8, little)).toBe(0x1122334455667788n)
    expect(value("hits").byteLength).toBe(12)
    expect(value("port").getUint16(0, little)).toBe(8080)
    expect(value("hidden_total").getBigUint64(0, little)).toBe(40n)
    const readonly = object.globals.filter((one) => one.readonly).map((one) => one.name)
    expect(readonly.sort()).toEqual(["label", "limit", "port"])
    const byMap = object.globals.find((one) => one.name === "calls")?.map
    expect(byMap).toBe("basic.bss")
    expect(map(object, ".rodata").flags & BPF_MAP_FLAG.BPF_F_RDONLY_PROG).not.toBe(0)
  })

  test("without -g, programs, legacy maps and globals are all there", () => {
    const object = read("legacy", { flags: ["-O2"] })
    expect(object.btf).toBeNull()
    expect(object.maps.map((m) => [m.name, m.type, m.keySize, m.valueSize, m.maxEntries])).toEqual([
      ["first", 1, 4, 8, 10],
      ["second", 2, 4, 16, 20],
    ])
    const basic = () => read("basic", { flags: ["-O2"] })
    expect(basic).toThrow(ObjectError)
    expect(basic).toThrow(/no BTF to describe its maps: compile with -g \(section .maps\)/)
    const core = read("sections", { flags: ["-O2"] })
    const custom = core.globals.find((one) => one.name === "custom_one")
    expect(custom).toMatchObject({ map: ".data.custom", size: 4, typeId: 0 })
  })

  test("a function without size extends to the next one", () => {
    const object = readObject(
      assemble(`
      .text
      .section xdp,"ax",@progbits
      .globl one
      .type one,@function
    one:
      r0 = 1
      exit
      .globl two
      .type two,@function
    two:
      r0 = 2
      call one
      exit`),
    )
    expect(object.programs.map((p) => p.subprograms)).toEqual([
      [{ name: "one", slot: 0, slots: 2, global: true }],
      [
        { name: "two", slot: 0, slots: 3, global: true },
        { name: "one", slot: 3, slots: 2, global: true },
      ],
    ])
  })

  test("an exception callback belongs to the program that names it", () => {
    const path = compileText(`
      __attribute__((noinline)) int on_error(unsigned long cookie) { return cookie; }
      __attribute__((section("xdp"), btf_decl_tag("exception_callback:on_error")))
      int entry(void *ctx) { return 1; }
      __attribute__((section("xdp"))) int other(void *ctx) { return 2; }`)
    const functions = readObject(objectBytes(path)).programs.map((p) => p.subprograms.map(nameOf))
    expect(functions).toEqual([["entry", "on_error"], ["other"]])
  })

  test("the only function of .text is a program without type", () => {
    const object = readObject(assemble(".globl f\n.type f,@function\nf:\nr0 = 0\nexit"))
    expect(object.programs).toMatchObject([{ name: "f", section: ".text", type: 0 }])
  })
})

function nameOf(fn: { readonly name: string }): string {
  return fn.name
}

function assemble(text: string): Uint8Array {
  return objectBytes(compileText(text, { flags: ["-x", "assembler"] }))
}

function expectCallsToFunctions(program: BpfObject["programs"][number], little: boolean): void {
  const starts = new Set(program.subprograms.map((fn) => fn.slot))
  const slots = program.instructions.length / 8
  for (let slot = 0; slot < slots; slot++) {
    const insn = decodeInstruction(program.instructions, slot, little)
    if (insn.opcode === 0x85 && insn.src === 1)
      expect(starts.has(slot + insn.imm + 1), `call at ${slot}`).toBe(true)
    if (insn.opcode === 0x18) slot++
  }
  for (const relocation of program.relocations)
    if (relocation.kind === "function") expect(starts.has(relocation.target)).toBe(true)
}

describeWith([requirement.clang()], "Maps by BTF", () => {
  test.each(objects("maps"))("every key of $label", ({ path }) => {
    const object = readAt(path, "maps")
    const shape = (name: string) => {
      const { type, keySize, valueSize, maxEntries, flags } = map(object, name)
      return [type, keySize, valueSize, maxEntries, flags]
    }
    expect(shape("aliases")).toEqual([BPF_MAP_TYPE.BPF_MAP_TYPE_PERCPU_HASH, 4, 24, 1000, 1])
    expect(shape("sized_map")).toEqual([BPF_MAP_TYPE.BPF_MAP_TYPE_LPM_TRIE, 8, 12, 77, 1])
    expect(shape("bloom")).toEqual([BPF_MAP_TYPE.BPF_MAP_TYPE_BLOOM_FILTER, 0, 4, 100, 0])
    expect(map(object, "bloom").mapExtra).toBe(3n)
    expect(shape("on_node")).toEqual([BPF_MAP_TYPE.BPF_MAP_TYPE_HASH, 8, 8, 4, 4])
    expect(map(object, "pinned").pinning).toBe("by-name")
    expect(shape("ring")).toEqual([BPF_MAP_TYPE.BPF_MAP_TYPE_RINGBUF, 0, 0, 4096, 0])
    expect(shape("perf")).toEqual([BPF_MAP_TYPE.BPF_MAP_TYPE_PERF_EVENT_ARRAY, 4, 4, 0, 0])
    expect(map(object, "outer_hash").inner).toMatchObject({
      name: "outer_hash.inner",
      type: BPF_MAP_TYPE.BPF_MAP_TYPE_HASH,
      keySize: 8,
      valueSize: 2,
      maxEntries: 6,
      flags: 1,
    })
    expect(object.btf?.typeName(map(object, "aliases").keyTypeId)).toBe("key_alias")
  })

  test.each(objects("maps"))("initial slots of $label", ({ path }) => {
    const object = readAt(path, "maps")
    expect(map(object, "outer").initial).toEqual([
      { index: 1, kind: "map", name: "inner_b" },
      { index: 3, kind: "map", name: "inner_a" },
    ])
    expect(map(object, "tails").initial).toEqual([
      { index: 0, kind: "program", name: "tail_two" },
      { index: 2, kind: "program", name: "tail_one" },
    ])
  })

  test.each(objects("tags"))(
    "tags, static maps and typedefs of whole maps in $label",
    ({ path }) => {
      const object = readAt(path, "tags")
      for (const name of ["statics", "tagged"])
        expect(map(object, name)).toMatchObject({
          type: 1,
          keySize: 8,
          valueSize: 24,
          maxEntries: 16,
        })
      const used = findProgram(object, "program")?.relocations.filter((r) => r.kind === "map")
      expect(used?.map((r) => r.map)).toEqual(["tagged", "statics"])
      expect(() => readObject(objectBytes(path), { strict: true })).toThrow(
        /map 'statics' is static: strict mode wants it global/,
      )
    },
  )

  test("a value type of a ring buffer is kept but gives it no size", () => {
    const ring = map(read("lenient"), "ring")
    expect([ring.keySize, ring.valueSize]).toEqual([0, 0])
    expect(ring.valueTypeId).toBeGreaterThan(0)
  })
})

describeWith([requirement.clang()], "Legacy maps", () => {
  test("a longer bpf_map_def keeps its extra bytes", () => {
    const second = map(read("legacy"), "second")
    expect(second.origin).toBe("legacy")
    expect([...(second.extra ?? [])]).toEqual([0, 0, 0, 0, 9, 0, 0, 0])
  })

  test.each(["bpf", "bpfeb"] as const)(
    "iproute2's ids become inner maps and slots on %s",
    (target) => {
      for (const flags of [["-O2"], ["-O2", "-g"]]) {
        const object = read("iproute2", { target, flags })
        expect(map(object, "outer")).toMatchObject({
          type: BPF_MAP_TYPE.BPF_MAP_TYPE_ARRAY_OF_MAPS,
          pinning: "by-name",
          inner: { type: BPF_MAP_TYPE.BPF_MAP_TYPE_ARRAY, valueSize: 4 },
          initial: [{ index: 2, kind: "map", name: "inner" }],
        })
        expect(map(object, "jumps").initial).toEqual([{ index: 31, kind: "program", name: "last" }])
        expect(findProgram(object, "last")?.type).toBe(BPF_PROG_TYPE.BPF_PROG_TYPE_SCHED_CLS)
      }
    },
  )
})

describeWith([requirement.clang()], "Sections", () => {
  test.each(objects("sections"))("$label", ({ path }) => {
    const object = readAt(path, "sections")
    const about = (name: string) => {
      const program = findProgram(object, name)
      return [program?.type, program?.attachTarget, program?.autoload]
    }
    expect(about("on_switch")).toEqual([5, "sched/sched_switch", true])
    expect(about("optional")).toEqual([5, "syscalls/sys_enter_openat", false])
    expect(about("many")).toEqual([2, "tcp_*", true])
    expect(about("user")).toEqual([2, "/bin/sh:main+0x10", true])
    expect(about("unknown")).toEqual([0, null, true])
    expect(about("unknown_too")).toEqual([0, null, false])
    expect(findProgram(object, "frags")?.flags).toBe(32)
    expect(findProgram(object, "sleepable")?.flags).toBe(16)
    expect(object.warnings).toEqual([
      "program 'unknown': section 'nothing/of/ours' is unknown and gives it no type",
      "program 'unknown_too': section '?nothing' is unknown and gives it no type",
    ])
    expect(object.maps.map((m) => m.name).sort()).toEqual([
      ".bss.custom",
      ".data.custom",
      ".data.private",
      ".rodata.custom",
    ])
    // Nobody outside could name a static variable, so its section is not worth mapping.
    expect(map(object, ".data.private").flags).toBe(0)
    expect(map(object, ".data.custom").flags).toBe(BPF_MAP_FLAG.BPF_F_MMAPABLE)
    const program = findProgram(object, "on_switch")
    expect(program && sectionOf(program)?.autoAttach).toBe("tp")
  })

  test("static functions in named sections are linked, calls of nothing are kept", () => {
    const object = read("lenient")
    expect(findProgram(object, "uses_helper")?.subprograms.map(nameOf).sort()).toEqual([
      "helper",
      "other_section",
      "uses_helper",
    ])
    expect(findProgram(object, "calls_nothing")?.unresolved).toMatchObject([
      { symbol: "defined_elsewhere" },
    ])
    expect(object.programs).toHaveLength(3)
    expect(object.warnings).toContain(
      "section 'socket/extra': 'extra' has no meaning after 'socket'",
    )
  })

  test("names of data maps are cut as libbpf cuts them", () => {
    const bytes = objectBytes(compile("basic.c"))
    const names = (name: string) => readObject(bytes, { name }).maps.map((m) => m.name)
    expect(names("/a/b/very_long_object_name.bpf.o")).toEqual([
      "counts",
      "very_lon.data",
      "very_lon.rodata",
      "very_lon.bss",
    ])
    expect(names("a-b.o")).toContain("a_b.bss")
  })
})

describeWith([requirement.clang()], "Externs", () => {
  test.each(objects("externs"))("$label", ({ path }) => {
    const object = readAt(path, "externs")
    const kconfig = object.externs.filter((e) => e.kind === "kconfig")
    expect(kconfig.map((e) => [e.name, e.offset, e.size, e.weak])).toEqual([
      ["CONFIG_MISSING_NUMBER", 0, 8, true],
      ["CONFIG_BPF", 8, 4, true],
      ["CONFIG_HZ", 12, 4, false],
      ["LINUX_KERNEL_VERSION", 16, 4, false],
      ["CONFIG_BPF_SYSCALL", 20, 1, false],
      ["CONFIG_MISSING_TRISTATE", 21, 1, true],
      ["CONFIG_DEFAULT_HOSTNAME", 22, 20, false],
    ])
    expect(map(object, ".kconfig")).toMatchObject({ valueSize: 42, readonly: true })
    const ksyms = object.externs.filter((e) => e.kind === "ksym")
    expect(ksyms.map((e) => [e.name, e.function, e.weak, e.typeId !== 0])).toEqual([
      ["bpf_rcu_read_lock", true, false, true],
      ["bpf_rcu_read_unlock", true, false, true],
      ["no_such_function", true, true, true],
      ["no_such_symbol_anywhere", false, true, false],
      ["no_such_variable", false, true, true],
      ["runqueues", false, false, true],
      ["schedule", false, false, false],
    ])
    const functions = findProgram(object, "functions")
    expect(functions?.relocations.filter((r) => r.kind === "extern").map((r) => r.extern)).toEqual([
      "bpf_rcu_read_lock",
      "bpf_rcu_read_unlock",
      "no_such_function",
      "no_such_function",
    ])
  })
})

describeWith([requirement.clang()], "CO-RE relocations", () => {
  test.each(objects("core"))("move with the subprograms of $label", ({ path }) => {
    const object = readAt(path, "core")
    const program = findProgram(object, "core")
    const kinds = program?.coreRelocations.map((r) => r.kind) ?? []
    expect(kinds.toSorted((a, b) => a - b)).toEqual([0, 0, 0, 2, 9, 11])
    const leader = program?.subprograms.find((fn) => fn.name === "leader_pid")
    const inside = program?.coreRelocations.filter((r) => leader && r.slot >= leader.slot) ?? []
    expect(inside.map((r) => [object.btf?.type(r.typeId).name, r.accessString])).toEqual([
      ["task_struct", "0:2"],
      ["task_struct", "0:1"],
    ])
  })
})
