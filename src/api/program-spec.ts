/** Programs without an object file: assembler text with maps interpolated. */

import { assemble } from "../isa/index.ts"
import type { BpfObject as ObjectModel, ProgramDefinition, Relocation } from "../object/index.ts"
import { helperByName, matchSection, programTypeByName, programTypeName } from "../spec/index.ts"
import type { MapHandle } from "./maps/map-handle.ts"

/** Assembled instructions, and the maps that they name. */
export interface Instructions {
  /** 8 bytes a slot, little-endian. */
  readonly bytes: Uint8Array
  readonly relocations: readonly Relocation[]
  readonly maps: ReadonlyMap<string, MapHandle>
}

/**
 * Assembler in the kernel's own notation. Interpolated numbers are written as they are, a map
 * becomes its address: `r1 = ${counts} ll`.
 *
 * @throws SyntaxIssue with line and column.
 * @example asm`r0 = 2; exit`
 */
export function asm(
  text: TemplateStringsArray,
  ...values: readonly (number | bigint | MapHandle)[]
): Instructions {
  const maps = new Map<string, MapHandle>()
  let source = text[0]
  values.forEach((value, index) => {
    if (typeof value === "object") {
      const name = `m${index}`
      maps.set(name, value)
      source += `map[${name}]`
    } else source += String(value)
    source += text[index + 1]
  })
  const assembly = assemble(source, {
    helperId: (name) => helperByName(name)?.id,
    allowUndefined: true,
  })
  const relocations = assembly.relocations.map((one): Relocation => {
    if (one.kind === "map") return { kind: "map", slot: one.slot, map: one.name }
    if (one.kind === "value")
      return { kind: "map-value", slot: one.slot, map: one.name, offset: one.offset }
    throw new RangeError(`line ${one.line}: nothing is called '${one.name}'`)
  })
  return { bytes: assembly.bytes, relocations, maps }
}

/** A program to load. */
export interface ProgramSpec {
  readonly name: string
  /** enum bpf_prog_type. */
  readonly type: number
  readonly license: string
  readonly instructions: Instructions
}

/** @throws RangeError for a program type that does not exist. */
export function program(o: {
  /** `xdp`, `sched_cls`, `socket_filter`… */
  readonly type: string
  /** At most 15 characters of `[A-Za-z0-9_.]`. */
  readonly name?: string
  readonly license?: string
  readonly instructions: Instructions
}): ProgramSpec {
  const type = programTypeByName(o.type)
  if (type === undefined) throw new RangeError(`there is no program type '${o.type}'`)
  return {
    name: o.name ?? "program",
    type,
    license: o.license ?? "GPL",
    instructions: o.instructions,
  }
}

/** The object that holds just this program. */
export function programDefinition(spec: ProgramSpec): {
  definition: ProgramDefinition
  maps: Record<string, number>
  model: ObjectModel
} {
  const { bytes, relocations, maps } = spec.instructions
  const definition: ProgramDefinition = {
    name: spec.name,
    section: spec.name,
    type: spec.type,
    // XDP and its like are loaded for one hook; that of their plain section name.
    attachType: matchSection(programTypeName(spec.type))?.attachType ?? 0,
    attachTarget: null,
    flags: 0,
    autoload: true,
    instructions: bytes,
    subprograms: [{ name: spec.name, slot: 0, slots: bytes.length / 8, global: true }],
    relocations,
    coreRelocations: [],
    funcInfo: [],
    lineInfo: [],
    unresolved: [],
  }
  const model: ObjectModel = {
    name: spec.name,
    littleEndian: true,
    license: spec.license,
    kernelVersion: 0,
    btf: null,
    programs: [definition],
    maps: [...maps].map(([name, map]) => ({
      name,
      origin: "btf",
      type: map.spec.type,
      keySize: map.spec.keySize,
      valueSize: map.spec.valueSize,
      maxEntries: map.spec.maxEntries,
      flags: map.spec.flags,
      mapExtra: 0n,
      numaNode: 0,
      keyTypeId: 0,
      valueTypeId: 0,
      pinning: "none",
      inner: null,
      initial: [],
      section: null,
      data: null,
      readonly: false,
    })),
    globals: [],
    externs: [],
    warnings: [],
  }
  const fds = Object.fromEntries([...maps].map(([name, map]) => [name, map.fd]))
  return { definition, maps: fds, model }
}
