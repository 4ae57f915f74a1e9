/**
 * Types by name, without making a string of any name: a chained hash table over the bytes of the
 * string section (71,000 kernel names in tens of ms). The key is the essential name, i.e. without
 * a CO-RE flavour (`task_struct___old` → `task_struct`), so that one table answers both exact and
 * CO-RE look-ups. Chains go from low ids to high ones.
 */

import { utf8Bytes } from "../base/index.ts"

/** Where type records and strings lie; see {@link import("./btf.ts").Btf}. */
export interface NamedRecords {
  /** The string section of this BTF alone, and the joint offset of its first byte. */
  readonly strings: Uint8Array
  readonly stringsBase: number
  /** The name offsets (joint) of the records, by index. */
  nameOffset(index: number): number
  readonly count: number
  /** The bytes of a name whose offset lies below `stringsBase` (in the base BTF). */
  baseName(offset: number): Uint8Array
}

const UNDERSCORE = 0x5f

/**
 * Length of the name without flavour: up to the last `___` that has characters on both sides which
 * are not underscores (libbpf: bpf_core_essential_name_len).
 */
export function essentialLength(name: Uint8Array, start: number, end: number): number {
  for (let i = end - 5; i >= start; i--) {
    if (
      name[i + 1] === UNDERSCORE &&
      name[i + 2] === UNDERSCORE &&
      name[i + 3] === UNDERSCORE &&
      name[i] !== UNDERSCORE &&
      name[i + 4] !== UNDERSCORE
    )
      return i + 1 - start
  }
  return end - start
}

/** {@link essentialLength} on text. */
export function essentialName(name: string): string {
  for (let i = name.length - 5; i >= 0; i--)
    if (name[i] !== "_" && name[i + 4] !== "_" && name.startsWith("___", i + 1))
      return name.slice(0, i + 1)
  return name
}

/** The index of one BTF (not of its base). */
export class NameIndex {
  private readonly records: NamedRecords
  /** First record + 1 of each bucket; 0 = none. */
  private readonly heads: Uint32Array
  /** Next record + 1 of the same bucket. */
  private readonly next: Uint32Array
  private readonly mask: number

  constructor(records: NamedRecords) {
    this.records = records
    const { count, strings, stringsBase } = records
    let buckets = 16
    while (buckets < count) buckets *= 2
    this.mask = buckets - 1
    this.heads = new Uint32Array(buckets)
    this.next = new Uint32Array(count)
    for (let index = count - 1; index >= 0; index--) {
      const offset = records.nameOffset(index)
      let bucket: number
      if (offset >= stringsBase) {
        const start = offset - stringsBase
        if (start >= strings.length || strings[start] === 0) continue
        bucket = hashName(strings, start, strings.length) & this.mask
      } else {
        if (offset === 0) continue
        const name = records.baseName(offset)
        if (name.length === 0) continue
        bucket = hashName(name, 0, name.length) & this.mask
      }
      this.next[index] = this.heads[bucket]
      this.heads[bucket] = index + 1
    }
  }

  /** Indexes of the records named exactly `name`, ascending. */
  find(name: string): number[] {
    const key = utf8Bytes(name)
    return this.chain(key, (bytes, start, end) => equalRange(key, key.length, bytes, start, end))
  }

  /** Indexes of the records whose name without flavour is `essential`, ascending. */
  findEssential(essential: string): number[] {
    const key = utf8Bytes(essential)
    return this.chain(key, (bytes, start, end) => {
      const length = essentialLength(bytes, start, end)
      return length === key.length && equalRange(key, length, bytes, start, start + length)
    })
  }

  private chain(
    key: Uint8Array,
    matches: (bytes: Uint8Array, start: number, end: number) => boolean,
  ): number[] {
    const { records } = this
    const found: number[] = []
    if (key.length === 0) return found
    let at = this.heads[hashName(key, 0, key.length) & this.mask]
    while (at !== 0) {
      const index = at - 1
      const offset = records.nameOffset(index)
      if (offset >= records.stringsBase) {
        const start = offset - records.stringsBase
        const end = records.strings.indexOf(0, start)
        if (matches(records.strings, start, end)) found.push(index)
      } else {
        const name = records.baseName(offset)
        if (matches(name, 0, name.length)) found.push(index)
      }
      at = this.next[index]
    }
    return found
  }
}

/** FNV-1a over the essential part of the name that ends at a zero byte or at `limit`. */
function hashName(bytes: Uint8Array, start: number, limit: number): number {
  let hash = 0x811c9dc5
  // The hash before the last `___`: what counts if that turns out to start a flavour.
  let essential = 0
  let flavoured = false
  for (let i = start; i < limit; i++) {
    const byte = bytes[i]
    if (byte === 0) break
    if (
      byte === UNDERSCORE &&
      i > start &&
      bytes[i - 1] !== UNDERSCORE &&
      i + 3 < limit &&
      bytes[i + 1] === UNDERSCORE &&
      bytes[i + 2] === UNDERSCORE &&
      bytes[i + 3] !== UNDERSCORE &&
      bytes[i + 3] !== 0
    ) {
      essential = hash
      flavoured = true
    }
    hash = Math.imul(hash ^ byte, 0x01000193)
  }
  const result = flavoured ? essential : hash
  return result ^ (result >>> 15)
}

function equalRange(
  key: Uint8Array,
  length: number,
  bytes: Uint8Array,
  start: number,
  end: number,
): boolean {
  if (end - start !== length) return false
  for (let i = 0; i < length; i++) if (key[i] !== bytes[start + i]) return false
  return true
}
