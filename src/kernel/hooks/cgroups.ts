/**
 * Programs attached to cgroups, and which of them are effective where (linux v6.18
 * kernel/bpf/cgroup.c __cgroup_bpf_attach, compute_effective_progs, bpf_prog_run_array_cg).
 *
 * Each cgroup has, for each attach type, a list of programs and the flags they were attached with:
 * none (one program, and none below), BPF_F_ALLOW_OVERRIDE (one program, unless a cgroup below
 * has its own), BPF_F_ALLOW_MULTI (any number; those of all ancestors run too, the cgroup's own
 * first). BPF_F_PREORDER programs run before all others, the ancestors' first.
 *
 * Invariant: `flags` of an empty list is 0; a cgroup that nothing was ever attached to has no node.
 */

import { BPF_ATTACH_FLAG, BPF_CGROUP_MAX_PROGS, ERRNO } from "../../spec/index.ts"
import type { KernelObject } from "../objects/kernel-object.ts"
import type { Attachment } from "./link.ts"

const { BPF_F_ALLOW_OVERRIDE, BPF_F_ALLOW_MULTI, BPF_F_REPLACE, BPF_F_PREORDER } = BPF_ATTACH_FLAG
const { BPF_F_BEFORE, BPF_F_AFTER, BPF_F_ID, BPF_F_LINK } = BPF_ATTACH_FLAG

/** One program in a cgroup's list. */
export interface CgroupEntry extends Attachment {
  readonly flags: number
  /** The cgroup to which it is attached, whose local storage it uses. */
  readonly path: string
  readonly attachType: number
}

interface CgroupList {
  flags: number
  revision: bigint
  readonly entries: CgroupEntry[]
}

/** What is to be attached, and how. */
export interface CgroupAttach {
  readonly program: KernelObject<"program">
  readonly byLink: boolean
  readonly flags: number
  readonly replace: KernelObject<"program"> | null
  /** What `relative_fd` or `relative_id` names. */
  readonly relative: KernelObject<"program"> | KernelObject<"link"> | null
  readonly expectedRevision: bigint
}

/** `/a/b` → `/a/b`, `/a`, `/`. */
export function pathAndAncestors(path: string): string[] {
  const all: string[] = []
  for (let at = path; at !== "/" && at !== ""; at = at.slice(0, at.lastIndexOf("/"))) all.push(at)
  all.push("/")
  return all
}

export class CgroupHooks {
  private readonly lists = new Map<string, CgroupList>()
  private readonly effectiveCache = new Map<string, readonly CgroupEntry[]>()

  /** The programs that run for a task or socket of `path`, in order. */
  effective(path: string, attachType: number): readonly CgroupEntry[] {
    if (this.lists.size === 0) return []
    const key = `${attachType}${path}`
    let entries = this.effectiveCache.get(key)
    if (entries === undefined) {
      entries = this.compute(path, attachType)
      this.effectiveCache.set(key, entries)
    }
    return entries
  }

  /** The list of one cgroup, in order, with its flags and its count of changes. */
  own(path: string, attachType: number): Readonly<CgroupList> {
    return this.lists.get(`${attachType}${path}`) ?? { flags: 0, revision: 1n, entries: [] }
  }

  /**
   * Attaches; returns the new entry or a negative errno. `replaced` is called with the program
   * that had to go.
   */
  attach(
    path: string,
    attachType: number,
    what: CgroupAttach,
    replaced: (program: KernelObject<"program">) => void,
  ): CgroupEntry | number {
    const saved = what.flags & (BPF_F_ALLOW_OVERRIDE | BPF_F_ALLOW_MULTI)
    const both = saved === (BPF_F_ALLOW_OVERRIDE | BPF_F_ALLOW_MULTI)
    const replaces = (what.flags & BPF_F_REPLACE) !== 0
    if (both || (replaces && !(what.flags & BPF_F_ALLOW_MULTI))) return -ERRNO.EINVAL
    if ((what.replace !== null) !== replaces) return -ERRNO.EINVAL
    const list = this.listOf(path, attachType)
    if (what.expectedRevision !== 0n && what.expectedRevision !== list.revision)
      return -ERRNO.ESTALE
    if (!this.hierarchyAllows(path, attachType)) return -ERRNO.EPERM
    if (list.entries.length > 0 && list.flags !== saved) return -ERRNO.EPERM
    if (list.entries.length >= BPF_CGROUP_MAX_PROGS) return -ERRNO.E2BIG
    const old = this.entryToReplace(list, what)
    if (typeof old === "number") return old
    const { program } = what
    const entry: CgroupEntry = {
      program,
      link: null,
      cookie: 0n,
      flags: what.flags,
      path,
      attachType,
    }
    if (old !== null) {
      list.entries[list.entries.indexOf(old)] = entry
      replaced(old.program)
    } else {
      const index = placeOf(list.entries, what)
      if (index < 0) return index
      list.entries.splice(index, 0, entry)
    }
    list.flags = saved
    this.changed(list)
    return entry
  }

  /** Takes an entry out. */
  remove(entry: CgroupEntry): boolean {
    const list = this.lists.get(`${entry.attachType}${entry.path}`)
    const index = list?.entries.indexOf(entry) ?? -1
    if (list === undefined || index < 0) return false
    list.entries.splice(index, 1)
    if (list.entries.length === 0) list.flags = 0
    this.changed(list)
    return true
  }

  /**
   * PROG_DETACH: the entry that is meant, or a negative errno (find_detach_entry). Without
   * BPF_F_ALLOW_MULTI the one program goes, whatever descriptor was given.
   */
  findDetached(
    path: string,
    attachType: number,
    program: KernelObject<"program"> | null,
  ): CgroupEntry | number {
    const list = this.own(path, attachType)
    if (!(list.flags & BPF_F_ALLOW_MULTI)) return list.entries[0] ?? -ERRNO.ENOENT
    if (program === null) return -ERRNO.EINVAL
    const found = list.entries.find((one) => one.link === null && one.program === program)
    return found ?? -ERRNO.ENOENT
  }

  /** Programs were exchanged (LINK_UPDATE). */
  refresh(): void {
    this.effectiveCache.clear()
  }

  private listOf(path: string, attachType: number): CgroupList {
    const key = `${attachType}${path}`
    let list = this.lists.get(key)
    if (list === undefined) {
      list = { flags: 0, revision: 1n, entries: [] }
      this.lists.set(key, list)
    }
    return list
  }

  private changed(list: CgroupList): void {
    list.revision++
    this.effectiveCache.clear()
  }

  /** The nearest ancestor that has programs decides (hierarchy_allows_attach). */
  private hierarchyAllows(path: string, attachType: number): boolean {
    for (const ancestor of pathAndAncestors(path).slice(1)) {
      const list = this.lists.get(`${attachType}${ancestor}`)
      if (list === undefined) continue
      if (list.flags & BPF_F_ALLOW_MULTI) return true
      if (list.entries.length > 0) return (list.flags & BPF_F_ALLOW_OVERRIDE) !== 0
    }
    return true
  }

  /** find_attach_entry */
  private entryToReplace(list: CgroupList, what: CgroupAttach): CgroupEntry | null | number {
    if (!(what.flags & BPF_F_ALLOW_MULTI)) return list.entries[0] ?? null
    for (const entry of list.entries) {
      if (what.byLink || entry.link !== null) continue
      if (entry.program === what.program && entry.program !== what.replace) return -ERRNO.EINVAL
    }
    if (what.replace === null) return null
    const found = list.entries.find((one) => one.link === null && one.program === what.replace)
    return found ?? -ERRNO.ENOENT
  }

  private compute(path: string, attachType: number): readonly CgroupEntry[] {
    const normal: CgroupEntry[] = []
    const preorder: CgroupEntry[] = []
    for (const ancestor of pathAndAncestors(path)) {
      const list = this.lists.get(`${attachType}${ancestor}`)
      if (list === undefined) continue
      if (normal.length + preorder.length > 0 && !(list.flags & BPF_F_ALLOW_MULTI)) continue
      preorder.unshift(...list.entries.filter((one) => one.flags & BPF_F_PREORDER))
      normal.push(...list.entries.filter((one) => !(one.flags & BPF_F_PREORDER)))
    }
    return [...preorder, ...normal]
  }
}

/** Where a new entry goes: insert_pl_to_hlist. */
function placeOf(entries: readonly CgroupEntry[], what: CgroupAttach): number {
  const { flags, relative } = what
  const before = (flags & BPF_F_BEFORE) !== 0
  const after = (flags & BPF_F_AFTER) !== 0
  const preorder = (flags & BPF_F_PREORDER) !== 0
  if (relative === null) {
    if (flags & (BPF_F_LINK | BPF_F_ID)) return -ERRNO.EINVAL
    if (before && after) return entries.length === 0 ? 0 : -ERRNO.EINVAL
    return before ? 0 : entries.length
  }
  if (before === after) return -ERRNO.EINVAL
  const at = entries.findIndex((one) =>
    relative.kind === "link" ? one.link === relative.value : one.program === relative,
  )
  if (at < 0) return -ERRNO.ENOENT
  if (((entries[at].flags & BPF_F_PREORDER) !== 0) !== preorder) return -ERRNO.EINVAL
  return before ? at : at + 1
}
