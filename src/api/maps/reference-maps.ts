/** Maps whose values are other kernel objects: programs, maps, devices. */

import { ERRNO, type KernelInterface } from "../../spec/index.ts"
import { failure } from "../failure.ts"
import { MapHandle } from "./map-handle.ts"
import type { MapSpec } from "./map-spec.ts"

function u32(value: number): Uint8Array {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, value, true)
  return bytes
}

/** A jump table for bpf_tail_call. */
export class ProgramArray extends MapHandle {
  get length(): number {
    return this.spec.maxEntries
  }

  set(index: number, program: { readonly fd: number }): this {
    this.raw.set(u32(index), u32(program.fd))
    return this
  }

  /** False when the slot was empty. */
  delete(index: number): boolean {
    return this.raw.delete(u32(index))
  }
}

/** An array or hash of maps. `create` makes a map like the template. */
export class MapOfMaps<M extends MapHandle> extends MapHandle {
  private readonly make: (spec: MapSpec) => MapHandle

  constructor(
    kernel: KernelInterface,
    fd: number,
    spec: MapSpec,
    make: (spec: MapSpec) => MapHandle,
  ) {
    super(kernel, fd, spec)
    this.make = make
  }

  set(key: number | Uint8Array, map: M): this {
    this.raw.set(typeof key === "number" ? u32(key) : key, u32(map.fd))
    return this
  }

  delete(key: number | Uint8Array): boolean {
    return this.raw.delete(typeof key === "number" ? u32(key) : key)
  }

  /** The id of the map under a key, or undefined. */
  idAt(key: number | Uint8Array): number | undefined {
    const value = new Uint8Array(4)
    const keyBytes = typeof key === "number" ? u32(key) : key
    const result = this.kernel.bpf("MAP_LOOKUP_ELEM", { map_fd: this.fd, key: keyBytes, value })
    if (result === -ERRNO.ENOENT) return undefined
    if (result < 0) throw failure(result, "MAP_LOOKUP_ELEM", this.describe())
    return new DataView(value.buffer).getUint32(0, true)
  }

  /** A new map as the inner template says, not yet stored. */
  create(): M {
    if (this.spec.inner === null)
      throw new TypeError(`${this.describe()} has no template for inner maps`)
    return this.make(this.spec.inner) as M
  }
}

/** Devices (or CPUs) for bpf_redirect_map. */
export class DeviceMap extends MapHandle {
  /** `target`: a device's index; `program`: an XDP program (`xdp/devmap`) to run on the way. */
  set(index: number, target: number, program?: { readonly fd: number }): this {
    const value = new Uint8Array(this.raw.valueSize)
    const view = new DataView(value.buffer)
    view.setUint32(0, target, true)
    if (value.length >= 8) view.setInt32(4, program?.fd ?? 0, true)
    this.raw.set(u32(index), value)
    return this
  }

  delete(index: number): boolean {
    return this.raw.delete(u32(index))
  }
}
