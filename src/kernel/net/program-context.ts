/**
 * A context structure in kernel memory for one run of a program, filled and read by field name
 * against the one table of layouts ({@link CONTEXTS}).
 */

import { REGION_CONTEXT, REGION_READ, REGION_TAG, REGION_WRITE } from "../../interpreter/machine.ts"
import { CONTEXTS, type ContextField } from "../../spec/index.ts"
import type { KernelMemory } from "../memory/kernel-memory.ts"

const FIELDS = new Map<string, ReadonlyMap<string, ContextField>>()

function fieldsOf(layout: string): ReadonlyMap<string, ContextField> {
  let fields = FIELDS.get(layout)
  if (fields === undefined) {
    fields = new Map(CONTEXTS[layout].fields.map((field) => [field.name, field]))
    FIELDS.set(layout, fields)
  }
  return fields
}

export class ProgramContext {
  readonly address: number
  readonly region: number
  readonly memory: KernelMemory
  private readonly fields: ReadonlyMap<string, ContextField>
  /** Bytes that the context points to: freed with it. */
  private readonly blocks: number[] = []
  private readonly regions: number[] = []

  /** @throws RangeError when kernel memory is exhausted. */
  constructor(memory: KernelMemory, layout: string) {
    this.memory = memory
    this.fields = fieldsOf(layout)
    const size = CONTEXTS[layout].sizeBytes
    this.address = this.block(size)
    this.region = memory.createRegion(
      this.address,
      this.address + size,
      REGION_READ | REGION_WRITE | REGION_CONTEXT,
    )
    this.regions.push(this.region)
  }

  private at(field: string): number {
    const known = this.fields.get(field)
    if (known === undefined) throw new Error(`the context has no field ${field}`)
    return this.address + known.offset
  }

  get(field: string): number {
    return this.memory.view.getUint32(this.at(field), true)
  }

  set(field: string, value: number): void {
    this.memory.view.setUint32(this.at(field), value, true)
  }

  set64(field: string, value: bigint): void {
    this.memory.view.setBigUint64(this.at(field), value, true)
  }

  bytes(field: string, size: number): Uint8Array {
    return this.memory.read(this.at(field), size)
  }

  setBytes(field: string, bytes: Uint8Array): void {
    this.memory.write(this.at(field), bytes)
  }

  /** A 64-bit pointer; an offset of 0 is NULL. */
  setPointer(field: string, offset: number, region: number): void {
    const at = this.at(field)
    this.memory.view.setUint32(at, offset, true)
    this.memory.view.setInt32(at + 4, offset === 0 ? 0 : REGION_TAG | region, true)
  }

  /** The address that a pointer field holds: its low half. */
  pointer(field: string): number {
    return this.memory.view.getUint32(this.at(field), true)
  }

  /** Zeroed memory that lives as long as the context. */
  block(size: number): number {
    const offset = this.memory.allocate(Math.max(size, 8))
    if (offset === 0) throw new RangeError(`kernel memory is exhausted: ${size} bytes wanted`)
    this.blocks.push(offset)
    return offset
  }

  /** A region that goes with the context. */
  area(start: number, end: number, flags: number): number {
    const region = this.memory.createRegion(start, end, flags)
    this.regions.push(region)
    return region
  }

  free(): void {
    for (const region of this.regions) this.memory.destroyRegion(region)
    for (const block of this.blocks) this.memory.free(block)
    this.regions.length = 0
    this.blocks.length = 0
  }
}

/** A port as `be16` fields hold it in a 32-bit word. */
export function networkPort(port: number): number {
  return ((port & 0xff) << 8) | (port >> 8)
}
