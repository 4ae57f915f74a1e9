/**
 * Every hook that the guides name exists on the embedded kernel: a program attached there runs when
 * what the guide describes happens.
 */

import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, expect, test } from "vitest"
import { createEmbeddedKernel, type EmbeddedKernel, type Process } from "../../src/kernel/index.ts"
import { watch } from "../kernel/world/support.ts"
import { describeWith, requirement, shared } from "../support/requirements.ts"

const COUNT = "r1 = *(u64 *)(r9 + 0); r1 += 1; *(u64 *)(r9 + 0) = r1; r0 = 0"

/** What makes a hook fire, by its name in the guides. */
const ACTIONS: Readonly<Record<string, (kernel: EmbeddedKernel, task: Process) => unknown>> = {
  "syscalls/sys_enter_open": (_, task) => task.open("/etc/passwd"),
  "syscalls/sys_enter_openat": (_, task) => task.openat("/etc/passwd"),
  "syscalls/sys_exit_openat": (_, task) => task.openat("/etc/passwd"),
  "syscalls/sys_enter_read": (_, task) => task.read(0, 1),
  "syscalls/sys_exit_read": (_, task) => task.read(0, 1),
  "syscalls/sys_enter_write": (_, task) => task.write(1, "x"),
  "syscalls/sys_exit_write": (_, task) => task.write(1, "x"),
  "syscalls/sys_enter_execve": (_, task) => task.exec("/bin/ls"),
  "syscalls/sys_enter_kill": (_, task) => task.kill(task, 0),
  "syscalls/sys_enter_unlinkat": (_, task) => task.unlinkat("/no"),
  "sched/sched_process_exec": (_, task) => task.exec("/bin/ls"),
  "sched/sched_process_fork": (_, task) => task.fork(),
  "sched/sched_process_exit": (_, task) => task.fork().exit(),
  "sched/sched_switch": (_, task) => task.sleep(1000n),
  "sched/sched_wakeup": (_, task) => task.sleep(1000n),
  "block/block_rq_issue": (kernel, task) => readUncached(kernel, task),
  "block/block_rq_complete": (kernel, task) => readUncached(kernel, task),
  "raw_syscalls/sys_enter": (_, task) => task.getpid(),
  "raw_syscalls/sys_exit": (_, task) => task.getpid(),
  "exceptions/page_fault_user": (_, task) => task.fault(),
}
/** Events of the network and of memory, which others make happen: fired by name. */
const BY_NAME: readonly string[] = [
  "tcp/tcp_retransmit_skb",
  "tcp/tcp_probe",
  "kmem/kmalloc",
  "net/netif_receive_skb",
  "skb/kfree_skb",
  "sock/inet_sock_set_state",
]
/** Functions: those that a call of the task runs, and those fired by name. */
const FUNCTIONS: Readonly<Record<string, (kernel: EmbeddedKernel, task: Process) => unknown>> = {
  do_nanosleep: (_, task) => task.sleep(1000n),
  do_sys_openat2: (_, task) => task.openat("/etc/passwd"),
  do_unlinkat: (_, task) => task.unlink("/no"),
  vfs_read: (_, task) => task.read(task.openat("/etc/passwd"), 1),
  vfs_write: (_, task) => task.write(task.creat("/tmp/x"), "x"),
  vfs_open: (_, task) => task.openat("/etc/passwd"),
}

/** Words between slashes that are no functions: "kprobe/kretprobe". */
const PROSE: readonly string[] = ["fentry", "fexit", "kprobe", "kretprobe", "tracepoint"]
/** Named in a guide, but in no Linux. */
const NOWHERE: readonly string[] = ["inet/sock_protinfo"]

function readUncached(kernel: EmbeddedKernel, task: Process): void {
  kernel.world.files.write("/data", new Uint8Array(5000), { cached: false })
  task.read(task.openat("/data"), 5000)
}

describeWith([requirement.shared()], "hooks of the guides", () => {
  const text = readdirSync(join(shared, "seeds"))
    .map((file) => readFileSync(join(shared, "seeds", file), "utf8"))
    .join("\n")
  const find = (pattern: RegExp): string[] =>
    [...new Set([...text.matchAll(pattern)].map((match) => match.slice(1).join("/")))].sort()
  const tracepoints = find(/(?:tracepoint|tp)[:/](\w+)[:/](\w+?)(?![\w*])/g).filter(
    (name) => !name.endsWith("_"),
  )
  const functions = find(/(?:kprobe|kretprobe|fentry|fexit)[:/](\w+)(?![\w*])/g).filter(
    (name) => !PROSE.includes(name),
  )
  let kernel: EmbeddedKernel
  let task: Process
  beforeAll(() => {
    kernel = createEmbeddedKernel({ cpus: 2 })
    task = kernel.tasks.spawn() as Process
  })
  afterAll(() => kernel.dispose())

  test("are there at all", () => {
    console.log(`tracepoints: ${tracepoints.join(" ")}\nfunctions: ${functions.join(" ")}`)
    expect(tracepoints.length).toBeGreaterThan(5)
    expect(functions.length).toBeGreaterThan(3)
  })

  test.each(tracepoints)("tracepoint %s", (name) => {
    if (NOWHERE.includes(name)) {
      expect(() => watch(kernel, `tp/${name}`, COUNT)).toThrow(/ENOENT/)
      return
    }
    const program = watch(kernel, `tp/${name}`, COUNT)
    const action = ACTIONS[name]
    if (action === undefined) kernel.events.emit(name, {}, { task })
    else action(kernel, task)
    if (action === undefined && !BY_NAME.includes(name)) console.warn(`fired by name only: ${name}`)
    expect(program.slots(1)[0]).toBeGreaterThan(0n)
    program.close()
  })

  test.each(functions)("function %s, entry and return", (name) => {
    const programs = [
      watch(kernel, `kprobe/${name}`, COUNT),
      watch(kernel, `kretprobe/${name}`, COUNT),
    ]
    const action = FUNCTIONS[name]
    if (action === undefined) kernel.events.call(name, {}, { task, returns: 0 })
    else action(kernel, task)
    for (const program of programs) expect(program.slots(1)[0]).toBeGreaterThan(0n)
    for (const program of programs) program.close()
  })
})
