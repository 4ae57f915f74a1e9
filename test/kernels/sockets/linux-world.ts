/**
 * The scenarios' world on the running Linux: a network namespace of our own and a cgroup of our
 * own, by raw system calls of this process's only thread.
 */

import { spawnSync } from "node:child_process"
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from "node:fs"
import { constants, tmpdir } from "node:os"
import { join } from "node:path"
import { createLinuxKernel } from "../../../src/linux/index.ts"
import { formatIp, parseIp } from "../../../src/packet/index.ts"
import type { KernelInterface } from "../../../src/spec/index.ts"
import { addressOf, syscall } from "../../support/linux.ts"
import { AF_INET, AF_INET6, type Place, type World } from "./world.ts"

/** System calls of x86-64. */
const NR = {
  read: 0,
  write: 1,
  poll: 7,
  socket: 41,
  connect: 42,
  accept: 43,
  sendto: 44,
  recvfrom: 45,
  shutdown: 48,
  bind: 49,
  listen: 50,
  getsockname: 51,
  getpeername: 52,
  setsockopt: 54,
  getsockopt: 55,
  unshare: 272,
  close: 3,
} as const
const CLONE_NEWNET = 0x40000000
const MSG_DONTWAIT = 0x40
const MSG_NOSIGNAL = 0x4000
const SO_SNDTIMEO = 21
const SOL_SOCKET = 1
const ROOTS = ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"]

function sockaddr({ address, port }: Place): Uint8Array {
  const bytes = parseIp(address)
  const six = bytes.length === 16
  const raw = new Uint8Array(six ? 28 : 16)
  const view = new DataView(raw.buffer)
  view.setUint16(0, six ? AF_INET6 : AF_INET, true)
  view.setUint16(2, port)
  raw.set(bytes, six ? 8 : 4)
  return raw
}

/** A path below this process's own folder. */
function unixAddress(path: string): Uint8Array {
  const text = new TextEncoder().encode(`${folder}${path}`)
  const raw = new Uint8Array(110)
  raw[0] = 1
  raw.set(text, 2)
  return raw
}

function placeOf(raw: Uint8Array): Place | null {
  const view = new DataView(raw.buffer)
  const family = view.getUint16(0, true)
  if (family !== AF_INET && family !== AF_INET6) return null
  const address = family === AF_INET ? raw.slice(4, 8) : raw.slice(8, 24)
  return { address: formatIp(address), port: view.getUint16(2) }
}

function ip(...args: string[]): void {
  const { status, stderr } = spawnSync("ip", args, { encoding: "utf8" })
  if (status !== 0) throw new Error(`ip ${args.join(" ")}: ${stderr}`)
}

const folder = mkdtempSync(join(tmpdir(), "skep-sockets-"))

export class LinuxWorld implements World {
  readonly kernel: KernelInterface = createLinuxKernel()
  private readonly root: string
  private readonly base: string
  private readonly made: string[] = []

  constructor() {
    const root = ROOTS.find((path) => {
      const { stdout } = spawnSync("stat", ["-fc", "%T", path], { encoding: "utf8" })
      return stdout.trim() === "cgroup2fs"
    })
    if (root === undefined) throw new Error("no cgroup v2")
    this.root = root
    this.base = join(root, `skep-scenario-${process.pid}`)
    const unshared = syscall(NR.unshare, CLONE_NEWNET)
    if (unshared < 0) throw new Error(`unshare: ${unshared}`)
    ip("link", "set", "lo", "up")
    this.join("")
  }

  cgroup(name: string): string {
    const path = name === "" ? this.base : join(this.base, name)
    if (!this.made.includes(path)) {
      mkdirSync(path, { recursive: true })
      this.made.push(path)
    }
    return path
  }

  join(name: string): void {
    writeFileSync(join(this.cgroup(name), "cgroup.procs"), String(process.pid))
  }

  /** Leaves the cgroups and takes them away. */
  dispose(): void {
    writeFileSync(join(this.root, "cgroup.procs"), String(process.pid))
    rmSync(folder, { recursive: true, force: true })
    for (const path of [...this.made].sort((a, b) => b.length - a.length)) rmdirSync(path)
  }

  netns(): number {
    return this.kernel.openNetns?.("/proc/thread-self/ns/net") ?? -1
  }

  socket(family: number, type: number): number {
    const fd = syscall(NR.socket, family, type, 0)
    if (fd < 0) return fd
    // A connect that nobody answers is over after a moment.
    const timeout = new Uint8Array(16)
    new DataView(timeout.buffer).setBigInt64(8, 150_000n, true)
    if (type === 1) syscall(NR.setsockopt, fd, SOL_SOCKET, SO_SNDTIMEO, addressOf(timeout), 16)
    return fd
  }

  bind(fd: number, to: Place): number {
    const raw = sockaddr(to)
    return syscall(NR.bind, fd, addressOf(raw), raw.length)
  }

  listen(fd: number): number {
    return syscall(NR.listen, fd, 16)
  }

  connect(fd: number, to: Place): number {
    const raw = sockaddr(to)
    const result = syscall(NR.connect, fd, addressOf(raw), raw.length)
    return result === -constants.errno.EINPROGRESS ? -constants.errno.ETIMEDOUT : result
  }

  accept(fd: number): number {
    // Only what is there already.
    const entry = new Uint8Array(8)
    const view = new DataView(entry.buffer)
    view.setInt32(0, fd, true)
    view.setInt16(4, 1, true)
    const ready = syscall(NR.poll, addressOf(entry), 1, 0)
    if (ready === 0) return -constants.errno.EAGAIN
    return syscall(NR.accept, fd, 0, 0)
  }

  send(fd: number, data: Uint8Array, to?: Place): number {
    const raw = to === undefined ? new Uint8Array(0) : sockaddr(to)
    const kept = data.length === 0 ? new Uint8Array(1) : data
    return syscall(
      NR.sendto,
      fd,
      addressOf(kept),
      data.length,
      MSG_DONTWAIT | MSG_NOSIGNAL,
      addressOf(raw),
      raw.length,
    )
  }

  receive(fd: number, wantsSource = true): { data: Uint8Array; from: Place | null } | number {
    const buffer = new Uint8Array(65_536)
    const from = new Uint8Array(28)
    const length = new Uint8Array(4)
    length[0] = 28
    const result = syscall(
      NR.recvfrom,
      fd,
      addressOf(buffer),
      buffer.length,
      MSG_DONTWAIT,
      wantsSource ? addressOf(from) : 0,
      wantsSource ? addressOf(length) : 0,
    )
    if (result < 0) return result
    return { data: buffer.slice(0, result), from: wantsSource ? placeOf(from) : null }
  }

  bindPath(fd: number, path: string): number {
    const raw = unixAddress(path)
    return syscall(NR.bind, fd, addressOf(raw), raw.length)
  }

  connectPath(fd: number, path: string): number {
    const raw = unixAddress(path)
    return syscall(NR.connect, fd, addressOf(raw), raw.length)
  }

  shutdown(fd: number, how: number): number {
    return syscall(NR.shutdown, fd, how)
  }

  close(fd: number): void {
    syscall(NR.close, fd)
  }

  name(fd: number, peer: boolean): Place | number {
    const raw = new Uint8Array(28)
    const length = new Uint8Array(4)
    length[0] = 28
    const number = peer ? NR.getpeername : NR.getsockname
    const result = syscall(number, fd, addressOf(raw), addressOf(length))
    return result < 0 ? result : (placeOf(raw) ?? 0)
  }

  setsockopt(fd: number, level: number, name: number, value: Uint8Array): number {
    return syscall(NR.setsockopt, fd, level, name, addressOf(value), value.length)
  }

  getsockopt(fd: number, level: number, name: number, room: number): Uint8Array | number {
    const value = new Uint8Array(Math.max(room, 1))
    const length = new Uint8Array(4)
    const view = new DataView(length.buffer)
    view.setInt32(0, room, true)
    const result = syscall(NR.getsockopt, fd, level, name, addressOf(value), addressOf(length))
    return result < 0 ? result : value.slice(0, view.getInt32(0, true))
  }

  attach(fd: number, option: number, program: number): number {
    const value = new Uint8Array(4)
    new DataView(value.buffer).setInt32(0, program, true)
    return this.setsockopt(fd, SOL_SOCKET, option, value)
  }

  readSetting(path: string): string | number {
    return guarded(() => {
      const fd = openSync(`/proc/sys/${path}`, "r")
      try {
        const buffer = new Uint8Array(4096)
        const size = syscall(NR.read, fd, addressOf(buffer), buffer.length)
        return size < 0 ? size : new TextDecoder().decode(buffer.subarray(0, size))
      } finally {
        closeSync(fd)
      }
    })
  }

  writeSetting(path: string, text: string): number {
    return guarded(() => {
      const fd = openSync(`/proc/sys/${path}`, "w")
      try {
        const data = new TextEncoder().encode(text)
        return syscall(NR.write, fd, addressOf(data), data.length)
      } finally {
        closeSync(fd)
      }
    })
  }

  openDevice(path: string): number {
    return guarded(() => {
      closeSync(openSync(path, "r"))
      return 0
    })
  }

  network(): { readonly ifindex: number } {
    ip(
      ..."link add v0 address 02:00:00:00:00:01 type veth peer name v1 address 02:00:00:00:00:02".split(
        " ",
      ),
    )
    for (const name of ["v0", "v1"]) ip("link", "set", name, "up")
    writeFileSync("/proc/sys/net/ipv4/ip_forward", "1")
    ip("addr", "add", "10.1.0.1/24", "dev", "v0")
    ip(..."neigh add 10.1.0.2 lladdr 02:00:00:00:00:09 dev v0 nud permanent".split(" "))
    ip(..."route add 10.2.0.0/16 via 10.1.0.2 dev v0".split(" "))
    ip(..."route add 10.3.0.0/16 dev v0 metric 5".split(" "))
    for (const [net, kind] of [
      ["10.4.0.0/16", "blackhole"],
      ["10.5.0.0/16", "unreachable"],
      ["10.6.0.0/16", "prohibit"],
    ])
      ip("route", "add", kind, net)
    ip(..."route add 10.7.0.0/16 via 10.1.0.2 dev v0 mtu 1000".split(" "))
    ip(..."route add 10.8.0.0/16 via 10.1.0.2 dev v0 table 77".split(" "))
    return { ifindex: this.kernel.interfaceIndex("v0") || ifindexOf("v0") }
  }
}

/** /sys shows the namespace in which it was mounted: `ip` knows ours. */
function ifindexOf(name: string): number {
  const { stdout } = spawnSync("ip", ["-o", "link", "show", name], { encoding: "utf8" })
  return Number(stdout.split(":")[0])
}

function guarded<T>(body: () => T): T | number {
  try {
    return body()
  } catch (error) {
    const { errno } = error as { errno?: number }
    return typeof errno === "number" ? errno : -1
  }
}
