/**
 * System calls on both kernels: the tracepoint, raw tracepoint and BTF tracepoint programs see the
 * same numbers, arguments, file names and results, for calls that succeed and calls that fail.
 */

import { spawnSync } from "node:child_process"
import { chmodSync, copyFileSync } from "node:fs"
import { afterAll, beforeAll, expect, test } from "vitest"
import { BPF_ATTACH_TYPE } from "../../../src/spec/index.ts"
import { describeWith, requirement } from "../../support/requirements.ts"
import {
  type Actor,
  embeddedSide,
  linuxSide,
  offsetOf,
  putDirectory,
  putFile,
  SELF,
  type Side,
  save,
  type TracingSpec,
  trace,
} from "./sides.ts"

const O_CREAT_WRONLY = 0o101
const O_CREAT_EXCL_WRONLY = 0o301
const NR = {
  openat: 257,
  read: 0,
  write: 1,
  unlinkat: 263,
  mkdir: 83,
  rename: 82,
  chmod: 90,
  symlink: 88,
  kill: 62,
}

/** Calls whose results both kernels must agree on, errors and all. */
function fileCalls(actor: Actor): number[] {
  const { path } = actor
  const results: number[] = []
  const say = (result: number): number => {
    results.push(result < 0 ? result : result === 0 ? 0 : 1)
    return result
  }
  const fd = say(actor.openat(path("data"), 0))
  say(actor.read(fd, 4) - 3)
  say(actor.read(fd, 100) - 6)
  say(actor.read(fd, 100))
  say(actor.write(fd, "x"))
  say(actor.close(fd))
  say(actor.close(fd))
  say(actor.read(fd, 1))
  say(actor.openat(path("nothing"), 0))
  say(actor.openat(path("data/below"), 0))
  say(actor.openat(path("folder"), 1))
  say(actor.openat(path("data"), 0o200000))
  const made = say(actor.openat(path("new"), O_CREAT_WRONLY, 0o600))
  say(actor.openat(path("new"), O_CREAT_EXCL_WRONLY, 0o600))
  say(actor.write(made, "hello") - 4)
  say(actor.read(made, 1))
  say(actor.close(made))
  say(actor.mkdir(path("folder"), 0o755))
  say(actor.mkdir(path("folder2"), 0o755))
  say(actor.mkdir(path("nothing/here"), 0o755))
  say(actor.unlinkat(path("folder2")))
  say(actor.unlinkat(path("new"), 0x200))
  say(actor.rename(path("new"), path("folder/new")))
  say(actor.rename(path("gone"), path("folder/gone")))
  say(actor.rename(path("folder"), path("folder/new/x")))
  say(actor.unlinkat(path("folder"), 0x200))
  say(actor.rename(path("folder2"), path("folder")))
  say(actor.rename(path("data"), path("folder2")))
  say(actor.symlink(path("data"), path("link")))
  say(actor.symlink(path("data"), path("link")))
  say(actor.openat(path("link"), 0o400000))
  say(actor.symlink("loop", path("loop")))
  say(actor.openat(path("loop"), 0))
  say(actor.chmod(path("data"), 0o600))
  say(actor.chmod(path("nothing"), 0o600))
  say(actor.unlinkat(path("folder/new")))
  say(actor.unlinkat(path("folder"), 0x200))
  say(actor.unlinkat(path("folder"), 0x200))
  say(actor.unlinkat(path("link")))
  say(actor.unlinkat(path("loop")))
  say(actor.openat("x".repeat(5000), 0))
  say(actor.openat(path("n".repeat(300)), 0))
  say(actor.openat("", 0))
  say(actor.kill(SELF.pid, 0))
  say(actor.kill(SELF.pid, 65))
  say(actor.kill(4_000_000, 0))
  return results
}

/** Stores up to 8 bytes of the string at the address in R3 into two slots. */
const fileName = (
  slot: number,
): string => `r1 = r10; r1 += -64; r2 = 64; call bpf_probe_read_user_str
  ${save(slot)}
  r1 = *(u64 *)(r10 - 64); ${save(slot + 1, "r1")}
  r1 = *(u8 *)(r10 - 56); ${save(slot + 2, "r1")}`

const TRACEPOINT = "BPF_PROG_TYPE_TRACEPOINT"
const RAW = "BPF_PROG_TYPE_RAW_TRACEPOINT"

/** Appends R7 to the list in `out`: slot 0 is the count. */
const append = `r1 = *(u64 *)(r9 + 0)
  if r1 > 60 goto skip
  r2 = r1; r2 += 1; *(u64 *)(r9 + 0) = r2
  r2 <<= 3; r3 = r9; r3 += r2
  if r2 > 480 goto skip
  *(u64 *)(r3 + 0) = r7`

interface Case {
  readonly name: string
  readonly spec: TracingSpec
  readonly attach: Parameters<typeof trace>[2]
  readonly action: (actor: Actor) => unknown
}

const openTwo = (actor: Actor): number[] => {
  const fd = actor.openat("/etc/passwd", 0o2000000, 0o123)
  return [actor.close(fd), actor.openat("/etc/none", 0)]
}

const CASES: readonly Case[] = [
  {
    name: "sys_enter_openat has number, directory, name, flags and mode",
    spec: {
      type: TRACEPOINT,
      text: `r1 = *(u32 *)(r6 + 8); ${save(0, "r1")}; r1 = *(u64 *)(r6 + 16); ${save(1, "r1")}
        r1 = *(u64 *)(r6 + 32); ${save(2, "r1")}; r1 = *(u64 *)(r6 + 40); ${save(3, "r1")}
        r3 = *(u64 *)(r6 + 24); ${fileName(4)}`,
    },
    attach: { tracepoint: ["syscalls", "sys_enter_openat"] },
    action: (actor) => actor.close(actor.openat("/etc/passwd", 0o2000000, 0o123)),
  },
  {
    name: "sys_exit_close has number and result",
    spec: {
      type: TRACEPOINT,
      text: `r1 = *(u32 *)(r6 + 8); ${save(10, "r1")}; r7 = *(u64 *)(r6 + 16); ${append}`,
    },
    attach: { tracepoint: ["syscalls", "sys_exit_close"] },
    action: (actor) => [actor.close(actor.openat("/etc/passwd", 0)), actor.close(9999)],
  },
  {
    name: "raw_syscalls:sys_enter has number and six arguments",
    spec: {
      type: TRACEPOINT,
      text: `r1 = *(u64 *)(r6 + 8); if r1 != ${NR.kill} goto skip; ${save(0, "r1")}
        r1 = *(u64 *)(r6 + 16); ${save(1, "r1")}; r1 = *(u64 *)(r6 + 24); ${save(2, "r1")}`,
    },
    attach: { tracepoint: ["raw_syscalls", "sys_enter"] },
    action: (actor) => actor.kill(SELF.pid, 0),
  },
  {
    name: "raw tracepoint sys_enter has registers and number",
    spec: {
      type: RAW,
      text: (types) => `r7 = *(u64 *)(r6 + 8); if r7 != ${NR.openat} goto skip; ${save(0, "r7")}
        r8 = *(u64 *)(r6 + 0)
        r1 = r10; r1 += -8; r2 = 8; r3 = r8; r3 += ${offsetOf(types, "pt_regs", "si")}
        call bpf_probe_read_kernel
        r3 = *(u64 *)(r10 - 8); ${fileName(1)}
        r1 = r10; r1 += -8; r2 = 8; r3 = r8; r3 += ${offsetOf(types, "pt_regs", "orig_ax")}
        call bpf_probe_read_kernel; r1 = *(u64 *)(r10 - 8); ${save(5, "r1")}
        r1 = r10; r1 += -8; r2 = 8; r3 = r8; r3 += ${offsetOf(types, "pt_regs", "ax")}
        call bpf_probe_read_kernel; r1 = *(u64 *)(r10 - 8); ${save(6, "r1")}
        r1 = r10; r1 += -8; r2 = 8; r3 = r8; r3 += ${offsetOf(types, "pt_regs", "dx")}
        call bpf_probe_read_kernel; r1 = *(u64 *)(r10 - 8); ${save(7, "r1")}`,
    },
    attach: { rawTracepoint: "sys_enter" },
    action: (actor) => actor.openat("/etc/none", 0o3),
  },
  {
    name: "raw tracepoint sys_exit has every result of files and signals",
    spec: {
      type: RAW,
      text: (types) => `r8 = *(u64 *)(r6 + 0)
        r1 = r10; r1 += -8; r2 = 8; r3 = r8; r3 += ${offsetOf(types, "pt_regs", "orig_ax")}
        call bpf_probe_read_kernel; r8 = *(u64 *)(r10 - 8)
        r7 = *(u64 *)(r6 + 8)
        if r8 == ${NR.unlinkat} goto take; if r8 == ${NR.mkdir} goto take
        if r8 == ${NR.rename} goto take; if r8 == ${NR.chmod} goto take
        if r8 == ${NR.symlink} goto take; if r8 == ${NR.kill} goto take
        if r8 != ${NR.openat} goto skip
        if r7 s> 0 goto skip
        take: ${append}`,
    },
    attach: { rawTracepoint: "sys_exit" },
    action: fileCalls,
  },
  {
    name: "tp_btf sys_enter has typed registers",
    spec: {
      type: "BPF_PROG_TYPE_TRACING",
      attachType: BPF_ATTACH_TYPE.BPF_TRACE_RAW_TP,
      btf: ["btf_trace_sys_enter", "typedef"],
      text: (types) => `r7 = *(u64 *)(r6 + 8); if r7 != ${NR.kill} goto skip; ${save(0, "r7")}
        r8 = *(u64 *)(r6 + 0); r1 = *(u64 *)(r8 + ${offsetOf(types, "pt_regs", "si")}); ${save(1, "r1")}
        call bpf_get_current_task_btf; r7 = r0
        r1 = *(u32 *)(r7 + ${offsetOf(types, "task_struct", "pid")}); ${save(2, "r1")}
        r1 = *(u32 *)(r7 + ${offsetOf(types, "task_struct", "tgid")}); ${save(3, "r1")}
        r1 = *(u64 *)(r7 + ${offsetOf(types, "task_struct", "comm")}); ${save(4, "r1")}
        r2 = *(u64 *)(r7 + ${offsetOf(types, "task_struct", "cred")})
        r1 = *(u32 *)(r2 + ${offsetOf(types, "cred", "uid")}); ${save(5, "r1")}
        r1 = r10; r1 += -16; r2 = 16; call bpf_get_current_comm
        r1 = *(u64 *)(r10 - 16); ${save(6, "r1")}; r1 = *(u64 *)(r10 - 8); ${save(7, "r1")}
        call bpf_get_current_uid_gid; ${save(8)}
        r1 = r6; r2 = r9; r2 += 80; r3 = 8; r2 = r10; r2 += -8; call bpf_get_attach_cookie; ${save(9)}`,
    },
    attach: { rawTracepoint: null, cookie: 77n },
    action: (actor) => actor.kill(SELF.pid, 0),
  },
  {
    name: "two opens run one program twice",
    spec: { type: TRACEPOINT, text: `r1 = *(u64 *)(r9 + 0); r1 += 1; ${save(0, "r1")}` },
    attach: { tracepoint: ["syscalls", "sys_enter_openat"] },
    action: openTwo,
  },
  {
    name: "signal_generate has signal, receiver, group and result",
    spec: {
      type: TRACEPOINT,
      text: `r1 = *(u64 *)(r6 + 8); ${save(0, "r1")}; r1 = *(u32 *)(r6 + 16); ${save(1, "r1")}
        r1 = *(u32 *)(r6 + 20); ${save(2, "r1")}; r1 = *(u32 *)(r6 + 36); ${save(3, "r1")}
        r1 = *(u32 *)(r6 + 40); ${save(4, "r1")}; r1 = *(u32 *)(r6 + 44); ${save(5, "r1")}`,
    },
    attach: { tracepoint: ["signal", "signal_generate"] },
    action: (actor) => [actor.kill(SELF.pid, 23), actor.kill(SELF.pid, 0)],
  },
]

describeWith([requirement.linux()], "system calls on two kernels", () => {
  let linux: Side
  let embedded: Side
  beforeAll(() => {
    linux = linuxSide()
    embedded = embeddedSide()
  })
  afterAll(() => {
    linux.close()
    embedded.close()
  })

  test.each(CASES)("$name", ({ spec, attach, action }) => {
    const run = (side: Side): unknown => {
      putFile(side, "data", "content!\n")
      putDirectoryOnce(side, "folder")
      return trace(side, spec, attach, action)
    }
    const [mine, theirs] = [run(embedded), run(linux)]
    expect(mine).toEqual(theirs)
  })
})

const made = new WeakSet<Side>()
function putDirectoryOnce(side: Side, name: string): void {
  if (made.has(side)) return
  made.add(side)
  putDirectory(side, name)
}

describeWith([requirement.linux()], "a program that is executed, on two kernels", () => {
  const NAME = "skep-traced-1"
  /** The record's name of the program is NAME: events of other processes pass by. */
  const ours = `r1 = r10; r1 += -16; r2 = 16; call bpf_get_current_comm; r1 = *(u64 *)(r10 - 16)
    r2 = ${packed(NAME.slice(0, 8))} ll; if r1 != r2 goto skip
    r1 = *(u64 *)(r10 - 8); r2 = ${packed(NAME.slice(8))} ll; if r1 != r2 goto skip`
  const cases: readonly (readonly [string, string])[] = [
    [
      "sched/sched_process_exec",
      `r1 = *(u32 *)(r6 + 12); r2 = *(u32 *)(r6 + 16); if r1 != r2 goto skip; ${save(0, "r1")}
       r3 = *(u32 *)(r6 + 8); r3 &= 0xffff; r3 += r6; r1 = r10; r1 += -64; r2 = 48; call bpf_probe_read_kernel_str; ${save(1)}
       r1 = 1; ${save(0, "r1")}`,
    ],
    [
      "sched/sched_process_exit",
      `r1 = *(u64 *)(r6 + 8); ${save(0, "r1")}; r1 = *(u64 *)(r6 + 16); ${save(1, "r1")}
       r1 = *(u32 *)(r6 + 28); ${save(2, "r1")}; r1 = *(u8 *)(r6 + 32); ${save(3, "r1")}`,
    ],
    [
      "syscalls/sys_enter_exit_group",
      `r1 = *(u32 *)(r6 + 8); ${save(0, "r1")}; r1 = *(u32 *)(r6 + 16); ${save(1, "r1")}`,
    ],
  ]
  test.each(cases)("%s", (event, body) => {
    const [group, name] = event.split("/")
    const spec: TracingSpec = { type: TRACEPOINT, ownThread: false, text: `${ours}\n${body}` }
    const sides = [embeddedSide(), linuxSide()] as const
    const [mine, theirs] = sides.map((side) => {
      const path = side.actor.path(NAME)
      return trace(side, spec, { tracepoint: [group, name] }, () => {
        if (side === sides[0]) {
          const { kernel, task } = sides[0]
          kernel.world.files.write(path, Uint8Array.of(0x7f, 0x45, 0x4c, 0x46), { mode: 0o755 })
          const child = task.fork()
          child.exec(path)
          child.exit(3)
          return
        }
        copyFileSync("/bin/sh", path)
        chmodSync(path, 0o755)
        spawnSync(path, ["-c", "exit 3"])
      })
    })
    for (const side of sides) side.close()
    // Folders differ, so does the length of the path.
    const shown = ({ slots }: { slots: readonly bigint[] }): unknown =>
      event.endsWith("exec") ? [slots[0], slots[1] > 14n] : slots
    expect(shown(mine)).toEqual(shown(theirs))
    expect(mine.slots[0]).not.toBe(0n)
  })
})

/** Eight characters as a 64-bit word. */
function packed(text: string): bigint {
  const bytes = new Uint8Array(8)
  bytes.set(new TextEncoder().encode(text))
  return new DataView(bytes.buffer).getBigUint64(0, true)
}
