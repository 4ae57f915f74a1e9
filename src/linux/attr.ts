/**
 * Packing of `union bpf_attr`: fields at their offsets, byte strings as pointers. The arrays whose
 * addresses go in are kept until the call is over.
 */

import type { Native } from "./syscall.ts"

/** Bytes of `union bpf_attr` that we fill; the kernel takes any size up to its own. */
export const ATTR_BYTES = 168

export class Attr {
  readonly bytes: Uint8Array = new Uint8Array(ATTR_BYTES)
  private readonly view = new DataView(this.bytes.buffer)
  private readonly native: Native
  private readonly kept: ArrayBufferView[] = []

  constructor(native: Native) {
    this.native = native
  }

  u32(offset: number, value: number | undefined): this {
    if (value) this.view.setUint32(offset, value >>> 0, true)
    return this
  }

  u64(offset: number, value: bigint | undefined): this {
    if (value) this.view.setBigUint64(offset, BigInt.asUintN(64, value), true)
    return this
  }

  pointer(offset: number, bytes: ArrayBufferView | undefined): this {
    if (bytes === undefined) return this
    this.kept.push(bytes)
    this.view.setBigUint64(offset, this.native.addressOf(bytes), true)
    return this
  }

  /** The address of bytes that something else than the attribute points to. */
  keep(bytes: ArrayBufferView): bigint {
    this.kept.push(bytes)
    return this.native.addressOf(bytes)
  }

  /** A string behind a pointer. */
  text(offset: number, text: string | undefined): this {
    return text === undefined ? this : this.pointer(offset, new TextEncoder().encode(`${text}\0`))
  }

  /** A name in place, at most 16 bytes. */
  name(offset: number, text: string | undefined): this {
    if (text) this.bytes.set(new TextEncoder().encode(text).subarray(0, 16), offset)
    return this
  }

  /**
   * To be called after the system call: without a later use, the collector may take the arrays
   * whose addresses the kernel was given while it still reads them.
   */
  keepAlive(): number {
    return this.kept.length
  }

  getU32(offset: number): number {
    return this.view.getUint32(offset, true)
  }

  getU64(offset: number): bigint {
    return this.view.getBigUint64(offset, true)
  }
}
