/** What the steps of reading an object share. */

import type { MapDefinition } from "./model.ts"

/** How to read an object; see {@link import("./read.ts").readObject}. */
export interface ReadObjectOptions {
  /** File name or any other name: part of messages, and prefix of the names of data maps. */
  readonly name?: string
  /** Refuse what libbpf 1.x refuses; `readObject` lists it. */
  readonly strict?: boolean
}

/** A map and the bytes of the section that define it. */
export interface PlacedMap {
  readonly definition: MapDefinition
  /** ELF section index. */
  readonly section: number
  /** Bytes from the start of the section. */
  readonly offset: number
  readonly size: number
}

/** Collects warnings, each text once, and not more than anyone reads. */
export class Warnings {
  readonly list: string[] = []

  add(text: string): void {
    if (this.list.length < WARNINGS_MAX && !this.list.includes(text)) this.list.push(text)
  }
}

const WARNINGS_MAX = 100

/** A map definition with everything at its default. */
export function emptyMap(name: string, origin: MapDefinition["origin"]): MapDefinition {
  return {
    name,
    origin,
    type: 0,
    keySize: 0,
    valueSize: 0,
    maxEntries: 0,
    flags: 0,
    mapExtra: 0n,
    numaNode: 0,
    keyTypeId: 0,
    valueTypeId: 0,
    pinning: "none",
    inner: null,
    initial: [],
    section: null,
    data: null,
    readonly: false,
  }
}
