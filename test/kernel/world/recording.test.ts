/** A recorded scenario, replayed into a fresh kernel, looks the same to the programs there. */

import { expect, test } from "vitest"
import {
  createEmbeddedKernel,
  type EmbeddedKernel,
  type Process,
  Recording,
  readRecording,
  replay,
} from "../../../src/kernel/index.ts"
import { append, type Watch, watch } from "./support.ts"

const OBSERVE = `call bpf_ktime_get_ns; r7 = r0; call bpf_get_current_pid_tgid; r8 = r0; ${append("r7", "r8")}; r0 = 0`
const HOOKS: readonly (readonly [string, string])[] = [
  ["tp/syscalls/sys_enter_openat", OBSERVE],
  ["tp/syscalls/sys_exit_openat", `r7 = *(u64 *)(r6 + 16); ${append("r7")}; r0 = 0`],
  ["tp/sched/sched_switch", OBSERVE],
  ["tp/block/block_rq_complete", OBSERVE],
  ["tp_btf/sched_process_exec", OBSERVE],
  ["lsm/file_open", OBSERVE],
  ["kprobe/vfs_read", `r7 = *(u64 *)(r6 + 96); ${append("r7")}; r0 = 0`],
  ["fexit/vfs_read", `r7 = *(u64 *)(r6 + 32); ${append("r7")}; r0 = 0`],
  ["kretprobe/vfs_read", `r7 = *(u64 *)(r6 + 80); ${append("r7")}; r0 = 0`],
]
const watchAll = (kernel: EmbeddedKernel): Watch[] =>
  HOOKS.map(([hook, text]) => watch(kernel, hook, text))

function scenario(kernel: EmbeddedKernel): void {
  const task = kernel.tasks.spawn({ pid: 700, comm: "sh", uid: 1000, cgroup: "/user" }) as Process
  kernel.world.files.write("/data", "x".repeat(5000), { cached: false })
  const child = task.fork()
  child.exec("/bin/cat")
  const fd = child.openat("/data")
  child.read(fd, 100)
  child.openat("/nothing")
  child.exit(0)
  task.wait()
}

test("programs on the other kernel see the same events, times, tasks and results", () => {
  const first = createEmbeddedKernel({ cpus: 2 })
  const here = watchAll(first)
  const recording = new Recording(first)
  scenario(first)
  recording.stop()
  const lines = recording.toLines()
  expect(recording.events.length).toBeGreaterThan(40)

  const second = createEmbeddedKernel({ cpus: 2 })
  const there = watchAll(second)
  expect(replay(second, readRecording(lines))).toBe(recording.events.length)
  HOOKS.forEach(([hook], index) => {
    const width = hook.includes("exit") || hook.includes("vfs_read") ? 1 : 2
    expect([hook, there[index].list(width)]).toEqual([hook, here[index].list(width)])
    expect(here[index].list(width).length).toBeGreaterThan(0)
  })
  expect(second.tasks.find(700)).toMatchObject({ comm: "sh", cgroupPath: "/user" })
})

test("what is no recording is refused with the line", () => {
  expect(() => readRecording("{}\n")).toThrow(/line 1/)
  expect(() => readRecording('\n{"time":')).toThrow(/line 2/)
  expect(() =>
    replay(createEmbeddedKernel(), [{ time: 0n, cpu: 0, task: null, name: "no:such", fields: {} }]),
  ).toThrow(RangeError)
})
