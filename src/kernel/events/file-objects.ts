/**
 * `struct file`, `struct dentry`, `struct path` and `struct linux_binprm` for a path name: a chain
 * of dentries up to the root, with inodes, as LSM programs and fentry programs walk it.
 */

import type { Btf } from "../../btf/index.ts"
import type { FieldValue, ObjectWriter } from "../types/index.ts"

/** Structs that a string stands for, as a path name. */
const PATH_STRUCTS: readonly string[] = [
  "file",
  "dentry",
  "path",
  "inode",
  "linux_binprm",
  "filename",
]

/** The struct's name if `typeId` is a pointer to one that a path name can stand for. */
export function pathStruct(types: Btf, typeId: number): string | undefined {
  const pointer = types.resolve(typeId)
  if (pointer.kind !== "ptr") return undefined
  const target = types.resolve(pointer.type)
  return target.kind === "struct" && PATH_STRUCTS.includes(target.name) ? target.name : undefined
}

/** The address of a new object of that struct for an absolute path. */
export function createPathObject(
  types: Btf,
  writer: ObjectWriter,
  struct: string,
  pathName: string,
): bigint {
  const create = (name: string, fields: { [field: string]: FieldValue }): bigint => {
    const id = types.findByName(name, "struct")
    if (id === undefined) throw new TypeError(`the kernel's types have no struct ${name}`)
    return writer.address(writer.create(id, fields))
  }
  const inode = create("inode", { i_ino: inodeNumber(pathName), i_mode: 0o100644 })
  if (struct === "inode") return inode
  if (struct === "filename") return create("filename", { name: pathName })
  const root = create("dentry", { d_name: { name: "/", len: 1 } })
  let dentry = root
  const parts = pathName.split("/").filter((part) => part !== "")
  parts.forEach((part, index) => {
    const last = index === parts.length - 1
    dentry = create("dentry", {
      d_parent: dentry,
      d_name: { name: part, len: part.length },
      d_iname: part,
      ...(last ? { d_inode: inode } : {}),
    })
  })
  if (struct === "dentry") return dentry
  if (struct === "path") return create("path", { dentry })
  const file = create("file", { f_path: { dentry }, f_inode: inode })
  if (struct === "file") return file
  return create("linux_binprm", { file, filename: pathName, interp: pathName })
}

/** A stable inode number for a name: FNV-1a, in 32 bits. */
function inodeNumber(pathName: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < pathName.length; i++)
    hash = Math.imul(hash ^ pathName.charCodeAt(i), 0x01000193)
  return hash >>> 0
}
