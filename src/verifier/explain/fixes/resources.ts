/** Repairs of what is taken and must be given back: references, ring buffer records, locks. */

import { BPF_CALL, BPF_JMP, BPF_JMP32, BPF_PSEUDO_KFUNC_CALL } from "../../../isa/index.ts"
import { code, type Edit } from "../edit.ts"
import type { Facts } from "../facts.ts"
import { byEdits, CALLER_SAVED, type Candidate, preserving } from "./candidate.ts"

interface Release {
  /** Statement in C; `$` is the variable. */
  readonly text: string
  /** Sets up R2 and calls. */
  readonly assembly: string
}

/** By helper that takes: what gives back. */
const BY_HELPER: Readonly<Record<number, Release>> = {
  131: { text: "bpf_ringbuf_discard($, 0);", assembly: "r2 = 0\ncall 133" },
  84: { text: "bpf_sk_release($);", assembly: "call 86" },
  85: { text: "bpf_sk_release($);", assembly: "call 86" },
  99: { text: "bpf_sk_release($);", assembly: "call 86" },
}

/** By kfunc that takes. */
const BY_KFUNC: Readonly<Record<string, string>> = {
  bpf_task_acquire: "bpf_task_release",
  bpf_task_from_pid: "bpf_task_release",
  bpf_cgroup_acquire: "bpf_cgroup_release",
  bpf_cgroup_from_id: "bpf_cgroup_release",
  bpf_cgroup_ancestor: "bpf_cgroup_release",
  bpf_cpumask_create: "bpf_cpumask_release",
  bpf_cpumask_acquire: "bpf_cpumask_release",
  bpf_obj_new_impl: "bpf_obj_drop_impl",
}

function releaseOf(f: Facts, insn: number): Release | null {
  const { src, imm } = f.code
  if (src[insn] !== BPF_PSEUDO_KFUNC_CALL) return BY_HELPER[imm[insn]] ?? null
  const name = BY_KFUNC[f.called(insn)]
  if (name === undefined) return null
  const id = f.input.kernelBtf().findByName(name, "func")
  if (id === undefined) return null
  return { text: `${name.replace("_impl", "")}($);`, assembly: `r2 = 0\ncall kfunc ${id}` }
}

/** Gives back what was taken at `alloc_insn` before the path that forgets it ends. */
export function releaseBeforeExit(f: Facts): Candidate[] {
  const taken = Number(/alloc_insn=(\d+)/.exec(f.message)?.[1] ?? -1)
  const reference = f.history.references.find(({ kind }) => kind === "ptr")
  const from = taken >= 0 ? taken : (reference?.insn ?? -1)
  if (from < 0) return []
  const release = releaseOf(f, from)
  if (release === null) return []
  const variable = f.variable(from, "ptr")
  const give = (at: number, enter: Edit["enter"]): Edit => ({
    at,
    enter,
    code: preserving(
      f,
      at,
      CALLER_SAVED,
      1,
      `r1 = *(u64 *)(r10 ${f.spare(0)})\n${release.assembly}`,
    ),
  })
  const keep: Edit = { at: from + 1, code: code(`*(u64 *)(r10 ${f.spare(0)}) = r0`), enter: "fall" }
  return [...edges(f, from), { at: f.insn, enter: "all" as const, insn: f.insn }].map(
    ({ at, enter, insn }) =>
      byEdits(
        f,
        {
          title: `release \`${variable}\` on the path that leaves without it`,
          edit: release.text.replace("$", variable),
          where: "before",
          insn,
        },
        () => [keep, give(at, enter)],
      ),
  )
}

/** The branches that a path took after `from`, last first: places where it parts from others. */
function edges(f: Facts, from: number): { at: number; enter: Edit["enter"]; insn: number }[] {
  const { path } = f.history
  const { opcode } = f.code
  const list: { at: number; enter: Edit["enter"]; insn: number }[] = []
  for (let index = path.length - 2; index >= 0 && list.length < 12; index--) {
    const insn = path[index]
    if (insn === from) break
    const family = opcode[insn] & 7
    const operation = opcode[insn] & 0xf0
    if ((family !== BPF_JMP && family !== BPF_JMP32) || operation === BPF_CALL) continue
    if (operation === 0) continue
    const next = path[index + 1]
    list.push({ at: next, enter: next === insn + 1 ? "fall" : insn, insn })
  }
  return list
}

/** Gives an object back after its last use instead of before. */
export function releaseLater(f: Facts): Candidate[] {
  const died = f.events(f.register).findLast(({ kind }) => kind === "invalidated")
  if (died === undefined) return []
  const { insn } = died
  const call = f.code.instruction(insn)
  const keep: Edit = {
    at: insn,
    remove: 1,
    code: code(`*(u64 *)(r10 ${f.spare(0)}) = r1\nr0 = 0`),
  }
  const give = (at: number): Edit => {
    const body = preserving(
      f,
      at,
      CALLER_SAVED,
      1,
      `r1 = *(u64 *)(r10 ${f.spare(0)})\nr2 = 0\nr0 = 0`,
    )
    // The call itself is copied: it may be one of the kernel's functions.
    return {
      at,
      enter: "fall",
      code: body.map((one) => (one.opcode === 0xb7 && one.dst === 0 ? call : one)),
    }
  }
  const exit = f.code.opcode.indexOf(0x95, f.insn)
  const words = {
    title: `move the call of ${f.called(insn)} behind the last use`,
    edit: f.source(insn).trim(),
    where: "after" as const,
    insn: f.insn,
  }
  return [f.insn + 1, ...(exit > f.insn ? [exit] : [])].map((at) =>
    byEdits(f, words, () => [keep, give(at)]),
  )
}

const SPIN_LOCK = 93

/** Gives the lock back before the program ends or calls. */
export function unlock(f: Facts): Candidate[] {
  const { path } = f.history
  const { opcode, src, imm } = f.code
  const isLock = (insn: number): boolean =>
    opcode[insn] === (BPF_JMP | BPF_CALL) && src[insn] === 0 && imm[insn] === SPIN_LOCK
  const locked = path.findLast(isLock)
  if (locked === undefined) return []
  const keep: Edit = { at: locked, code: code(`*(u64 *)(r10 ${f.spare(0)}) = r1`) }
  const call = (at: number, helper: number, enter: Edit["enter"] = "all"): Edit => ({
    at,
    enter,
    code: preserving(f, at, CALLER_SAVED, 1, `r1 = *(u64 *)(r10 ${f.spare(0)})\ncall ${helper}`),
  })
  const list = [...edges(f, locked), { at: f.insn, enter: "all" as const, insn: f.insn }].map(
    ({ at, enter, insn }) =>
      byEdits(
        f,
        {
          title: "release the lock on the path that leaves with it",
          edit: "bpf_spin_unlock(&…->lock);",
          where: "before",
          insn,
        },
        () => [keep, call(at, 94, enter)],
      ),
  )
  if (opcode[f.insn] !== (BPF_JMP | BPF_CALL)) return list
  const around = byEdits(
    f,
    {
      title: `call ${f.called(f.insn)} while the lock is not held`,
      edit: `move \`${f.source(f.insn).trim()}\` before bpf_spin_lock(), or unlock around the call`,
      where: "replace",
      insn: f.insn,
    },
    () => [keep, call(f.insn, 94), call(f.insn + 1, SPIN_LOCK, "fall")],
  )
  const later = byEdits(
    f,
    {
      title: `call ${f.called(f.insn)} after the lock is released`,
      edit: "bpf_spin_unlock(&…->lock);",
      where: "before",
      insn: f.insn,
    },
    () => [keep, call(f.insn, 94), ...withoutUnlock(f)],
  )
  return [around, later, ...list]
}

/** The unlock calls behind the place, taken out. */
function withoutUnlock(f: Facts): Edit[] {
  const { opcode, src, imm, length } = f.code
  const edits: Edit[] = []
  for (let insn = f.insn + 1; insn < length; insn++)
    if (opcode[insn] === (BPF_JMP | BPF_CALL) && src[insn] === 0 && imm[insn] === 94)
      edits.push({ at: insn, remove: 1, code: code("r0 = 0") })
  return edits
}
