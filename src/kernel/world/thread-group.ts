/** What the threads of a process share: open files, directories, memory, program, children. */

import { ERRNO } from "../../spec/index.ts"
import { type FieldValue, kernelAddress, Mirror } from "../types/index.ts"
import { type OpenFile, type PathRef, pathName } from "./inode.ts"
import type { Process } from "./process.ts"
import type { World } from "./world.ts"

/** RLIMIT_NOFILE, and the first descriptor: 0 to 2 are a terminal that nobody looks at. */
const FILES_MAX = 1024
const FIRST_FD = 3

/** A mapped piece of memory: `vm_area_struct`. */
export interface Mapping {
  readonly start: bigint
  readonly end: bigint
  readonly flags: bigint
  readonly pageOffset: bigint
  readonly file: OpenFile | null
  readonly mirror: Mirror
  kernelAddress(): bigint
}

export class ThreadGroup {
  readonly tgid: number
  readonly files: Map<number, OpenFile> = new Map()
  readonly threads: Set<Process> = new Set()
  readonly children: Set<Process> = new Set()
  cwd: PathRef
  root: PathRef
  umask = 0o022
  exe: PathRef | null = null
  argv: readonly string[] = []
  mappings: Mapping[] = []
  nextMapping = 0x7f00_0000_0000n
  private readonly world: World
  private readonly mm: Mirror
  private readonly filesStruct: Mirror
  private readonly fdTable: Mirror
  private readonly fs: Mirror
  private readonly signal: Mirror
  /** Offset of the array of `struct file *` that fdtable.fd points to. */
  private fdArray = 0

  constructor(world: World, tgid: number) {
    this.world = world
    this.tgid = tgid
    this.cwd = world.files.root
    this.root = world.files.root
    const mirror = (
      struct: string,
      fields: () => { readonly [field: string]: FieldValue | undefined },
    ): Mirror => new Mirror(world.writer(), struct, fields)
    this.mm = mirror("mm_struct", () => ({
      mm_users: { counter: this.threads.size },
      start_code: 0x5555_5555_4000n,
      start_brk: 0x5555_5557_0000n,
      start_stack: 0x7fff_ffff_e000n,
    }))
    this.filesStruct = mirror("files_struct", () => ({
      count: { counter: this.threads.size },
      fdt: this.fdTable.kernelAddress(),
      next_fd: this.freeFd(),
    }))
    this.fdTable = mirror("fdtable", () => ({ max_fds: FDS_SHOWN, fd: this.writeFdArray() }))
    this.fs = mirror("fs_struct", () => ({
      users: this.threads.size,
      umask: this.umask,
      root: { mnt: this.root.mount.kernelAddress(), dentry: this.root.dentry.kernelAddress() },
      pwd: { mnt: this.cwd.mount.kernelAddress(), dentry: this.cwd.dentry.kernelAddress() },
    }))
    this.signal = mirror("signal_struct", () => ({
      live: { counter: this.threads.size },
      nr_threads: this.threads.size,
    }))
  }

  mmAddress(): bigint {
    return this.mm.kernelAddress()
  }

  filesAddress(): bigint {
    return this.filesStruct.kernelAddress()
  }

  fsAddress(): bigint {
    return this.fs.kernelAddress()
  }

  signalAddress(): bigint {
    return this.signal.kernelAddress()
  }

  /** Path of the program it executes. */
  exePath(): string {
    return this.exe === null ? "/bin/sh" : pathName(this.exe)
  }

  private freeFd(): number {
    let fd = FIRST_FD
    while (this.files.has(fd)) fd++
    return fd
  }

  /** The lowest free descriptor stands for the file now; -EMFILE when there is none. */
  install(file: OpenFile): number {
    const fd = this.freeFd()
    if (fd >= FILES_MAX) {
      file.put()
      return -ERRNO.EMFILE
    }
    this.files.set(fd, file)
    this.fdTable.refresh()
    return fd
  }

  remove(fd: number): void {
    this.files.delete(fd)
    this.fdTable.refresh()
  }

  private writeFdArray(): bigint {
    const { memory, kernelRegion } = this.world.kernel
    if (this.fdArray === 0) this.fdArray = memory.allocate(8 * FDS_SHOWN)
    for (let fd = 0; fd < FDS_SHOWN; fd++) {
      const address = this.files.get(fd)?.kernelAddress() ?? 0n
      memory.view.setBigUint64(this.fdArray + 8 * fd, address, true)
    }
    return kernelAddress(kernelRegion, this.fdArray)
  }

  /** Everything that the last thread leaves behind is given back. */
  release(): void {
    for (const mapping of this.mappings) mapping.mirror.release()
    this.mappings = []
    for (const mirror of [this.mm, this.filesStruct, this.fdTable, this.fs, this.signal])
      mirror.release()
    this.world.kernel.memory.free(this.fdArray)
    this.fdArray = 0
  }
}

/** Descriptors that the kernel's table of a process shows (NR_OPEN_DEFAULT). */
const FDS_SHOWN = 64
