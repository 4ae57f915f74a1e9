/**
 * The in-process kernel. It adds what a real kernel does not let you do: be the world around it —
 * devices that frames arrive on, events that fire, tasks, time.
 */

import type { Btf } from "../btf/index.ts"
import {
  type EmitOptions,
  type Emitted,
  EmbeddedKernel as Engine,
  type EventFields,
  type ExecutableOptions,
  type FileSystem,
  type NetworkDevice,
  type Process,
  type Received,
  type ReceiveOptions,
  type RecordedEvent,
  Recording,
  type RunOutcome,
  readRecording,
  replay,
  type Scheduler,
  type Step,
  type Task,
  type TaskOptions,
} from "../kernel/index.ts"
import { Kernel } from "./kernel.ts"
import { Network } from "./network.ts"

export {
  type Address,
  Network,
  NetworkNamespace,
  type RouteOptions,
  type RoutePrograms,
  type SocketOptions,
  VirtualSocket,
} from "./network.ts"

export type {
  EmitOptions,
  Emitted,
  EventFields,
  ExecutableOptions,
  FileSystem,
  Process,
  Received,
  ReceiveOptions,
  RecordedEvent,
  Recording,
  RunOutcome,
  Scheduler,
  Step,
  Task,
  TaskOptions,
}

/** One run of a program, whoever caused it: a frame, an event, a test run. */
export interface ObservedRun {
  readonly program: {
    readonly id: number
    readonly name: string
    readonly type: number
  }
  /** r0, the fault if there was one, and the instructions executed (tail calls included). */
  readonly outcome: RunOutcome
}

export interface EmbeddedKernelOptions {
  /** Possible CPUs, 1 by default. */
  readonly cpus?: number
  /** Of random numbers; two kernels with one seed behave alike. */
  readonly seed?: number
  /** Types to use instead of the kernel's own, e.g. a real vmlinux's. */
  readonly btf?: Btf
  /** Instructions that one run of a program may take before it is stopped. */
  readonly budget?: number
  /**
   * Whether programs must pass the verifier, as on Linux; true by default. Without it any
   * well-formed program is loaded, and what it does wrong is a fault when it runs.
   */
  readonly verify?: boolean
  /**
   * `interpreter` counts every instruction of a run; `jit` compiles everything to WebAssembly and
   * counts loops only; `auto`, the default, interprets first and compiles what runs often.
   */
  readonly engine?: "interpreter" | "jit" | "auto"
  /** Bytes of kernel memory at most; maps that find no more get ENOMEM. */
  readonly memoryMaxBytes?: number
  /** CONFIG_ values for `.kconfig` externs. */
  readonly kconfig?: Readonly<Record<string, string>>
}

/** A virtual network device. */
export class NetworkInterface {
  private readonly engine: Engine
  private readonly device: NetworkDevice

  constructor(engine: Engine, device: NetworkDevice) {
    this.engine = engine
    this.device = device
  }

  get index(): number {
    return this.device.ifindex
  }

  get name(): string {
    return this.device.name
  }

  /** Received, sent and dropped frames and bytes, and XDP verdicts. */
  get counters(): Readonly<NetworkDevice["counters"]> {
    return this.device.counters
  }

  /** Delivers a frame; what the attached programs did to it. */
  receive(frame: Uint8Array, options?: ReceiveOptions): Received {
    return this.engine.network.receive(this.device, frame, options)
  }

  /** Sends a frame out, through the egress programs. */
  transmit(frame: Uint8Array): void {
    this.engine.network.transmit(this.device, frame)
  }

  /** Frames that left the device (for one without a peer), oldest first. */
  get transmitted(): readonly Uint8Array[] {
    return this.device.transmitted
  }

  /** Frames that reached the network stack, oldest first. */
  get delivered(): readonly Uint8Array[] {
    return this.device.delivered
  }
}

export class EmbeddedKernel extends Kernel {
  /** The kernel itself, for tests of its inner parts. */
  readonly engine: Engine

  constructor(options: EmbeddedKernelOptions = {}) {
    const engine = new Engine(options)
    super(engine)
    this.engine = engine
  }

  /** Virtual time: nanoseconds since boot; it moves only by `advance`, which runs due timers. */
  get clock(): { now(): bigint; advance(nanoseconds: bigint): void } {
    return this.engine.clock
  }

  /** Namespaces with addresses and routes, and sockets that talk through them. */
  get net(): Network {
    return new Network(this.engine)
  }

  /** A device by name, made if there is none. */
  interface(name: string): NetworkInterface {
    const { network } = this.engine
    return new NetworkInterface(this.engine, network.find(name) ?? network.add({ name }))
  }

  /** Two devices connected to each other. */
  vethPair(one: string, other: string): [NetworkInterface, NetworkInterface] {
    const [a, b] = this.engine.network.addPair({ name: one }, { name: other })
    return [new NetworkInterface(this.engine, a), new NetworkInterface(this.engine, b)]
  }

  /**
   * Starts a task: what bpf_get_current_* see during its events. It makes system calls itself.
   *
   * @example
   * const task = kernel.spawn({ comm: "cat", uid: 1000 })
   * const fd = task.openat("/etc/passwd")
   */
  spawn(options?: TaskOptions): Process {
    return this.engine.tasks.spawn(options) as Process
  }

  /** The files of the virtual machine: `/etc/passwd`, `/bin/sh`, `/tmp`, `/dev/null` and a few more. */
  get files(): FileSystem {
    return this.engine.world.files
  }

  /** Which task runs where; tasks with a behaviour of their own are started here. */
  get scheduler(): Scheduler {
    return this.engine.world.scheduler
  }

  /** Says which functions and USDT probes an executable has; the file is made if there is none. */
  executable(path: string, options: ExecutableOptions): void {
    const { world } = this.engine
    if (world.files.find(path) === undefined)
      world.files.write(path, Uint8Array.of(0x7f, 0x45, 0x4c, 0x46), { mode: 0o755 })
    world.executables.define(path, options)
  }

  /**
   * Fires a tracepoint with fields by name; tracepoint, raw tracepoint and tp_btf programs run.
   *
   * @throws RangeError for a tracepoint that does not exist, TypeError for a field it does not have.
   * @example kernel.emit("syscalls:sys_enter_openat", { filename: "/etc/passwd" }, { task })
   */
  emit(name: string, fields: EventFields = {}, options?: EmitOptions): Emitted {
    return this.engine.events.emit(name, fields, options)
  }

  /** A kernel function is called: kprobe and fentry programs run; with `returns`, those on return. */
  call(
    name: string,
    fields: EventFields = {},
    options?: EmitOptions & { readonly returns?: number | bigint },
  ): Emitted {
    return this.engine.events.call(name, fields, options)
  }

  /** Asks an LSM hook; 0, or the first negative errno that a program answers. */
  lsm(hook: string, fields: EventFields = {}, options?: EmitOptions): number {
    return this.engine.events.lsm(hook, fields, options)
  }

  /**
   * Records what happens from now on: events with their fields, which {@link replay} lets happen
   * again in another kernel.
   *
   * @example
   * const recording = kernel.record()
   * task.openat("/etc/passwd")
   * recording.stop()
   * writeFileSync("scenario.jsonl", recording.toLines())
   */
  record(): Recording {
    return new Recording(this.engine)
  }

  /**
   * Lets the events of a recording (its lines, or what {@link record} collected) happen here.
   * Returns how many there were.
   *
   * @throws SyntaxError for a line that is no event, RangeError for an event that does not exist.
   */
  replay(recording: string | Iterable<RecordedEvent>): number {
    const events = typeof recording === "string" ? readRecording(recording) : recording
    return replay(this.engine, events)
  }

  /** Lines of bpf_trace_printk that nobody has read yet; they are taken out. */
  trace(): string[] {
    return this.engine.tracePipe.drain()
  }

  /** Calls back after every run of a program; returns the function that ends this. */
  observeRuns(listener: (run: ObservedRun) => void): () => void {
    const { state } = this.engine
    const run = state.run
    state.run = (program, input) => {
      const outcome = run(program, input)
      listener({ program, outcome })
      return outcome
    }
    return () => {
      state.run = run
    }
  }

  /** Lines of bpf_trace_printk as they come. */
  followTrace(signal?: AbortSignal): AsyncGenerator<string> {
    return this.engine.tracePipe.follow(signal)
  }

  override close(): void {
    this.engine.dispose()
  }
}

/** A new kernel in this process; nothing is shared with other ones. */
export function embeddedKernel(options?: EmbeddedKernelOptions): EmbeddedKernel {
  return new EmbeddedKernel(options)
}
