/**
 * Reading an iterator: the program runs for one object after the other and writes text, a buffer
 * of eight pages is filled and handed out (linux v6.18 kernel/bpf/bpf_iter.c bpf_seq_read).
 */

import { REGION_READ } from "../../interpreter/index.ts"
import { ERRNO } from "../../spec/index.ts"
import type { KernelState, SequenceFile } from "../environment.ts"
import type { KernelObject } from "../objects/kernel-object.ts"
import { kernelAddress, Mirror, ObjectWriter } from "../types/index.ts"

/** PAGE_SIZE << 3: text of one read at most. */
const BUFFER_BYTES = 32768

/** The words of a context after `meta` for one object; made in the memory of `writer`. */
export type IteratorItem = (writer: ObjectWriter) => readonly bigint[]

/** What an iterator goes through, found when it is first read. */
export interface IteratorSource {
  /** Words after `meta`: the last call gets that many NULLs. */
  readonly words: number
  items(): readonly IteratorItem[]
}

export class BpfIterator {
  private readonly kernel: KernelState
  private readonly program: () => KernelObject<"program">
  private readonly source: IteratorSource
  private readonly sessionId: bigint
  private readonly text: Text
  private readonly region: number
  private items: readonly IteratorItem[] | null = null
  private index = 0
  private sequenceNumber = 0n
  private isDone = false
  /** Text of the last filling that has not been handed out. */
  private left: Uint8Array = new Uint8Array(0)

  constructor(
    kernel: KernelState,
    options: { program: () => KernelObject<"program">; source: IteratorSource; sessionId: bigint },
  ) {
    this.kernel = kernel
    this.program = options.program
    this.source = options.source
    this.sessionId = options.sessionId
    this.text = new Text(kernel)
    this.region = kernel.memory.createRegion(0, 0, 0)
  }

  /** Bytes read, 0 at the end, or a negative errno. */
  read(into: Uint8Array): number {
    if (this.left.length === 0) {
      const result = this.fill()
      if (result < 0) return result
      this.left = this.text.take()
    }
    const count = Math.min(this.left.length, into.length)
    into.set(this.left.subarray(0, count))
    this.left = this.left.subarray(count)
    return count
  }

  /** Gives memory back. */
  close(): void {
    this.text.release()
    this.kernel.memory.destroyRegion(this.region)
  }

  /** Runs the program until the buffer is full or there is no object left. */
  private fill(): number {
    this.items ??= this.source.items()
    while (this.index < this.items.length) {
      const before = this.text.count
      const result = this.show(this.items[this.index])
      if (result < 0 || this.text.overflowed) {
        // Text of an object that did not fit is made again by the next read.
        this.text.truncate(before)
        if (before > 0) return 0
        return result < 0 ? result : -ERRNO.E2BIG
      }
      this.index++
      if (this.index < this.items.length) this.sequenceNumber++
    }
    if (this.isDone) return 0
    const before = this.text.count
    this.show(() => new Array<bigint>(this.source.words).fill(0n))
    if (!this.text.overflowed) this.isDone = true
    else {
      this.text.truncate(before)
      if (before === 0) return -ERRNO.E2BIG
    }
    return 0
  }

  private show(item: IteratorItem): number {
    const { kernel } = this
    const { memory } = kernel
    const writer = new ObjectWriter(kernel)
    try {
      const metaId = kernel.types.findByName("bpf_iter_meta", "struct")
      const meta =
        metaId === undefined
          ? 0n
          : writer.address(
              writer.create(metaId, {
                seq: this.text.address,
                session_id: this.sessionId,
                seq_num: this.sequenceNumber,
              }),
            )
      const words = [meta, ...item(writer)]
      const context = writer.allocate(8 * words.length)
      words.forEach((word, index) => {
        memory.view.setBigUint64(context + 8 * index, word, true)
      })
      memory.setRegion(this.region, context, context + 8 * words.length, REGION_READ)
      const outcome = kernel.run(this.program().value, {
        context,
        contextRegion: this.region,
        sequence: this.text,
      })
      if (outcome.fault !== null) return -ERRNO.EFAULT
      return outcome.low === 0 ? 0 : -ERRNO.EAGAIN
    } finally {
      writer.release()
    }
  }
}

/** The buffer behind a `struct seq_file`. */
class Text implements SequenceFile {
  count = 0
  overflowed = false
  private bytes = new Uint8Array(1024)
  private readonly mirror: Mirror

  constructor(kernel: KernelState) {
    this.mirror = new Mirror(kernel, "seq_file", () => ({ size: BUFFER_BYTES, count: this.count }))
  }

  get address(): bigint {
    return this.mirror.kernelAddress()
  }

  append(bytes: Uint8Array): boolean {
    // seq_write and seq_bprintf keep one byte free: a full buffer is one that overflowed.
    if (this.overflowed || this.count + bytes.length >= BUFFER_BYTES) {
      this.overflowed = true
      return false
    }
    if (this.count + bytes.length > this.bytes.length) {
      const larger = new Uint8Array(2 * (this.count + bytes.length))
      larger.set(this.bytes.subarray(0, this.count))
      this.bytes = larger
    }
    this.bytes.set(bytes, this.count)
    this.count += bytes.length
    return true
  }

  truncate(count: number): void {
    this.count = count
    this.overflowed = false
  }

  take(): Uint8Array {
    const taken = this.bytes.slice(0, this.count)
    this.truncate(0)
    return taken
  }

  release(): void {
    this.mirror.release()
  }
}

/** An address in a region as a word of a context. */
export function wordOf(region: number, offset: number): bigint {
  return offset === 0 ? 0n : kernelAddress(region, offset)
}
