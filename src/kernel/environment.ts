/**
 * The kernel as a running program sees it: shared state ({@link KernelState}) and the state of one
 * run ({@link Environment}), which helpers reach through `machine.environment`.
 */

import type { Btf } from "../btf/index.ts"
import type { CommandName, Commands } from "../spec/index.ts"
import type { PacketBuffer } from "./contexts/packet-buffer.ts"
import type { EventFields } from "./events/firing.ts"
import type { BpfMap, MapHost } from "./maps/map.ts"
import type { NetworkDevice } from "./net/device.ts"
import type { Inet } from "./net/inet.ts"
import type { NetworkRun } from "./net/network-run.ts"
import type { Program } from "./programs/program.ts"
import type { Task } from "./tasks/task.ts"

/** Time that only moves when told to (or when a run says that it took some). */
export interface VirtualClock {
  /** Nanoseconds since the virtual boot: ktime_get_ns. */
  now(): bigint
  /** Nanoseconds since 1970: what ktime_get_tai_ns and wall-clock fields are derived from. */
  wall(): bigint
  /** Moves time on and runs the timers that fall due, in order. */
  advance(nanoseconds: bigint): void
  /** Runs `action` when time reaches `at`; returns the cancelling function. */
  schedule(at: bigint, action: () => void): () => void
}

/** What every part of the embedded kernel may use. One per kernel. */
export interface KernelState extends MapHost {
  readonly clock: VirtualClock
  /** Appends one finished line to trace_pipe (bpf_trace_printk). */
  trace(line: string): void
  /** The kernel's own types, and where its objects lie. */
  readonly types: Btf
  /**
   * Region of kernel objects: all of linear memory, readable only, faults read as 0. The high half
   * of a `struct task_struct *` and the like is REGION_TAG | this.
   */
  readonly kernelRegion: number
  /** Region of the virtual processes' memory (file names and buffers that system calls pass). */
  readonly userRegion: number
  /** Region of map descriptors: the high half of a map pointer is REGION_TAG | this. */
  readonly descriptorRegion: number
  /** The map whose descriptor lies at `address` in linear memory, or undefined. */
  mapAt(address: number): BpfMap | undefined
  programById(id: number): Program | undefined
  device(ifindex: number): NetworkDevice | undefined
  /** Namespaces and sockets. */
  readonly net: Inet
  /** The task that is current when nothing else says so: pid 0, `swapper/0`. */
  readonly idleTask: Task
  /** Tells readers of a ring buffer or perf array that there are records. */
  notify(map: BpfMap): void
  /** The offset of a task's task_struct in linear memory (region `kernelRegion`). */
  taskStruct(task: Task): number
  /** The task with a thread id, or undefined. */
  taskByPid(pid: number): Task | undefined
  /** Ids of the cgroups above (and including) a task's, root first. */
  cgroupAncestors(task: Task): readonly bigint[]
  /** The same for a cgroup's path. */
  cgroupIds(path: string): readonly bigint[]
  /** Sends a copy of a frame out of (or into) a device: bpf_clone_redirect. False: no such device. */
  cloneRedirect(frame: Uint8Array, ifindex: number, ingress: boolean): boolean
  /** Calls a function of a loaded program outside of a run: timer callbacks. */
  callFunction(
    program: Program,
    slot: number,
    args: readonly (readonly [low: number, high: number])[],
  ): RunOutcome
  /** Runs a program once; the only way programs are run. */
  run(program: Program, input: RunInput): RunOutcome
  /** Symbols for bpf_ksym lookups and stack traces: name → address as a program sees it. */
  kernelSymbol(name: string): bigint | undefined
  /** bpf_send_signal: a signal for a task (or one thread of it); absent: signals go nowhere. */
  signal?(task: Task, signal: number, toThread: boolean): void
  /** A function of the kernel runs, with whatever is attached to it. */
  runFunction?(name: string, args: EventFields, body: () => number): number
  /** One bpf(2) command made by a program (bpf_sys_bpf); absent: programs make none. */
  bpf?<C extends CommandName>(command: C, attr: Commands[C]): number
  /** Closes a descriptor for a program (bpf_sys_close). */
  closeFd?(fd: number): number
  /** Bytes of a map's key and of its value as the system call sees it. */
  mapSizes?(fd: number): { readonly key: number; readonly value: number } | undefined
  /** The symbol that covers an address, for %pS and %ps; absent: no symbols. */
  symbolAt?(address: bigint): { name: string; offset: number; size: number } | undefined
}

/** A file that iterator programs write (linux fs/seq_file.c): what it has and what fits. */
export interface SequenceFile {
  /** Of `struct seq_file`, as programs see it. */
  readonly address: bigint
  /** False when the text did not fit: nothing of it was taken. */
  append(bytes: Uint8Array): boolean
}

export interface RunInput {
  /** Address of the context in linear memory and the region it belongs to. */
  readonly context: number
  readonly contextRegion: number
  readonly cpu?: number
  readonly task?: Task
  readonly packet?: PacketBuffer | null
  /** What the run is about in the network: sockets, settings, messages. */
  readonly network?: NetworkRun | null
  /** What bpf_get_retval answers at the start: 0 by default. */
  readonly returnValue?: number
  /** bpf_get_attach_cookie. */
  readonly cookie?: bigint
  /** bpf_get_func_ip of probes. */
  readonly functionIp?: bigint
  /** Session programs: whether this is the return, and where their 8 bytes of state are. */
  readonly session?: { readonly isReturn: boolean; readonly cookieAddress: bigint }
  /** bpf_perf_prog_read_value: what the event has counted, and how long it was on, in ns. */
  readonly perf?: { readonly counter: bigint; readonly enabled: bigint; readonly running: bigint }
  /** Programs that write into a file: where their text goes. */
  readonly sequence?: SequenceFile
  /** tracing: bpf_get_func_arg and friends; addresses of the saved arguments. */
  readonly functionArguments?: { readonly address: number; readonly count: number }
}

export interface RunOutcome {
  /** r0 of the program that ended the run; both halves 0 after a fault. */
  readonly low: number
  readonly high: number
  /** Why the run ended early, or null. */
  readonly fault: import("../interpreter/index.ts").Fault | null
  /** What bpf_redirect and its like asked for; the hook that ran the program acts on it. */
  readonly redirect: Redirect | null
  /** Instructions executed. */
  readonly steps: number
  /** What bpf_set_retval left (cgroup programs). */
  readonly returnValue?: number
}

/** bpf_redirect, bpf_redirect_map, bpf_redirect_peer, bpf_redirect_neigh, bpf_clone_redirect. */
export interface Redirect {
  readonly kind: "device" | "peer" | "neighbour" | "map"
  readonly ifindex: number
  readonly flags: bigint
  /** For "map": the devmap, cpumap or xskmap, and the index in it. */
  readonly map?: BpfMap
  readonly index?: number
}

/** The state of one run. Fresh for each; nested runs (redirects, timers) have their own. */
export interface Environment {
  readonly kernel: KernelState
  /** Changes with tail calls. */
  program: Program
  readonly cpu: number
  readonly task: Task
  readonly context: number
  readonly contextRegion: number
  readonly packet: PacketBuffer | null
  readonly network: NetworkRun | null
  readonly cookie: bigint
  readonly functionArguments: { readonly address: number; readonly count: number } | null
  readonly functionIp: bigint | null
  readonly session: { readonly isReturn: boolean; readonly cookieAddress: bigint } | null
  readonly sequence: SequenceFile | null
  readonly perf: RunInput["perf"] | null
  redirect: Redirect | null
  /** Held spin locks, RCU sections… (addresses), for the checks Linux's verifier does statically. */
  lock: number
  /** bpf_set_retval of cgroup programs. */
  returnValue: number
}
