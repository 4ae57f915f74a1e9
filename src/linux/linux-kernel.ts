/**
 * The running Linux as a {@link KernelInterface}: enough of bpf(2) to load, run and compare.
 * Values whose size the kernel takes from the map (not from the attribute) are checked here, so
 * that a buffer that is too small never reaches the system call.
 */

import { existsSync, readFileSync } from "node:fs"
import { release } from "node:os"
import {
  BPF_MAP_TYPE,
  type CommandName,
  type Commands,
  ERRNO,
  type KernelInterface,
  type PerfRing,
  type RingView,
} from "../spec/index.ts"
import { Attr } from "./attr.ts"
import { commandNumber, PACKINGS } from "./commands.ts"
import {
  bpfOutputEvent,
  createPerfRing,
  PERF_EVENT_IOC_ENABLE,
  PERF_FLAG_FD_CLOEXEC,
} from "./perf-ring.ts"
import { loadNative } from "./syscall.ts"

const VMLINUX_BTF = "/sys/kernel/btf/vmlinux"
const PAGE_SIZE = 4096
const PROT_READ = 1
const PROT_WRITE = 2
const MAP_SHARED = 1
const PER_CPU: readonly number[] = [
  BPF_MAP_TYPE.BPF_MAP_TYPE_PERCPU_HASH,
  BPF_MAP_TYPE.BPF_MAP_TYPE_PERCPU_ARRAY,
  BPF_MAP_TYPE.BPF_MAP_TYPE_LRU_PERCPU_HASH,
  BPF_MAP_TYPE.BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE,
]
/** Map types whose system call values are 4 bytes, whatever the map says. */
const FD_VALUED: readonly number[] = [
  BPF_MAP_TYPE.BPF_MAP_TYPE_PROG_ARRAY,
  BPF_MAP_TYPE.BPF_MAP_TYPE_PERF_EVENT_ARRAY,
  BPF_MAP_TYPE.BPF_MAP_TYPE_CGROUP_ARRAY,
  BPF_MAP_TYPE.BPF_MAP_TYPE_ARRAY_OF_MAPS,
  BPF_MAP_TYPE.BPF_MAP_TYPE_HASH_OF_MAPS,
]

interface MapSizes {
  readonly type: number
  readonly key: number
  readonly value: number
  readonly maxEntries: number
}

/** Opens the running kernel; see {@link loadNative} for what it throws. */
export function createLinuxKernel(): LinuxKernel {
  return new LinuxKernel()
}

export class LinuxKernel implements KernelInterface {
  readonly kind = "linux" as const
  readonly possibleCpus: number = countCpus(readText("/sys/devices/system/cpu/possible") ?? "0")
  private readonly api = loadNative()
  private readonly sizes = new Map<number, MapSizes>()

  bpf<C extends CommandName>(command: C, from: Commands[C]): number {
    const packing = PACKINGS[command]
    if (packing === undefined) return -ERRNO.EOPNOTSUPP
    const refused = this.checkSizes(command, from)
    if (refused < 0) return refused
    const { native, numbers } = this.api
    const attr = new Attr(native)
    packing.pack(attr, from)
    const result = native.syscall(
      numbers.bpf,
      commandNumber(command),
      native.addressOf(attr.bytes),
      attr.bytes.length,
    )
    attr.keepAlive()
    packing.unpack?.(attr, from, result)
    return result
  }

  close(fd: number): void {
    if (fd < 0) return
    this.sizes.delete(fd)
    this.api.native.syscall(this.api.numbers.close, fd)
  }

  /** The kernel reads and writes whole keys and values: short buffers would be overrun. */
  private checkSizes(command: CommandName, from: object): number {
    if (!command.startsWith("MAP_") || command === "MAP_CREATE" || command === "MAP_FREEZE")
      return 0
    if (!("map_fd" in from) || typeof from.map_fd !== "number") return 0
    const sizes = this.sizesOf(from.map_fd)
    // No map: the kernel refuses the command before it touches a buffer, and says why.
    if (typeof sizes === "number") return 0
    const count = "count" in from && typeof from.count === "number" ? from.count : 1
    const needs: readonly (readonly [string, number])[] = [
      ["key", sizes.key],
      ["next_key", sizes.key],
      ["value", sizes.value],
      ["keys", sizes.key * count],
      ["values", sizes.value * count],
      ["in_batch", Math.max(4, sizes.key)],
      ["out_batch", Math.max(4, sizes.key)],
    ]
    for (const [field, needed] of needs) {
      const bytes = (from as Record<string, unknown>)[field]
      if (bytes instanceof Uint8Array && bytes.length < needed) return -ERRNO.EFAULT
    }
    return 0
  }

  private sizesOf(fd: number): MapSizes | number {
    const known = this.sizes.get(fd)
    if (known !== undefined) return known
    // The kernel says what is behind a descriptor only here; anything else than a map has no sizes.
    const text = readText(`/proc/self/fdinfo/${fd}`) ?? ""
    const field = (name: string): number | undefined => {
      const match = text.match(new RegExp(`^${name}:\\s*(\\d+)`, "m"))
      return match === null ? undefined : Number(match[1])
    }
    const type = field("map_type")
    if (type === undefined) return -ERRNO.EINVAL
    const size = field("value_size") ?? 0
    const value = FD_VALUED.includes(type)
      ? 4
      : PER_CPU.includes(type)
        ? ((size + 7) & ~7) * this.possibleCpus
        : size
    const sizes = {
      type,
      key: field("key_size") ?? 0,
      value,
      maxEntries: field("max_entries") ?? 0,
    }
    this.sizes.set(fd, sizes)
    return sizes
  }

  vmlinuxBtf(): Uint8Array | null {
    try {
      return new Uint8Array(readFileSync(VMLINUX_BTF))
    } catch {
      return null
    }
  }

  openRing(mapFd: number): RingView | number {
    const sizes = this.sizesOf(mapFd)
    if (typeof sizes === "number") return sizes
    const { maxEntries: size } = sizes
    const consumer = this.map(mapFd, PAGE_SIZE, PROT_READ | PROT_WRITE, 0)
    if (typeof consumer === "number") return consumer
    const producer = this.map(mapFd, PAGE_SIZE + 2 * size, PROT_READ, PAGE_SIZE)
    if (typeof producer === "number") return producer
    const consumed = new BigUint64Array(consumer, 0, 1)
    const produced = new BigUint64Array(producer, 0, 1)
    const data = new Uint8Array(producer, PAGE_SIZE, 2 * size)
    return {
      size,
      data: () => data,
      producerPosition: () => Number(Atomics.load(produced, 0)),
      consumerPosition: () => Number(Atomics.load(consumed, 0)),
      setConsumerPosition(position) {
        Atomics.store(consumed, 0, BigInt(position))
      },
    }
  }

  private map(fd: number, size: number, protection: number, offset: number): ArrayBuffer | number {
    const { native, numbers } = this.api
    const address = native.syscallBig(numbers.mmap, 0, size, protection, MAP_SHARED, fd, offset)
    return address < 0n && address > -4096n ? Number(address) : native.view(address, size)
  }

  openPerfRing(mapFd: number, cpu: number, pages: number): PerfRing | number {
    const { native, numbers } = this.api
    const attr = bpfOutputEvent()
    const fd = native.syscall(
      numbers.perf_event_open,
      native.addressOf(attr),
      -1,
      cpu,
      -1,
      PERF_FLAG_FD_CLOEXEC,
    )
    if (fd < 0) return fd
    const memory = this.map(fd, (1 + pages) * PAGE_SIZE, PROT_READ | PROT_WRITE, 0)
    if (typeof memory === "number") return memory
    const enabled = native.syscall(numbers.ioctl, fd, PERF_EVENT_IOC_ENABLE, 0)
    if (enabled < 0) return enabled
    const [key, value] = [new Uint8Array(4), new Uint8Array(4)]
    new DataView(key.buffer).setUint32(0, cpu, true)
    new DataView(value.buffer).setUint32(0, fd, true)
    const stored = this.bpf("MAP_UPDATE_ELEM", { map_fd: mapFd, key, value })
    return stored < 0 ? stored : createPerfRing(memory, cpu, pages * PAGE_SIZE)
  }

  /** Polls every few milliseconds. */
  watch(mapFd: number, onReadable: () => void): () => void {
    const ring = this.openRing(mapFd)
    if (typeof ring === "number") return () => {}
    const timer = setInterval(() => {
      if (ring.producerPosition() !== ring.consumerPosition()) onReadable()
    }, 5)
    return () => clearInterval(timer)
  }

  interfaceIndex(name: string): number {
    // Not from /sys/class/net: a sysfs shows the network namespace in which it was mounted.
    const { native, numbers } = this.api
    const { socket } = numbers
    const fd = native.syscall(socket, AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)
    if (fd < 0) return 0
    // struct ifreq: 16 bytes of name, then a union of which the index is the first word.
    const request = new Uint8Array(40)
    const bytes = new TextEncoder().encode(name)
    try {
      if (bytes.length >= IFNAMSIZ) return 0
      request.set(bytes)
      const result = native.syscall(numbers.ioctl, fd, SIOCGIFINDEX, native.addressOf(request))
      return result < 0 ? 0 : new DataView(request.buffer).getInt32(IFNAMSIZ, true)
    } finally {
      native.syscall(numbers.close, fd)
    }
  }

  openCgroup(path: string): number {
    const { native, numbers } = this.api
    const bytes = new TextEncoder().encode(`${path}\0`)
    // AT_FDCWD, O_RDONLY | O_DIRECTORY
    return native.syscall(numbers.openat, -100, native.addressOf(bytes), 0o200000)
  }

  openNetns(path: string): number {
    const { native, numbers } = this.api
    const bytes = new TextEncoder().encode(`${path}\0`)
    return native.syscall(numbers.openat, -100, native.addressOf(bytes), 0)
  }

  openTracepoint(group: string, name: string): number {
    const events = TRACEFS.map((root) => `${root}/events`).find((path) => existsSync(path))
    // Nobody has mounted tracefs.
    if (events === undefined) return -ERRNO.ENODEV
    const id = readText(`${events}/${group}/${name}/id`)
    if (id === null) return -ERRNO.ENOENT
    const { native, numbers } = this.api
    // struct perf_event_attr: type PERF_TYPE_TRACEPOINT, size, config = tracepoint id.
    const attr = new Uint8Array(136)
    const view = new DataView(attr.buffer)
    view.setUint32(0, 2, true)
    view.setUint32(4, attr.length, true)
    view.setBigUint64(8, BigInt(id), true)
    view.setBigUint64(16, 1n, true)
    return native.syscall(numbers.perf_event_open, native.addressOf(attr), -1, 0, -1, 8)
  }

  openKprobe(): number {
    return -ERRNO.EOPNOTSUPP
  }

  kernelSymbol(name: string): bigint | undefined {
    const line = readText("/proc/kallsyms")?.match(new RegExp(`^([0-9a-f]+) \\w ${name}$`, "m"))
    return line ? BigInt(`0x${line[1]}`) : undefined
  }

  kernelConfig(): ReadonlyMap<string, string> {
    const text = readText(`/boot/config-${release()}`) ?? ""
    const entries = [...text.matchAll(/^(CONFIG_\w+)=(.*)$/gm)]
    return new Map(entries.map((match) => [match[1], match[2]]))
  }

  versionCode(): number {
    const [major, minor, patch] = release().split(/[.-]/).map(Number)
    return (major << 16) | (minor << 8) | Math.min(patch || 0, 255)
  }
}

function readText(path: string): string | null {
  try {
    return readFileSync(path, "utf8").trim()
  } catch {
    return null
  }
}

/** Where tracefs is mounted, and where it was before Linux 4.1. */
const TRACEFS: readonly string[] = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"]

const AF_INET = 2
const SOCK_DGRAM = 2
const SOCK_CLOEXEC = 0o2000000
const SIOCGIFINDEX = 0x8933
const IFNAMSIZ = 16

/** `0-3,8` has 9 possible CPUs: values are indexed up to the highest. */
function countCpus(list: string): number {
  return Math.max(...list.split(/[,-]/).map(Number)) + 1
}
