/** A loaded object: live maps, programs and globals, closed together. */

import { viewOf } from "../base/index.ts"
import { codecFor } from "../btf/index.ts"
import type { LoadedObject } from "../loader/index.ts"
import type { KernelInterface } from "../spec/index.ts"
import { check } from "./failure.ts"
import { type Link, LinkSet } from "./link.ts"
import type { MapHandle } from "./maps/map-handle.ts"
import { openMapHandle } from "./maps/open.ts"
import { type BpfObject, mapSpecOf, type Schema } from "./object.ts"
import { Program } from "./program.ts"

export class Collection<S extends Schema = Schema> implements Disposable {
  readonly object: BpfObject<S>
  readonly maps: S["maps"]
  readonly programs: S["programs"]
  /** Live globals: reads and writes go to the memory that the programs use. */
  readonly globals: S["globals"]
  readonly warnings: readonly string[]
  private readonly loaded: LoadedObject
  private readonly handles: readonly (MapHandle | Program)[]

  constructor(kernel: KernelInterface, object: BpfObject<S>, loaded: LoadedObject) {
    this.object = object
    this.loaded = loaded
    this.warnings = [...object.model.warnings, ...loaded.warnings]
    const { btf } = object.model
    const maps: Record<string, MapHandle> = {}
    for (const [name, map] of loaded.maps)
      maps[name] = openMapHandle(kernel, map.fd, mapSpecOf(map.definition, btf))
    const programs: Record<string, Program> = {}
    for (const [name, program] of loaded.programs) programs[name] = new Program(kernel, program)
    this.maps = maps as S["maps"]
    this.programs = programs as S["programs"]
    this.globals = liveGlobals(kernel, object, loaded) as S["globals"]
    this.handles = [...Object.values(programs), ...Object.values(maps)]
  }

  /** Attaches every program whose section names its target. */
  attach(): LinkSet {
    const links: Link[] = []
    try {
      for (const program of Object.values(this.programs) as Program[]) links.push(program.attach())
    } catch (error) {
      new LinkSet(links).close()
      throw error
    }
    return new LinkSet(links)
  }

  /** Closes programs and maps. Links (and pins) keep what they hold. */
  close(): void {
    for (const handle of this.handles) handle.close()
    this.loaded.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }
}

const KEY_ZERO = new Uint8Array(4)

/** An object with an accessor for each global; the value is read from and written to its map. */
function liveGlobals(
  kernel: KernelInterface,
  object: BpfObject,
  loaded: LoadedObject,
): Record<string, unknown> {
  const { btf, globals } = object.model
  const live: Record<string, unknown> = {}
  for (const variable of globals) {
    const map = loaded.maps.get(variable.map)
    if (map === undefined) continue
    const { fd, definition } = map
    const codec = btf === null || variable.typeId === 0 ? null : codecFor(btf, variable.typeId)
    const readAll = (): Uint8Array => {
      const value = new Uint8Array(definition.valueSize)
      const attr = { map_fd: fd, key: KEY_ZERO, value }
      check(kernel.bpf("MAP_LOOKUP_ELEM", attr), "MAP_LOOKUP_ELEM", `global '${variable.name}'`)
      return value
    }
    Object.defineProperty(live, variable.name, {
      enumerable: true,
      get(): unknown {
        const bytes = readAll().subarray(variable.offset, variable.offset + variable.size)
        return codec === null ? bytes.slice() : codec.read(viewOf(bytes), 0)
      },
      set(value: unknown) {
        if (variable.readonly)
          throw new TypeError(
            `global '${variable.name}' is const: set it before loading, with withGlobals()`,
          )
        const bytes = readAll()
        const place = bytes.subarray(variable.offset, variable.offset + variable.size)
        if (codec !== null) codec.write(viewOf(place), 0, value)
        else place.set(value as Uint8Array)
        const attr = { map_fd: fd, key: KEY_ZERO, value: bytes }
        check(kernel.bpf("MAP_UPDATE_ELEM", attr), "MAP_UPDATE_ELEM", `global '${variable.name}'`)
      },
    })
  }
  return live
}
