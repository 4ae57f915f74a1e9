/**
 * What iterators go through: tasks, their files and mappings, maps and their elements, programs,
 * links, cgroups, kernel symbols (linux v6.18 kernel/bpf/{task_iter,map_iter,prog_iter,link_iter,
 * cgroup_iter}.c, kernel/kallsyms.c).
 */

import { BPF_MAP_TYPE, ERRNO } from "../../spec/index.ts"
import type { KernelTables } from "../kernel-tables.ts"
import type { BpfMap } from "../maps/map.ts"
import type { KernelObject } from "../objects/kernel-object.ts"
import type { Program } from "../programs/program.ts"
import type { Task } from "../tasks/task.ts"
import { type FieldValue, kernelAddress, type ObjectWriter } from "../types/index.ts"
import { Process } from "../world/process.ts"
import { type IteratorItem, type IteratorSource, wordOf } from "./iterator.ts"

/** `enum bpf_cgroup_iter_order`. */
const ORDER = { selfOnly: 1, descendantsPre: 2, descendantsPost: 3, ancestorsUp: 4 } as const
const KEYED: readonly number[] = [
  BPF_MAP_TYPE.BPF_MAP_TYPE_HASH,
  BPF_MAP_TYPE.BPF_MAP_TYPE_LRU_HASH,
  BPF_MAP_TYPE.BPF_MAP_TYPE_ARRAY,
  BPF_MAP_TYPE.BPF_MAP_TYPE_PERCPU_HASH,
  BPF_MAP_TYPE.BPF_MAP_TYPE_LRU_PERCPU_HASH,
  BPF_MAP_TYPE.BPF_MAP_TYPE_PERCPU_ARRAY,
]
const PER_CPU: readonly number[] = [
  BPF_MAP_TYPE.BPF_MAP_TYPE_PERCPU_HASH,
  BPF_MAP_TYPE.BPF_MAP_TYPE_LRU_PERCPU_HASH,
  BPF_MAP_TYPE.BPF_MAP_TYPE_PERCPU_ARRAY,
]

interface Target {
  readonly words: number
  /** Looks at `union bpf_iter_link_info`: a map to hold, null, or a negative errno. */
  check?(tables: KernelTables, info: DataView): KernelObject<"map"> | null | number
  items(tables: KernelTables, info: DataView, map: BpfMap | null): readonly IteratorItem[]
}

/** A u32 of the link's info; absent bytes are zero. */
function u32(info: DataView, offset: number): number {
  return offset + 4 <= info.byteLength ? info.getUint32(offset, true) : 0
}

function viewOf(info: Uint8Array): DataView {
  return new DataView(info.buffer, info.byteOffset, info.byteLength)
}

/** Tasks that the info (`tid`, `pid`, `pid_fd`) lets through, by rising pid. */
function selectTasks(tables: KernelTables, info: DataView): Task[] {
  const [tid, pid] = [u32(info, 0), u32(info, 4)]
  return tables.world
    .tasks()
    .filter((task) => (tid === 0 || task.pid === tid) && (pid === 0 || task.tgid === pid))
}

function checkTask(_tables: KernelTables, info: DataView): null | number {
  const given = [u32(info, 0), u32(info, 4), u32(info, 8)].filter((one) => one !== 0)
  if (given.length > 1) return -ERRNO.EINVAL
  // There are no descriptors of processes here.
  return u32(info, 8) === 0 ? null : -ERRNO.EBADF
}

function taskWord(tables: KernelTables, task: Task): bigint {
  return kernelAddress(tables.state.kernelRegion, tables.state.taskStruct(task))
}

function object(
  tables: KernelTables,
  writer: ObjectWriter,
  struct: string,
  fields: { readonly [name: string]: FieldValue | undefined },
): bigint {
  const id = tables.state.types.findByName(struct, "struct")
  if (id === undefined) return 0n
  const offset = writer.allocate(tables.state.types.sizeOf(id))
  // An empty path: fields that these types do not have are passed over.
  writer.write(id, offset, fields, "")
  return writer.address(offset)
}

function mapObject(tables: KernelTables, writer: ObjectWriter, map: BpfMap): bigint {
  const entry = tables.mapObject(map)
  return object(tables, writer, "bpf_map", {
    map_type: map.type,
    key_size: map.keySize,
    value_size: map.valueSize,
    max_entries: map.maxEntries,
    map_flags: map.flags,
    map_extra: map.mapExtra,
    id: map.id,
    name: map.name,
    frozen: map.frozen,
    btf_key_type_id: entry.value.keyTypeId,
    btf_value_type_id: entry.value.valueTypeId,
    refcnt: { counter: entry.referenceCount },
  })
}

function programObject(tables: KernelTables, writer: ObjectWriter, program: Program): bigint {
  const aux = object(tables, writer, "bpf_prog_aux", {
    id: program.id,
    name: program.name,
    load_time: program.loadedAtNs,
    attach_btf_id: program.attachBtfId,
    used_map_cnt: program.maps.length,
    attach_func_name: program.attachTarget ?? undefined,
  })
  return object(tables, writer, "bpf_prog", {
    type: program.type,
    expected_attach_type: program.expectedAttachType,
    len: program.translated.length / 8,
    tag: program.tag,
    aux,
  })
}

function elements(tables: KernelTables, map: BpfMap): IteratorItem[] {
  const keys: Uint8Array[] = []
  let key: Uint8Array | undefined
  for (;;) {
    const next = new Uint8Array(map.keySize)
    if (map.getNextKey(key, next) < 0) break
    keys.push(next)
    key = next
  }
  const { memory, kernelRegion } = tables.state
  return keys.map(
    (bytes): IteratorItem =>
      (writer) => {
        const at = writer.allocate(bytes.length)
        memory.write(at, bytes)
        const words = [mapObject(tables, writer, map), kernelAddress(kernelRegion, at)]
        if (!PER_CPU.includes(map.type)) return [...words, wordOf(map.valueRegion, map.lookup(at))]
        // All copies, one after the other, as the system call gives them.
        const copies = new Uint8Array(map.syscallValueSize)
        map.lookupElem(bytes, copies, 0n)
        const value = writer.allocate(copies.length)
        memory.write(value, copies)
        return [...words, kernelAddress(kernelRegion, value)]
      },
  )
}

function cgroupsOf(tables: KernelTables, info: DataView): string[] {
  const all = [...tables.world.cgroups().keys()]
  const path = cgroupPath(tables, info)
  const below = all
    .filter((one) => path === "/" || one === path || one.startsWith(`${path}/`))
    .sort()
  switch (u32(info, 0)) {
    case ORDER.selfOnly:
      return [path]
    case ORDER.descendantsPost:
      return postOrder(below)
    case ORDER.ancestorsUp: {
      const parts = path.split("/").filter((part) => part !== "")
      return parts.map((_, i) => `/${parts.slice(0, parts.length - i).join("/")}`).concat("/")
    }
    default:
      return below
  }
}

/** Children before their parents. */
function postOrder(paths: readonly string[]): string[] {
  const under = (path: string): string[] =>
    paths.filter((one) => one !== path && one.slice(0, Math.max(one.lastIndexOf("/"), 1)) === path)
  const visit = (path: string): string[] => [...under(path).flatMap(visit), path]
  return paths.length === 0 ? [] : visit(paths[0])
}

/** The cgroup that the info names by descriptor or id; the root when it names none. */
function cgroupPath(tables: KernelTables, info: DataView): string {
  const fd = u32(info, 4)
  if (fd !== 0) {
    const cgroup = tables.fds.get(fd, "cgroup")
    return typeof cgroup === "number" ? "/" : cgroup.value.path
  }
  const id = info.byteLength >= 16 ? info.getBigUint64(8, true) : 0n
  for (const [path, known] of tables.world.cgroups()) if (known === id) return path
  return "/"
}

const byId = <T>(tables: {
  next(id: number): number | undefined
  get(id: number): T | undefined
}): T[] => {
  const found: T[] = []
  for (let id = tables.next(0); id !== undefined; id = tables.next(id)) {
    const one = tables.get(id)
    if (one !== undefined) found.push(one)
  }
  return found
}

const TARGETS: Readonly<Record<string, Target>> = {
  task: {
    words: 1,
    check: checkTask,
    items: (tables, info) =>
      selectTasks(tables, info).map((task) => () => [taskWord(tables, task)]),
  },
  task_file: {
    words: 3,
    check: checkTask,
    items: (tables, info) =>
      selectTasks(tables, info).flatMap((task): IteratorItem[] => {
        // Threads share their files: only the leader shows them.
        if (!(task instanceof Process) || task.pid !== task.tgid) return []
        return [...task.group.files]
          .sort(([a], [b]) => a - b)
          .map(([fd, file]) => () => [taskWord(tables, task), BigInt(fd), file.kernelAddress()])
      }),
  },
  task_vma: {
    words: 2,
    check: checkTask,
    items: (tables, info) =>
      selectTasks(tables, info).flatMap((task): IteratorItem[] =>
        task instanceof Process && task.pid === task.tgid
          ? task.group.mappings.map(({ mirror }) => () => [
              taskWord(tables, task),
              mirror.kernelAddress(),
            ])
          : [],
      ),
  },
  bpf_map: {
    words: 1,
    items: (tables) =>
      byId(tables.maps).map(({ value }) => (writer) => [mapObject(tables, writer, value.map)]),
  },
  bpf_map_elem: {
    words: 3,
    check(tables, info) {
      const fd = u32(info, 0)
      if (fd === 0) return -ERRNO.EBADF
      const map = tables.fds.get(fd, "map")
      if (typeof map === "number") return map
      return KEYED.includes(map.value.map.type) ? map : -ERRNO.EINVAL
    },
    items: (tables, _info, map) => (map === null ? [] : elements(tables, map)),
  },
  bpf_prog: {
    words: 1,
    items: (tables) =>
      byId(tables.programs).map(({ value }) => (writer) => [programObject(tables, writer, value)]),
  },
  bpf_link: {
    words: 1,
    items: (tables) =>
      byId(tables.links).map(({ value }) => (writer) => [
        object(tables, writer, "bpf_link", {
          id: value.id,
          type: value.type,
          prog: programObject(tables, writer, value.attachment.program.value),
        }),
      ]),
  },
  cgroup: {
    words: 1,
    check(tables, info) {
      const [order, fd] = [u32(info, 0), u32(info, 4)]
      const id = info.byteLength >= 16 ? info.getBigUint64(8, true) : 0n
      if (fd !== 0 && id !== 0n) return -ERRNO.EINVAL
      if (order < ORDER.selfOnly || order > ORDER.ancestorsUp) return -ERRNO.EINVAL
      const known = [...tables.world.cgroups().values()]
      if (fd !== 0 && typeof tables.fds.get(fd, "cgroup") === "number") return -ERRNO.EBADF
      return id !== 0n && !known.includes(id) ? -ERRNO.ENOENT : null
    },
    items: (tables, info) =>
      cgroupsOf(tables, info).map((path) => () => [tables.world.cgroupAddress(path)]),
  },
  ksym: {
    words: 1,
    items: (tables) =>
      tables.world.functions().map(([name, value]) => (writer) => [
        object(tables, writer, "kallsym_iter", { value, name, type: 0x54, show_value: 1 }),
      ]),
  },
}

/** 0 references: null; a map that the link must hold; or why LINK_CREATE is refused. */
export function checkIteratorTarget(
  tables: KernelTables,
  name: string,
  info: Uint8Array,
): KernelObject<"map"> | null | number {
  const target = TARGETS[name]
  if (target === undefined) return -ERRNO.ENOENT
  const held = target.check?.(tables, viewOf(info)) ?? null
  if (typeof held === "object" && held !== null) held.get()
  return held
}

/** What a link's iterators go through. */
export function iteratorSource(
  tables: KernelTables,
  name: string,
  info: Uint8Array,
  map: BpfMap | null,
): IteratorSource {
  const target = TARGETS[name]
  return { words: target.words, items: () => target.items(tables, viewOf(info), map) }
}

/** Names of the iterators there are. */
export const ITERATORS: readonly string[] = Object.keys(TARGETS)
