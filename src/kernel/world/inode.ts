/**
 * Inodes, dentries, mounts and open files of the virtual file system, each with the kernel object
 * that programs see (linux include/linux/fs.h, dcache.h, mount.h).
 */

import { kernelAddress, Mirror, type WriterHost } from "../types/index.ts"

/** File types in `i_mode` (linux include/uapi/linux/stat.h). */
export const S_IFMT = 0o170000
export const S_IFDIR = 0o040000
export const S_IFREG = 0o100000
export const S_IFLNK = 0o120000
export const S_IFCHR = 0o020000
export const S_IFIFO = 0o010000
export const S_ISUID = 0o4000
export const S_ISGID = 0o2000
export const S_ISVTX = 0o1000

/** `open` flags of x86-64 (linux include/uapi/asm-generic/fcntl.h). */
export const O_ACCMODE = 3
export const O_WRONLY = 1
export const O_RDWR = 2
export const O_CREAT = 0o100
export const O_EXCL = 0o200
export const O_TRUNC = 0o1000
export const O_APPEND = 0o2000
export const O_DIRECTORY = 0o200000
export const O_NOFOLLOW = 0o400000

const FMODE_READ = 1
const FMODE_WRITE = 2
const BLOCK_BYTES = 4096

/** Where times and sizes come from, and where kernel objects go. */
export interface FileHost extends WriterHost {
  /** Seconds since 1970. */
  wallSeconds(): bigint
}

export class SuperBlock {
  readonly type: string
  readonly id: string
  /** `s_dev`: major << 20 | minor. */
  readonly device: number
  readonly magic: number
  readonly flags: number
  /** Its files lie on the virtual disk: reads and writes of pages that are not cached go there. */
  readonly onDisk: boolean
  readonly mirror: Mirror
  root: Dentry | null = null
  private nextInode = 2

  constructor(
    host: FileHost,
    options: {
      type: string
      id: string
      device: number
      magic: number
      onDisk?: boolean
      readOnly?: boolean
    },
  ) {
    this.type = options.type
    this.id = options.id
    this.device = options.device
    this.magic = options.magic
    this.onDisk = options.onDisk ?? false
    this.flags = options.readOnly === true ? SB_RDONLY : 0
    this.mirror = new Mirror(host, "super_block", () => ({
      s_dev: this.device,
      s_blocksize: BLOCK_BYTES,
      s_magic: this.magic,
      s_flags: this.flags,
      s_id: this.id,
      s_type: { name: this.type },
      s_root: this.root?.kernelAddress(),
    }))
  }

  get readOnly(): boolean {
    return (this.flags & SB_RDONLY) !== 0
  }

  inodeNumber(): number {
    return this.nextInode++
  }
}

const SB_RDONLY = 1

export class Inode {
  readonly superBlock: SuperBlock
  readonly number: number
  mode: number
  uid: number
  gid: number
  links = 1
  /** `i_rdev` of devices. */
  readonly device: number
  data: Uint8Array = new Uint8Array(0)
  /** Bytes of `data` that are the file. */
  size = 0
  /** Of a symbolic link. */
  target = ""
  /** Pages (of 4096 bytes) in the page cache, for files on the disk; null: all. */
  cached: Set<number> | null = null
  dirty: Set<number> = new Set<number>()
  accessed: bigint
  modified: bigint
  changed: bigint
  /** Open files and mappings that keep an unlinked inode alive. */
  users = 0
  /** What open, read and write of a device do instead. */
  operations: DeviceOperations | null = null
  private readonly host: FileHost
  private readonly mirror: Mirror

  constructor(
    host: FileHost,
    superBlock: SuperBlock,
    options: { mode: number; uid: number; gid: number; device?: number },
  ) {
    this.host = host
    this.superBlock = superBlock
    this.number = superBlock.inodeNumber()
    this.mode = options.mode
    this.uid = options.uid
    this.gid = options.gid
    this.device = options.device ?? 0
    this.accessed = this.modified = this.changed = host.wallSeconds()
    this.mirror = new Mirror(host, "inode", () => ({
      i_mode: this.mode,
      i_uid: { val: this.uid },
      i_gid: { val: this.gid },
      i_sb: this.superBlock.mirror.kernelAddress(),
      i_ino: this.number,
      i_nlink: this.links,
      __i_nlink: this.links,
      i_rdev: this.device,
      i_size: this.size,
      i_atime_sec: this.accessed,
      i_mtime_sec: this.modified,
      i_ctime_sec: this.changed,
    }))
  }

  get isDirectory(): boolean {
    return (this.mode & S_IFMT) === S_IFDIR
  }

  get isRegular(): boolean {
    return (this.mode & S_IFMT) === S_IFREG
  }

  get isLink(): boolean {
    return (this.mode & S_IFMT) === S_IFLNK
  }

  kernelAddress(): bigint {
    return this.mirror.kernelAddress()
  }

  /** Something about the file itself has changed. */
  change(what: "modified" | "changed" | "accessed"): void {
    const now = this.host.wallSeconds()
    if (what === "accessed") this.accessed = now
    else {
      this.changed = now
      if (what === "modified") this.modified = now
    }
    this.mirror.refresh()
  }

  /** Room for `size` bytes; the content grows by zeros. */
  resize(size: number): void {
    if (size > this.data.length) {
      const larger = new Uint8Array(Math.max(size, 2 * this.data.length, 64))
      larger.set(this.data.subarray(0, this.size))
      this.data = larger
    } else if (size < this.size) this.data.fill(0, size, this.size)
    this.size = size
  }

  content(): Uint8Array {
    return this.data.subarray(0, this.size)
  }

  /** Nothing names or uses it any more: the kernel object goes. */
  dropIfUnused(): void {
    if (this.links === 0 && this.users === 0) this.mirror.release()
  }
}

/** Character devices: /dev/null and its like. */
export interface DeviceOperations {
  read(size: number): Uint8Array | number
  write(bytes: Uint8Array): number
}

export class Dentry {
  name: string
  parent: Dentry
  inode: Inode | null
  readonly superBlock: SuperBlock
  readonly children: Map<string, Dentry> = new Map<string, Dentry>()
  /** What is mounted here. */
  mounted: Mount | null = null
  private readonly mirror: Mirror

  constructor(
    host: FileHost,
    options: { name: string; parent: Dentry | null; inode: Inode | null; superBlock: SuperBlock },
  ) {
    this.name = options.name
    this.parent = options.parent ?? this
    this.inode = options.inode
    this.superBlock = options.superBlock
    this.mirror = new Mirror(host, "dentry", () => ({
      d_parent: this.parent.kernelAddress(),
      d_name: { name: this.name, len: new TextEncoder().encode(this.name).length },
      d_iname: this.name,
      d_inode: this.inode?.kernelAddress(),
      d_sb: this.superBlock.mirror.kernelAddress(),
    }))
  }

  kernelAddress(): bigint {
    return this.mirror.kernelAddress()
  }

  refresh(): void {
    this.mirror.refresh()
  }

  release(): void {
    this.mirror.release()
  }

  /** For recordings. */
  describe(): string {
    if (this.parent === this) return "/"
    const above = this.parent.describe()
    return `${above === "/" ? "" : above}/${this.name}`
  }
}

export class Mount {
  readonly superBlock: SuperBlock
  readonly root: Dentry
  readonly parent: Mount | null
  readonly mountPoint: Dentry | null
  private readonly host: FileHost
  private readonly mirror: Mirror

  constructor(host: FileHost, superBlock: SuperBlock, root: Dentry, at: PathRef | null) {
    this.superBlock = superBlock
    this.root = root
    this.parent = at?.mount ?? null
    this.mountPoint = at?.dentry ?? null
    this.host = host
    this.mirror = new Mirror(host, "mount", () => ({
      mnt_parent: this.parent?.structAddress() ?? this.structAddress(),
      mnt_mountpoint: (this.mountPoint ?? this.root).kernelAddress(),
      mnt: {
        mnt_root: this.root.kernelAddress(),
        mnt_sb: this.superBlock.mirror.kernelAddress(),
      },
    }))
  }

  private structAddress(): bigint {
    return this.mirror.kernelAddress()
  }

  /** Of the `struct vfsmount` inside its `struct mount`. */
  kernelAddress(): bigint {
    const address = this.structAddress()
    const { types } = this.host
    const id = types.findByName("mount", "struct")
    const struct = id === undefined ? undefined : types.resolve(id)
    const at = struct?.kind === "struct" ? placeOf(types, struct.members, "mnt") : undefined
    return at === undefined ? address : address + BigInt(at)
  }

  release(): void {
    this.mirror.release()
  }
}

/** `struct path`: a dentry and the mount through which it was reached. */
export interface PathRef {
  readonly mount: Mount
  readonly dentry: Dentry
}

/** The name of a path from the root, through mounts (linux fs/d_path.c). */
export function pathName(path: PathRef): string {
  let text = ""
  let { mount, dentry } = path
  for (;;) {
    if (dentry === mount.root) {
      if (mount.parent === null || mount.mountPoint === null) return text === "" ? "/" : text
      dentry = mount.mountPoint
      mount = mount.parent
    } else {
      text = `/${dentry.name}${text}`
      dentry = dentry.parent
    }
  }
}

/** An open file description: `struct file`. */
export class OpenFile {
  readonly path: PathRef
  readonly inode: Inode
  readonly flags: number
  position = 0
  /** Descriptors and mappings that share it. */
  references = 1
  private readonly host: FileHost
  private readonly mirror: Mirror

  constructor(host: FileHost, path: PathRef, inode: Inode, flags: number, cred: () => bigint) {
    this.host = host
    this.path = path
    this.inode = inode
    this.flags = flags
    inode.users++
    this.mirror = new Mirror(host, "file", () => {
      const fPath = { mnt: path.mount.kernelAddress(), dentry: path.dentry.kernelAddress() }
      return {
        f_mode: this.mode,
        f_inode: inode.kernelAddress(),
        f_flags: flags,
        f_cred: cred(),
        f_path: fPath,
        f_pos: this.position,
      }
    })
  }

  /** FMODE_READ | FMODE_WRITE. */
  get mode(): number {
    const access = this.flags & O_ACCMODE
    return access === O_RDWR
      ? FMODE_READ | FMODE_WRITE
      : access === O_WRONLY
        ? FMODE_WRITE
        : FMODE_READ
  }

  get readable(): boolean {
    return (this.mode & FMODE_READ) !== 0
  }

  get writable(): boolean {
    return (this.mode & FMODE_WRITE) !== 0
  }

  kernelAddress(): bigint {
    return this.mirror.kernelAddress()
  }

  /** Address of its `f_path`, for hooks that take a `struct path *`. */
  pathReference(): { kernelAddress(): bigint; describe(): string } {
    return {
      kernelAddress: () => {
        this.mirror.kernelAddress()
        const { types } = this.host
        const id = types.findByName("file", "struct")
        const struct = id === undefined ? undefined : types.resolve(id)
        const at = struct?.kind === "struct" ? placeOf(types, struct.members, "f_path") : undefined
        if (at === undefined) return 0n
        return kernelAddress(this.host.kernelRegion, this.mirror.address + at)
      },
      describe: () => this.describe(),
    }
  }

  describe(): string {
    return pathName(this.path)
  }

  moved(): void {
    this.mirror.refresh()
  }

  /** One user less; true when it was the last. */
  put(): boolean {
    this.references--
    if (this.references > 0) return false
    this.mirror.release()
    this.inode.users--
    this.inode.dropIfUnused()
    return true
  }
}

/** Byte offset of a member, also inside anonymous unions. */
function placeOf(
  types: FileHost["types"],
  members: readonly { name: string; type: number; bitOffset: number }[],
  name: string,
): number | undefined {
  for (const member of members) {
    if (member.name === name) return member.bitOffset >> 3
    if (member.name !== "") continue
    const inner = types.resolve(member.type)
    if (inner.kind !== "struct" && inner.kind !== "union") continue
    const at = placeOf(types, inner.members, name)
    if (at !== undefined) return (member.bitOffset >> 3) + at
  }
  return undefined
}
