/**
 * Memory of the virtual processes: where strings and buffers lie that system calls are given. One
 * arena, emptied when the outermost event is over.
 */

import { REGION_READ, REGION_TAG, REGION_WRITE } from "../../interpreter/index.ts"
import type { KernelMemory } from "../memory/kernel-memory.ts"

/** Bytes that the arguments of one event (and events nested in it) may take. */
const ARENA_BYTES = 1 << 18

export class UserMemory {
  readonly region: number
  private readonly memory: KernelMemory
  private readonly start: number
  private used = 0

  constructor(memory: KernelMemory) {
    this.memory = memory
    this.start = memory.allocate(ARENA_BYTES, 4096)
    if (this.start === 0) throw new RangeError("kernel memory is exhausted: no user memory")
    this.region = memory.createRegion(
      this.start,
      this.start + ARENA_BYTES,
      REGION_READ | REGION_WRITE,
    )
  }

  /** Copies bytes in; returns their address as a program sees it. */
  place(bytes: Uint8Array): bigint {
    // Strings are followed by zeros, so that a string read never runs into the next one.
    const size = (bytes.length + 8 + 7) & ~7
    if (this.used + size > ARENA_BYTES)
      throw new RangeError(`the arguments of an event take more than ${ARENA_BYTES} bytes`)
    const offset = this.start + this.used
    this.memory.u8.fill(0, offset, offset + size)
    this.memory.write(offset, bytes)
    this.used += size
    return (BigInt((REGION_TAG | this.region) >>> 0) << 32n) | BigInt(offset)
  }

  placeString(text: string): bigint {
    return this.place(new TextEncoder().encode(`${text}\0`))
  }

  /** Room for what the kernel will write; returns its address. */
  reserve(size: number): bigint {
    return this.place(new Uint8Array(size))
  }

  /** Offset in linear memory of `size` bytes at an address; -1 when they are not user memory. */
  private offsetOf(address: bigint, size: number): number {
    if (address >> 32n !== BigInt((REGION_TAG | this.region) >>> 0)) return -1
    const offset = Number(address & 0xffffffffn)
    const inside = offset >= this.start && offset + size <= this.start + ARENA_BYTES
    return inside ? offset : -1
  }

  /** Copies in, as copy_to_user; false for an address that is not there. */
  write(address: bigint, bytes: Uint8Array): boolean {
    const offset = this.offsetOf(address, bytes.length)
    if (offset < 0) return false
    this.memory.write(offset, bytes)
    return true
  }

  /** Copies out, as copy_from_user; undefined for an address that is not there. */
  read(address: bigint, size: number): Uint8Array | undefined {
    const offset = this.offsetOf(address, size)
    return offset < 0 ? undefined : this.memory.read(offset, size)
  }

  /** A zero-terminated string, as strncpy_from_user; undefined for an address that is not there. */
  readString(address: bigint): string | undefined {
    const offset = this.offsetOf(address, 1)
    if (offset < 0) return undefined
    const { u8 } = this.memory
    const end = u8.indexOf(0, offset)
    return new TextDecoder().decode(u8.subarray(offset, Math.min(end, this.start + ARENA_BYTES)))
  }

  mark(): number {
    return this.used
  }

  release(mark: number): void {
    this.used = mark
  }
}
