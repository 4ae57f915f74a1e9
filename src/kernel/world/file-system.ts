/**
 * The tree of files: mounts, directories, name lookup and permissions as Linux has them (linux
 * fs/namei.c), without any hook: those are the system calls' business.
 */

import { ERRNO } from "../../spec/index.ts"
import type { Credentials } from "../tasks/task.ts"
import {
  Dentry,
  type DeviceOperations,
  type FileHost,
  Inode,
  Mount,
  type PathRef,
  S_IFCHR,
  S_IFDIR,
  S_IFLNK,
  S_IFREG,
  S_ISVTX,
  SuperBlock,
} from "./inode.ts"

/** Masks of `inode_permission` (linux include/linux/fs.h). */
export const MAY_EXEC = 1
export const MAY_WRITE = 2
export const MAY_READ = 4
export const MAY_APPEND = 8
export const MAY_OPEN = 0x20

/** Links that one lookup follows (MAXSYMLINKS), bytes of a path and of a name. */
const LINKS_MAX = 40
const PATH_MAX = 4096
const NAME_MAX = 255

/** What a lookup found: the directory, the last name in it, and the dentry if the name is taken. */
export interface Found {
  readonly parent: PathRef
  readonly name: string
  /** Undefined: no such file. */
  readonly path: PathRef | undefined
  /** The name ended in a slash or was `.`, `..`. */
  readonly wantsDirectory: boolean
}

export interface LookupOptions {
  readonly root: PathRef
  readonly start: PathRef
  readonly credentials: Credentials
  /** False: a symbolic link at the end is the result. */
  readonly followLast: boolean
  /** Asked for every directory that is searched: 0 or a negative errno (LSM). */
  readonly search: (inode: Inode) => number
}

const EXT4_MAGIC = 0xef53
const TMPFS_MAGIC = 0x01021994
/** Device numbers, major << 20 | minor: virtio disk 254:0, the first unnamed device. */
export const ROOT_DEVICE: number = (254 << 20) | 0

export class FileSystem {
  readonly host: FileHost
  readonly rootMount: Mount
  readonly mounts: Mount[] = []
  private nextDevice = 20

  constructor(host: FileHost, random: () => number) {
    this.host = host
    const root = new SuperBlock(host, {
      type: "ext4",
      id: "vda",
      device: ROOT_DEVICE,
      magic: EXT4_MAGIC,
      onDisk: true,
    })
    this.rootMount = this.mountSuperBlock(root, null)
    this.populate(random)
  }

  get root(): PathRef {
    return { mount: this.rootMount, dentry: this.rootMount.root }
  }

  private mountSuperBlock(superBlock: SuperBlock, at: PathRef | null): Mount {
    const inode = new Inode(this.host, superBlock, { mode: S_IFDIR | 0o755, uid: 0, gid: 0 })
    inode.links = 2
    const dentry = new Dentry(this.host, { name: "/", parent: null, inode, superBlock })
    superBlock.root = dentry
    const mount = new Mount(this.host, superBlock, dentry, at)
    this.mounts.push(mount)
    if (at !== null) at.dentry.mounted = mount
    return mount
  }

  /** Mounts a new file system of a type on a directory; a negative errno if it cannot be. */
  mount(type: string, at: PathRef, options: { source?: string; readOnly?: boolean } = {}): number {
    if (!at.dentry.inode?.isDirectory) return -ERRNO.ENOTDIR
    const superBlock = new SuperBlock(this.host, {
      type,
      id: options.source ?? type,
      device: this.nextDevice++,
      magic: type === "ext4" ? EXT4_MAGIC : TMPFS_MAGIC,
      readOnly: options.readOnly,
    })
    this.mountSuperBlock(superBlock, at)
    return 0
  }

  unmount(mount: Mount): void {
    this.mounts.splice(this.mounts.indexOf(mount), 1)
    if (mount.mountPoint !== null) mount.mountPoint.mounted = null
    mount.release()
  }

  /**
   * Finds a name (linux fs/namei.c path_lookupat). A negative errno: ENOENT, ENOTDIR, EACCES,
   * ELOOP, ENAMETOOLONG, or what `search` answered.
   */
  lookup(name: string, options: LookupOptions): Found | number {
    if (name === "") return -ERRNO.ENOENT
    if (name.length >= PATH_MAX) return -ERRNO.ENAMETOOLONG
    return this.walk(name, options, { links: 0 })
  }

  private walk(name: string, options: LookupOptions, state: { links: number }): Found | number {
    let at = name.startsWith("/") ? options.root : options.start
    const parts = name.split("/").filter((part) => part !== "")
    const trailing = name.endsWith("/")
    if (parts.length === 0) return { parent: at, name: "", path: at, wantsDirectory: true }
    for (let index = 0; index < parts.length; index++) {
      const part = parts[index]
      const last = index === parts.length - 1
      if (part.length > NAME_MAX) return -ERRNO.ENAMETOOLONG
      const directory = at.dentry.inode
      if (directory === null || !directory.isDirectory) return -ERRNO.ENOTDIR
      const denied = this.mayEnter(directory, options)
      if (denied < 0) return denied
      if (part === "." || part === "..") {
        const next = part === "." ? at : this.above(at, options.root)
        if (last) return { parent: at, name: part, path: next, wantsDirectory: true }
        at = next
        continue
      }
      const child = at.dentry.children.get(part)
      const next = child?.inode ? this.into({ mount: at.mount, dentry: child }) : undefined
      if (next === undefined) {
        if (!last) return -ERRNO.ENOENT
        return { parent: at, name: part, path: undefined, wantsDirectory: trailing }
      }
      if (next.dentry.inode?.isLink && (!last || options.followLast || trailing)) {
        if (++state.links > LINKS_MAX) return -ERRNO.ELOOP
        const rest = parts.slice(index + 1).join("/")
        const { target } = next.dentry.inode
        const whole = rest === "" ? target : `${target}/${rest}`
        return this.walk(trailing ? `${whole}/` : whole, { ...options, start: at }, state)
      }
      if (last) {
        if (trailing && !next.dentry.inode?.isDirectory) return -ERRNO.ENOTDIR
        return { parent: at, name: part, path: next, wantsDirectory: trailing }
      }
      at = next
    }
    return -ERRNO.ENOENT
  }

  private mayEnter(directory: Inode, options: LookupOptions): number {
    const plain = permission(directory, MAY_EXEC, options.credentials)
    return plain < 0 ? plain : options.search(directory)
  }

  private above(at: PathRef, root: PathRef): PathRef {
    if (at.dentry === root.dentry && at.mount === root.mount) return at
    let { mount, dentry } = at
    while (dentry === mount.root && mount.parent !== null && mount.mountPoint !== null) {
      dentry = mount.mountPoint
      mount = mount.parent
    }
    return { mount, dentry: dentry.parent }
  }

  /** Through whatever is mounted on the dentry. */
  private into(path: PathRef): PathRef {
    let at = path
    while (at.dentry.mounted !== null)
      at = { mount: at.dentry.mounted, dentry: at.dentry.mounted.root }
    return at
  }

  /** Makes a file of a mode in a directory; the name must be free. */
  create(
    parent: PathRef,
    name: string,
    options: { mode: number; uid: number; gid: number; device?: number; target?: string },
  ): PathRef {
    const { superBlock } = parent.dentry
    const inode = new Inode(this.host, superBlock, options)
    if (options.target !== undefined) {
      inode.target = options.target
      inode.size = options.target.length
    }
    if (inode.isDirectory) {
      inode.links = 2
      if (parent.dentry.inode !== null) parent.dentry.inode.links++
    }
    if (superBlock.onDisk && inode.isRegular) inode.cached = new Set()
    return this.link(parent, name, inode)
  }

  /** Gives an inode a name. */
  link(parent: PathRef, name: string, inode: Inode): PathRef {
    const { superBlock } = parent.dentry
    const dentry = new Dentry(this.host, { name, parent: parent.dentry, inode, superBlock })
    parent.dentry.children.set(name, dentry)
    parent.dentry.inode?.change("modified")
    return { mount: parent.mount, dentry }
  }

  /** A dentry for a name that is not there (yet); the caller releases it. */
  newDentry(parent: PathRef, name: string): Dentry {
    const { superBlock } = parent.dentry
    return new Dentry(this.host, { name, parent: parent.dentry, inode: null, superBlock })
  }

  /** Gives a file another name, in the same file system. */
  move(path: PathRef, parent: PathRef, name: string): void {
    const { dentry } = path
    dentry.parent.children.delete(dentry.name)
    dentry.parent.inode?.change("modified")
    if (dentry.inode?.isDirectory && dentry.parent !== parent.dentry) {
      if (dentry.parent.inode !== null) dentry.parent.inode.links--
      if (parent.dentry.inode !== null) parent.dentry.inode.links++
    }
    dentry.name = name
    dentry.parent = parent.dentry
    parent.dentry.children.set(name, dentry)
    parent.dentry.inode?.change("modified")
    dentry.refresh()
  }

  /** Takes a name away; the inode lives on while it is open or has other names. */
  unlink(path: PathRef): void {
    const { dentry } = path
    dentry.parent.children.delete(dentry.name)
    dentry.parent.inode?.change("modified")
    const { inode } = dentry
    if (inode !== null) {
      if (inode.isDirectory) {
        inode.links = 0
        if (dentry.parent.inode !== null) dentry.parent.inode.links--
      } else inode.links--
      inode.change("changed")
      inode.dropIfUnused()
    }
    if (inode === null || inode.users === 0) dentry.release()
  }

  // ---- for scenarios: no permissions, no hooks ----------------------------------------------

  /** Writes a file (and the directories above it), as an installer would. */
  write(
    name: string,
    content: string | Uint8Array,
    options: { mode?: number; uid?: number; gid?: number; cached?: boolean } = {},
  ): Inode {
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content
    const { uid = 0, gid = uid } = options
    const [parent, last] = this.directoryOf(name)
    const known = parent.dentry.children.get(last)
    const path =
      known?.inode !== undefined && known.inode !== null
        ? { mount: parent.mount, dentry: known }
        : this.create(parent, last, { mode: S_IFREG | (options.mode ?? 0o644), uid, gid })
    const inode = path.dentry.inode as Inode
    inode.resize(bytes.length)
    inode.data.set(bytes)
    if (options.mode !== undefined) inode.mode = S_IFREG | options.mode
    if (options.cached !== false) inode.cached = null
    inode.change("modified")
    return inode
  }

  /** Makes a directory and those above it. */
  directory(name: string, mode = 0o755, uid = 0): PathRef {
    const [parent, last] = this.directoryOf(name)
    const known = parent.dentry.children.get(last)
    if (known !== undefined) return this.into({ mount: parent.mount, dentry: known })
    return this.create(parent, last, { mode: S_IFDIR | mode, uid, gid: uid })
  }

  symlink(name: string, target: string): void {
    const [parent, last] = this.directoryOf(name)
    this.create(parent, last, { mode: S_IFLNK | 0o777, uid: 0, gid: 0, target })
  }

  device(name: string, number: number, operations: DeviceOperations): void {
    const [parent, last] = this.directoryOf(name)
    const made = this.create(parent, last, {
      mode: S_IFCHR | 0o666,
      uid: 0,
      gid: 0,
      device: number,
    })
    if (made.dentry.inode !== null) made.dentry.inode.operations = operations
  }

  /** What a name stands for, seen by root from the root; undefined when there is nothing. */
  find(name: string): PathRef | undefined {
    const found = this.lookup(name, {
      root: this.root,
      start: this.root,
      credentials: ROOT,
      followLast: true,
      search: () => 0,
    })
    return typeof found === "number" ? undefined : found.path
  }

  /** The text of a file, for assertions; undefined when there is none. */
  read(name: string): string | undefined {
    const inode = this.find(name)?.dentry.inode
    return inode?.isRegular ? new TextDecoder().decode(inode.content()) : undefined
  }

  private directoryOf(name: string): [PathRef, string] {
    const parts = name.split("/").filter((part) => part !== "")
    const last = parts.pop()
    if (!name.startsWith("/") || last === undefined)
      throw new RangeError(`'${name}' is not an absolute path of a file`)
    let at = this.root
    for (const part of parts) {
      const child = at.dentry.children.get(part)
      const next =
        child === undefined
          ? this.create(at, part, { mode: S_IFDIR | 0o755, uid: 0, gid: 0 })
          : this.into({ mount: at.mount, dentry: child })
      if (!next.dentry.inode?.isDirectory)
        throw new RangeError(`${part} in '${name}' is no directory`)
      at = next
    }
    return [at, last]
  }

  private populate(random: () => number): void {
    for (const name of [
      "/bin",
      "/etc",
      "/home",
      "/root",
      "/usr/bin",
      "/var/log",
      "/run",
      "/sys",
      "/proc",
    ])
      this.directory(name, name === "/root" ? 0o700 : 0o755)
    this.mount("tmpfs", this.directory("/tmp"))
    const tmp = this.find("/tmp")?.dentry.inode
    if (tmp) tmp.mode = S_IFDIR | S_ISVTX | 0o777
    this.mount("devtmpfs", this.directory("/dev"))
    this.write("/etc/passwd", "root:x:0:0:root:/root:/bin/sh\n")
    this.write("/etc/shadow", "root:*:19000:0:99999:7:::\n", { mode: 0o600 })
    this.write("/etc/hosts", "127.0.0.1\tlocalhost\n")
    this.write("/etc/hostname", "skep\n")
    for (const name of ["sh", "ls", "cat", "rm"]) this.write(`/bin/${name}`, ELF, { mode: 0o755 })
    for (const name of ["bash", "curl", "python3", "node"])
      this.write(`/usr/bin/${name}`, ELF, { mode: 0o755 })
    const zeros = (size: number): Uint8Array => new Uint8Array(size)
    this.device("/dev/null", (1 << 20) | 3, { read: () => zeros(0), write: (b) => b.length })
    this.device("/dev/zero", (1 << 20) | 5, { read: zeros, write: (b) => b.length })
    this.device("/dev/full", (1 << 20) | 7, { read: zeros, write: () => -ERRNO.ENOSPC })
    this.device("/dev/urandom", (1 << 20) | 9, {
      read: (size) => zeros(size).map(() => random() & 0xff),
      write: (b) => b.length,
    })
  }
}

/** The start of an executable: what execve looks at. */
const ELF: Uint8Array = Uint8Array.of(0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0)
const ROOT: Credentials = { uid: 0, gid: 0, euid: 0, egid: 0 }

/** Owner, group and other bits (linux fs/namei.c generic_permission); root passes but for exec. */
export function permission(inode: Inode, mask: number, credentials: Credentials): number {
  const { euid, egid } = credentials
  const wanted = mask & (MAY_READ | MAY_WRITE | MAY_EXEC)
  if (wanted & MAY_WRITE && inode.superBlock.readOnly && !inode.operations) return -ERRNO.EROFS
  const shift = euid === inode.uid ? 6 : egid === inode.gid ? 3 : 0
  if (((inode.mode >> shift) & wanted) === wanted) return 0
  // CAP_DAC_OVERRIDE: everything but running what nobody may run.
  if (euid === 0 && (!(wanted & MAY_EXEC) || inode.isDirectory || inode.mode & 0o111)) return 0
  return -ERRNO.EACCES
}
