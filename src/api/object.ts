/**
 * An object as users hold it: programs, maps and globals by name, with codecs from its BTF. Pure
 * data; `kernel.load(object)` makes it live. What a generated `.ts` file adds is only types.
 */

import { type Btf, type Codec, codecFor } from "../btf/index.ts"
import {
  type MapChanges,
  type MapDefinition,
  type BpfObject as ObjectModel,
  type ProgramDefinition,
  type ReadObjectOptions,
  readObject,
  withGlobals,
  withMaps,
} from "../object/index.ts"
import { BPF_MAP_TYPE } from "../spec/index.ts"
import type { MapHandle } from "./maps/map-handle.ts"
import type { MapSpec } from "./maps/map-spec.ts"
import type { Program } from "./program.ts"

/** What code generation writes for one object file. */
export interface Schema {
  readonly maps: Record<string, MapHandle>
  readonly programs: Record<string, unknown>
  readonly globals: Record<string, unknown>
}

/** The schema of an object without generated types: everything is there, nothing is checked. */
export interface AnySchema extends Schema {
  // biome-ignore lint/suspicious/noExplicitAny: the escape hatch where there are no generated types
  readonly maps: Record<string, any>
  readonly programs: Record<string, Program>
  // biome-ignore lint/suspicious/noExplicitAny: as above
  readonly globals: Record<string, any>
}

export class BpfObject<S extends Schema = Schema> {
  readonly model: ObjectModel
  /** Phantom: the schema. */
  readonly "~schema"?: S

  constructor(model: ObjectModel) {
    this.model = model
  }

  get name(): string {
    return this.model.name
  }

  get license(): string {
    return this.model.license
  }

  /** What is no error in the file but worth knowing. */
  get warnings(): readonly string[] {
    return this.model.warnings
  }

  get btf(): Btf | null {
    return this.model.btf
  }

  get programs(): readonly ProgramDefinition[] {
    return this.model.programs
  }

  /** Programs that are not just targets of tail calls: those that somebody would attach. */
  get entryPrograms(): readonly ProgramDefinition[] {
    const targets = new Set(
      this.model.maps.flatMap((map) =>
        map.initial.filter((one) => one.kind === "program").map((one) => one.name),
      ),
    )
    return this.model.programs.filter((program) => !targets.has(program.name))
  }

  /** Specs of the maps by name, data sections included. */
  get maps(): { readonly [N in keyof S["maps"]]: MapSpec<S["maps"][N]> } {
    const specs = this.model.maps.map((map) => [map.name, mapSpecOf(map, this.model.btf)] as const)
    return Object.fromEntries(specs) as { readonly [N in keyof S["maps"]]: MapSpec<S["maps"][N]> }
  }

  /** A copy with new initial values; those of const globals become constants for the verifier. */
  withGlobals(values: Partial<S["globals"]>): BpfObject<S> {
    return new BpfObject<S>(withGlobals(this.model, values as Record<string, unknown>))
  }

  /** A copy with changed map parameters, e.g. `{ counts: { maxEntries: 1 << 20 } }`. */
  withMaps(changes: { readonly [N in keyof S["maps"]]?: MapChanges }): BpfObject<S> {
    return new BpfObject<S>(withMaps(this.model, changes as Record<string, MapChanges>))
  }
}

/**
 * Reads an ELF object.
 *
 * @throws ObjectError with section and offset for anything that is not well-formed.
 */
export function parseObject<S extends Schema = AnySchema>(
  elf: Uint8Array,
  options: ReadObjectOptions = {},
): BpfObject<S> {
  return new BpfObject<S>(readObject(elf, options))
}

/** Map types whose elements are descriptors or records, not values of the BTF type. */
const VALUELESS: readonly number[] = [
  BPF_MAP_TYPE.BPF_MAP_TYPE_PROG_ARRAY,
  BPF_MAP_TYPE.BPF_MAP_TYPE_ARRAY_OF_MAPS,
  BPF_MAP_TYPE.BPF_MAP_TYPE_HASH_OF_MAPS,
]

/** The spec of a map of an object: its parameters, and codecs where BTF has types of that size. */
export function mapSpecOf(map: MapDefinition, btf: Btf | null): MapSpec {
  const codec = (typeId: number, size: number): Codec<unknown> | null => {
    if (btf === null || typeId === 0 || VALUELESS.includes(map.type)) return null
    if (map.type === BPF_MAP_TYPE.BPF_MAP_TYPE_PERF_EVENT_ARRAY)
      return isRecord(btf, typeId) ? codecFor(btf, typeId) : null
    const found = codecFor(btf, typeId)
    // Records of rings have no size in the map; everything else must agree.
    return size === 0 || found.size === size ? found : null
  }
  return {
    name: map.name,
    type: map.type,
    keySize: map.keySize,
    valueSize: map.valueSize,
    maxEntries: map.maxEntries,
    flags: map.flags,
    key: codec(map.keyTypeId, map.keySize),
    value: codec(map.valueTypeId, map.valueSize),
    inner: map.inner === null ? null : mapSpecOf(map.inner, btf),
  }
}

/**
 * Whether a perf event array's value type says what its records are. The elements are descriptors,
 * and most programs say so (`__type(value, __u32)`).
 */
function isRecord(btf: Btf, typeId: number): boolean {
  const { kind } = btf.resolve(typeId)
  return kind === "struct" || kind === "union" || kind === "array"
}
