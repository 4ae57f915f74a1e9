/**
 * Programs to relocate: compiled by clang, their CO-RE relocations read from the object; and
 * libbpf's own relocation of the same object, from its debug log.
 */

import { existsSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import {
  type Btf,
  type CoreCache,
  type CoreRelocation,
  type CoreResult,
  readBtf,
  readBtfExt,
  relocateCore,
} from "../../../src/btf/index.ts"
import { decodeInstruction } from "../../../src/isa/index.ts"
import type { Requirement } from "../../support/requirements.ts"
import { compileBpf, elfSection, inFolder, run } from "../support.ts"

export interface Program {
  readonly section: string
  readonly bytes: Uint8Array
  readonly relocations: readonly CoreRelocation[]
}

export interface CompiledObject {
  readonly elf: Uint8Array
  readonly btf: Btf
  readonly programs: readonly Program[]
}

/** Compiles a program; every function in a section of its own is a {@link Program}. */
export function compileProgram(text: string, flags: readonly string[] = []): CompiledObject {
  const elf = compileBpf(text, flags)
  const btf = readBtf(elfSection(elf, ".BTF"))
  const ext = readBtfExt(elfSection(elf, ".BTF.ext"), btf)
  const programs = [...ext.relocations].map(([section, relocations]) => ({
    section,
    bytes: elfSection(elf, section).slice(),
    relocations,
  }))
  return { elf, btf, programs }
}

/** Compiles declarations and gives the BTF that a kernel with these types would have. */
export function compileTarget(text: string, keep: readonly string[]): Btf {
  const variables = keep.map((name, i) => `typeof(${name}) *keep${i};`).join("\n")
  return readBtf(elfSection(compileBpf(`${text}\n${variables}`, ["-w"]), ".BTF"))
}

/** Applies all relocations of a program, in order, to a copy. */
export function relocateAll(
  object: CompiledObject,
  program: Program,
  targets: readonly Btf[],
  cache: CoreCache = new Map(),
): { results: CoreResult[]; program: Uint8Array } {
  const bytes = program.bytes.slice()
  const results = program.relocations.map((relocation) =>
    relocateCore({
      program: bytes,
      slot: relocation.offset / 8,
      relocation,
      local: object.btf,
      targets,
      programName: program.section,
      cache,
    }),
  )
  return { results, program: bytes }
}

/** The number that an instruction now holds: a load's offset, or an immediate. */
export function heldValue(program: Uint8Array, slot: number): bigint {
  const first = decodeInstruction(program, slot)
  switch (first.opcode & 7) {
    case 0: {
      const second = decodeInstruction(program, slot + 1)
      return (BigInt(second.imm >>> 0) << 32n) | BigInt(first.imm >>> 0)
    }
    case 1:
    case 2:
    case 3:
      return BigInt(first.off)
    default:
      return BigInt(first.imm)
  }
}

const LIBBPF_PROGRAM = `
#include <bpf/libbpf.h>
#include <stdio.h>
static int print(enum libbpf_print_level level, const char *format, va_list args) {
  return vprintf(format, args);
}
int main(int argc, char **argv) {
  LIBBPF_OPTS(bpf_object_open_opts, options, .btf_custom_path = argv[2]);
  libbpf_set_print(print);
  struct bpf_object *object = bpf_object__open_file(argv[1], &options);
  if (!object) return 1;
  bpf_object__load(object);
  bpf_object__close(object);
  return 0;
}`

/** A C compiler with libbpf's headers and library. */
export const libbpf: Requirement = {
  name: "libbpf",
  available: existsSync("/usr/include/bpf/libbpf.h"),
  reason: "libbpf's headers are not installed",
}

/** One line of libbpf's log about an instruction. */
export interface LibbpfOutcome {
  readonly slot: number
  /** New value, or `null` if poisoned. */
  readonly value: bigint | null
}

export type LibbpfOutcomes = Map<string, Map<number, LibbpfOutcome | "error">>

/**
 * What libbpf does with each object against its target: per program, its outcome by relocation
 * number, or `"error"` where it refuses.
 */
export function relocateWithLibbpf(
  pairs: readonly { readonly object: Uint8Array; readonly target: Uint8Array }[],
): LibbpfOutcomes[] {
  return inFolder((folder) => {
    const path = (name: string) => join(folder, name)
    writeFileSync(path("main.c"), LIBBPF_PROGRAM)
    run("clang", ["-w", path("main.c"), "-o", path("main"), "-lbpf"])
    return pairs.map(({ object, target }) => {
      writeFileSync(path("object.o"), object)
      writeFileSync(path("target.btf"), target)
      return readLog(run(path("main"), [path("object.o"), path("target.btf")]))
    })
  })
}

const REFUSALS =
  /ambiguity|failed|unexpected insn|value too big|unrecognized|invalid new mem size|can't be/

function readLog(log: string): LibbpfOutcomes {
  const programs: LibbpfOutcomes = new Map()
  for (const line of log.split("\n")) {
    const found = /prog '([^']+)': relo #(\d+): (.*)$/.exec(line)
    if (found === null) continue
    const [, name, number, text] = found
    let outcomes = programs.get(name)
    if (outcomes === undefined) programs.set(name, (outcomes = new Map()))
    const patched = /patched insn #(\d+) \(.*\) (?:off|imm|imm64) \d+ -> (\d+)$/.exec(text)
    const poisoned = /substituting insn #(\d+) w\/ invalid insn/.exec(text)
    const index = Number(number)
    if (patched !== null)
      outcomes.set(index, { slot: Number(patched[1]), value: BigInt(patched[2]) })
    else if (poisoned !== null) outcomes.set(index, { slot: Number(poisoned[1]), value: null })
    else if (REFUSALS.test(text)) outcomes.set(index, "error")
  }
  return programs
}
