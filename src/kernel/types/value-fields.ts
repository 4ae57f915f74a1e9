/**
 * The parts of a map value that the kernel owns, found by their types in the map's BTF: spin locks,
 * timers, kernel pointers… (linux v6.18 kernel/bpf/btf.c btf_parse_fields).
 */

import type { Btf } from "../../btf/index.ts"
import type { ValueField } from "../maps/index.ts"

/** Struct names and what they are; sizes are those of the kernel's UAPI types. */
const SPECIAL: Readonly<Record<string, string>> = {
  bpf_spin_lock: "spin_lock",
  bpf_timer: "timer",
  bpf_wq: "workqueue",
  bpf_list_head: "list_head",
  bpf_list_node: "list_node",
  bpf_rb_root: "rb_root",
  bpf_rb_node: "rb_node",
  bpf_refcount: "refcount",
  bpf_task_work: "task_work",
}
const KPTR_TAGS: readonly string[] = ["kptr", "kptr_untrusted", "percpu_kptr", "uptr"]
/** Structs nested in each other, and elements of arrays, that are looked into. */
const DEPTH_MAX = 8
const ELEMENTS_MAX = 64

/** By rising offset; empty for a value without such fields. */
export function valueFields(btf: Btf, typeId: number): ValueField[] {
  const fields: ValueField[] = []
  if (typeId !== 0) collect(btf, typeId, 0, fields, 0)
  return fields.sort((a, b) => a.offset - b.offset)
}

function collect(
  btf: Btf,
  typeId: number,
  base: number,
  fields: ValueField[],
  depth: number,
): void {
  if (depth > DEPTH_MAX) return
  const type = btf.resolve(typeId)
  if (type.kind === "struct" || type.kind === "union") {
    const kind = SPECIAL[type.name]
    if (kind !== undefined) {
      fields.push({ kind, offset: base, size: type.size })
      return
    }
    for (const member of type.members)
      if (member.bitSize === 0)
        collect(btf, member.type, base + (member.bitOffset >> 3), fields, depth + 1)
  } else if (type.kind === "array") {
    const size = btf.sizeOf(type.type)
    for (let i = 0; i < Math.min(type.length, ELEMENTS_MAX); i++)
      collect(btf, type.type, base + i * size, fields, depth + 1)
  } else if (type.kind === "ptr") {
    const target = btf.type(type.type)
    if (target.kind === "type_tag" && KPTR_TAGS.includes(target.name))
      fields.push({ kind: target.name, offset: base, size: 8 })
  }
}
