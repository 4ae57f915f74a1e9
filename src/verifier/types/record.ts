/**
 * Special fields of a map's value or an allocated object: locks, timers, kernel pointers, list and
 * tree nodes. Linux: kernel/bpf/btf.c btf_parse_fields, struct btf_record.
 */

import type { Btf } from "../../btf/index.ts"
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

export interface BtfRecord {
  /** By offset. */
  readonly fields: readonly RecordField[]
  /** Offsets of the fields that exist once; -1 for none. */
  readonly spinLockOffset: number
  readonly resSpinLockOffset: number
  readonly timerOffset: number
  readonly workqueueOffset: number
  readonly taskWorkOffset: number
  readonly refcountOffset: number
  has(kind: FieldKind): boolean
  find(offset: number, ...kinds: FieldKind[]): RecordField | undefined
}

/** The special fields of a struct type, or null when it has none or is malformed. */
export function recordOf(_btf: Btf, _typeId: number, _kernelBtf: () => Btf): BtfRecord | null {
  throw new Error("not yet")
}

/** The special fields of a map's values. */
export function recordOfMap(_v: Verifier, _mapIndex: number): BtfRecord | null {
  throw new Error("not yet")
}

/** The special fields of what `reg` (address) points to: a map value or an allocated object. */
export function recordOfRegister(_v: Verifier, _reg: number): BtfRecord | null {
  throw new Error("not yet")
}
