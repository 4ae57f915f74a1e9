/**
 * The tasks of the virtual world and their `task_struct`s. A struct is written when a program
 * first asks for it, with real pointers to parent, credentials, namespaces and memory map.
 */

import { type FieldValue, kernelAddress, ObjectWriter, type WriterHost } from "../types/index.ts"
import type { Credentials, Task } from "./task.ts"

/** What a test or scenario says about a task; everything has a default. */
export interface TaskOptions {
  readonly pid?: number
  readonly tgid?: number
  readonly comm?: string
  readonly uid?: number
  readonly gid?: number
  readonly parent?: Task
  /** Path below the cgroup v2 root: `/system.slice/sshd.service`. */
  readonly cgroup?: string
}

/** PID_MAX_LIMIT of 64-bit Linux. */
const PID_MAX = 4_194_304
/** Inode number of the root cgroup's directory, its id. */
const ROOT_CGROUP_ID = 1n
const PF_KTHREAD = 0x00200000
/** Initial namespaces' inode numbers (linux include/linux/proc_ns.h). */
const INIT_NS = {
  uts: 0xeffffffe,
  ipc: 0xefffffff,
  user: 0xeffffffd,
  pid: 0xeffffffc,
  mnt: 0xf0000000,
  net: 0xf0000001,
  cgroup: 0xeffffffb,
} as const

export class Tasks {
  private readonly host: WriterHost
  private readonly writer: ObjectWriter
  private readonly byPid = new Map<number, Task>()
  private readonly cgroupIds = new Map<string, bigint>([["/", ROOT_CGROUP_ID]])
  private readonly now: () => bigint
  private nextPid = 1000
  /** Offsets of shared structures, written once. */
  private readonly shared = new Map<string, number>()
  readonly idle: Task
  private firstTask: Task | null = null
  /** Idle tasks of the other CPUs: pid 0 too, so they are in no table. */
  private readonly idles: Task[]
  /** Makes the object of a task; the world puts its own kind here. */
  make: (fields: Task) => Task = (fields) => fields

  constructor(host: WriterHost, now: () => bigint) {
    this.host = host
    this.now = now
    this.writer = new ObjectWriter(host)
    this.idle = this.add({ pid: 0, tgid: 0, comm: "swapper/0" }, null)
    this.idles = [this.idle]
  }

  /** The parent of those that have none, pid 1; made when it is first asked for. */
  get init(): Task {
    this.firstTask ??= this.add({ pid: 1, comm: "init" }, this.idle)
    return this.firstTask
  }

  /** Starts a task. Its parent is init unless said otherwise. */
  spawn(options: TaskOptions = {}): Task {
    return this.add(options, options.parent ?? this.init)
  }

  /** The task with a thread id, or undefined. */
  find(pid: number): Task | undefined {
    return pid === 1 ? this.init : this.byPid.get(pid)
  }

  /** The task that runs on a CPU when no other does. */
  idleOf(cpu: number): Task {
    this.idles[cpu] ??= { ...this.idle, comm: `swapper/${cpu}`, cpu, structAddress: 0 }
    return this.idles[cpu]
  }

  /** All tasks by rising pid, without the idle ones. */
  list(): Task[] {
    return [...this.byPid.values()].filter((task) => task.pid !== 0).sort((a, b) => a.pid - b.pid)
  }

  /** A task is gone: its pid is free again, its task_struct goes. */
  exit(task: Task): void {
    if (this.byPid.get(task.pid) !== task) return
    this.byPid.delete(task.pid)
    if (task.structAddress !== 0) this.host.memory.free(task.structAddress)
    task.structAddress = 0
  }

  /** Something about the task has changed: its task_struct, if there is one, follows. */
  refresh(task: Task): void {
    const id = this.host.types.findByName("task_struct", "struct")
    if (task.structAddress !== 0 && id !== undefined) this.writeStruct(id, task)
  }

  /** Cgroup directories by path, with their ids, in the order in which they were made. */
  knownCgroups(): ReadonlyMap<string, bigint> {
    return this.cgroupIds
  }

  /** Address of a cgroup's `struct cgroup` as programs see it. */
  cgroupAddress(path: string): bigint {
    this.cgroupId(path)
    return this.cgroupOf(path)
  }

  /** The id of a cgroup directory; a new path gets the next one. */
  cgroupId(path: string): bigint {
    const known = this.cgroupIds.get(path)
    if (known !== undefined) return known
    // Parents first, so that ids grow down the tree.
    const slash = path.lastIndexOf("/")
    if (slash > 0) this.cgroupId(path.slice(0, slash))
    const id = ROOT_CGROUP_ID + BigInt(this.cgroupIds.size)
    this.cgroupIds.set(path, id)
    return id
  }

  private add(options: TaskOptions, parent: Task | null): Task {
    const pid = options.pid ?? this.freePid()
    if (!Number.isInteger(pid) || pid < 0 || pid > PID_MAX)
      throw new RangeError(`pid ${pid} is not in 0 to ${PID_MAX}`)
    if (this.byPid.has(pid))
      throw new RangeError(`pid ${pid} is taken by ${this.byPid.get(pid)?.comm}`)
    const uid = options.uid ?? 0
    const gid = options.gid ?? uid
    const credentials: Credentials = { uid, gid, euid: uid, egid: gid }
    const cgroupPath = options.cgroup ?? parent?.cgroupPath ?? "/"
    const fields: Task = {
      pid,
      tgid: options.tgid ?? pid,
      comm: (options.comm ?? parent?.comm ?? "task").slice(0, 15),
      credentials,
      parent,
      cgroupId: this.cgroupId(cgroupPath),
      cgroupPath,
      startTimeNs: this.now(),
      structAddress: 0,
    }
    const task = this.make(fields)
    this.byPid.set(pid, task)
    return task
  }

  private freePid(): number {
    while (this.byPid.has(this.nextPid)) this.nextPid++
    return this.nextPid++
  }

  /** Offset of the task's task_struct in linear memory. */
  structOf(task: Task): number {
    if (task.structAddress !== 0) return task.structAddress
    const { types } = this.host
    const id = types.findByName("task_struct", "struct")
    if (id === undefined) return 0
    task.structAddress = this.writer.allocate(types.sizeOf(id))
    this.writeStruct(id, task)
    return task.structAddress
  }

  private writeStruct(id: number, task: Task): void {
    const parent = this.addressOf(task.parent ?? task)
    this.write(id, task.structAddress, {
      pid: task.pid,
      tgid: task.tgid,
      comm: new TextEncoder().encode(task.comm.padEnd(16, "\0")),
      flags: task.pid === 0 ? PF_KTHREAD : 0,
      prio: 120,
      static_prio: 120,
      normal_prio: 120,
      start_time: task.startTimeNs,
      start_boottime: task.startTimeNs,
      real_parent: parent,
      parent,
      group_leader: this.addressOf(this.byPid.get(task.tgid) ?? task),
      cred: this.credentialsOf(task),
      real_cred: this.credentialsOf(task),
      nsproxy: this.namespaces(),
      cgroups: this.cgroups(task),
      loginuid: { val: 0xffffffff },
      ...task.structFields?.(),
    })
  }

  private addressOf(task: Task): bigint {
    // A task that is its own leader (or parent) already has its address while it is being written.
    const offset = task.structAddress !== 0 ? task.structAddress : this.structOf(task)
    return kernelAddress(this.host.kernelRegion, offset)
  }

  /** Writes the fields that this kernel's type has; another BTF may lack some. */
  private write(id: number, offset: number, fields: { [name: string]: FieldValue }): void {
    const type = this.host.types.resolve(id)
    if (type.kind !== "struct") return
    const known = new Set(type.members.map((member) => member.name))
    const present = Object.fromEntries(Object.entries(fields).filter(([name]) => known.has(name)))
    this.writer.write(id, offset, present, "")
  }

  private object(key: string, struct: string, fields: { [name: string]: FieldValue }): bigint {
    let offset = this.shared.get(key)
    if (offset === undefined) {
      const id = this.host.types.findByName(struct, "struct")
      if (id === undefined) return 0n
      offset = this.writer.allocate(this.host.types.sizeOf(id))
      this.shared.set(key, offset)
      this.write(id, offset, fields)
    }
    return kernelAddress(this.host.kernelRegion, offset)
  }

  /** Address of a task's `struct cred`. */
  credentialsOf(task: Task): bigint {
    const { uid, gid, euid, egid } = task.credentials
    return this.object(`cred/${uid}/${gid}/${euid}/${egid}`, "cred", {
      uid: { val: uid },
      gid: { val: gid },
      suid: { val: uid },
      sgid: { val: gid },
      euid: { val: euid },
      egid: { val: egid },
      fsuid: { val: euid },
      fsgid: { val: egid },
    })
  }

  private namespaces(): bigint {
    const ns = (key: keyof typeof INIT_NS, struct: string): bigint =>
      this.object(`ns/${key}`, struct, { ns: { inum: INIT_NS[key] } })
    return this.object("nsproxy", "nsproxy", {
      uts_ns: ns("uts", "uts_namespace"),
      ipc_ns: ns("ipc", "ipc_namespace"),
      mnt_ns: ns("mnt", "mnt_namespace"),
      pid_ns_for_children: ns("pid", "pid_namespace"),
      net_ns: ns("net", "net"),
      cgroup_ns: ns("cgroup", "cgroup_namespace"),
    })
  }

  private cgroupOf(path: string): bigint {
    const name = path === "/" ? "/" : path.slice(path.lastIndexOf("/") + 1)
    const level = path === "/" ? 0 : path.split("/").length - 1
    const node = this.object(`kn/${path}`, "kernfs_node", { name, id: this.cgroupId(path) })
    return this.object(`cgrp/${path}`, "cgroup", { level, kn: node })
  }

  private cgroups(task: Task): bigint {
    const dfl_cgrp = this.cgroupOf(task.cgroupPath)
    return this.object(`css/${task.cgroupPath}`, "css_set", { dfl_cgrp })
  }
}
