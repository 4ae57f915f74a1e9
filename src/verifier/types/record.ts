/**
 * Special fields of a map's value or an allocated object: locks, timers, kernel pointers, list and
 * tree nodes. They are found by the names of their types, also inside of nested structs and arrays.
 *
 * A malformed record is none: such maps cannot be created, and such types not be allocated.
 *
 * Source: linux v6.18 kernel/bpf/btf.c btf_parse_fields, btf_find_kptr; struct btf_record.
 */

import type { Btf, BtfType } from "../../btf/index.ts"
import {
  BASE_TYPE_MASK,
  MEM_ALLOC,
  PTR_TO_BTF_ID,
  PTR_TO_MAP_VALUE,
} from "../state/register-types.ts"
import { aOf, bOf, typeOf } from "../state/registers.ts"
import type { Verifier } from "../verifier.ts"

export type FieldKind =
  | "spin_lock"
  | "res_spin_lock"
  | "timer"
  | "workqueue"
  | "task_work"
  | "kptr_unref"
  | "kptr_ref"
  | "kptr_percpu"
  | "uptr"
  | "list_head"
  | "list_node"
  | "rb_root"
  | "rb_node"
  | "refcount"

/** What a kptr points to. */
export interface KptrTarget {
  readonly btf: Btf
  readonly typeId: number
  /** Of a type of the kernel; otherwise of the program (bpf_obj_new). */
  readonly kernel: boolean
}

/** What a list head or tree root contains: `__contains(type, node)`. */
export interface GraphTarget {
  readonly btf: Btf
  readonly typeId: number
  /** Offset of the node in the contained type. */
  readonly nodeOffset: number
}

export interface RecordField {
  readonly kind: FieldKind
  readonly offset: number
  readonly size: number
  readonly kptr: KptrTarget | null
  readonly graph: GraphTarget | null
}

/** Linux: struct btf_record. */
export class BtfRecord {
  /** By offset. */
  readonly fields: readonly RecordField[]
  /** Offsets of the fields that exist once; -1 for none. */
  readonly spinLockOffset: number
  readonly resSpinLockOffset: number
  readonly timerOffset: number
  readonly workqueueOffset: number
  readonly taskWorkOffset: number
  readonly refcountOffset: number

  constructor(fields: readonly RecordField[]) {
    this.fields = fields
    const offsetOf = (kind: FieldKind): number =>
      fields.find((field) => field.kind === kind)?.offset ?? -1
    this.spinLockOffset = offsetOf("spin_lock")
    this.resSpinLockOffset = offsetOf("res_spin_lock")
    this.timerOffset = offsetOf("timer")
    this.workqueueOffset = offsetOf("workqueue")
    this.taskWorkOffset = offsetOf("task_work")
    this.refcountOffset = offsetOf("refcount")
  }

  has(kind: FieldKind): boolean {
    return this.fields.some((field) => field.kind === kind)
  }

  /** The field that starts at `offset`, of one of the kinds (any without). */
  find(offset: number, ...kinds: FieldKind[]): RecordField | undefined {
    return this.fields.find(
      (field) => field.offset === offset && (kinds.length === 0 || kinds.includes(field.kind)),
    )
  }
}

interface Special {
  readonly kind: FieldKind
  readonly size: number
  readonly align: number
  /** At most one in a type. */
  readonly once: boolean
}

function special(kind: FieldKind, size: number, align: number, once = false): Special {
  return { kind, size, align, once }
}

/** By the name of the struct. */
const SPECIALS: ReadonlyMap<string, Special> = new Map([
  ["bpf_spin_lock", special("spin_lock", 4, 4, true)],
  ["bpf_res_spin_lock", special("res_spin_lock", 4, 4, true)],
  ["bpf_timer", special("timer", 16, 8, true)],
  ["bpf_wq", special("workqueue", 16, 8, true)],
  ["bpf_task_work", special("task_work", 8, 8, true)],
  ["bpf_list_head", special("list_head", 16, 8)],
  ["bpf_list_node", special("list_node", 24, 8)],
  ["bpf_rb_root", special("rb_root", 16, 8)],
  ["bpf_rb_node", special("rb_node", 32, 8)],
  ["bpf_refcount", special("refcount", 4, 4, true)],
])

const KPTR_TAGS: ReadonlyMap<string, FieldKind> = new Map([
  ["kptr_untrusted", "kptr_unref"],
  ["kptr", "kptr_ref"],
  ["percpu_kptr", "kptr_percpu"],
  ["uptr", "uptr"],
])

const NAMES: Readonly<Record<FieldKind, string>> = {
  spin_lock: "bpf_spin_lock",
  res_spin_lock: "bpf_res_spin_lock",
  timer: "bpf_timer",
  workqueue: "bpf_wq",
  task_work: "bpf_task_work",
  kptr_unref: "kptr",
  kptr_ref: "kptr",
  kptr_percpu: "percpu_kptr",
  uptr: "uptr",
  list_head: "bpf_list_head",
  list_node: "bpf_list_node",
  rb_root: "bpf_rb_root",
  rb_node: "bpf_rb_node",
  refcount: "bpf_refcount",
}

/** The kernel's word for a field in messages. */
export function fieldName(kind: FieldKind): string {
  return NAMES[kind]
}

/** Whether the field is a pointer that programs load, as opposed to something opaque. */
export function isPointerField(kind: FieldKind): boolean {
  return kind === "kptr_unref" || kind === "kptr_ref" || kind === "kptr_percpu" || kind === "uptr"
}

/** Kinds that cannot be in a map's value, and those that cannot be in an allocated object. */
const NOT_IN_MAPS: ReadonlySet<FieldKind> = new Set(["list_node", "rb_node"])
const NOT_ALLOCATED: ReadonlySet<FieldKind> = new Set(["timer", "workqueue", "task_work", "uptr"])

/** BTF_FIELDS_MAX. */
const FIELDS_MAX = 11
/** Nested structs and arrays that are searched: MAX_RESOLVE_DEPTH. */
const DEPTH_MAX = 32

class Malformed extends Error {}

class FieldFinder {
  readonly fields: RecordField[] = []
  private readonly btf: Btf
  private readonly kernelBtf: () => Btf
  private readonly excluded: ReadonlySet<FieldKind>
  private readonly seen = new Set<FieldKind>()

  constructor(btf: Btf, kernelBtf: () => Btf, excluded: ReadonlySet<FieldKind>) {
    this.btf = btf
    this.kernelBtf = kernelBtf
    this.excluded = excluded
  }

  /** All fields of a struct or of a data section, at `base` in the value. */
  composite(type: BtfType, base: number, depth: number): void {
    if (depth >= DEPTH_MAX) throw new Malformed()
    if (type.kind === "struct")
      type.members.forEach((member, index) => {
        if (member.bitOffset % 8 !== 0) return
        this.variable(member.type, base + member.bitOffset / 8, {
          depth,
          tags: () => this.btf.declTags(type.id, index),
        })
      })
    if (type.kind === "datasec")
      for (const { type: id, offset } of type.variables) {
        const variable = this.btf.type(id)
        if (variable.kind !== "var") continue
        this.variable(variable.type, base + offset, { depth, tags: () => this.btf.declTags(id) })
      }
  }

  private variable(
    id: number,
    offset: number,
    from: { readonly depth: number; readonly tags: () => string[] },
  ): void {
    const { btf } = this
    let type = btf.type(id)
    let count = 1
    for (let depth = 0; type.kind === "array"; depth++) {
      if (depth >= DEPTH_MAX) throw new Malformed()
      count *= type.length
      type = btf.type(type.type)
    }
    if (count === 0) return
    const known = type.kind === "struct" ? SPECIALS.get(type.name) : undefined
    if (known !== undefined && !this.excluded.has(known.kind)) {
      if (type.kind === "struct" && type.size !== known.size) return
      if (offset % known.align !== 0) return
      if (known.once && (this.seen.has(known.kind) || count > 1)) throw new Malformed()
      this.seen.add(known.kind)
      const graph = known.kind === "list_head" || known.kind === "rb_root"
      const target = graph ? this.graphTarget(known.kind, from.tags()) : null
      if (graph && target === null) return
      this.add(count, known.size, { kind: known.kind, offset, kptr: null, graph: target })
    } else if (type.kind === "struct") {
      const before = this.fields.length
      this.composite(type, offset, from.depth + 1)
      const found = this.fields.slice(before)
      if (found.length === 0) return
      for (let index = 1; index < count; index++)
        for (const field of found) this.push({ ...field, offset: field.offset + index * type.size })
    } else {
      const kptr = this.kptr(type)
      if (kptr === null || offset % 8 !== 0) return
      this.add(count, 8, { ...kptr, offset, graph: null })
    }
  }

  private add(count: number, size: number, field: Omit<RecordField, "size">): void {
    for (let index = 0; index < count; index++)
      this.push({ ...field, size, offset: field.offset + index * size })
  }

  private push(field: RecordField): void {
    if (this.fields.length >= FIELDS_MAX) throw new Malformed()
    this.fields.push(field)
  }

  /** A pointer with a kptr's type tag. */
  private kptr(declared: BtfType): { readonly kind: FieldKind; readonly kptr: KptrTarget } | null {
    const { btf } = this
    const pointer = declared.kind === "volatile" ? btf.type(declared.type) : declared
    if (pointer.kind !== "ptr") return null
    const tag = btf.type(pointer.type)
    if (tag.kind !== "type_tag" || tag.attribute) return null
    const kind = KPTR_TAGS.get(tag.name)
    if (kind === undefined || btf.kindOf(tag.type) === "type_tag") throw new Malformed()
    if (this.excluded.has(kind)) return null
    const typeId = btf.skipModifiers(tag.type)
    const target = btf.type(typeId)
    if (target.kind !== "struct") throw new Malformed()
    if (kind === "uptr") return { kind, kptr: { btf, typeId, kernel: false } }
    const kernelBtf = this.kernelBtf()
    const kernelId = kernelBtf.findByName(target.name, "struct")
    return kernelId === undefined
      ? { kind, kptr: { btf, typeId, kernel: false } }
      : { kind, kptr: { btf: kernelBtf, typeId: kernelId, kernel: true } }
  }

  /** What the decl_tag `contains:type:node` on a list head or tree root names. */
  private graphTarget(kind: FieldKind, tags: readonly string[]): GraphTarget | null {
    const { btf } = this
    const text = tags.find((tag) => tag.startsWith("contains:"))
    if (text === undefined) return null
    const [, name, node] = text.split(":")
    const typeId = name === undefined ? undefined : btf.findByName(name, "struct")
    if (typeId === undefined) throw new Malformed()
    const member = btf.typeOf(typeId, "struct").members.find((candidate) => candidate.name === node)
    const nodeName = kind === "list_head" ? "bpf_list_node" : "bpf_rb_node"
    if (member === undefined || btf.type(member.type).name !== nodeName) throw new Malformed()
    return { btf, typeId, nodeOffset: member.bitOffset / 8 }
  }
}

function parse(
  btf: Btf,
  typeId: number,
  kernelBtf: () => Btf,
  excluded: ReadonlySet<FieldKind>,
): BtfRecord | null {
  const finder = new FieldFinder(btf, kernelBtf, excluded)
  try {
    finder.composite(btf.resolve(typeId), 0, 0)
  } catch {
    return null
  }
  if (finder.fields.length === 0) return null
  const record = new BtfRecord(finder.fields.sort((left, right) => left.offset - right.offset))
  const graph = record.has("list_head") || record.has("rb_root")
  if (graph && record.spinLockOffset < 0 && record.resSpinLockOffset < 0) return null
  if (record.refcountOffset < 0 && record.has("list_node") && record.has("rb_node")) return null
  return record
}

const allocated = new WeakMap<Btf, Map<number, BtfRecord | null>>()

/** The special fields of an allocated type, or null when it has none or is malformed. */
export function recordOf(btf: Btf, typeId: number, kernelBtf: () => Btf): BtfRecord | null {
  let records = allocated.get(btf)
  if (records === undefined) allocated.set(btf, (records = new Map()))
  let record = records.get(typeId)
  if (record === undefined) {
    record = parse(btf, typeId, kernelBtf, NOT_ALLOCATED)
    records.set(typeId, record)
  }
  return record
}

const ofMaps = new WeakMap<Verifier, (BtfRecord | null | undefined)[]>()

/** Asked for at each access of a map: the verification at work, and its records. */
let lastVerifier: Verifier | null = null
let lastRecords: (BtfRecord | null | undefined)[] = []

function recordsOf(v: Verifier): (BtfRecord | null | undefined)[] {
  let records = ofMaps.get(v)
  if (records === undefined) ofMaps.set(v, (records = []))
  lastVerifier = v
  lastRecords = records
  return records
}

/** The special fields of a map's values. */
export function recordOfMap(v: Verifier, mapIndex: number): BtfRecord | null {
  const records = v === lastVerifier ? lastRecords : recordsOf(v)
  let record = records[mapIndex]
  if (record === undefined) {
    const { btf, valueTypeId } = v.maps[mapIndex]
    record =
      btf === null || valueTypeId === 0
        ? null
        : parse(btf, valueTypeId, v.input.kernelBtf, NOT_IN_MAPS)
    records[mapIndex] = record
  }
  return record
}

/** The special fields of what `reg` (address) points to: a map value or an allocated object. */
export function recordOfRegister(v: Verifier, reg: number): BtfRecord | null {
  const d = v.domain
  const type = typeOf(d, reg)
  switch (type & BASE_TYPE_MASK) {
    case PTR_TO_MAP_VALUE:
      return recordOfMap(v, aOf(d, reg))
    case PTR_TO_BTF_ID:
      return type & MEM_ALLOC ? recordOf(v.btfs[bOf(d, reg)], aOf(d, reg), v.input.kernelBtf) : null
    default:
      return null
  }
}
