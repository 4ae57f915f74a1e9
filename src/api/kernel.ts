/**
 * One eBPF kernel as users hold it: the embedded one, or Linux. Everything here is the same on
 * both.
 */

import { type Btf, readBtf } from "../btf/index.ts"
import { type LoadOptions, loadObject } from "../loader/index.ts"
import type { CommandName, Fd, KernelInterface } from "../spec/index.ts"
import { Collection } from "./collection.ts"
import { check } from "./failure.ts"
import { type LinkInfo, readLinkInfo } from "./link.ts"
import type { MapHandle } from "./maps/map-handle.ts"
import { type MapInfo, readMapInfo } from "./maps/map-handle.ts"
import type { MapSpec } from "./maps/map-spec.ts"
import { createMapHandle, openMapHandle } from "./maps/open.ts"
import type { BpfObject, Schema } from "./object.ts"
import { Program, type ProgramInfo, readProgramInfo } from "./program.ts"
import { type ProgramSpec, programDefinition } from "./program-spec.ts"
import { type Feature, supports } from "./supports.ts"

/** Maps (by handle) to use instead of creating them, and what else `load` takes. */
export type KernelLoadOptions = Omit<LoadOptions, "maps"> & {
  readonly maps?: Readonly<Record<string, MapHandle | Fd>>
}

export class Kernel implements Disposable {
  /** bpf(2) of this kernel, for what the API does not cover. */
  readonly bpf2: KernelInterface
  private types: Btf | null | undefined

  constructor(kernel: KernelInterface) {
    this.bpf2 = kernel
  }

  get kind(): "embedded" | "linux" {
    return this.bpf2.kind
  }

  /** Possible CPUs: the length of per-CPU values. */
  get cpus(): number {
    return this.bpf2.possibleCpus
  }

  /** Types of this kernel, the CO-RE relocation target; null when it has none. */
  get btf(): Btf | null {
    if (this.types === undefined) {
      const bytes = this.bpf2.vmlinuxBtf()
      this.types = bytes === null ? null : readBtf(bytes)
    }
    return this.types
  }

  /**
   * Creates the maps, relocates, verifies and loads the programs.
   *
   * @throws VerifierError, RelocationError, BpfError, ObjectError; nothing is left behind then.
   */
  async load<S extends Schema>(
    object: BpfObject<S>,
    options: KernelLoadOptions = {},
  ): Promise<Collection<S>> {
    return this.loadSync(object, options)
  }

  /** Like {@link load}; possible as long as no program has to be compiled to WebAssembly. */
  loadSync<S extends Schema>(object: BpfObject<S>, options: KernelLoadOptions = {}): Collection<S> {
    const maps = Object.fromEntries(
      Object.entries(options.maps ?? {}).map(([name, map]) => [
        name,
        typeof map === "number" ? map : map.fd,
      ]),
    )
    const loaded = loadObject(this.bpf2, object.model, { ...options, maps })
    return new Collection<S>(this.bpf2, object, loaded)
  }

  /** @throws BpfError EINVAL, E2BIG, ENOMEM: what MAP_CREATE says. */
  createMap<M extends MapHandle>(spec: MapSpec<M>): M {
    return createMapHandle(this.bpf2, spec) as M
  }

  /** A map that exists already, by pin or id. */
  openMap<M extends MapHandle>(
    from: { readonly pin: string } | { readonly id: number },
    as: MapSpec<M>,
  ): M {
    const kernel = this.bpf2
    const what = "pin" in from ? `map at ${from.pin}` : `map ${from.id}`
    const fd =
      "pin" in from
        ? check(kernel.bpf("OBJ_GET", { pathname: from.pin }), "OBJ_GET", what)
        : check(kernel.bpf("MAP_GET_FD_BY_ID", { id: from.id }), "MAP_GET_FD_BY_ID", what)
    const info = readMapInfo(kernel, fd)
    if (info.keySize !== as.keySize || info.valueSize !== as.valueSize) {
      kernel.close(fd)
      throw new TypeError(
        `${what} has keys of ${info.keySize} and values of ${info.valueSize} bytes, ` +
          `not ${as.keySize} and ${as.valueSize}`,
      )
    }
    return openMapHandle(kernel, fd, { ...as, maxEntries: info.maxEntries }) as M
  }

  /** Loads one program made by `program({…})`. */
  async loadProgram(spec: ProgramSpec, options: KernelLoadOptions = {}): Promise<Program> {
    const { definition, maps, model } = programDefinition(spec)
    const loaded = loadObject(this.bpf2, model, { ...options, maps })
    const program = loaded.programs.get(definition.name)
    if (program === undefined) throw new Error(`program '${definition.name}' was not loaded`)
    return new Program(this.bpf2, program)
  }

  /** Whether this kernel has a feature: found out by trying, and remembered. Never throws. */
  supports(feature: Feature): boolean {
    return supports(this.bpf2, feature)
  }

  /** All loaded programs, by rising id. */
  programs(): Iterable<ProgramInfo> {
    return this.each("PROG_GET_NEXT_ID", "PROG_GET_FD_BY_ID", readProgramInfo)
  }

  maps(): Iterable<MapInfo> {
    return this.each("MAP_GET_NEXT_ID", "MAP_GET_FD_BY_ID", readMapInfo)
  }

  links(): Iterable<LinkInfo> {
    return this.each("LINK_GET_NEXT_ID", "LINK_GET_FD_BY_ID", readLinkInfo)
  }

  private *each<T>(
    next: CommandName & ("PROG_GET_NEXT_ID" | "MAP_GET_NEXT_ID" | "LINK_GET_NEXT_ID"),
    open: CommandName & ("PROG_GET_FD_BY_ID" | "MAP_GET_FD_BY_ID" | "LINK_GET_FD_BY_ID"),
    read: (kernel: KernelInterface, fd: Fd) => T,
  ): Iterable<T> {
    const kernel = this.bpf2
    const attr: { start_id: number; next_id?: number } = { start_id: 0 }
    while (kernel.bpf(next, attr) === 0 && attr.next_id !== undefined) {
      attr.start_id = attr.next_id
      const fd = kernel.bpf(open, { id: attr.next_id })
      // It may have gone between the two commands.
      if (fd < 0) continue
      try {
        yield read(kernel, fd)
      } finally {
        kernel.close(fd)
      }
    }
  }

  close(): void {}

  [Symbol.dispose](): void {
    this.close()
  }
}
