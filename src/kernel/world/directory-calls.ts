/**
 * System calls that change directories and the properties of files (linux fs/namei.c, fs/attr.c).
 */

import { ERRNO } from "../../spec/index.ts"
import type { Credentials } from "../tasks/task.ts"
import { lookup, negativeDentry, pathFields } from "./file-calls.ts"
import { type Found, MAY_EXEC, MAY_WRITE, permission } from "./file-system.ts"
import { type Inode, type PathRef, S_IFDIR, S_IFLNK, S_IFMT, S_ISVTX } from "./inode.ts"
import type { Process } from "./process.ts"
import type { World } from "./world.ts"

const AT_REMOVEDIR = 0x200
const RENAME_NOREPLACE = 1

/** may_delete: the directory lets the task, and a sticky one only the owners. */
function mayDelete(directory: Inode, victim: Inode, credentials: Credentials): number {
  const denied = permission(directory, MAY_WRITE | MAY_EXEC, credentials)
  if (denied < 0) return denied
  const { euid } = credentials
  const sticky = (directory.mode & S_ISVTX) !== 0
  return sticky && euid !== 0 && euid !== victim.uid && euid !== directory.uid ? -ERRNO.EPERM : 0
}

/** do_unlinkat, or do_rmdir with AT_REMOVEDIR. */
export function unlinkAt(
  world: World,
  task: Process,
  call: { dfd: number; name: string; flags: number },
): number {
  const { dfd, name } = call
  const removesDirectory = (call.flags & AT_REMOVEDIR) !== 0
  const filename = world.fileName(name)
  const result = world.run(
    task,
    removesDirectory ? "do_rmdir" : "do_unlinkat",
    { dfd, name: filename },
    () => {
      const found = lookup(world, task, dfd, name, false)
      if (typeof found === "number") return found
      const { path } = found
      if (path === undefined) return -ERRNO.ENOENT
      return removesDirectory
        ? removeDirectory(world, task, found, path)
        : removeFile(world, task, found, path)
    },
  )
  filename.release()
  return result
}

function removeFile(world: World, task: Process, found: Found, path: PathRef): number {
  const directory = found.parent.dentry.inode as Inode
  const victim = path.dentry.inode as Inode
  if (victim.isDirectory) return -ERRNO.EISDIR
  const { dentry } = path
  const refused = world.lsm(task, "path_unlink", { dir: pathFields(found.parent), dentry })
  if (refused < 0) return refused
  return world.run(task, "vfs_unlink", { dir: directory, dentry }, () => {
    const denied =
      mayDelete(directory, victim, task.credentials) ||
      world.lsm(task, "inode_unlink", { dir: directory, dentry })
    if (denied < 0) return denied
    world.files.unlink(path)
    return 0
  })
}

function removeDirectory(world: World, task: Process, found: Found, path: PathRef): number {
  const directory = found.parent.dentry.inode as Inode
  const victim = path.dentry.inode as Inode
  if (found.name === "..") return -ERRNO.ENOTEMPTY
  if (found.name === ".") return -ERRNO.EINVAL
  if (found.name === "" || path.dentry === path.mount.root) return -ERRNO.EBUSY
  const { dentry } = path
  const refused = world.lsm(task, "path_rmdir", { dir: pathFields(found.parent), dentry })
  if (refused < 0) return refused
  return world.run(task, "vfs_rmdir", { dir: directory, dentry }, () => {
    const denied = mayDelete(directory, victim, task.credentials)
    if (denied < 0) return denied
    if (!victim.isDirectory) return -ERRNO.ENOTDIR
    const asked = world.lsm(task, "inode_rmdir", { dir: directory, dentry })
    if (asked < 0) return asked
    if (dentry.children.size > 0) return -ERRNO.ENOTEMPTY
    world.files.unlink(path)
    return 0
  })
}

/** do_mkdirat, and symlinks: a new name of a kind. */
export function makeAt(
  world: World,
  task: Process,
  call: { dfd: number; name: string; mode: number; target?: string },
): number {
  const { dfd, name, target } = call
  const isLink = target !== undefined
  const filename = world.fileName(name)
  const fields = { dfd, name: filename, mode: call.mode }
  const result = world.run(task, isLink ? "do_symlinkat" : "do_mkdirat", fields, () => {
    const found = lookup(world, task, dfd, name, false)
    if (typeof found === "number") return found
    if (found.path !== undefined) return -ERRNO.EEXIST
    const { parent } = found
    const directory = parent.dentry.inode as Inode
    const mode = call.mode & 0o7777 & ~task.group.umask
    const negative = negativeDentry(world, parent, found.name)
    const dentry = negative.address()
    const hook = isLink ? "symlink" : "mkdir"
    const about = isLink ? { old_name: target } : { mode }
    const run = (): number => {
      const denied =
        permission(directory, MAY_WRITE | MAY_EXEC, task.credentials) ||
        world.lsm(task, `inode_${hook}`, { dir: directory, dentry, ...about })
      if (denied < 0) return denied
      const { euid: uid, egid: gid } = task.credentials
      const kind = isLink ? S_IFLNK | 0o777 : S_IFDIR | mode
      world.files.create(parent, found.name, { mode: kind, uid, gid, target })
      return 0
    }
    const refused = world.lsm(task, `path_${hook}`, { dir: pathFields(parent), dentry, ...about })
    const made =
      refused < 0
        ? refused
        : world.run(task, `vfs_${hook}`, { dir: directory, dentry, ...about }, run)
    negative.release()
    return made
  })
  filename.release()
  return result
}

/** do_renameat2. */
export function renameAt(
  world: World,
  task: Process,
  call: { olddfd: number; from: string; newdfd: number; to: string; flags: number },
): number {
  const from = world.fileName(call.from)
  const to = world.fileName(call.to)
  const fields = { olddfd: call.olddfd, from, newdfd: call.newdfd, to, flags: call.flags }
  const result = world.run(task, "do_renameat2", fields, () => {
    const source = lookup(world, task, call.olddfd, call.from, false)
    if (typeof source === "number") return source
    const target = lookup(world, task, call.newdfd, call.to, false)
    if (typeof target === "number") return target
    if (source.parent.mount !== target.parent.mount) return -ERRNO.EXDEV
    if (source.path === undefined) return -ERRNO.ENOENT
    if (call.flags & RENAME_NOREPLACE && target.path !== undefined) return -ERRNO.EEXIST
    return rename(world, task, source, target)
  })
  from.release()
  to.release()
  return result
}

function rename(world: World, task: Process, source: Found, target: Found): number {
  const path = source.path as PathRef
  const moved = path.dentry.inode as Inode
  const [oldDir, newDir] = [
    source.parent.dentry.inode as Inode,
    target.parent.dentry.inode as Inode,
  ]
  const negative = negativeDentry(world, target.parent, target.name)
  const newDentry = target.path?.dentry ?? negative.address()
  const done = (): number => {
    const refused = world.lsm(task, "path_rename", {
      old_dir: pathFields(source.parent),
      old_dentry: path.dentry,
      new_dir: pathFields(target.parent),
      new_dentry: newDentry,
      flags: 0,
    })
    if (refused < 0) return refused
    return world.run(task, "vfs_rename", {}, () => {
      const denied =
        mayDelete(oldDir, moved, task.credentials) ||
        (target.path === undefined
          ? permission(newDir, MAY_WRITE | MAY_EXEC, task.credentials)
          : mayDelete(newDir, target.path.dentry.inode as Inode, task.credentials))
      if (denied < 0) return denied
      const replaced = target.path?.dentry
      if (replaced?.inode?.isDirectory && !moved.isDirectory) return -ERRNO.EISDIR
      if (replaced?.inode && moved.isDirectory && !replaced.inode.isDirectory) return -ERRNO.ENOTDIR
      if (replaced !== undefined && replaced.children.size > 0) return -ERRNO.ENOTEMPTY
      const asked = world.lsm(task, "inode_rename", {
        old_dir: oldDir,
        old_dentry: path.dentry,
        new_dir: newDir,
        new_dentry: newDentry,
      })
      if (asked < 0) return asked
      if (replaced?.inode === moved) return 0
      if (target.path !== undefined) world.files.unlink(target.path)
      world.files.move(path, target.parent, target.name)
      return 0
    })
  }
  const result = done()
  negative.release()
  return result
}

/** chmod_common and chown_common: who may, and the new values. */
export function setAttributes(
  world: World,
  task: Process,
  call: { dfd: number; name: string },
  change: { readonly mode?: number; readonly uid?: number; readonly gid?: number },
): number {
  const found = lookup(world, task, call.dfd, call.name, true)
  if (typeof found === "number") return found
  if (found.path === undefined) return -ERRNO.ENOENT
  const { path } = found
  const inode = path.dentry.inode as Inode
  const isMode = change.mode !== undefined
  const about = isMode ? { mode: change.mode } : { uid: change.uid, gid: change.gid }
  return world.run(
    task,
    isMode ? "chmod_common" : "chown_common",
    { path: pathFields(path), ...about },
    () => {
      const refused = world.lsm(task, isMode ? "path_chmod" : "path_chown", {
        path: pathFields(path),
        ...about,
      })
      if (refused < 0) return refused
      const { euid } = task.credentials
      const keepsOwner = change.uid === undefined || change.uid === inode.uid
      const allowed = euid === 0 || (euid === inode.uid && keepsOwner)
      if (inode.superBlock.readOnly) return -ERRNO.EROFS
      if (!allowed) return -ERRNO.EPERM
      const asked = world.lsm(task, "inode_setattr", { dentry: path.dentry })
      if (asked < 0) return asked
      if (change.mode !== undefined) inode.mode = (inode.mode & S_IFMT) | (change.mode & 0o7777)
      if (change.uid !== undefined && change.uid !== -1) inode.uid = change.uid
      if (change.gid !== undefined && change.gid !== -1) inode.gid = change.gid
      inode.change("changed")
      return 0
    },
  )
}

/** `link`: another name for a file. */
export function linkAt(
  world: World,
  task: Process,
  call: { olddfd: number; from: string; newdfd: number; to: string },
): number {
  const source = lookup(world, task, call.olddfd, call.from, false)
  if (typeof source === "number") return source
  if (source.path === undefined) return -ERRNO.ENOENT
  const target = lookup(world, task, call.newdfd, call.to, false)
  if (typeof target === "number") return target
  if (target.path !== undefined) return -ERRNO.EEXIST
  if (source.parent.mount !== target.parent.mount) return -ERRNO.EXDEV
  const inode = source.path.dentry.inode as Inode
  const directory = target.parent.dentry.inode as Inode
  const negative = negativeDentry(world, target.parent, target.name)
  const old_dentry = source.path.dentry
  const new_dentry = negative.address()
  const refused =
    world.lsm(task, "path_link", { old_dentry, new_dir: pathFields(target.parent), new_dentry }) ||
    (inode.isDirectory ? -ERRNO.EPERM : 0) ||
    permission(directory, MAY_WRITE | MAY_EXEC, task.credentials) ||
    world.lsm(task, "inode_link", { old_dentry, dir: directory, new_dentry })
  negative.release()
  if (refused < 0) return refused
  world.files.link(target.parent, target.name, inode)
  inode.links++
  inode.change("changed")
  return 0
}
