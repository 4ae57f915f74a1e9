/**
 * What the documentation of Linux says about hooks that the kernels of test machines often refuse:
 * kprobes, trampolines and LSM (Documentation/bpf/prog_lsm.rst, Documentation/trace/kprobes.rst,
 * kernel/bpf/trampoline.c).
 */

import { expect, test } from "vitest"
import { append, machine, watch } from "./support.ts"

const EACCES = 13
const EPERM = 1

test("an LSM program's verdict is what the caller of open gets, and nothing is opened", () => {
  const { kernel, task } = machine()
  const deny = watch(kernel, "lsm/file_open", `r0 = -${EPERM}`)
  expect(task.openat("/etc/passwd")).toBe(-EPERM)
  expect(task.group.files.size).toBe(0)
  deny.close()
  expect(task.openat("/etc/passwd")).toBe(3)
})

test.each([
  ["file_permission", -13, "read"],
  ["path_unlink", -1, "unlink"],
  ["inode_unlink", -30, "unlink"],
  ["path_mkdir", -1, "mkdir"],
  ["inode_mkdir", -28, "mkdir"],
  ["path_rename", -1, "rename"],
  ["inode_rename", -18, "rename"],
  ["path_chmod", -1, "chmod"],
  ["inode_setattr", -1, "chmod"],
  ["inode_permission", -13, "openat"],
  ["inode_create", -122, "creat"],
  ["inode_getattr", -13, "stat"],
  ["bprm_check_security", -1, "exec"],
  ["bprm_creds_for_exec", -1, "exec"],
  ["task_kill", -1, "kill"],
  ["mmap_file", -1, "mmap"],
  ["sb_mount", -1, "mount"],
  ["path_symlink", -1, "symlink"],
  ["path_link", -1, "link"],
  ["path_rmdir", -1, "rmdir"],
  ["path_truncate", -1, "ftruncate"],
  ["task_fix_setuid", -1, "setuid"],
] as const)("lsm/%s answers %i: %s fails with it", (hook, verdict, call) => {
  const { kernel, task } = machine()
  kernel.world.files.write("/tmp/file", "content")
  kernel.world.files.directory("/tmp/folder")
  const fd = task.openat("/tmp/file", 2)
  const other = kernel.tasks.spawn({ pid: 600 })
  const calls: Record<typeof call, () => unknown> = {
    read: () => task.read(fd, 10),
    unlink: () => task.unlink("/tmp/file"),
    mkdir: () => task.mkdir("/tmp/new"),
    rename: () => task.rename("/tmp/file", "/tmp/file2"),
    chmod: () => task.chmod("/tmp/file", 0o600),
    openat: () => task.openat("/tmp/file"),
    creat: () => task.creat("/tmp/created"),
    stat: () => task.stat("/tmp/file"),
    exec: () => task.exec("/bin/ls"),
    kill: () => task.kill(other, 9),
    mmap: () => task.mmap(fd, 4096),
    mount: () => task.mount("tmpfs", "/tmp/folder"),
    symlink: () => task.symlink("/tmp/file", "/tmp/link"),
    link: () => task.link("/tmp/file", "/tmp/link"),
    rmdir: () => task.rmdir("/tmp/folder"),
    ftruncate: () => task.ftruncate(fd, 1),
    setuid: () => task.setuid(1000),
  }
  const program = watch(
    kernel,
    `lsm/${hook}`,
    `r1 = *(u64 *)(r9 + 0); r1 += 1; *(u64 *)(r9 + 0) = r1; r0 = ${verdict}`,
  )
  expect(calls[call]()).toBe(verdict)
  expect(program.slots(1)[0]).toBeGreaterThan(0n)
  program.close()
  // The world is as it was: the same call succeeds now.
  const result = calls[call]()
  expect(typeof result === "number" ? result >= 0 : result).toBeTruthy()
  kernel.dispose()
})

test("LSM programs run in order until one says no, and see the last verdict as 0 before", () => {
  const { kernel, task } = machine()
  const first = watch(kernel, "lsm/file_open", `${append("r6")}; r0 = 0`)
  const second = watch(kernel, "lsm/file_open", `r1 = 1; *(u64 *)(r9 + 0) = r1; r0 = -${EACCES}`)
  const third = watch(kernel, "lsm/file_open", `r1 = 1; *(u64 *)(r9 + 0) = r1; r0 = 0`)
  expect(task.openat("/etc/passwd")).toBe(-EACCES)
  expect([first, second, third].map((one) => one.slots(1)[0])).toEqual([1n, 1n, 0n])
  kernel.dispose()
})

test("an LSM program of a cgroup is asked for its tasks only; 0 means EPERM", () => {
  const { kernel, task } = machine()
  const inside = kernel.tasks.spawn({ cgroup: "/jail/cell" }) as typeof task
  watch(kernel, "lsm_cgroup/file_open", "r0 = 0", { cgroup: "/jail" })
  expect(inside.openat("/etc/passwd")).toBe(-EPERM)
  expect(task.openat("/etc/passwd")).toBe(3)
  kernel.dispose()
})

test("kprobe, fentry, fexit and kretprobe run in the order of Linux, with arguments and result", () => {
  const { kernel, task } = machine()
  kernel.world.files.write("/tmp/file", "12345")
  const fd = task.openat("/tmp/file")
  const order: string[] = []
  const run = kernel.state.run
  const names = new Map<number, string>()
  kernel.state.run = (program, input) => {
    order.push(names.get(program.id) ?? "?")
    return run(program, input)
  }
  const hooks = ["kretprobe/vfs_read", "fexit/vfs_read", "fentry/vfs_read", "kprobe/vfs_read"]
  const programs = hooks.map((hook) => {
    const text: Record<string, string> = {
      kretprobe: "r1 = *(u64 *)(r6 + 80); *(u64 *)(r9 + 0) = r1; r0 = 0",
      kprobe: "r1 = *(u64 *)(r6 + 96); *(u64 *)(r9 + 0) = r1; r0 = 0",
      fentry: "r1 = *(u64 *)(r6 + 16); *(u64 *)(r9 + 0) = r1; r0 = 0",
      fexit: `r1 = *(u64 *)(r6 + 32); *(u64 *)(r9 + 0) = r1
        r1 = r6; r2 = r10; r2 += -8; call bpf_get_func_ret; r1 = *(u64 *)(r10 - 8); *(u64 *)(r9 + 8) = r1
        r1 = r6; call bpf_get_func_arg_cnt; *(u64 *)(r9 + 16) = r0
        r1 = r6; r2 = 2; r3 = r10; r3 += -8; call bpf_get_func_arg; r1 = *(u64 *)(r10 - 8); *(u64 *)(r9 + 24) = r1
        r1 = r6; r2 = 4; r3 = r10; r3 += -8; call bpf_get_func_arg; *(u64 *)(r9 + 32) = r0
        r1 = r6; call bpf_get_func_ip; *(u64 *)(r9 + 40) = r0; r0 = 0`,
    }
    const one = watch(kernel, hook, text[hook.split("/")[0]])
    names.set(kernel.tables.programs.next(0) === undefined ? 0 : lastId(kernel), hook.split("/")[0])
    return one
  })
  expect(task.read(fd, 100)).toHaveLength(5)
  expect(order).toEqual(["kprobe", "fentry", "fexit", "kretprobe"])
  const [kretprobe, fexit, fentry, kprobe] = programs
  expect(kprobe.slots(1)).toEqual([100n])
  expect(fentry.slots(1)).toEqual([100n])
  expect(kretprobe.slots(1)).toEqual([5n])
  const einval = BigInt.asUintN(64, -22n)
  expect(fexit.slots(6)).toEqual([5n, 5n, 4n, 100n, einval, kernel.kernelSymbol("vfs_read")])
  kernel.dispose()
})

function lastId(kernel: ReturnType<typeof machine>["kernel"]): number {
  let last = 0
  for (
    let id = kernel.tables.programs.next(0);
    id !== undefined;
    id = kernel.tables.programs.next(id)
  )
    last = id
  return last
}

test("bpf_override_return takes the place of a function that may fail, and of no other", () => {
  const { kernel, task } = machine()
  const deny = watch(
    kernel,
    "kprobe/__x64_sys_unlink",
    `r1 = r6; r2 = -${EACCES}; call bpf_override_return; r0 = 0`,
  )
  const body = watch(kernel, "kprobe/do_unlinkat", "r1 = 1; *(u64 *)(r9 + 0) = r1; r0 = 0")
  kernel.world.files.write("/tmp/file", "")
  expect(task.unlink("/tmp/file")).toBe(-EACCES)
  expect(body.slots(1)).toEqual([0n])
  expect(kernel.world.files.read("/tmp/file")).toBe("")
  deny.close()
  expect(task.unlink("/tmp/file")).toBe(0)
  const override = (hook: string): unknown =>
    watch(kernel, hook, "r1 = r6; r2 = 0; call bpf_override_return; r0 = 0")
  expect(() => override("kprobe/vfs_read")).toThrow(/EINVAL/)
  expect(() => override("kretprobe/__x64_sys_unlink")).toThrow(/EINVAL/)
  kernel.dispose()
})

test("fmod_ret keeps a security function from running and gives its result", () => {
  const { kernel, task } = machine()
  const hook = watch(kernel, "fmod_ret/bpf_lsm_file_open", `r0 = -${EACCES}`)
  const lsm = watch(kernel, "lsm/file_open", "r1 = 1; *(u64 *)(r9 + 0) = r1; r0 = 0")
  expect(task.openat("/etc/passwd")).toBe(-EACCES)
  expect(lsm.slots(1)).toEqual([0n])
  hook.close()
  expect(task.openat("/etc/passwd")).toBe(3)
  expect(lsm.slots(1)).toEqual([1n])
  kernel.dispose()
})

test("many functions at once, each with its cookie; a session sees entry and return", () => {
  const { kernel, task } = machine()
  const multi = watch(
    kernel,
    "kprobe.multi/vfs_read,vfs_write,vfs_open",
    `r1 = r6; call bpf_get_attach_cookie; r7 = r0; r1 = r6; call bpf_get_func_ip; ${append("r7", "r0")}; r0 = 0`,
    { cookie: 10n },
  )
  const fd = task.openat("/tmp/x", 0o102, 0o600)
  task.write(fd, "x")
  const ip = (name: string): bigint => BigInt.asIntN(64, kernel.kernelSymbol(name) ?? 0n)
  expect(multi.list(2)).toEqual([
    [12n, ip("vfs_open")],
    [11n, ip("vfs_write")],
  ])
  expect(() => watch(kernel, "kprobe.multi/vfs_read,no_such_function", "r0 = 0")).toThrow(/ESRCH/)
  expect(() => watch(kernel, "kprobe/no_such_function", "r0 = 0")).toThrow(/ENOENT/)
  expect(() => watch(kernel, "tp/sched/no_such_event", "r0 = 0")).toThrow(/ENOENT/)
  expect(() => watch(kernel, "raw_tp/no_such_event", "r0 = 0")).toThrow(/ENOENT/)
  expect(() => watch(kernel, "uprobe/x", "r0 = 0", { path: "/no/such" })).toThrow(/ENOENT/)
  expect(() => watch(kernel, "fentry/no_such_function", "r0 = 0")).toThrow(/EINVAL/)
  kernel.dispose()
})

test("a file name that a program writes over is the one that is opened", () => {
  const { kernel, task } = machine()
  kernel.world.files.write("/tmp/a", "a")
  kernel.world.files.write("/tmp/b", "b")
  const swap = watch(
    kernel,
    "tp/syscalls/sys_enter_openat",
    `r1 = *(u64 *)(r6 + 24); r1 += 5; *(u8 *)(r10 - 8) = 98; r2 = r10; r2 += -8; r3 = 1
     call bpf_probe_write_user; *(u64 *)(r9 + 0) = r0; r0 = 0`,
  )
  const fd = task.openat("/tmp/a")
  expect(swap.slots(1)).toEqual([0n])
  expect(task.pathOf(fd)).toBe("/tmp/b")
  kernel.dispose()
})

test("bpf_send_signal ends the task on its way out of the system call", () => {
  const { kernel, task } = machine()
  const parent = kernel.tasks.spawn() as typeof task
  const child = parent.fork()
  const send = watch(
    kernel,
    "tp/syscalls/sys_enter_unlink",
    `call bpf_get_current_pid_tgid; r0 >>= 32; if r0 != ${child.pid} goto no; r1 = 9; call bpf_send_signal
     *(u64 *)(r9 + 0) = r0; no: r0 = 0`,
  )
  const signals = watch(
    kernel,
    "tp/signal/signal_generate",
    `r7 = *(u32 *)(r6 + 8); ${append("r7")}; r0 = 0`,
  )
  expect(child.unlink("/no")).toBe(-2)
  expect(send.slots(1)).toEqual([0n])
  expect(child.exitCode).toBe(9)
  // SIGKILL, and SIGCHLD for the parent.
  expect(signals.list()).toEqual([[9n], [17n]])
  expect(parent.wait()).toBe(child.pid)
  expect(() => child.getpid()).toThrow(/has exited/)
  kernel.dispose()
})

test("d_path gives an LSM program the name through mounts, and a file its inode", () => {
  const { kernel, task } = machine()
  const inode = kernel.world.files.write("/tmp/some/where", "")
  const name = watch(
    kernel,
    "lsm/file_open",
    `r7 = *(u64 *)(r6 + 0); r1 = r7; r1 += ${offset(kernel, "f_path")}; r2 = r9; r2 += 8; r3 = 64
     call bpf_d_path; *(u64 *)(r9 + 0) = r0
     r1 = *(u64 *)(r7 + ${offset(kernel, "f_inode")}); r1 = *(u64 *)(r1 + ${offset(kernel, "i_ino", "inode")})
     *(u64 *)(r9 + 80) = r1; r0 = 0`,
  )
  task.openat("/tmp/some/where")
  const slots = name.slots(11)
  const text = new TextDecoder().decode(
    new Uint8Array(BigUint64Array.from(slots.slice(1, 9)).buffer),
  )
  expect(text.slice(0, text.indexOf("\0"))).toBe("/tmp/some/where")
  expect(slots[0]).toBe(16n)
  expect(slots[10]).toBe(BigInt(inode.number))
  kernel.dispose()
})

function offset(
  kernel: ReturnType<typeof machine>["kernel"],
  member: string,
  struct = "file",
): number {
  const { types } = kernel.state
  const walk = (id: number): number | undefined => {
    const type = types.resolve(id)
    if (type.kind !== "struct" && type.kind !== "union") return undefined
    for (const one of type.members) {
      if (one.name === member) return one.bitOffset >> 3
      const inner = one.name === "" ? walk(one.type) : undefined
      if (inner !== undefined) return (one.bitOffset >> 3) + inner
    }
    return undefined
  }
  return walk(types.findByName(struct, "struct") ?? 0) ?? 0
}
