/**
 * Opening, reading, writing and closing files: what Linux does between the entry and the return of
 * the system calls, in its order (linux fs/open.c, fs/namei.c, fs/read_write.c).
 */

import { ERRNO } from "../../spec/index.ts"
import {
  type Found,
  MAY_APPEND,
  MAY_EXEC,
  MAY_OPEN,
  MAY_READ,
  MAY_WRITE,
  permission,
} from "./file-system.ts"
import {
  type Inode,
  O_ACCMODE,
  O_APPEND,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_NOFOLLOW,
  O_RDWR,
  O_TRUNC,
  O_WRONLY,
  OpenFile,
  type PathRef,
  S_IFREG,
} from "./inode.ts"
import type { Process } from "./process.ts"
import type { World } from "./world.ts"

export const AT_FDCWD = -100
const PAGE_BYTES = 4096
const SECTOR_BYTES = 512
/** Pages that one transfer from the disk brings at most. */
const READ_AHEAD_PAGES = 32
/** Copying costs: a fixed part, and one for each 16 bytes. */
const READ_NS = 400
const OPEN_NS = 900n

/** Looks a name up for a task, with the permission of every directory on the way. */
export function lookup(
  world: World,
  task: Process,
  dfd: number,
  name: string,
  followLast: boolean,
): Found | number {
  let start: PathRef = task.group.cwd
  if (!name.startsWith("/") && dfd !== AT_FDCWD) {
    const file = task.group.files.get(dfd)
    if (file === undefined) return -ERRNO.EBADF
    start = file.path
  }
  return world.files.lookup(name, {
    root: task.group.root,
    start,
    credentials: task.credentials,
    followLast,
    search: (inode) => world.lsm(task, "inode_permission", { inode, mask: MAY_EXEC }),
  })
}

/** `struct path` of a directory as LSM hooks get it. */
export function pathFields(path: PathRef): { readonly mnt: bigint; readonly dentry: bigint } {
  // Getters: the objects come into being only when a program is there to see them.
  return {
    get mnt() {
      return path.mount.kernelAddress()
    },
    get dentry() {
      return path.dentry.kernelAddress()
    },
  }
}

/** do_sys_openat2: a descriptor or a negative errno. */
export function openAt(
  world: World,
  task: Process,
  how: { dfd: number; filename: bigint; name: string; flags: number; mode: number },
): number {
  const { dfd, filename, name, flags, mode } = how
  const fields = { dfd, filename, how: { flags, mode, resolve: 0 } }
  return world.run(task, "do_sys_openat2", fields, () => {
    world.kernel.clock.advance(OPEN_NS)
    const pathname = world.fileName(name)
    let opened: OpenFile | number = -ERRNO.ENOENT
    const result = world.run(task, "do_filp_open", { dfd, pathname }, () => {
      opened = openFile(world, task, { dfd, name, flags, mode })
      return typeof opened === "number" ? opened : opened.kernelAddress()
    })
    pathname.release()
    // TypeScript does not see that the closure has assigned it.
    const file = opened as OpenFile | number
    if (typeof file === "number") return file
    if (result < 0 && result >= -4095) {
      file.put()
      return result
    }
    return task.group.install(file)
  })
}

/** Finds or makes the file and opens it; used by execve as well. */
export function openFile(
  world: World,
  task: Process,
  how: { dfd: number; name: string; flags: number; mode: number; mask?: number },
): OpenFile | number {
  const { dfd, name, flags, mode } = how
  const found = lookup(
    world,
    task,
    dfd,
    name,
    (flags & O_NOFOLLOW) === 0 && !(flags & O_EXCL && flags & O_CREAT),
  )
  if (typeof found === "number") return found
  let { path } = found
  let created = false
  if (path === undefined) {
    if (!(flags & O_CREAT)) return -ERRNO.ENOENT
    if (found.wantsDirectory) return -ERRNO.EISDIR
    const made = createRegular(world, task, found, mode)
    if (typeof made === "number") return made
    path = made
    created = true
  } else if (flags & O_CREAT && flags & O_EXCL) return -ERRNO.EEXIST
  const { inode } = path.dentry
  if (inode === null) return -ERRNO.ENOENT
  const denied = created ? 0 : mayOpen(world, task, inode, flags, how.mask ?? 0)
  if (denied < 0) return denied
  const file = new OpenFile(world.files.host, path, inode, flags, () =>
    world.tasks.credentialsOf(task),
  )
  const result = world.run(task, "vfs_open", { path: file.pathReference(), file }, () =>
    world.lsm(task, "file_open", { file }),
  )
  if (result < 0) {
    file.put()
    return result
  }
  if (flags & O_TRUNC && inode.isRegular && file.writable && !created) {
    const refused = world.lsm(task, "path_truncate", { path: file.pathReference() })
    if (refused < 0) {
      file.put()
      return refused
    }
    inode.resize(0)
    inode.change("modified")
  }
  return file
}

function createRegular(world: World, task: Process, found: Found, mode: number): PathRef | number {
  const { parent, name } = found
  const directory = parent.dentry.inode as Inode
  const created = S_IFREG | (mode & 0o7777 & ~task.group.umask)
  const negative = negativeDentry(world, parent, name)
  const refused =
    world.lsm(task, "path_mknod", {
      dir: pathFields(parent),
      dentry: negative.address(),
      mode: created,
      dev: 0,
    }) ||
    permission(directory, MAY_WRITE | MAY_EXEC, task.credentials) ||
    world.lsm(task, "inode_permission", { inode: directory, mask: MAY_WRITE | MAY_EXEC }) ||
    world.lsm(task, "inode_create", { dir: directory, dentry: negative.address(), mode: created })
  negative.release()
  if (refused < 0) return refused
  const { euid: uid, egid: gid } = task.credentials
  return world.files.create(parent, name, { mode: created, uid, gid })
}

/** A dentry for a name that is not there yet, as the hooks of creation get it. */
export function negativeDentry(
  world: World,
  parent: PathRef,
  name: string,
): { address(): { kernelAddress(): bigint; describe(): string }; release(): void } {
  const dentry = world.files.newDentry(parent, name)
  return { address: () => dentry, release: () => dentry.release() }
}

function mayOpen(world: World, task: Process, inode: Inode, flags: number, extra: number): number {
  if (inode.isLink) return -ERRNO.ELOOP
  const access = flags & O_ACCMODE
  if (inode.isDirectory && (access !== 0 || flags & O_CREAT)) return -ERRNO.EISDIR
  if (flags & O_DIRECTORY && !inode.isDirectory) return -ERRNO.ENOTDIR
  let mask =
    extra || (access === O_WRONLY ? MAY_WRITE : access === O_RDWR ? MAY_READ | MAY_WRITE : MAY_READ)
  if (flags & O_TRUNC) mask |= MAY_WRITE
  if (flags & O_APPEND) mask |= MAY_APPEND
  const denied = permission(inode, mask, task.credentials)
  if (denied < 0) return denied
  return world.lsm(task, "inode_permission", { inode, mask: mask | MAY_OPEN })
}

/** vfs_read: what was read, or a negative errno. */
export function readFile(
  world: World,
  task: Process,
  file: OpenFile,
  io: { buf: bigint; count: number; position?: number },
): { result: number; data: Uint8Array } {
  let data = new Uint8Array(0)
  const fields = { file, buf: io.buf, count: io.count }
  const result = world.run(task, "vfs_read", fields, () => {
    if (!file.readable) return -ERRNO.EBADF
    const refused = world.lsm(task, "file_permission", { file, mask: MAY_READ })
    if (refused < 0) return refused
    const { inode } = file
    if (inode.isDirectory) return -ERRNO.EISDIR
    if (inode.operations !== null) {
      const read = inode.operations.read(io.count)
      if (typeof read === "number") return read
      data = new Uint8Array(read)
      return data.length
    }
    const from = io.position ?? file.position
    const end = Math.min(from + io.count, inode.size)
    if (end > from) fetchPages(world, task, inode, from, end)
    data = inode.data.slice(from, Math.max(end, from))
    world.kernel.clock.advance(BigInt(READ_NS + (data.length >> 4)))
    if (io.position === undefined) {
      file.position = Math.max(from, end)
      file.moved()
    }
    return data.length
  })
  return { result, data: result > 0 ? data.subarray(0, result) : new Uint8Array(0) }
}

/** Brings pages that are not cached from the disk. */
function fetchPages(world: World, task: Process, inode: Inode, from: number, end: number): void {
  const { cached } = inode
  if (cached === null) return
  const last = Math.floor((end - 1) / PAGE_BYTES)
  for (let page = Math.floor(from / PAGE_BYTES); page <= last; page++) {
    if (cached.has(page)) continue
    let count = 1
    while (count < READ_AHEAD_PAGES && page + count <= last && !cached.has(page + count)) count++
    const sector = sectorOf(inode, page)
    world.disk.transfer(task, { write: false, sector, bytes: count * PAGE_BYTES })
    for (let i = 0; i < count; i++) cached.add(page + i)
  }
}

/** Where a page of a file lies on the disk: files are a megabyte apart. */
function sectorOf(inode: Inode, page: number): number {
  return inode.number * 2048 + page * (PAGE_BYTES / SECTOR_BYTES)
}

/** vfs_write: bytes written, or a negative errno. */
export function writeFile(
  world: World,
  task: Process,
  file: OpenFile,
  io: { buf: bigint; bytes: Uint8Array; position?: number },
): number {
  const { bytes } = io
  return world.run(task, "vfs_write", { file, buf: io.buf, count: bytes.length }, () => {
    if (!file.writable) return -ERRNO.EBADF
    const refused = world.lsm(task, "file_permission", { file, mask: MAY_WRITE })
    if (refused < 0) return refused
    const { inode } = file
    if (inode.operations !== null) return inode.operations.write(bytes)
    const from = file.flags & O_APPEND ? inode.size : (io.position ?? file.position)
    const end = from + bytes.length
    if (end > inode.size) inode.resize(end)
    inode.data.set(bytes, from)
    for (let page = Math.floor(from / PAGE_BYTES); page * PAGE_BYTES < end; page++) {
      inode.cached?.add(page)
      if (inode.superBlock.onDisk) inode.dirty.add(page)
    }
    world.kernel.clock.advance(BigInt(READ_NS + (bytes.length >> 4)))
    if (io.position === undefined) {
      file.position = end
      file.moved()
    }
    inode.change("modified")
    return bytes.length
  })
}

/** vfs_fsync: what is dirty goes to the disk. */
export function syncFile(world: World, task: Process, file: OpenFile): number {
  return world.run(task, "vfs_fsync", { file, datasync: 0 }, () => {
    const pages = [...file.inode.dirty].sort((a, b) => a - b)
    file.inode.dirty.clear()
    for (let i = 0; i < pages.length; ) {
      let count = 1
      while (i + count < pages.length && pages[i + count] === pages[i] + count) count++
      const sector = sectorOf(file.inode, pages[i])
      world.disk.transfer(task, { write: true, sector, bytes: count * PAGE_BYTES, flags: "S" })
      i += count
    }
    return 0
  })
}
