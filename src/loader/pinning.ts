/**
 * Maps that live in bpffs under their name. A pinned map that does not fit the object's definition
 * is an error that lists every difference: it is never replaced silently, since others may use it.
 */

import { BpfError } from "../base/index.ts"
import type { MapDefinition } from "../object/index.ts"
import { BPF_MAP_FLAG, BPF_MAP_TYPE, ERRNO, type Fd } from "../spec/index.ts"
import type { LoadedMap } from "./options.ts"
import { type LoadSession, refusal } from "./session.ts"

const DEFAULT_PIN_PATH = "/sys/fs/bpf"
/** Bytes of struct bpf_map_info up to map_extra (linux v6.18 include/uapi/linux/bpf.h). */
const MAP_INFO_SIZE = 88

/** Where a map is pinned: dots, which bpffs reserves, become underscores. */
export function pinPathOf(session: LoadSession, map: MapDefinition): string {
  const directory = (session.options.pinPath ?? DEFAULT_PIN_PATH).replace(/\/+$/, "")
  return `${directory}/${map.name.replaceAll(".", "_")}`
}

/** Opens the pinned map of a definition; `null` if there is none yet. */
export function openPinned(session: LoadSession, map: MapDefinition): Fd | null {
  const pathname = pinPathOf(session, map)
  const fd = session.kernel.bpf("OBJ_GET", { pathname })
  if (fd === -ERRNO.ENOENT) return null
  if (fd < 0) throw refusal("OBJ_GET", fd, `map '${map.name}' at ${pathname}`)
  session.own(fd)
  checkCompatible(session, map, fd, `map '${map.name}' pinned at ${pathname}`)
  return fd
}

/** Pins the maps that are to be pinned and are not yet. The last step: it cannot be undone. */
export function pinMaps(session: LoadSession, maps: ReadonlyMap<string, LoadedMap>): void {
  for (const { fd, definition, reused } of maps.values()) {
    if (definition.pinning !== "by-name" || reused) continue
    const pathname = pinPathOf(session, definition)
    const result = session.kernel.bpf("OBJ_PIN", { pathname, bpf_fd: fd })
    if (result < 0)
      throw refusal(
        "OBJ_PIN",
        result,
        `map '${definition.name}' at ${pathname}`,
        result === -ERRNO.ENOENT ? "is bpffs mounted there, and the directory made?" : undefined,
      )
  }
}

interface MapShape {
  readonly type: number
  readonly keySize: number
  readonly valueSize: number
  readonly maxEntries: number
  readonly flags: number
  readonly mapExtra: bigint
}

/**
 * Compares an existing map with a definition.
 *
 * @throws BpfError EINVAL that lists the differences.
 */
export function checkCompatible(
  session: LoadSession,
  map: MapDefinition,
  fd: Fd,
  what: string,
): void {
  const info = new Uint8Array(MAP_INFO_SIZE)
  const attr = { bpf_fd: fd, info, info_len: 0 }
  session.must("OBJ_GET_INFO_BY_FD", attr, what)
  const view = new DataView(info.buffer)
  const existing: MapShape = {
    type: view.getUint32(0, true),
    keySize: view.getUint32(8, true),
    valueSize: view.getUint32(12, true),
    maxEntries: view.getUint32(16, true),
    flags: view.getUint32(20, true) & ~addedFlags(map),
    mapExtra: view.getBigUint64(80, true),
  }
  const fields = ["type", "keySize", "valueSize", "maxEntries", "flags", "mapExtra"] as const
  const differences = fields
    .filter((field) => BigInt(existing[field]) !== BigInt(map[field]))
    .map((field) => `${field} is ${existing[field]}, the object wants ${map[field]}`)
  if (differences.length > 0)
    throw new BpfError(
      `${what} does not fit: ${differences.join("; ")} (unpin it or change the object)`,
      { code: "EINVAL", errno: ERRNO.EINVAL, command: "OBJ_GET" },
    )
}

/** The kernel itself makes device maps read-only for programs. */
function addedFlags(map: MapDefinition): number {
  const device =
    map.type === BPF_MAP_TYPE.BPF_MAP_TYPE_DEVMAP ||
    map.type === BPF_MAP_TYPE.BPF_MAP_TYPE_DEVMAP_HASH
  return device ? BPF_MAP_FLAG.BPF_F_RDONLY_PROG : 0
}
