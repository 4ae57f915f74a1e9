/**
 * A BTF in memory. Reading it indexes where types start and nothing else; a type is decoded when
 * asked for, names are hashed when first searched. So a 5.5 MB kernel BTF costs a few ms to open.
 *
 * A split BTF (a module's, a program's on top of vmlinux) continues the ids and the string offsets
 * of its base: `type`, `string` and `findByName` see both.
 *
 * BTF may come from anyone. Whatever is wrong in it is an {@link ObjectError} with its offset, now
 * or when the type is asked for; nothing loops or recurses without a limit.
 */

import { cString, ObjectError } from "../base/index.ts"
import { decodeType, KIND_NAMES, type RecordContext } from "./decode.ts"
import { type BtfFrame, indexTypes, readFrame } from "./header.ts"
import * as layout from "./layout.ts"
import { NameIndex } from "./name-index.ts"
import { spellType } from "./spelling.ts"
import type { BtfKind, BtfType, BtfTypeOf, TypeSource } from "./types.ts"

/** What bytes alone do not tell about a BTF. */
export interface ReadBtfOptions {
  /** The BTF whose ids and strings this one continues. */
  readonly base?: Btf
  /** What the bytes are called in messages; `.BTF` unless given. */
  readonly section?: string
}

/**
 * Reads BTF of either byte order, as `.BTF` sections and /sys/kernel/btf/* hold it.
 *
 * @throws ObjectError for a malformed header or type section.
 */
export function readBtf(bytes: Uint8Array, options: ReadBtfOptions = {}): Btf {
  return new Btf(bytes, options)
}

/** {@link cString}, four times faster for the short ASCII names that BTF is full of. */
function shortText(bytes: Uint8Array, start: number): string {
  let end = start
  while (bytes[end] !== 0) if (bytes[end++] > 0x7f || end - start > 64) return cString(bytes, start)
  return String.fromCharCode.apply(null, bytes.subarray(start, end) as unknown as number[])
}

const VOID: BtfType = { kind: "void", id: 0, name: "" }

/** The types of an object file, a kernel or a module. Made by {@link readBtf}. */
export class Btf implements TypeSource {
  /** The BTF as read (a split one without its base). */
  readonly bytes: Uint8Array
  readonly littleEndian: boolean
  readonly base: Btf | null
  /** The first id that is not in the base: 1 without a base. */
  readonly firstId: number
  /** One more than the largest id. Ids are 0 (void) to `typeCount - 1`. */
  readonly typeCount: number
  /** Bytes of a pointer; eBPF's own types and 64-bit kernels have 8. */
  readonly pointerSize = 8
  /** The offset of the first string that is not in the base. */
  readonly stringsBase: number
  private readonly section: string
  private readonly frame: BtfFrame
  private readonly offsets: Uint32Array
  private readonly context: RecordContext
  private readonly decoded = new Map<number, BtfType>()
  private names: NameIndex | null = null
  private tags: Map<number, number[]> | null = null

  constructor(bytes: Uint8Array, options: ReadBtfOptions = {}) {
    this.bytes = bytes
    this.section = options.section ?? ".BTF"
    this.base = options.base ?? null
    this.frame = readFrame(bytes, this.section, this.base !== null)
    this.littleEndian = this.frame.littleEndian
    if (this.base !== null && this.base.littleEndian !== this.littleEndian)
      throw new ObjectError("split BTF and its base differ in byte order", {
        section: this.section,
        offset: 0,
      })
    this.offsets = indexTypes(bytes, this.frame, this.section)
    this.firstId = this.base?.typeCount ?? 1
    this.typeCount = this.firstId + this.offsets.length
    this.stringsBase = this.base?.stringsEnd ?? 0
    this.context = {
      view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength),
      littleEndian: this.littleEndian,
      typeCount: this.typeCount,
      section: this.section,
      string: (offset) => this.string(offset),
    }
  }

  /** One more than the largest string offset of this BTF and its base. */
  get stringsEnd(): number {
    return this.stringsBase + this.frame.stringsEnd - this.frame.stringsStart
  }

  /**
   * The type with an id.
   *
   * @throws RangeError if there is no such id, ObjectError if its record is malformed.
   */
  type(id: number): BtfType {
    if (id === 0) return VOID
    if (id < this.firstId && this.base !== null) return this.base.type(id)
    const known = this.decoded.get(id)
    if (known !== undefined) return known
    const type = decodeType(this.context, id, this.recordOffset(id))
    this.decoded.set(id, type)
    return type
  }

  /** The kind of a type, without decoding it. */
  kindOf(id: number): BtfKind {
    if (id === 0) return "void"
    if (id < this.firstId && this.base !== null) return this.base.kindOf(id)
    const info = this.context.view.getUint32(this.recordOffset(id) + 4, this.littleEndian)
    return KIND_NAMES[(info >>> 24) & 0x1f]
  }

  /**
   * The type with an id, which must be of a given kind.
   *
   * @throws ObjectError if it is another kind.
   */
  typeOf<K extends BtfKind>(id: number, kind: K): BtfTypeOf<K> {
    const type = this.type(id)
    if (type.kind !== kind)
      throw new ObjectError(`type ${id} is ${type.kind} '${type.name}', not ${kind}`, {
        section: this.section,
      })
    return type as BtfTypeOf<K>
  }

  /** All types of this BTF (not of its base), in order of ids. */
  *types(): IterableIterator<BtfType> {
    for (let id = this.firstId; id < this.typeCount; id++) yield this.type(id)
  }

  /** The lowest id of a type with this exact name (and kind); `undefined` if there is none. */
  findByName(name: string, kind?: BtfKind): number | undefined {
    return this.findAll(name, kind)[0]
  }

  /** The ids of all types with this exact name (and kind), ascending. */
  findAll(name: string, kind?: BtfKind): number[] {
    const found = this.nameIndex.find(name).map((index) => index + this.firstId)
    const own = kind === undefined ? found : found.filter((id) => this.kindOf(id) === kind)
    return this.base === null ? own : [...this.base.findAll(name, kind), ...own]
  }

  /**
   * The ids of all types whose name without CO-RE flavour is `name`: `task_struct` finds both
   * `task_struct` and `task_struct___old`.
   */
  findFlavours(name: string): number[] {
    const own = this.nameIndex.findEssential(name).map((index) => index + this.firstId)
    return this.base === null ? own : [...this.base.findFlavours(name), ...own]
  }

  /**
   * The string at an offset of the (joint) string section.
   *
   * @throws ObjectError if the offset lies outside it.
   */
  string(offset: number): string {
    if (offset === 0) return ""
    if (offset < this.stringsBase && this.base !== null) return this.base.string(offset)
    return shortText(this.bytes, this.stringStart(offset))
  }

  /** The bytes of the string at an offset, without its terminating zero. Errors as {@link string}. */
  stringBytes(offset: number): Uint8Array {
    if (offset === 0) return new Uint8Array(0)
    if (offset < this.stringsBase && this.base !== null) return this.base.stringBytes(offset)
    const start = this.stringStart(offset)
    return this.bytes.subarray(start, this.bytes.indexOf(0, start))
  }

  private stringStart(offset: number): number {
    const at = this.frame.stringsStart + offset - this.stringsBase
    if (at >= this.frame.stringsEnd)
      throw new ObjectError(`string offset ${offset} is not below ${this.stringsEnd}`, {
        section: this.section,
        offset: at,
      })
    return at
  }

  /** The first id that is no typedef, qualifier or tag. See {@link layout.skipModifiers}. */
  skipModifiers(id: number): number {
    return layout.skipModifiers(this, id)
  }

  /** The type behind typedefs, qualifiers and tags. */
  resolve(id: number): BtfType {
    return this.type(layout.skipModifiers(this, id))
  }

  /** `sizeof`, in bytes. See {@link layout.sizeOf}. */
  sizeOf(id: number): number {
    return layout.sizeOf(this, id)
  }

  /** `alignof`, in bytes. See {@link layout.alignOf}. */
  alignOf(id: number): number {
    return layout.alignOf(this, id)
  }

  /** C spelling: `const struct task_struct *`. */
  typeName(id: number): string {
    return spellType(this, id)
  }

  /** The texts of the decl_tags on a type (or on its member or parameter `componentIndex`). */
  declTags(id: number, componentIndex = -1): string[] {
    const tags: string[] = this.base !== null ? this.base.declTags(id, componentIndex) : []
    this.tags ??= this.collectTags()
    for (const tagId of this.tags.get(id) ?? []) {
      const tag = this.type(tagId)
      if (tag.kind === "decl_tag" && tag.componentIndex === componentIndex) tags.push(tag.name)
    }
    return tags
  }

  private collectTags(): Map<number, number[]> {
    const tags = new Map<number, number[]>()
    for (let id = this.firstId; id < this.typeCount; id++) {
      if (this.kindOf(id) !== "decl_tag") continue
      const target = this.context.view.getUint32(this.recordOffset(id) + 8, this.littleEndian)
      const list = tags.get(target)
      if (list === undefined) tags.set(target, [id])
      else list.push(id)
    }
    return tags
  }

  /** Where the record of a type of this BTF (not of its base) starts, in bytes of `bytes`. */
  recordOffset(id: number): number {
    const index = id - this.firstId
    if (!(index >= 0 && index < this.offsets.length))
      throw new RangeError(`type id ${id} is not in 0 to ${this.typeCount - 1}`)
    return this.offsets[index]
  }

  private get nameIndex(): NameIndex {
    if (this.names !== null) return this.names
    const { offsets, littleEndian, base, frame } = this
    const { view } = this.context
    this.names = new NameIndex({
      strings: this.bytes.subarray(frame.stringsStart, frame.stringsEnd),
      stringsBase: this.stringsBase,
      count: offsets.length,
      nameOffset: (index) => view.getUint32(offsets[index], littleEndian),
      baseName: (offset) => (base === null ? new Uint8Array(0) : base.stringBytes(offset)),
    })
    return this.names
  }
}
