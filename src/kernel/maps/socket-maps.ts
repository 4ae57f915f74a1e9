/**
 * Maps of sockets: BPF_MAP_TYPE_SOCKMAP, _SOCKHASH and _REUSEPORT_SOCKARRAY (linux v6.18
 * net/core/sock_map.c, kernel/bpf/reuseport_array.c).
 *
 * System calls name sockets by file descriptor and read their cookies; programs get pointers to
 * `struct bpf_sock`. The sockets themselves are JavaScript references here; a socket that is
 * closed leaves its maps.
 */

import { BPF_ATTACH_TYPE, BPF_MAP_TYPE, BPF_UPDATE_FLAG, ERRNO } from "../../spec/index.ts"
import { createPsock, dropPrograms, type PsockPrograms, takePrograms } from "../net/psock.ts"
import { type Socket, TCP } from "../net/socket.ts"
import { AF_INET, AF_INET6, AF_UNIX, IPPROTO_TCP, IPPROTO_UDP } from "../net/wire.ts"
import type { KernelObject } from "../objects/kernel-object.ts"
import { MapBase, type MapSetup } from "./map-base.ts"

/** How the maps reach the sockets of the kernel around them. */
export interface SocketResolver {
  /** The socket behind a file descriptor, or a negative errno. */
  socket(fd: number): Socket | number
  cookie(socket: Socket): bigint
  /** Offset of a socket's `struct bpf_sock`. */
  view(socket: Socket): number
  /** The socket that an offset given by a program stands for. */
  socketAt(offset: number): Socket | undefined
  /** Region of the structures. */
  readonly region: number
}

/** A map outside of a kernel: there are no descriptors and no sockets. */
const NO_SOCKETS: SocketResolver = {
  socket: () => -ERRNO.EBADF,
  cookie: () => 0n,
  view: () => 0,
  socketAt: () => undefined,
  region: 0,
}

const FD_MAX = 0x7fffffff

abstract class SocketTableMap extends MapBase {
  private resolverOrNone: SocketResolver | undefined
  private readonly scratch: number

  constructor(setup: MapSetup) {
    super(setup)
    this.scratch = this.storage.take(8)
  }

  /** Set by the kernel when the map has been made. */
  set resolver(resolver: SocketResolver) {
    this.resolverOrNone = resolver
    // The descriptor names the region of values.
    this.initialize()
  }

  get valueRegion(): number {
    return this.resolverOrNone?.region ?? 0
  }

  protected sockets(): SocketResolver {
    return this.resolverOrNone ?? NO_SOCKETS
  }

  /** The socket that a system call's value names, or a negative errno. */
  protected socketOf(value: Uint8Array): Socket | number {
    const view = new DataView(value.buffer, value.byteOffset)
    const fd = this.valueSize === 8 ? Number(view.getBigUint64(0, true)) : view.getUint32(0, true)
    return fd > FD_MAX ? -ERRNO.EINVAL : this.sockets().socket(fd)
  }

  /** Cookies are only read through values of 8 bytes. */
  protected cookieAt(socket: Socket | undefined): number {
    if (this.valueSize !== 8) return -ERRNO.ENOSPC
    if (socket === undefined) return -ERRNO.ENOENT
    this.memory.view.setBigUint64(this.scratch, this.sockets().cookie(socket), true)
    return this.scratch
  }
}

/** -EEXIST or -ENOENT when the flags of an update do not go with what is there. */
function updateRefusal(exists: boolean, flags: number): number {
  if (exists && flags === BPF_UPDATE_FLAG.BPF_NOEXIST) return -ERRNO.EEXIST
  return !exists && flags === BPF_UPDATE_FLAG.BPF_EXIST ? -ERRNO.ENOENT : 0
}

type ProgramKind = keyof PsockPrograms

const KINDS: ReadonlyMap<number, ProgramKind> = new Map<number, ProgramKind>([
  [BPF_ATTACH_TYPE.BPF_SK_MSG_VERDICT, "message"],
  [BPF_ATTACH_TYPE.BPF_SK_SKB_STREAM_PARSER, "parser"],
  [BPF_ATTACH_TYPE.BPF_SK_SKB_STREAM_VERDICT, "streamVerdict"],
  [BPF_ATTACH_TYPE.BPF_SK_SKB_VERDICT, "verdict"],
])

interface Member {
  readonly key: number
  readonly socket: Socket
  readonly forget: () => void
}

/** A sockmap (u32 keys below max_entries) or sockhash (any keys). */
export class SocketMap extends SocketTableMap {
  /** By the key's bytes as text; a sockhash iterates in this order. */
  private readonly members = new Map<string, Member>()
  private readonly programs: PsockPrograms = {
    message: null,
    parser: null,
    streamVerdict: null,
    verdict: null,
  }

  private get hashed(): boolean {
    return this.type === BPF_MAP_TYPE.BPF_MAP_TYPE_SOCKHASH
  }

  private keyText(key: number): string {
    if (!this.hashed) return String(this.memory.view.getUint32(key, true))
    return Array.from(this.memory.u8.subarray(key, key + this.keySize)).join()
  }

  private inRange(key: number): boolean {
    return this.hashed || this.memory.view.getUint32(key, true) < this.maxEntries
  }

  /** The socket under a key (an offset), for redirects. */
  socket(key: number): Socket | undefined {
    return this.members.get(this.keyText(key))?.socket
  }

  /** The same by index, of a sockmap. */
  socketAtIndex(index: number): Socket | undefined {
    return this.hashed ? undefined : this.members.get(String(index))?.socket
  }

  /** Sockets with their keys' bytes: for iterators. */
  *entries(): Iterable<readonly [key: Uint8Array, socket: Socket]> {
    for (const { key, socket } of this.members.values())
      yield [this.memory.read(key, this.keySize), socket]
  }

  /**
   * Sets (or, with null, takes away) the program of an attach type. `old`: the one that must be
   * there; `exclusive`: nothing may be there. 0 or a negative errno (sock_map_prog_update).
   */
  setProgram(
    attachType: number,
    program: KernelObject<"program"> | null,
    how: { readonly old: KernelObject<"program"> | null; readonly exclusive: boolean },
  ): number {
    const kind = KINDS.get(attachType)
    if (kind === undefined) return -ERRNO.EOPNOTSUPP
    const { programs } = this
    if (kind === "streamVerdict" && programs.verdict !== null) return -ERRNO.EBUSY
    if (kind === "verdict" && programs.streamVerdict !== null) return -ERRNO.EBUSY
    const current = programs[kind]
    if (how.exclusive && current !== null) return -ERRNO.EBUSY
    if (program === null && current !== how.old) return -ERRNO.ENOENT
    program?.get()
    programs[kind] = program
    current?.put()
    return 0
  }

  /** A link's program goes. */
  clearProgram(attachType: number, program: KernelObject<"program">): void {
    const kind = KINDS.get(attachType)
    if (kind === undefined || this.programs[kind] !== program) return
    this.programs[kind] = null
    program.put()
  }

  override lookup(key: number): number {
    const socket = this.inRange(key) ? this.socket(key) : undefined
    return socket === undefined ? 0 : this.sockets().view(socket)
  }

  protected override sysLookup(key: number): number {
    return this.cookieAt(this.inRange(key) ? this.socket(key) : undefined)
  }

  /** From a program: the value is a socket pointer. */
  override update(key: number, value: number, flags: number): number {
    const socket = this.sockets().socketAt(value)
    if (socket === undefined) return -ERRNO.EOPNOTSUPP
    return this.put(key, socket, flags)
  }

  protected override sysUpdate(key: number, value: Uint8Array, flags: number): number {
    const socket = this.socketOf(value)
    return typeof socket === "number" ? socket : this.put(key, socket, flags)
  }

  /**
   * sock_map_update_common, sock_hash_update_common; `anyState`: for sock_ops programs, which only
   * see sockets that are about to be connected.
   */
  put(key: number, socket: Socket, flags: number, anyState = false): number {
    if (!anyState && !isSuitable(socket)) return -ERRNO.EOPNOTSUPP
    if (flags >>> 0 > BPF_UPDATE_FLAG.BPF_EXIST) return -ERRNO.EINVAL
    if (!this.inRange(key)) return -ERRNO.E2BIG
    const text = this.keyText(key)
    const old = this.members.get(text)
    const before = socket.psock
    const linked = this.link(socket)
    if (linked !== 0) return linked
    const refused =
      updateRefusal(old !== undefined, flags) ||
      (this.hashed && old === undefined && this.members.size >= this.maxEntries ? -ERRNO.E2BIG : 0)
    if (refused !== 0) {
      if (before === null) this.unlink(socket)
      return refused
    }
    const kept = this.memory.allocate(this.keySize)
    if (kept === 0) return -ERRNO.ENOMEM
    this.memory.u8.copyWithin(kept, key, key + this.keySize)
    if (old !== undefined) this.drop(text, old)
    const forget = (): void => {
      const member = this.members.get(text)
      if (member?.socket === socket) this.drop(text, member)
    }
    this.members.set(text, { key: kept, socket, forget })
    socket.onRelease.add(forget)
    return 0
  }

  /** A listening socket is only found, its data does not go through programs. */
  private link(socket: Socket): number {
    const psock = socket.psock ?? createPsock()
    if (socket.state !== TCP.LISTEN) {
      const busy = takePrograms(psock, this.programs)
      if (busy !== 0) return busy
    }
    psock.maps.add(this)
    socket.psock = psock
    return 0
  }

  private unlink(socket: Socket): void {
    const { psock } = socket
    if (psock === null) return
    psock.maps.delete(this)
    if (psock.maps.size > 0) return
    dropPrograms(psock)
    socket.psock = null
  }

  private drop(text: string, member: Member): void {
    this.members.delete(text)
    this.memory.free(member.key)
    member.socket.onRelease.delete(member.forget)
    const elsewhere = [...this.members.values()].some((one) => one.socket === member.socket)
    if (!elsewhere) this.unlink(member.socket)
  }

  override delete(key: number): number {
    const missing = this.hashed ? -ERRNO.ENOENT : -ERRNO.EINVAL
    if (!this.inRange(key)) return -ERRNO.EINVAL
    const text = this.keyText(key)
    const member = this.members.get(text)
    if (member === undefined) return missing
    this.drop(text, member)
    return 0
  }

  protected override nextKey(key: number): number {
    if (!this.hashed) {
      const index = key === 0 ? this.maxEntries : this.memory.view.getUint32(key, true)
      if (index === this.maxEntries - 1) return -ERRNO.ENOENT
      this.memory.i32[this.keyScratch >> 2] = index >= this.maxEntries ? 0 : index + 1
      return this.keyScratch
    }
    const keys = [...this.members.keys()]
    const at = key === 0 ? -1 : keys.indexOf(this.keyText(key))
    const next = keys[at + 1]
    const member = next === undefined ? undefined : this.members.get(next)
    if (member === undefined) return -ERRNO.ENOENT
    this.memory.u8.copyWithin(this.keyScratch, member.key, member.key + this.keySize)
    return this.keyScratch
  }

  override destroy(): void {
    for (const [text, member] of [...this.members]) this.drop(text, member)
    for (const kind of ["message", "parser", "streamVerdict", "verdict"] as const) {
      this.programs[kind]?.put()
      this.programs[kind] = null
    }
    super.destroy()
  }
}

/** sock_map_sk_is_suitable, sock_map_sk_state_allowed. */
function isSuitable(socket: Socket): boolean {
  if (socket.protocol === IPPROTO_TCP)
    return socket.state === TCP.ESTABLISHED || socket.state === TCP.LISTEN
  if (socket.protocol === IPPROTO_UDP) return !socket.unhashed
  return socket.family === AF_UNIX && socket.state === TCP.ESTABLISHED
}

/** BPF_MAP_TYPE_REUSEPORT_SOCKARRAY. */
export class ReuseportArray extends SocketTableMap {
  private readonly members = new Map<number, Socket>()
  private readonly forgetters = new Map<number, () => void>()

  /** The socket at the index under `key` (an offset). */
  socket(key: number): Socket | undefined {
    return this.members.get(this.memory.view.getUint32(key, true))
  }

  protected override sysLookup(key: number): number {
    return this.cookieAt(this.socket(key))
  }

  protected override sysUpdate(key: number, value: Uint8Array, flags: number): number {
    if (flags >>> 0 > BPF_UPDATE_FLAG.BPF_EXIST) return -ERRNO.EINVAL
    const index = this.memory.view.getUint32(key, true)
    if (index >= this.maxEntries) return -ERRNO.E2BIG
    const socket = this.socketOf(value)
    if (typeof socket === "number") return socket
    const refused = this.refusal(index, socket, flags)
    if (refused !== 0) return refused
    this.drop(index)
    const forget = (): void => {
      this.drop(index)
    }
    this.members.set(index, socket)
    this.forgetters.set(index, forget)
    socket.onRelease.add(forget)
    return 0
  }

  /** reuseport_array_update_check */
  private refusal(index: number, socket: Socket, flags: number): number {
    const exists = updateRefusal(this.members.has(index), flags)
    if (exists !== 0) return exists
    const { protocol, family } = socket
    if (protocol !== IPPROTO_TCP && protocol !== IPPROTO_UDP) return -ERRNO.ENOTSUPP
    if (family !== AF_INET && family !== AF_INET6) return -ERRNO.ENOTSUPP
    if (socket.unhashed || socket.reuseport === null) return -ERRNO.EINVAL
    return [...this.members.values()].includes(socket) ? -ERRNO.EBUSY : 0
  }

  private drop(index: number): boolean {
    const socket = this.members.get(index)
    if (socket === undefined) return false
    this.members.delete(index)
    const forget = this.forgetters.get(index)
    if (forget !== undefined) socket.onRelease.delete(forget)
    this.forgetters.delete(index)
    return true
  }

  override delete(): number {
    return -ERRNO.EINVAL
  }

  protected override sysDelete(key: number): number {
    const index = this.memory.view.getUint32(key, true)
    if (index >= this.maxEntries) return -ERRNO.E2BIG
    return this.drop(index) ? 0 : -ERRNO.ENOENT
  }

  protected override nextKey(key: number): number {
    const index = key === 0 ? this.maxEntries : this.memory.view.getUint32(key, true)
    if (index === this.maxEntries - 1) return -ERRNO.ENOENT
    this.memory.i32[this.keyScratch >> 2] = index >= this.maxEntries ? 0 : index + 1
    return this.keyScratch
  }

  override destroy(): void {
    for (const index of [...this.members.keys()]) this.drop(index)
    super.destroy()
  }
}
