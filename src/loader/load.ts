/**
 * From an object to a kernel, in order: types, externs, maps with their content, programs, slots
 * of prog arrays, pins. The kernel is only known by its interface, so the same steps load into
 * Linux and into the embedded kernel. If a step fails, everything created before is closed.
 */

import { NotSupportedError } from "../base/index.ts"
import { type Btf, readBtf } from "../btf/index.ts"
import type { BpfObject, MapDefinition, ProgramDefinition } from "../object/index.ts"
import { findProgram } from "../object/index.ts"
import type { KernelInterface } from "../spec/index.ts"
import { resolveExterns } from "./externs.ts"
import type { FillContext } from "./fill.ts"
import { loadBtf } from "./kernel-btf.ts"
import { createMaps, fillProgArrays } from "./maps.ts"
import type { LoadedObject, LoadedProgram, LoadOptions } from "./options.ts"
import { pinMaps } from "./pinning.ts"
import { loadProgram } from "./programs.ts"
import { LoadSession } from "./session.ts"

/**
 * Loads an object.
 *
 * @throws VerifierError if a program is refused, RelocationError if it refers to what the kernel
 * does not have, BpfError or NotSupportedError for any other refusal, ObjectError for what no
 * kernel could load, RangeError for a program or map name in the options that does not exist.
 */
export function loadObject(
  kernel: KernelInterface,
  object: BpfObject,
  options: LoadOptions = {},
): LoadedObject {
  if (!object.littleEndian)
    throw new NotSupportedError(
      `object '${object.name}' is big-endian, the kernel is not: compile it with -target bpfel`,
      { feature: "big-endian objects" },
    )
  const session = new LoadSession(kernel, object, options)
  const programs = selectProgramsToLoad(object, options)
  const maps = selectMaps(object, programs, options)
  try {
    return load(session, programs, maps)
  } catch (error) {
    session.closeAll()
    throw error
  }
}

function load(
  session: LoadSession,
  selected: readonly ProgramDefinition[],
  definitions: readonly MapDefinition[],
): LoadedObject {
  const { kernel, object, options } = session
  const kernelTypes = (): Btf | null => kernelTypesOf(kernel)
  const btfFd = loadBtf(session)
  const externs = resolveExterns(session, selected, kernelTypes)
  const maps = createMaps(session, definitions, { btfFd, kconfig: externs.kconfig })
  const fill: FillContext = {
    objectTypes: object.btf,
    targets: () => targetTypes(kernel, options),
    cache: new Map(),
    mapFd: (name) => maps.get(name)?.fd,
    externs: externs.byName,
  }
  const programs = new Map<string, LoadedProgram>()
  for (const program of selected)
    programs.set(program.name, loadProgram(session, program, { btfFd, fill, kernelTypes }))
  fillProgArrays(session, maps, programs)
  pinMaps(session, maps)
  return {
    maps,
    programs,
    btfFd,
    warnings: session.warnings,
    close: () => session.closeAll(),
  }
}

function selectProgramsToLoad(object: BpfObject, options: LoadOptions): ProgramDefinition[] {
  const { programs: names } = options
  if (names === undefined) return object.programs.filter((program) => program.autoload)
  const wanted = new Set<string>()
  const open = [...names]
  for (const name of names)
    if (findProgram(object, name) === undefined)
      throw new RangeError(`object '${object.name}' has no program '${name}'`)
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    const program = findProgram(object, name)
    if (program === undefined || wanted.has(name)) continue
    wanted.add(name)
    // Programs in the slots of a prog array that it uses belong to it.
    for (const map of mapsOf(object, [program]))
      for (const slot of map.initial) if (slot.kind === "program") open.push(slot.name)
  }
  return object.programs.filter((program) => wanted.has(program.name))
}

/** All maps, or, if programs were chosen, those that these need. */
function selectMaps(
  object: BpfObject,
  programs: readonly ProgramDefinition[],
  options: LoadOptions,
): readonly MapDefinition[] {
  for (const name of Object.keys(options.maps ?? {}))
    if (!object.maps.some((map) => map.name === name))
      throw new RangeError(`object '${object.name}' has no map '${name}'`)
  return options.programs === undefined ? object.maps : mapsOf(object, programs)
}

/** Maps that programs refer to, and maps in the slots of those, in the object's order. */
function mapsOf(object: BpfObject, programs: readonly ProgramDefinition[]): MapDefinition[] {
  const byName = new Map(object.maps.map((map) => [map.name, map]))
  const kconfig = object.maps.find((map) => map.section === ".kconfig")
  const kconfigNames = new Set(
    object.externs.flatMap((extern) => (extern.kind === "kconfig" ? [extern.name] : [])),
  )
  const used = new Set<string>()
  const add = (name: string): void => {
    if (used.has(name)) return
    used.add(name)
    for (const slot of byName.get(name)?.initial ?? []) if (slot.kind === "map") add(slot.name)
  }
  for (const { relocations } of programs)
    for (const relocation of relocations) {
      if (relocation.kind === "map" || relocation.kind === "map-value") add(relocation.map)
      else if (relocation.kind === "extern" && kconfigNames.has(relocation.extern) && kconfig)
        add(kconfig.name)
    }
  return object.maps.filter((map) => used.has(map.name))
}

const knownTypes = new WeakMap<KernelInterface, Btf | null>()

/** The kernel's own types, read once a kernel; `null` if it offers none. */
export function kernelTypesOf(kernel: KernelInterface): Btf | null {
  const known = knownTypes.get(kernel)
  if (known !== undefined) return known
  const bytes = kernel.vmlinuxBtf()
  const types = bytes === null ? null : readBtf(bytes, { section: "vmlinux" })
  knownTypes.set(kernel, types)
  return types
}

function targetTypes(kernel: KernelInterface, options: LoadOptions): readonly Btf[] {
  if (options.btf !== undefined) return [options.btf]
  const types = kernelTypesOf(kernel)
  if (types !== null) return [types]
  throw new NotSupportedError(
    "the object needs CO-RE relocation, but the kernel offers no types (CONFIG_DEBUG_INFO_BTF): " +
      "give them in `btf`",
    { feature: "vmlinux BTF", since: "5.4", command: "PROG_LOAD" },
  )
}
