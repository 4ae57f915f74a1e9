/**
 * A kernel object that stands for something of the virtual world. It is written into kernel memory
 * when a program could first see it, keeps its address until it is released, and is rewritten when
 * what it stands for has changed.
 */

import { type FieldValue, kernelAddress, ObjectWriter, type WriterHost } from "./object-writer.ts"

export type MirrorFields = { readonly [field: string]: FieldValue | undefined }

export class Mirror {
  private readonly host: WriterHost
  private readonly struct: string
  private readonly fields: () => MirrorFields
  /** Strings and arrays that the fields point to. */
  private readonly writer: ObjectWriter
  private offset = 0

  /** @param fields are asked for at each writing; those that the struct does not have are left out. */
  constructor(host: WriterHost, struct: string, fields: () => MirrorFields) {
    this.host = host
    this.struct = struct
    this.fields = fields
    this.writer = new ObjectWriter(host)
  }

  /** As programs see it; 0 when these types have no such struct. */
  kernelAddress(): bigint {
    if (this.offset === 0) {
      const id = this.host.types.findByName(this.struct, "struct")
      if (id === undefined) return 0n
      this.offset = this.host.memory.allocate(Math.max(this.host.types.sizeOf(id), 8))
      if (this.offset === 0) throw new RangeError(`kernel memory is exhausted: ${this.struct}`)
      this.rewrite()
    }
    return kernelAddress(this.host.kernelRegion, this.offset)
  }

  /** Offset in linear memory, 0 while nobody has asked for it. */
  get address(): number {
    return this.offset
  }

  /** Brings the object up to date, if there is one. */
  refresh(): void {
    if (this.offset !== 0) this.rewrite()
  }

  release(): void {
    this.writer.release()
    this.host.memory.free(this.offset)
    this.offset = 0
  }

  private rewrite(): void {
    const { types } = this.host
    const id = types.findByName(this.struct, "struct")
    if (id === undefined) return
    this.writer.release()
    // An empty path lets the writer pass over fields that these types do not have.
    this.writer.write(id, this.offset, this.fields(), "")
  }
}
