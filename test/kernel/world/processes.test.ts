/**
 * Processes, the scheduler and the disk: events come in the order of Linux, times agree with each
 * other, and what is given up is given back.
 */

import { expect, test } from "vitest"
import {
  createEmbeddedKernel,
  type EmbeddedKernel,
  type Process,
  type Step,
} from "../../../src/kernel/index.ts"
import { append, machine, watch } from "./support.ts"

/** Names of the events that fire, oldest first. */
function eventsOf(kernel: EmbeddedKernel): string[] {
  const seen: string[] = []
  kernel.events.firing.observer = (name) => {
    seen.push(name)
  }
  return seen
}

test("a shell runs a program: fork, exec, exit and wait in the order of Linux", () => {
  const { kernel, task: shell } = machine()
  const seen = eventsOf(kernel)
  const child = shell.fork()
  child.exec("/bin/ls")
  child.exit(2)
  expect(shell.wait()).toBe(child.pid)
  expect(child.exitCode).toBe(0x200)
  const order = seen.filter(
    (name) =>
      !/^k(ret)?probe:|inode_permission|^sched:sched_(switch|waking|wakeup$|migrate)/.test(name),
  )
  expect(order).toEqual([
    "syscalls:sys_enter_clone",
    "lsm:task_alloc",
    "task:task_newtask",
    "sched:sched_process_fork",
    "sched:sched_wakeup_new",
    "syscalls:sys_exit_clone",
    "syscalls:sys_enter_execve",
    "lsm:file_open",
    "lsm:bprm_creds_for_exec",
    "lsm:bprm_check_security",
    "task:task_rename",
    "lsm:bprm_committing_creds",
    "lsm:bprm_committed_creds",
    "sched:sched_process_exec",
    "syscalls:sys_exit_execve",
    "syscalls:sys_enter_exit_group",
    "sched:sched_process_exit",
    "signal:signal_generate",
    "syscalls:sys_exit_exit_group",
    "syscalls:sys_enter_wait4",
    "sched:sched_process_wait",
    "sched:sched_process_free",
    "syscalls:sys_exit_wait4",
  ])
  kernel.dispose()
})

test("execve sees setuid bits, refuses what is no program, and names the task after the file", () => {
  const { kernel } = machine()
  const { files } = kernel.world
  files.write("/usr/bin/sudo", Uint8Array.of(0x7f, 0x45, 0x4c, 0x46), { mode: 0o4755 })
  files.write("/tmp/text", "no program", { mode: 0o755 })
  files.write("/tmp/script", "#!/bin/sh\n", { mode: 0o755 })
  const user = kernel.tasks.spawn({ uid: 1000, comm: "bash" }) as Process
  expect(user.exec("/tmp/text")).toBe(-8)
  expect(user.exec("/etc/passwd")).toBe(-13)
  expect(user.exec("/nowhere")).toBe(-2)
  expect(user.exec("/tmp/script")).toBe(0)
  expect(user.exec("/usr/bin/sudo")).toBe(0)
  expect([user.comm, user.credentials.uid, user.credentials.euid]).toEqual(["sudo", 1000, 0])
  kernel.dispose()
})

test("a refused fork throws with the errno of the verdict and leaves no task", () => {
  const { kernel, task } = machine()
  const before = kernel.tasks.list().length
  watch(kernel, "lsm/task_alloc", "r0 = -11")
  expect(() => task.fork()).toThrow(expect.objectContaining({ code: "EAGAIN", errno: 11 }))
  expect(kernel.tasks.list()).toHaveLength(before)
  kernel.dispose()
})

const spinner = function* (rounds: number, run: bigint, sleep: bigint): Generator<Step, void> {
  for (let i = 0; i < rounds; i++) {
    yield { run }
    yield { sleep }
  }
}

test("what tasks run between sched_switch events adds up to what they computed", () => {
  const kernel = createEmbeddedKernel({ cpus: 2 })
  const { scheduler } = kernel.world
  const switches = watch(
    kernel,
    "tp/sched/sched_switch",
    `call bpf_ktime_get_ns; r7 = r0; call bpf_get_smp_processor_id; r8 = r0
     r1 = *(u32 *)(r6 + 24); r4 = *(u32 *)(r6 + 56); ${append("r7", "r8", "r1", "r4")}; r0 = 0`,
  )
  const work = new Map<number, bigint>()
  for (const [comm, rounds, run] of [
    ["a", 4, 7_000_000n],
    ["b", 3, 5_000_000n],
    ["c", 2, 11_000_000n],
  ] as const) {
    const task = kernel.tasks.spawn({ comm }) as Process
    work.set(task.pid, BigInt(rounds) * run)
    scheduler.start(task, spinner(rounds, run, 1_000_000n))
  }
  const start = kernel.clock.now()
  scheduler.run(200_000_000n)
  expect(kernel.clock.now()).toBeGreaterThanOrEqual(start + 200_000_000n)
  const ran = new Map<number, bigint>()
  const since = new Map<bigint, bigint>()
  let last = 0n
  for (const [time, cpu, prev, next] of switches.list(4)) {
    expect(time).toBeGreaterThanOrEqual(last)
    last = time
    if (prev !== 0n)
      ran.set(Number(prev), (ran.get(Number(prev)) ?? 0n) + time - (since.get(cpu) ?? start))
    since.set(cpu, time)
    expect(prev).not.toBe(next)
  }
  for (const [pid, computed] of work) {
    const measured = ran.get(pid) ?? 0n
    expect(measured).toBeGreaterThanOrEqual(computed)
    // What it costs to be woken and to be switched is little beside the work.
    expect(measured - computed).toBeLessThan(1_000_000n)
  }
  kernel.dispose()
})

test("the same seed gives the same events at the same times", () => {
  const events = (seed: number): string[] => {
    const kernel = createEmbeddedKernel({ cpus: 2, seed })
    const seen: string[] = []
    kernel.events.firing.observer = (name, _, { task, cpu }) =>
      void seen.push(`${kernel.clock.now()} ${name} ${task?.pid} ${cpu}`)
    const task = kernel.tasks.spawn() as Process
    kernel.world.files.write("/data", new Uint8Array(100_000), { cached: false })
    const fd = task.openat("/data")
    task.read(fd, 100_000)
    task.fork().exit(0)
    kernel.world.scheduler.start(
      kernel.tasks.spawn() as Process,
      spinner(3, 4_000_000n, 2_000_000n),
    )
    kernel.world.scheduler.run(30_000_000n)
    kernel.dispose()
    return seen
  }
  expect(events(1)).toEqual(events(1))
  expect(events(1)).not.toEqual(events(2))
})

test("a read that misses the page cache waits for the disk, once, and its latency is seen", () => {
  const { kernel, task } = machine()
  kernel.world.files.write("/data", new Uint8Array(10_000), { cached: false })
  const issue = watch(
    kernel,
    "tp_btf/block_rq_issue",
    `r7 = *(u64 *)(r6 + 0); call bpf_ktime_get_ns; ${append("r0", "r7")}; r0 = 0`,
  )
  const complete = watch(
    kernel,
    "tp_btf/block_rq_complete",
    `r7 = *(u64 *)(r6 + 0); r8 = *(u64 *)(r6 + 16); call bpf_ktime_get_ns; ${append("r0", "r7", "r8")}; r0 = 0`,
  )
  const fd = task.openat("/data")
  expect(task.read(fd, 10_000)).toHaveLength(10_000)
  task.lseek(fd, 0)
  task.read(fd, 10_000)
  const [[issued, request]] = issue.list(2)
  const [[completed, same, bytes]] = complete.list(3)
  expect(issue.list(2)).toHaveLength(1)
  expect(same).toBe(request)
  expect(bytes).toBe(12_288n)
  expect(completed - issued).toBeGreaterThan(60_000n)
  expect(completed - issued).toBeLessThan(200_000n)
  kernel.dispose()
})

test("signals: a handler is called, ignored ones do nothing, the default ends the task", () => {
  const { kernel, task } = machine()
  const target = kernel.tasks.spawn() as Process
  const got: number[] = []
  target.handlers.set(10, (signal) => got.push(signal))
  target.handlers.set(12, "ignore")
  expect([task.kill(target, 10), task.kill(target, 12), task.kill(target, 17)]).toEqual([0, 0, 0])
  expect(got).toEqual([10])
  expect(target.hasExited).toBe(false)
  expect(task.kill(target, 15)).toBe(0)
  expect(target.exitCode).toBe(15)
  expect(task.kill(target, 15)).toBe(-3)
  kernel.dispose()
})

test("threads share files and memory, processes copy descriptors", () => {
  const { kernel, task } = machine()
  const fd = task.openat("/etc/passwd")
  const thread = task.thread()
  const child = task.fork()
  expect(thread.tgid).toBe(task.tgid)
  expect(thread.openat("/etc/hosts")).toBe(fd + 1)
  expect(task.pathOf(fd + 1)).toBe("/etc/hosts")
  expect(child.pathOf(fd)).toBe("/etc/passwd")
  expect(child.pathOf(fd + 1)).toBeUndefined()
  // Parent and child share the position of what was open before.
  expect(task.read(fd, 5)).toHaveLength(5)
  expect(new TextDecoder().decode(child.read(fd, 4) as Uint8Array)).toBe("x:0:")
  kernel.dispose()
})

test("a thousand processes, files and runs leave memory as it was", () => {
  const { kernel, task } = machine()
  const program = watch(kernel, "lsm/file_open", "r1 = *(u64 *)(r6 + 0); r0 = 0")
  const exec = watch(kernel, "tp_btf/sched_process_exec", "r0 = 0")
  const round = (): void => {
    const child = task.fork()
    child.exec("/bin/ls")
    const fd = child.creat("/tmp/file")
    child.write(fd, "content")
    child.mmap(fd, 4096)
    child.close(fd)
    child.unlink("/tmp/file")
    child.mkdir("/tmp/dir")
    child.rename("/tmp/dir", "/tmp/dir2")
    child.rmdir("/tmp/dir2")
    child.exit(0)
    task.wait()
  }
  // Enough rounds that what is compiled when it runs often has been compiled.
  for (let i = 0; i < 200; i++) round()
  const before = kernel.state.memory.allocatedBytes
  for (let i = 0; i < 1000; i++) round()
  expect(kernel.state.memory.allocatedBytes).toBe(before)
  program.close()
  exec.close()
  kernel.dispose()
})
