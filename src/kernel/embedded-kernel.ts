/**
 * The embedded kernel: memory, tables, world and engine put together, answering the kernel
 * interface. One instance is one machine; nothing is shared between instances.
 */

import type { Btf } from "../btf/index.ts"
import { REGION_PROBE, REGION_READ } from "../interpreter/index.ts"
import type { CompileOptions } from "../jit/index.ts"
import {
  type CommandName,
  type Commands,
  ERRNO,
  type KernelInterface,
  type PerfEventAttr,
  type PerfRing,
  type RingView,
  type UprobeTarget,
} from "../spec/index.ts"
import { CLOCK_WORD, CPU_WORD, RANDOM_STATE } from "../wasm/maps/layout.ts"
import { createClock } from "./clock.ts"
import { loadPacket } from "./contexts/index.ts"
import type { KernelState, RunOutcome, VirtualClock } from "./environment.ts"
import { Events, findTracepoint, findTracepointByName, UserMemory } from "./events/index.ts"
import { CgroupHooks } from "./hooks/cgroups.ts"
import { Hooks } from "./hooks/hooks.ts"
import type { KernelTables } from "./kernel-tables.ts"
import { type BpfMap, PerfEventArray, RedirectMap, RingBufferMap } from "./maps/index.ts"
import { createKernelMemory } from "./memory/index.ts"
import {
  type Inet,
  type NetworkDevice,
  NetworkStack,
  type RedirectTarget,
  SocketCalls,
  SocketDescriptors,
} from "./net/index.ts"
import { Bpffs } from "./objects/bpffs.ts"
import type { BtfObject } from "./objects/btf-object.ts"
import { FdTable } from "./objects/fd-table.ts"
import { IdTable } from "./objects/id-table.ts"
import { KernelObject } from "./objects/kernel-object.ts"
import { type BatchOptions, type BatchResult, runMany } from "./programs/batch.ts"
import { type EngineName, engineOfProcess, verifiesByDefault } from "./programs/engines.ts"
import { Runner } from "./programs/run.ts"
import { createRandom } from "./random.ts"
import { dispatch } from "./syscall/dispatch.ts"
import type { Task } from "./tasks/task.ts"
import { Tasks } from "./tasks/tasks.ts"
import { TracePipe } from "./trace-pipe.ts"
import { Tracing, tracingWorld } from "./tracing.ts"
import { kernelTypes } from "./types/index.ts"
import { Process, Symbols, sendOwnSignal, World as VirtualWorld } from "./world/index.ts"

export interface EmbeddedKernelOptions {
  /** Possible CPUs, 1 by default: copies of per-CPU values. */
  readonly cpus?: number
  /** Of bpf_get_prandom_u32 and hash seeds; 1 by default. */
  readonly seed?: number
  /** The kernel's types; its own small set by default. A real vmlinux BTF works too. */
  readonly btf?: Btf
  /** Nanoseconds since boot at the start: 1 s by default. */
  readonly bootTimeNs?: bigint
  /** Instructions that one run of a program may take. */
  readonly budget?: number
  /**
   * What runs programs: "interpreter", "jit" (everything is compiled to WebAssembly), or "auto", the
   * default: programs that run often are compiled.
   */
  readonly engine?: EngineName
  /**
   * Whether programs must pass the verifier, as on Linux; true by default. Without it any
   * well-formed program is loaded, and what it does wrong is a fault when it runs.
   */
  readonly verify?: boolean
  /** Compiled code makes no memory checks, even in programs that no verifier has accepted. */
  readonly trustPrograms?: boolean
  /** Told, in a sentence, when programs cannot be compiled. */
  readonly onNotice?: (text: string) => void
  /** Overrides what the compiler is told: for tests of the compiler. */
  readonly compile?: Partial<CompileOptions>
  /** Bytes of kernel memory at most. */
  readonly memoryMaxBytes?: number
  /** CONFIG_ values for `.kconfig` externs, beside those that follow from the kernel. */
  readonly kconfig?: Readonly<Record<string, string>>
}

/** Linux 6.18.0, the kernel whose semantics these are. */
const VERSION_CODE = (6 << 16) | (18 << 8)
const CPUS_MAX = 256
/** Where `ip netns` keeps namespaces by name. */
const NETNS_FOLDER = "/run/netns/"
const KEY_BYTES_MAX = 512

export class EmbeddedKernel implements KernelInterface {
  readonly kind = "embedded" as const
  readonly possibleCpus: number
  readonly tables: KernelTables
  readonly state: KernelState
  readonly clock: VirtualClock
  readonly tracePipe: TracePipe = new TracePipe()
  readonly tasks: Tasks
  readonly network: NetworkStack
  /** System calls on sockets. */
  readonly sockets: SocketCalls
  /** Sockets by file descriptor. */
  readonly descriptors: SocketDescriptors
  readonly events: Events
  /** Files, processes, scheduler and disk. */
  readonly world: VirtualWorld
  readonly symbols: Symbols
  private readonly tracing: Tracing
  readonly bpffs: Bpffs = new Bpffs()
  readonly runner: Runner
  private readonly watchers = new Map<BpfMap, Set<() => void>>()
  private readonly config: ReadonlyMap<string, string>
  private readonly typesOf: () => Btf

  constructor(options: EmbeddedKernelOptions = {}) {
    const cpus = options.cpus ?? 1
    if (!Number.isInteger(cpus) || cpus < 1 || cpus > CPUS_MAX)
      throw new RangeError(`cpus: ${cpus} is not in 1 to ${CPUS_MAX}`)
    this.possibleCpus = cpus
    // Making the types takes longer than everything else here, and packet programs never ask.
    this.typesOf = () => options.btf ?? kernelTypes()
    this.config = new Map(Object.entries({ ...defaultConfig(), ...options.kconfig }))
    const memory = createKernelMemory(
      options.memoryMaxBytes === undefined ? {} : { maximumBytes: options.memoryMaxBytes },
    )
    // Compiled programs read clock and random state where they lie.
    this.clock = createClock(options.bootTimeNs ?? 1_000_000_000n, (now) =>
      memory.view.setBigUint64(CLOCK_WORD, now, true),
    )
    const random = createRandom(options.seed ?? 1, {
      words: () => memory.i32,
      at: (CPU_WORD + RANDOM_STATE) >> 2,
    })
    const runner = new Runner({
      memory,
      budget: options.budget,
      loadPacket,
      engine: options.engine ?? engineOfProcess(),
      trusted: options.trustPrograms,
      notice: options.onNotice,
      compile: options.compile,
    })
    this.runner = runner
    const hooks = new Hooks()
    const cgroups = new CgroupHooks()
    const mapSlots: (BpfMap | undefined)[] = []
    const programs = new IdTable<KernelObject<"program">>()
    // The whole of memory; its end is set afresh when memory grows.
    const kernelRegion = memory.createRegion(0, 0x7fffffff, REGION_READ | REGION_PROBE)
    const user = new UserMemory(memory)
    const self = this
    const state: KernelState = {
      memory,
      cpus,
      get types(): Btf {
        return self.typesOf()
      },
      kernelRegion,
      userRegion: user.region,
      descriptorRegion: memory.createRegion(0, 0, 0),
      clock: this.clock,
      currentCpu: () => runner.currentCpu(),
      random32: random,
      trace: (line) => this.tracePipe.append(line),
      mapAt: (address) => mapSlots[memory.view.getUint32(address, true)],
      programById: (id) => programs.get(id)?.value,
      device: (ifindex) => this.network.devices.get(ifindex),
      get net(): Inet {
        return self.network.inet
      },
      get idleTask(): Task {
        return self.tasks.idle
      },
      taskStruct: (task) => this.tasks.structOf(task),
      taskByPid: (pid) => this.tasks.find(pid),
      cgroupAncestors: (task) => this.cgroupAncestors(task.cgroupPath),
      cgroupIds: (path) => this.cgroupAncestors(path),
      cloneRedirect: (frame, ifindex, ingress) =>
        this.network.cloneRedirect(frame, ifindex, ingress),
      notify: (map) => {
        for (const onReadable of this.watchers.get(map) ?? []) onReadable()
      },
      run: (program, input): RunOutcome => {
        if (this.tables.statsUsers === 0) return runner.run(state, program, input)
        const start = performance.now()
        const outcome = runner.run(state, program, input)
        program.runCount++
        program.runTimeNs += BigInt(Math.round((performance.now() - start) * 1e6))
        return outcome
      },
      signal: (task, signal, toThread) => sendOwnSignal(this.world, task, signal, toThread),
      callFunction: (program, slot, args) => runner.callFunction(state, program, slot, args),
      runFunction: (name, args, body) =>
        this.events.functions.run(name, args, { task: this.tasks.init }, body) | 0,
      bpf: (command, attr) => this.bpf(command, attr),
      closeFd: (fd) => this.tables.fds.close(fd),
      mapSizes: (fd) => {
        const map = this.tables.fds.get(fd, "map")
        if (typeof map === "number") return undefined
        return { key: map.value.map.keySize, value: map.value.map.syscallValueSize }
      },
      kernelSymbol: (name) => this.kernelSymbol(name),
      symbolAt: (address) => this.symbols.at(address),
    }
    this.state = state
    this.tasks = new Tasks(state, () => this.clock.now())
    this.network = new NetworkStack(state, hooks, cgroups, (map, index) =>
      this.redirectTarget(map, index),
    )
    this.sockets = new SocketCalls(this.network.inet)
    this.symbols = new Symbols(() => this.typesOf())
    this.events = new Events(state, hooks, user)
    this.world = new VirtualWorld(state, this.events, user, this.tasks)
    this.tasks.make = (fields) => new Process(this.world, fields)
    const vmlinux: BtfObject = {
      id: 0,
      get btf(): Btf {
        return self.typesOf()
      },
      get bytes(): Uint8Array {
        return self.typesOf().bytes
      },
      name: "vmlinux",
      kernel: true,
    }
    const btfs = new IdTable<KernelObject<"btf">>()
    const vmlinuxObject = new KernelObject("btf", vmlinux, () => {}).get()
    vmlinux.id = btfs.add(vmlinuxObject)
    this.tables = {
      state,
      world: {
        hasRawTracepoint: (name) => findTracepointByName(name) !== undefined,
        hasTracepoint: (group, name) => findTracepoint(group, name) !== undefined,
        cgroupId: (path) => this.tasks.cgroupId(path),
        ...tracingWorld(this),
      },
      fds: new FdTable(),
      verifies: options.verify ?? verifiesByDefault(),
      maps: new IdTable(),
      programs,
      btfs,
      links: new IdTable(),
      bpffs: this.bpffs,
      hooks,
      cgroups,
      vmlinux: vmlinuxObject,
      mapSlots,
      descriptorRegion: state.descriptorRegion,
      zeroKey: memory.allocate(KEY_BYTES_MAX),
      mapObject: (map) => {
        const object = this.tables.maps.get(map.id)
        if (object === undefined) throw new Error(`map ${map.id} is gone`)
        return object
      },
      statsUsers: 0,
      heldMaps: new WeakMap(),
    }
    this.descriptors = new SocketDescriptors(this.tables.fds, this.sockets)
    this.tracing = new Tracing(this.tables, this.world)
  }

  bpf<C extends CommandName>(command: C, attr: Commands[C]): number {
    return dispatch(this.tables, command, attr)
  }

  close(fd: number): void {
    this.tables.fds.close(fd)
  }

  vmlinuxBtf(): Uint8Array {
    return this.typesOf().bytes
  }

  openRing(mapFd: number): RingView | number {
    const map = this.tables.fds.get(mapFd, "map")
    if (typeof map === "number") return map
    return map.value.map instanceof RingBufferMap ? map.value.map.view() : -ERRNO.EINVAL
  }

  openPerfRing(mapFd: number, cpu: number, pages: number): PerfRing | number {
    const map = this.tables.fds.get(mapFd, "map")
    if (typeof map === "number") return map
    const engine = map.value.map
    return engine instanceof PerfEventArray ? engine.openRing(cpu, pages) : -ERRNO.EINVAL
  }

  watch(mapFd: number, onReadable: () => void): () => void {
    const object = this.tables.fds.get(mapFd, "map")
    if (typeof object === "number") return () => {}
    const { map } = object.value
    const watchers = this.watchers.get(map) ?? new Set()
    this.watchers.set(map, watchers)
    watchers.add(onReadable)
    return () => {
      watchers.delete(onReadable)
      if (watchers.size === 0) this.watchers.delete(map)
    }
  }

  interfaceIndex(name: string): number {
    return this.network.find(name)?.ifindex ?? 0
  }

  openCgroup(path: string): number {
    if (!path.startsWith("/")) return -ERRNO.ENOENT
    this.tasks.cgroupId(path)
    return this.tables.fds.open(new KernelObject("cgroup", { path }, () => {}))
  }

  openNetns(path: string): number {
    const name = path.startsWith(NETNS_FOLDER) ? path.slice(NETNS_FOLDER.length) : ""
    const namespace = this.network.inet.namespaces.get(name)
    if (namespace === undefined) return -ERRNO.ENOENT
    return this.tables.fds.open(new KernelObject("netns", { namespace }, () => {}))
  }

  openTracepoint(group: string, name: string): number {
    return this.tracing.openTracepoint(group, name)
  }

  openKprobe(symbol: string, onReturn: boolean): number {
    return this.tracing.openKprobe(symbol, onReturn)
  }

  openUprobe(target: UprobeTarget): number {
    return this.tracing.openUprobe(target)
  }

  symbolOffset(path: string, symbol: string): bigint | undefined {
    return this.world.executables.symbol(path, symbol)
  }

  usdtOffset(path: string, probe: string): bigint | undefined {
    const [provider, name] = probe.split(":")
    return this.world.executables.usdt(path, provider, name)
  }

  openPerfEvent(event: PerfEventAttr): number {
    return this.tracing.openPerfEvent(event)
  }

  read(fd: number, into: Uint8Array): number {
    return this.tracing.read(fd, into)
  }

  /** Functions have addresses; variables of the kernel are not there yet. */
  kernelSymbol(name: string): bigint | undefined {
    return this.symbols.address(name)
  }

  kernelConfig(): ReadonlyMap<string, string> {
    return this.config
  }

  versionCode(): number {
    return VERSION_CODE
  }

  /** How a program is compiled to WebAssembly, as text; or a negative errno. */
  dumpCompiled(progFd: number): string | number {
    const program = this.tables.fds.get(progFd, "program")
    if (typeof program === "number") return program
    return this.runner.engines.dump(this.state, program.value)
  }

  /**
   * Runs an XDP program over many frames, mostly without leaving WebAssembly in between; nothing
   * else happens to the frames. A negative errno for a descriptor that is no program.
   */
  runMany(
    progFd: number,
    frames: readonly Uint8Array[],
    options?: BatchOptions,
  ): BatchResult | number {
    const program = this.tables.fds.get(progFd, "program")
    if (typeof program === "number") return program
    return runMany(this.state, this.runner, program.value, frames, options)
  }

  /** Closes every descriptor and pin: programs are detached, maps give their memory back. */
  dispose(): void {
    this.bpffs.clear()
    this.tables.fds.closeAll()
  }

  private redirectTarget(map: BpfMap, index: number): RedirectTarget | undefined {
    if (!(map instanceof RedirectMap)) return undefined
    const target = map.target(index)
    if (target === undefined) return undefined
    const program =
      target.program === undefined ? null : this.tables.programs.get(target.program.id)
    return { ifindex: target.first, program: program ?? null }
  }

  private cgroupAncestors(path: string): bigint[] {
    const ids = [this.tasks.cgroupId("/")]
    const parts = path.split("/").filter((part) => part !== "")
    parts.forEach((_, index) => {
      ids.push(this.tasks.cgroupId(`/${parts.slice(0, index + 1).join("/")}`))
    })
    return ids
  }

  /** A device by name. */
  device(name: string): NetworkDevice | undefined {
    return this.network.find(name)
  }
}

/** What a 6.18 kernel of a distribution says, as far as programs commonly ask. */
function defaultConfig(): Record<string, string> {
  return {
    CONFIG_HZ: "250",
    CONFIG_BPF: "y",
    CONFIG_BPF_SYSCALL: "y",
    CONFIG_BPF_JIT: "y",
    CONFIG_BPF_LSM: "y",
    CONFIG_DEBUG_INFO_BTF: "y",
    CONFIG_CGROUPS: "y",
    CONFIG_NET: "y",
    CONFIG_INET: "y",
    CONFIG_IPV6: "y",
    CONFIG_SMP: "y",
    CONFIG_64BIT: "y",
    CONFIG_X86_64: "y",
    CONFIG_KALLSYMS: "y",
    CONFIG_TRACEPOINTS: "y",
    CONFIG_KPROBES: "y",
    CONFIG_ARCH_HAS_SYSCALL_WRAPPER: "y",
    CONFIG_DEFAULT_HOSTNAME: '"(none)"',
  }
}

/** A kernel; see {@link EmbeddedKernelOptions}. */
export function createEmbeddedKernel(options: EmbeddedKernelOptions = {}): EmbeddedKernel {
  return new EmbeddedKernel(options)
}
