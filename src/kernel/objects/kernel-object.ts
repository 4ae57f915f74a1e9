/**
 * Reference-counted kernel objects. File descriptors, pins, links, programs (on their maps) and
 * maps (on inner maps and tail-call targets) each hold a reference; the object is released when
 * the last one goes. JavaScript's garbage collector is never what closes an object.
 */

import type { Link } from "../hooks/link.ts"
import type { BpfIterator } from "../iterators/iterator.ts"
import type { BpfMap } from "../maps/map.ts"
import type { NetNamespace } from "../net/namespace.ts"
import type { Socket } from "../net/socket.ts"
import type { Program } from "../programs/program.ts"
import type { BtfObject } from "./btf-object.ts"
import type { PerfEventHandle } from "./perf-event.ts"

/** A map with what user space said about it. */
export interface MapEntry {
  readonly map: BpfMap
  readonly btf: KernelObject<"btf"> | null
  readonly keyTypeId: number
  readonly valueTypeId: number
  /** Descriptors and pins: a prog array is emptied when the last of these goes (bpf_map_put_uref). */
  userReferences: number
}

/** A cgroup v2 directory of the virtual world, opened as LINK_CREATE's target. */
export interface CgroupHandle {
  readonly path: string
}

/** A network namespace, opened as LINK_CREATE's target. */
export interface NetNamespaceHandle {
  readonly namespace: NetNamespace
}

/** What each kind of object holds. */
export interface ObjectValues {
  map: MapEntry
  program: Program
  btf: BtfObject
  link: Link
  cgroup: CgroupHandle
  perf_event: PerfEventHandle
  iter: BpfIterator
  stats: { readonly type: number }
  socket: Socket
  netns: NetNamespaceHandle
}

export type ObjectKind = keyof ObjectValues

export class KernelObject<K extends ObjectKind = ObjectKind> {
  readonly kind: K
  readonly value: ObjectValues[K]
  private references = 0
  private readonly onRelease: () => void

  /** Starts without a reference: the creator takes the first with {@link get}. */
  constructor(kind: K, value: ObjectValues[K], onRelease: () => void) {
    this.kind = kind
    this.value = value
    this.onRelease = onRelease
  }

  get(): this {
    this.references++
    return this
  }

  put(): void {
    this.references--
    if (this.references === 0) this.onRelease()
  }

  get referenceCount(): number {
    return this.references
  }
}

/** Whether `object` is of a kind; narrows its value. */
export function isKind<K extends ObjectKind>(
  object: KernelObject,
  kind: K,
): object is KernelObject<K> & KernelObject {
  return object.kind === kind
}
