/**
 * Two machines on which the same tracing program sees the same thing happen: this Linux, where the
 * test's own thread makes the system calls, and the embedded kernel, where a task of the same ids
 * and name does. Programs leave what they saw in the array map `out`.
 */

import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  readSync,
  rmSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type Btf, readBtf } from "../../../src/btf/index.ts"
import { assemble } from "../../../src/isa/index.ts"
import {
  createEmbeddedKernel,
  type EmbeddedKernel,
  type Process,
} from "../../../src/kernel/index.ts"
import { createLinuxKernel } from "../../../src/linux/index.ts"
import {
  BPF_MAP_TYPE,
  BPF_PROG_TYPE,
  errnoName,
  helperByName,
  type KernelInterface,
} from "../../../src/spec/index.ts"
import { addressOf, attr, bpf, syscall } from "../../support/linux.ts"

/** `pid/task/tid` of the thread that the test runs on. */
const [pid, , tid] = readlinkSync("/proc/thread-self").split("/").map(Number)
export const SELF: { readonly pid: number; readonly tid: number; readonly comm: string } = {
  pid,
  tid,
  comm: readFileSync(`/proc/self/task/${tid}/comm`, "utf8").trim(),
}

export interface TracingSpec {
  readonly type: keyof typeof BPF_PROG_TYPE
  readonly attachType?: number
  readonly flags?: number
  /** BTF id of what it is loaded for, by name and kind. */
  readonly btf?: readonly [name: string, kind: "typedef" | "func"]
  /** R6 is the context, R9 the value of `out`; runs only for the test's own thread. */
  readonly text: string | ((types: Btf) => string)
  /** False: for every thread (and with no filter in front). */
  readonly ownThread?: boolean
  readonly maps?: Readonly<
    Record<
      string,
      {
        type: keyof typeof BPF_MAP_TYPE
        key: number
        value: number
        entries: number
        flags?: number
      }
    >
  >
}

export type AttachSpec =
  | { readonly tracepoint: readonly [group: string, name: string] }
  | { readonly rawTracepoint: string | null; readonly cookie?: bigint }
  | { readonly uprobe: readonly [path: string, offset: bigint, onReturn: boolean] }
  | {
      readonly uprobeMulti: {
        path: string
        offsets: readonly bigint[]
        cookies?: readonly bigint[]
        flags?: number
        attachType: number
      }
    }
  | { readonly clock: { period: bigint } }
  | { readonly iterator: Uint8Array }

export interface Loaded {
  readonly fd: number
  readonly maps: ReadonlyMap<string, number>
}

/** What a scenario lets happen: system calls of the test's own thread, in a folder of its own. */
export interface Actor {
  path(name: string): string
  openat(path: string, flags?: number, mode?: number): number
  read(fd: number, count: number): number
  write(fd: number, text: string): number
  close(fd: number): number
  unlinkat(path: string, flags?: number): number
  mkdir(path: string, mode: number): number
  rename(from: string, to: string): number
  chmod(path: string, mode: number): number
  symlink(target: string, path: string): number
  kill(pid: number, signal: number): number
  getppid(): number
  /** Computes for a while. */
  burn(milliseconds: number): void
}

export interface Side {
  readonly kernel: KernelInterface
  readonly types: Btf
  readonly actor: Actor
  attach(program: Loaded, spec: AttachSpec): number
  /** The text of an iterator; a negative errno where reading fails. */
  readAll(link: number, chunk?: number): string | number
  close(): void
}

const OUT_BYTES = 512
const AT_FDCWD = -100
const text = (value: string): Uint8Array => new TextEncoder().encode(`${value}\0`)

export function linuxSide(): Side {
  const kernel = createLinuxKernel()
  const folder = mkdtempSync(join(tmpdir(), "skep-trace-"))
  const withPath = (number: number, ...args: (string | number)[]): number => {
    const kept = args.map((arg) => (typeof arg === "string" ? text(arg) : arg))
    const result = syscall(
      number,
      ...kept.map((arg) => (typeof arg === "number" ? arg : addressOf(arg))),
    )
    return kept.length > 0 ? result : result
  }
  const actor: Actor = {
    path: (name) => join(folder, name),
    openat: (path, flags = 0, mode = 0) => withPath(257, AT_FDCWD, path, flags, mode),
    read: (fd, count) => {
      const buffer = new Uint8Array(count)
      return syscall(0, fd, addressOf(buffer), count)
    },
    write: (fd, content) => {
      const bytes = new TextEncoder().encode(content)
      return syscall(1, fd, addressOf(bytes), bytes.length)
    },
    close: (fd) => syscall(3, fd),
    unlinkat: (path, flags = 0) => withPath(263, AT_FDCWD, path, flags),
    mkdir: (path, mode) => withPath(83, path, mode),
    rename: (from, to) => withPath(82, from, to),
    chmod: (path, mode) => withPath(90, path, mode),
    symlink: (target, path) => withPath(88, target, path),
    kill: (target, signal) => syscall(62, target, signal),
    getppid: () => syscall(110),
    burn(milliseconds) {
      const end = performance.now() + milliseconds
      while (performance.now() < end);
    },
  }
  return {
    kernel,
    types: readBtf(kernel.vmlinuxBtf() ?? new Uint8Array(0)),
    actor,
    attach: (program, spec) =>
      "tracepoint" in spec
        ? attachTracepoint(kernel, program, join(folder, "tracefs"), spec.tracepoint)
        : attachOnLinux(kernel, program, spec),
    readAll(link, chunk = 4096) {
      const fd = bpf(33, attr([[0, 4, link]]))
      if (fd < 0) return fd
      let all = ""
      try {
        const buffer = Buffer.alloc(chunk)
        for (let n = readSync(fd, buffer); n > 0; n = readSync(fd, buffer))
          all += buffer.toString("latin1", 0, n)
        return all
      } catch (error) {
        // Node's errno is negative, as ours.
        return (error as { errno?: number }).errno ?? 0
      } finally {
        closeSync(fd)
      }
    },
    close() {
      const mounted = text(join(folder, "tracefs"))
      syscall(166, addressOf(mounted), 0)
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** Tracepoints have their numbers in tracefs, which is mounted in the test's own folder. */
function attachTracepoint(
  kernel: KernelInterface,
  program: Loaded,
  tracefs: string,
  [group, name]: readonly [string, string],
): number {
  if (!existsSync(join(tracefs, "events"))) {
    mkdirSync(tracefs, { recursive: true })
    const [type, where] = [text("tracefs"), text(tracefs)]
    const mounted = syscall(165, addressOf(type), addressOf(where), addressOf(type), 0, 0)
    if (mounted < 0) return mounted
  }
  const file = join(tracefs, "events", group, name, "id")
  if (!existsSync(file)) return -2
  const event = perfEvent(2, BigInt(readFileSync(file, "utf8").trim()), {
    period: 1n,
    pid: -1,
    cpu: 0,
  })
  return event < 0 ? event : throughEvent(kernel, program, event)
}

function attachOnLinux(kernel: KernelInterface, program: Loaded, spec: AttachSpec): number {
  if ("tracepoint" in spec) return -22
  if ("rawTracepoint" in spec)
    return kernel.bpf("RAW_TRACEPOINT_OPEN", {
      prog_fd: program.fd,
      cookie: spec.cookie,
      ...(spec.rawTracepoint === null ? {} : { name: spec.rawTracepoint }),
    })
  if ("uprobe" in spec) {
    const [path, offset, onReturn] = spec.uprobe
    const type = Number(readFileSync("/sys/bus/event_source/devices/uprobe/type", "utf8"))
    const name = text(path)
    const event = perfEvent(type, onReturn ? 1n : 0n, {
      config1: addressOf(name),
      config2: offset,
      pid: SELF.pid,
    })
    return event < 0 ? event : throughEvent(kernel, program, event)
  }
  if ("clock" in spec) {
    const event = perfEvent(1, 0n, { period: spec.clock.period, pid: SELF.tid })
    return event < 0 ? event : throughEvent(kernel, program, event)
  }
  if ("iterator" in spec) {
    const info = spec.iterator
    const fields = attr([
      [0, 4, program.fd],
      [8, 4, 28],
      [16, 8, info.length === 0 ? 0n : addressOf(info)],
      [24, 4, info.length],
    ])
    return bpf(28, fields)
  }
  const { path, offsets, cookies, flags = 0, attachType } = spec.uprobeMulti
  const [name, places, values] = [
    text(path),
    BigUint64Array.from(offsets),
    BigUint64Array.from(cookies ?? []),
  ]
  const bytesOf = (words: BigUint64Array): Uint8Array => new Uint8Array(words.buffer)
  const fields = attr([
    [0, 4, program.fd],
    [8, 4, attachType],
    [16, 8, addressOf(name)],
    [24, 8, addressOf(bytesOf(places))],
    [40, 8, cookies === undefined ? 0n : addressOf(bytesOf(values))],
    [48, 4, offsets.length],
    [52, 4, flags],
    [56, 4, SELF.pid],
  ])
  return bpf(28, fields)
}

function perfEvent(
  type: number,
  config: bigint,
  more: { config1?: bigint; config2?: bigint; period?: bigint; pid: number; cpu?: number },
): number {
  const bytes = new Uint8Array(136)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, type, true)
  view.setUint32(4, bytes.length, true)
  view.setBigUint64(8, config, true)
  view.setBigUint64(16, more.period ?? 0n, true)
  view.setBigUint64(56, more.config1 ?? 0n, true)
  view.setBigUint64(64, more.config2 ?? 0n, true)
  return syscall(298, addressOf(bytes), more.pid, more.cpu ?? -1, -1, 8)
}

function throughEvent(kernel: KernelInterface, program: Loaded, event: number): number {
  const link = kernel.bpf("LINK_CREATE", { prog_fd: program.fd, target_fd: event, attach_type: 41 })
  kernel.close(event)
  return link
}

/** A kernel with a task that stands for the test's own thread. */
export function embeddedSide(): Side & { readonly kernel: EmbeddedKernel; readonly task: Process } {
  const kernel = createEmbeddedKernel({ cpus: 2 })
  const task = kernel.tasks.spawn({ pid: SELF.tid, tgid: SELF.pid, comm: SELF.comm }) as Process
  const folder = "/tmp/skep-trace"
  kernel.world.files.directory(folder, 0o700)
  const actor: Actor = {
    path: (name) => `${folder}/${name}`,
    openat: (path, flags, mode) => task.openat(path, flags, mode ?? 0),
    read(fd, count) {
      const result = task.read(fd, count)
      return typeof result === "number" ? result : result.length
    },
    write: (fd, content) => task.write(fd, content),
    close: (fd) => task.close(fd),
    unlinkat: (path, flags) => task.unlinkat(path, flags),
    mkdir: (path, mode) => task.mkdir(path, mode),
    rename: (from, to) => task.rename(from, to),
    chmod: (path, mode) => task.chmod(path, mode),
    symlink: (target, path) => task.symlink(target, path),
    kill: (target, signal) => task.kill(target, signal),
    getppid: () => task.getppid(),
    burn: (milliseconds) => task.run(BigInt(milliseconds) * 1_000_000n),
  }
  return {
    kernel,
    task,
    types: readBtf(kernel.vmlinuxBtf()),
    actor,
    attach(program, spec) {
      if ("tracepoint" in spec)
        return throughEvent(kernel, program, kernel.openTracepoint(...spec.tracepoint))
      if ("rawTracepoint" in spec)
        return kernel.bpf("RAW_TRACEPOINT_OPEN", {
          prog_fd: program.fd,
          cookie: spec.cookie,
          ...(spec.rawTracepoint === null ? {} : { name: spec.rawTracepoint }),
        })
      if ("uprobe" in spec) {
        const [path, offset, onReturn] = spec.uprobe
        return throughEvent(
          kernel,
          program,
          kernel.openUprobe({ path, offset, onReturn, pid: SELF.pid }),
        )
      }
      if ("clock" in spec) {
        const event = { type: 1, config: 0n, samplePeriod: spec.clock.period, pid: SELF.tid }
        return throughEvent(kernel, program, kernel.openPerfEvent(event))
      }
      if ("iterator" in spec)
        return kernel.bpf("LINK_CREATE", {
          prog_fd: program.fd,
          attach_type: 28,
          iter_info: spec.iterator,
        })
      const { attachType, ...uprobe_multi } = spec.uprobeMulti
      return kernel.bpf("LINK_CREATE", {
        prog_fd: program.fd,
        attach_type: attachType,
        uprobe_multi: { ...uprobe_multi, pid: SELF.pid },
      })
    },
    readAll(link, chunk = 4096) {
      const fd = kernel.bpf("ITER_CREATE", { link_fd: link })
      if (fd < 0) return fd
      let all = ""
      const buffer = new Uint8Array(chunk)
      let n = kernel.read(fd, buffer)
      for (; n > 0; n = kernel.read(fd, buffer))
        all += String.fromCharCode(...buffer.subarray(0, n))
      kernel.close(fd)
      return n < 0 ? n : all
    },
    close: () => kernel.dispose(),
  }
}

/** Puts a file into the folder of a side, without any program seeing it. */
export function putFile(side: Side, name: string, content: string, mode = 0o644): void {
  const path = side.actor.path(name)
  if ("task" in side)
    (side as ReturnType<typeof embeddedSide>).kernel.world.files.write(path, content, { mode })
  else writeFileSync(path, content, { mode })
}

export function putDirectory(side: Side, name: string): void {
  const path = side.actor.path(name)
  if ("task" in side) (side as ReturnType<typeof embeddedSide>).kernel.world.files.directory(path)
  else mkdirSync(path)
}

/** `rN = *(u64 *)(r9 + 8 * slot)` the other way round. */
export function save(slot: number, register = "r0"): string {
  return `*(u64 *)(r9 + ${8 * slot}) = ${register}`
}

/** Byte offset of a member, members of members separated by dots. */
export function offsetOf(types: Btf, struct: string, path: string): number {
  const find = (id: number, name: string): { offset: number; type: number } | undefined => {
    const type = types.resolve(id)
    if (type.kind !== "struct" && type.kind !== "union") return undefined
    for (const member of type.members) {
      if (member.name === name) return { offset: member.bitOffset >> 3, type: member.type }
      if (member.name !== "") continue
      const inner = find(member.type, name)
      if (inner) return { offset: (member.bitOffset >> 3) + inner.offset, type: inner.type }
    }
    return undefined
  }
  let id = types.findByName(struct, "struct") ?? 0
  let offset = 0
  for (const name of path.split(".")) {
    const found = find(id, name)
    if (found === undefined) throw new Error(`struct ${struct} has no ${path}`)
    offset += found.offset
    id = found.type
  }
  return offset
}

/** Loads a program; throws with the verifier's log when it is refused. */
export function load(side: Side, spec: TracingSpec): Loaded {
  const { kernel, types } = side
  const maps = new Map<string, number>()
  const all = {
    out: { type: "BPF_MAP_TYPE_ARRAY", key: 4, value: OUT_BYTES, entries: 1 },
    gate: { type: "BPF_MAP_TYPE_ARRAY", key: 4, value: 8, entries: 1 },
    ...spec.maps,
  } as const
  for (const [name, map] of Object.entries(all) as [
    string,
    {
      type: keyof typeof BPF_MAP_TYPE
      key: number
      value: number
      entries: number
      flags?: number
    },
  ][]) {
    const fd = kernel.bpf("MAP_CREATE", {
      map_type: BPF_MAP_TYPE[map.type],
      key_size: map.key,
      value_size: map.value,
      max_entries: map.entries,
      map_flags: map.flags ?? 0,
      map_name: name,
    })
    if (fd < 0) throw new Error(`${kernel.kind}: map ${name}: ${errnoName(fd)}`)
    maps.set(name, fd)
  }
  const body = typeof spec.text === "string" ? spec.text : spec.text(types)
  const filter =
    spec.ownThread === false
      ? ""
      : `call bpf_get_current_pid_tgid
         r1 = ${(BigInt(SELF.pid) << 32n) | BigInt(SELF.tid)} ll
         if r0 != r1 goto skip
         r1 = map[gate][0]; r1 = *(u64 *)(r1 + 0); if r1 == 0 goto skip\n`
  const source = `r6 = r1\nr9 = map[out][0]\n${filter}${body}\nskip: r0 = 0\nexit`
  const resolved = source.replace(/map\[(\w+)\]/g, (whole, name: string) =>
    maps.has(name) ? `map[fd:${maps.get(name)}]` : whole,
  )
  const log = new Uint8Array(1 << 16)
  const { bytes } = assemble(resolved, { helperId: (name) => helperByName(name)?.id })
  const fd = kernel.bpf("PROG_LOAD", {
    prog_type: BPF_PROG_TYPE[spec.type],
    expected_attach_type: spec.attachType ?? 0,
    prog_flags: spec.flags ?? 0,
    attach_btf_id: spec.btf === undefined ? 0 : (types.findByName(...spec.btf) ?? 0),
    insns: bytes,
    license: "GPL",
    log_level: 1,
    log_buf: log,
  })
  if (fd < 0) {
    const end = log.indexOf(0)
    throw new Error(
      `${kernel.kind}: PROG_LOAD: ${errnoName(fd)}\n${source}\n${new TextDecoder().decode(log.subarray(0, end))}`,
    )
  }
  return { fd, maps }
}

/** The slots of `out`. */
export function slots(side: Side, program: Loaded, count: number): bigint[] {
  const value = new Uint8Array(OUT_BYTES)
  side.kernel.bpf("MAP_LOOKUP_ELEM", {
    map_fd: program.maps.get("out") ?? -1,
    key: new Uint8Array(4),
    value,
  })
  const view = new DataView(value.buffer)
  return Array.from({ length: count }, (_, i) => view.getBigUint64(8 * i, true))
}

/** Programs look away while the gate is shut: the tools around the test make system calls too. */
export function openGate(side: Side, program: Loaded, open: bigint): void {
  const value = new Uint8Array(8)
  new DataView(value.buffer).setBigUint64(0, open, true)
  side.kernel.bpf("MAP_UPDATE_ELEM", {
    map_fd: program.maps.get("gate") ?? -1,
    key: new Uint8Array(4),
    value,
  })
}

export function unload(side: Side, program: Loaded): void {
  side.kernel.close(program.fd)
  for (const fd of program.maps.values()) side.kernel.close(fd)
}

/** Loads, attaches, lets things happen, and gives what the program left. */
export function trace(
  side: Side,
  spec: TracingSpec,
  attach: AttachSpec,
  action: (actor: Actor) => unknown,
  count = 32,
): { readonly slots: readonly bigint[]; readonly action: unknown } {
  const program = load(side, spec)
  const link = side.attach(program, attach)
  if (link < 0) throw new Error(`${side.kernel.kind}: attach: ${errnoName(link)}`)
  try {
    openGate(side, program, 1n)
    const done = action(side.actor)
    openGate(side, program, 0n)
    return { slots: slots(side, program, count), action: done }
  } finally {
    side.kernel.close(link)
    unload(side, program)
  }
}
