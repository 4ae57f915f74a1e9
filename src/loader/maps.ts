/**
 * Maps of an object in a kernel: created (inner maps first), taken over from the caller or from
 * their pins, filled with their initial content, and frozen where programs must see constants.
 */

import { ObjectError } from "../base/index.ts"
import type { MapDefinition } from "../object/index.ts"
import {
  BPF_MAP_TYPE,
  BPF_OBJ_NAME_LEN,
  ERRNO,
  type Fd,
  type KernelInterface,
  type MapCreateAttr,
} from "../spec/index.ts"
import type { LoadedMap } from "./options.ts"
import { checkCompatible, openPinned } from "./pinning.ts"
import { type LoadSession, refusal } from "./session.ts"

/** A ring's data area is whole pages. */
const PAGE_SIZE = 4096
/** Map types that refuse types of keys and values (linux v6.18: no map_check_btf). */
const WITHOUT_BTF: ReadonlySet<number> = new Set([
  BPF_MAP_TYPE.BPF_MAP_TYPE_PERF_EVENT_ARRAY,
  BPF_MAP_TYPE.BPF_MAP_TYPE_CGROUP_ARRAY,
  BPF_MAP_TYPE.BPF_MAP_TYPE_STACK_TRACE,
  BPF_MAP_TYPE.BPF_MAP_TYPE_ARRAY_OF_MAPS,
  BPF_MAP_TYPE.BPF_MAP_TYPE_HASH_OF_MAPS,
  BPF_MAP_TYPE.BPF_MAP_TYPE_DEVMAP,
  BPF_MAP_TYPE.BPF_MAP_TYPE_DEVMAP_HASH,
  BPF_MAP_TYPE.BPF_MAP_TYPE_CPUMAP,
  BPF_MAP_TYPE.BPF_MAP_TYPE_XSKMAP,
  BPF_MAP_TYPE.BPF_MAP_TYPE_SOCKMAP,
  BPF_MAP_TYPE.BPF_MAP_TYPE_SOCKHASH,
  BPF_MAP_TYPE.BPF_MAP_TYPE_QUEUE,
  BPF_MAP_TYPE.BPF_MAP_TYPE_STACK,
  BPF_MAP_TYPE.BPF_MAP_TYPE_RINGBUF,
  BPF_MAP_TYPE.BPF_MAP_TYPE_USER_RINGBUF,
  BPF_MAP_TYPE.BPF_MAP_TYPE_ARENA,
])

/** What creating maps needs beside the session. */
export interface MapContext {
  readonly btfFd: Fd | null
  /** Content of the `.kconfig` map with every value in its place. */
  readonly kconfig: Uint8Array | null
}

/**
 * Creates (or takes over) the maps, in the object's order.
 *
 * @throws BpfError for what the kernel refuses, ObjectError for what no kernel can create.
 */
export function createMaps(
  session: LoadSession,
  definitions: readonly MapDefinition[],
  context: MapContext,
): Map<string, LoadedMap> {
  const maps = new Map<string, LoadedMap>()
  for (const definition of definitions) {
    const effective = effectiveDefinition(definition, session.kernel)
    maps.set(definition.name, obtainMap(session, effective, context))
  }
  for (const { fd, definition } of maps.values())
    for (const { index, kind, name } of definition.initial) {
      if (kind !== "map") continue
      const inner = maps.get(name)
      if (inner === undefined) throw new ObjectError(`map '${definition.name}' needs map '${name}'`)
      setSlot(session, definition, fd, index, inner.fd, `map '${name}'`)
    }
  return maps
}

/** Puts loaded programs into the slots of prog arrays that the object declares. */
export function fillProgArrays(
  session: LoadSession,
  maps: ReadonlyMap<string, LoadedMap>,
  programs: ReadonlyMap<string, { readonly fd: Fd }>,
): void {
  for (const { fd, definition } of maps.values())
    for (const { index, kind, name } of definition.initial) {
      if (kind !== "program") continue
      const program = programs.get(name)
      if (program === undefined)
        session.warn(`slot ${index} of '${definition.name}' stays empty: '${name}' is not loaded`)
      else setSlot(session, definition, fd, index, program.fd, `program '${name}'`)
    }
}

function setSlot(
  session: LoadSession,
  definition: MapDefinition,
  fd: Fd,
  index: number,
  content: Fd,
  what: string,
): void {
  const key = new Uint8Array(Math.max(4, definition.keySize))
  new DataView(key.buffer).setUint32(0, index, true)
  const value = new Uint8Array(4)
  new DataView(value.buffer).setUint32(0, content, true)
  session.must(
    "MAP_UPDATE_ELEM",
    { map_fd: fd, key: key.subarray(0, definition.keySize), value },
    `slot ${index} of map '${definition.name}' (${definition.maxEntries} slots), ${what}`,
  )
}

/** The definition with the sizes that depend on the kernel. */
export function effectiveDefinition(map: MapDefinition, kernel: KernelInterface): MapDefinition {
  switch (map.type) {
    case BPF_MAP_TYPE.BPF_MAP_TYPE_PERF_EVENT_ARRAY:
      return map.maxEntries === 0 ? { ...map, maxEntries: kernel.possibleCpus } : map
    case BPF_MAP_TYPE.BPF_MAP_TYPE_RINGBUF:
    case BPF_MAP_TYPE.BPF_MAP_TYPE_USER_RINGBUF: {
      let pages = 1
      while (pages * PAGE_SIZE < map.maxEntries) pages *= 2
      const maxEntries = pages * PAGE_SIZE
      return map.maxEntries === 0 || maxEntries > 0xffff_ffff ? map : { ...map, maxEntries }
    }
    default:
      return map
  }
}

function obtainMap(session: LoadSession, map: MapDefinition, context: MapContext): LoadedMap {
  const given = session.options.maps?.[map.name]
  if (given !== undefined) {
    checkCompatible(session, map, given, `map '${map.name}' given by the caller`)
    return { fd: given, definition: map, reused: true }
  }
  if (map.pinning === "by-name") {
    const fd = openPinned(session, map)
    if (fd !== null) return { fd, definition: map, reused: true }
  }
  const fd = createMap(session, map, context.btfFd)
  fillData(session, map, fd, context.kconfig)
  return { fd, definition: map, reused: false }
}

function createMap(session: LoadSession, map: MapDefinition, btfFd: Fd | null): Fd {
  if (map.extra?.some((byte) => byte !== 0))
    throw new ObjectError(
      `map '${map.name}': its legacy definition has ${map.extra.length} more bytes, not all zero, ` +
        "that no known loader understands",
    )
  const what = `map '${map.name}'`
  let template: Fd | null = null
  if (isMapInMap(map.type)) {
    if (map.inner === null)
      throw new ObjectError(`${what} holds maps but does not say of which kind: add an inner map`)
    template = createMap(session, effectiveDefinition(map.inner, session.kernel), btfFd)
  }
  const plain: MapCreateAttr = {
    map_type: map.type,
    key_size: map.keySize,
    value_size: map.valueSize,
    max_entries: map.maxEntries,
    map_flags: map.flags,
    map_name: kernelName(map.name),
    map_extra: map.mapExtra,
    numa_node: map.numaNode,
    ...(template === null ? {} : { inner_map_fd: template }),
  }
  const typed =
    btfFd !== null && !WITHOUT_BTF.has(map.type) && (map.keyTypeId !== 0 || map.valueTypeId !== 0)
  let fd = session.kernel.bpf(
    "MAP_CREATE",
    typed
      ? {
          ...plain,
          btf_fd: btfFd,
          btf_key_type_id: map.keyTypeId,
          btf_value_type_id: map.valueTypeId,
        }
      : plain,
  )
  if (typed && fd < 0 && fd !== -ERRNO.EPERM) {
    const without = session.kernel.bpf("MAP_CREATE", plain)
    if (without >= 0) {
      session.warn(`${what}: the kernel takes it only without the types of its keys and values`)
      fd = without
    }
  }
  if (fd < 0) throw refusal("MAP_CREATE", fd, `${what} (${describe(map)})`)
  session.own(fd)
  if (template !== null) session.release(template)
  return fd
}

function isMapInMap(type: number): boolean {
  return (
    type === BPF_MAP_TYPE.BPF_MAP_TYPE_ARRAY_OF_MAPS ||
    type === BPF_MAP_TYPE.BPF_MAP_TYPE_HASH_OF_MAPS
  )
}

function describe(map: MapDefinition): string {
  return (
    `type ${map.type}, key ${map.keySize}, value ${map.valueSize}, ` +
    `${map.maxEntries} entries, flags 0x${map.flags.toString(16)}`
  )
}

/** Initial content of a section of globals; `.bss` is zero as it is. */
function fillData(
  session: LoadSession,
  map: MapDefinition,
  fd: Fd,
  kconfig: Uint8Array | null,
): void {
  if (map.data === null) return
  const data = map.section === ".kconfig" && kconfig !== null ? kconfig : map.data
  const what = `map '${map.name}' (content of ${map.section})`
  if (data.some((byte) => byte !== 0))
    session.must("MAP_UPDATE_ELEM", { map_fd: fd, key: new Uint8Array(4), value: data }, what)
  if (map.readonly) session.must("MAP_FREEZE", { map_fd: fd }, what)
}

/** A name as the kernel takes it: at most 15 characters of `[A-Za-z0-9_.]`. */
export function kernelName(name: string): string {
  return name.slice(0, BPF_OBJ_NAME_LEN - 1).replace(/[^A-Za-z0-9_.]/g, "_")
}
