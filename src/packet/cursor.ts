/**
 * The state of a dissection: where it stands in the frame, where the layer that it is in ends,
 * and what was found. A cursor never reads beyond `end`, which never grows.
 */

import { viewOf } from "../base/index.ts"
import type { Header, HeaderKind, Problem } from "./header.ts"

/** What the header that was just read says about the next one; `null`: only payload follows. */
export type Next =
  | { readonly by: "ethernet" }
  | { readonly by: "etherType"; readonly type: number }
  | { readonly by: "ipProtocol"; readonly protocol: number; readonly family: 4 | 6 }
  | { readonly by: "ipVersion" }
  | { readonly by: "udpPort"; readonly port: number }
  | null

export class Cursor {
  readonly bytes: Uint8Array
  readonly view: DataView
  readonly headers: Header[] = []
  readonly problems: Problem[] = []
  at = 0
  /** Whether the IP packet is the first of several fragments: lengths inside it cover them all. */
  fragmented = false
  end: number

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
    this.view = viewOf(bytes)
    this.end = bytes.length
  }

  /** Whether `size` more bytes are there; if not, notes that the header is cut. */
  has(header: HeaderKind, size: number): boolean {
    const available = this.end - this.at
    if (available >= size) return true
    const article = /^[aei]/.test(header) ? "an" : "a"
    const message = `${article} ${header} header has ${size} bytes, ${available} are there`
    this.note("truncated", header, message)
    return false
  }

  note(kind: Problem["kind"], header: HeaderKind, message: string): void {
    this.problems.push({ kind, header, offset: this.at, message })
  }

  /** Takes a header that was checked with `has`, and steps over it. */
  push(header: Header): void {
    this.headers.push(header)
    this.at += header.length
  }

  /** The layer ends after `length` bytes from `start`: what lies beyond is padding, or missing. */
  limit(header: HeaderKind, start: number, length: number): void {
    const available = this.end - start
    if (length > available)
      this.note("truncated", header, `${header} says ${length} bytes, ${available} are there`)
    else this.end = start + length
  }
}
