/** `skep inspect`: what an object holds, without loading it. */

import type { Command } from "commander"
import { viewOf } from "../../base/index.ts"
import { codecFor } from "../../btf/index.ts"
import type { Extern, BpfObject as ObjectModel, ProgramDefinition } from "../../object/index.ts"
import { attachTypeName, mapTypeName, programTypeName } from "../../spec/index.ts"
import { type Context, jsonValue } from "../context.ts"
import { loadObject } from "../input.ts"
import { CC_OPTION } from "../options.ts"
import { table } from "../table.ts"

interface Options {
  readonly cc?: string
  readonly json?: boolean
}

export function register(program: Command, context: Context): void {
  program
    .command("inspect")
    .summary("show programs, maps, globals, externs and relocations of an object")
    .description(
      "Shows what an object holds: programs, maps, globals, externs, CO-RE relocations, types. Nothing is loaded.",
    )
    .argument("<file>", "object (.o) or C source (.c)")
    .option(...CC_OPTION)
    .option("--json", "print everything as JSON")
    .addHelpText("after", "\nExample:\n  $ skep inspect firewall.bpf.o")
    .action((file: string, options: Options) => run(context, file, options))
}

async function run(context: Context, file: string, options: Options): Promise<void> {
  const { model } = await loadObject(context, file, options.cc)
  if (options.json) {
    context.printJson(describe(model))
    return
  }
  const { colors } = context
  const bits = model.littleEndian ? "little-endian" : "big-endian"
  const btf = model.btf === null ? "no BTF" : `BTF ${model.btf.typeCount - 1} types`
  context.print(`${colors.bold(model.name)}  ${bits}, licence '${model.license}', ${btf}`)
  section(context, "programs", programRows(model), [
    "name",
    "section",
    "type",
    "attach type",
    "instructions",
    "subprograms",
    "CO-RE",
  ])
  section(
    context,
    "maps",
    model.maps.map((map) => [
      map.name,
      mapTypeName(map.type),
      String(map.keySize),
      String(map.valueSize),
      String(map.maxEntries),
      `0x${map.flags.toString(16)}`,
      [map.section ?? "", map.readonly ? "read-only" : "", map.pinning === "none" ? "" : "pinned"]
        .filter((part) => part !== "")
        .join(", "),
    ]),
    ["name", "type", "key", "value", "entries", "flags", ""],
  )
  section(
    context,
    "globals",
    globals(model).map((one) => [one.name, one.type, one.map, String(one.offset), one.text]),
    ["name", "type", "map", "offset", "initial value"],
  )
  section(context, "externs", model.externs.map(externRow), ["name", "kind", "", "type"])
  section(context, "relocations", relocationRows(model), ["program", "instruction", "kind", "what"])
  for (const warning of model.warnings) context.warn(`${file}: ${warning}`)
}

function section(
  context: Context,
  title: string,
  rows: readonly (readonly string[])[],
  columns: readonly string[],
): void {
  if (rows.length === 0) return
  context.print(`\n${context.colors.bold(title)}`)
  context.print(
    table(
      columns.map((column) => ({ title: column })),
      rows,
      context.colors,
    ),
  )
}

function attachText(program: ProgramDefinition): string {
  return program.attachType === 0 ? "" : attachTypeName(program.attachType)
}

function programRows(model: ObjectModel): string[][] {
  return model.programs.map((program) => [
    program.name,
    program.section,
    program.type === 0 ? "unknown" : programTypeName(program.type),
    attachText(program),
    String(program.instructions.length / 8),
    program.subprograms
      .slice(1)
      .map((one) => one.name)
      .join(" "),
    String(program.coreRelocations.length),
  ])
}

interface GlobalText {
  readonly name: string
  readonly type: string
  readonly map: string
  readonly offset: number
  readonly value: unknown
  readonly text: string
}

/** Globals with their initial values, decoded where BTF has their types. */
function globals(model: ObjectModel): GlobalText[] {
  return model.globals.map(({ name, map, offset, size, typeId }) => {
    const data = model.maps.find((one) => one.name === map)?.data ?? null
    const bytes = data?.subarray(offset, offset + size) ?? new Uint8Array(size)
    const { btf } = model
    const value =
      btf === null || typeId === 0 || bytes.length < size
        ? bytes
        : codecFor(btf, typeId).read(viewOf(bytes), 0)
    const type = btf === null || typeId === 0 ? `${size} bytes` : btf.typeName(typeId)
    return { name, type, map, offset, value, text: JSON.stringify(value, jsonValue) ?? "" }
  })
}

function externRow(one: Extern): string[] {
  const type = one.typeId === 0 ? "" : `type ${one.typeId}`
  return [one.name, one.kind, one.weak ? "weak" : "", type]
}

/** enum bpf_core_relo_kind. */
const CORE_KINDS = [
  "field_byte_offset",
  "field_byte_size",
  "field_exists",
  "field_signed",
  "field_lshift_u64",
  "field_rshift_u64",
  "type_id_local",
  "type_id_target",
  "type_exists",
  "type_size",
  "enumval_exists",
  "enumval_value",
  "type_matches",
]

function relocationRows(model: ObjectModel): string[][] {
  return model.programs.flatMap((program) => [
    ...program.relocations.map((one) => [
      program.name,
      String(one.slot),
      one.kind,
      one.kind === "map"
        ? one.map
        : one.kind === "map-value"
          ? `${one.map} + ${one.offset}`
          : one.kind === "extern"
            ? one.extern
            : `instruction ${one.target}`,
    ]),
    ...program.coreRelocations.map((one) => [
      program.name,
      String(one.slot),
      CORE_KINDS[one.kind] ?? `kind ${one.kind}`,
      `${model.btf?.typeName(one.typeId) ?? one.typeId} ${one.accessString}`,
    ]),
  ])
}

/** The JSON shape: everything the text shows, by the names of the object model. */
function describe(model: ObjectModel): unknown {
  return {
    name: model.name,
    littleEndian: model.littleEndian,
    license: model.license,
    btfTypes: model.btf === null ? null : model.btf.typeCount - 1,
    programs: model.programs.map((program) => ({
      name: program.name,
      section: program.section,
      type: programTypeName(program.type),
      attachType: attachText(program) || null,
      attachTarget: program.attachTarget,
      instructions: program.instructions.length / 8,
      subprograms: program.subprograms,
      relocations: program.relocations,
      coreRelocations: program.coreRelocations.map((one) => ({
        ...one,
        kind: CORE_KINDS[one.kind] ?? one.kind,
        type: model.btf?.typeName(one.typeId),
      })),
    })),
    maps: model.maps.map((map) => ({
      name: map.name,
      type: mapTypeName(map.type),
      keySize: map.keySize,
      valueSize: map.valueSize,
      maxEntries: map.maxEntries,
      flags: map.flags,
      section: map.section,
      readonly: map.readonly,
    })),
    globals: globals(model).map(({ name, type, map, offset, value }) => ({
      name,
      type,
      map,
      offset,
      value,
    })),
    externs: model.externs,
    warnings: model.warnings,
  }
}
