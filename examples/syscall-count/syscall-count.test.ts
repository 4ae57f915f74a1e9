import { readFileSync } from "node:fs"
import { parseObject } from "skep"
import { testBench } from "skep/testing"
import { describe, expect, test } from "vitest"

const object = readFileSync(new URL("./syscall-count.bpf.o", import.meta.url))

/** arch/x86/entry/syscalls/syscall_64.tbl */
const NR = { read: 0n, openat: 257n } as const

describe("system calls", () => {
  test("are counted by process, with its name and its parent's", () => {
    using bench = testBench(object)
    const { kernel } = bench
    const bash = kernel.spawn({ pid: 500, comm: "bash" })
    const ls = kernel.spawn({ pid: 501, comm: "ls", parent: bash })
    kernel.emit("syscalls:sys_enter_openat", { filename: "/tmp" }, { task: ls })
    kernel.emit("syscalls:sys_enter_read", { fd: 3 }, { task: ls })
    kernel.emit("syscalls:sys_enter_read", { fd: 0 }, { task: bash })
    expect(bench.maps.processes.get(501)).toEqual({
      calls: 2n,
      last_syscall: NR.read,
      parent: 500,
      comm: "ls",
      parent_comm: "bash",
    })
    expect(bench.maps.processes.get(500)).toMatchObject({ calls: 1n, parent_comm: "init" })
    expect(bench.maps.processes.count()).toBe(2)
  })

  test("of threads belong to their process", () => {
    using bench = testBench(object)
    const { kernel } = bench
    const main = kernel.spawn({ pid: 600, comm: "java" })
    const thread = kernel.spawn({ pid: 601, tgid: 600, comm: "GC" })
    kernel.emit("syscalls:sys_enter_read", { fd: 3 }, { task: main })
    kernel.emit("syscalls:sys_enter_openat", { filename: "/" }, { task: thread })
    expect(bench.maps.processes.get(600)).toMatchObject({ calls: 2n, last_syscall: NR.openat })
    expect(bench.maps.processes.count()).toBe(1)
  })

  test("that return are not counted again", () => {
    using bench = testBench(object)
    const task = bench.kernel.spawn({ pid: 700 })
    bench.kernel.emit("syscalls:sys_enter_read", { fd: 3 }, { task })
    bench.kernel.emit("syscalls:sys_exit_read", { ret: 12 }, { task })
    expect(bench.maps.processes.get(700).calls).toBe(1n)
  })
})

test("only_pid, set before loading, leaves one process", () => {
  using bench = testBench(object, { globals: { only_pid: 801 } })
  for (const pid of [800, 801, 802]) {
    const task = bench.kernel.spawn({ pid })
    bench.kernel.emit("syscalls:sys_enter_read", { fd: 3 }, { task })
  }
  expect([...bench.maps.processes.keys()]).toEqual([801])
})

test("a full map keeps the processes it has", () => {
  using bench = testBench(parseObject(object).withMaps({ processes: { maxEntries: 3 } }))
  const { kernel } = bench
  const tasks = [1, 2, 3, 4].map((pid) => kernel.spawn({ pid: 900 + pid }))
  for (const task of [...tasks, ...tasks])
    kernel.emit("syscalls:sys_enter_read", { fd: 3 }, { task })
  const calls = [...bench.maps.processes].map(([pid, { calls }]) => [pid, calls])
  expect(calls.sort()).toEqual([
    [901, 2n],
    [902, 2n],
    [903, 2n],
  ])
})
