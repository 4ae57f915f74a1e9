/**
 * Programs that misbehave while the world goes on: the kernel's answer is Linux's, the task's system
 * call succeeds, and other programs run.
 */

import { expect, test } from "vitest"
import { assemble } from "../../../src/isa/index.ts"
import { BPF_MAP_TYPE, BPF_PROG_TYPE, ERRNO, helperByName } from "../../../src/spec/index.ts"
import { machine, type Watch, watch } from "./support.ts"

const COUNT = "r1 = *(u64 *)(r9 + 0); r1 += 1; *(u64 *)(r9 + 0) = r1; r0 = 0"

test.each([
  ["a wild write", "*(u64 *)(r6 + 0) = r6; r0 = 0"],
  ["a read through a number", "r1 = 12345; r0 = *(u64 *)(r1 + 0)"],
  ["an endless loop", "again: goto again"],
  ["a helper on nothing", "r1 = 0; r2 = 0; call bpf_map_lookup_elem; r0 = 0"],
])("after %s in one program the call succeeds and the next program runs", (_, text) => {
  const { kernel, task } = machine()
  const bad = watchUnlessRefused(kernel, "fentry/vfs_open", text)
  const good = watch(kernel, "fentry/vfs_open", COUNT)
  expect(task.openat("/etc/passwd")).toBe(3)
  expect(good.slots(1)).toEqual([1n])
  bad?.close()
  good.close()
  kernel.dispose()
})

/** The verifier refuses what misbehaves; without it, it is stopped while it runs. */
function watchUnlessRefused(
  kernel: ReturnType<typeof machine>["kernel"],
  hook: string,
  text: string,
): Watch | null {
  try {
    return watch(kernel, hook, text)
  } catch (error) {
    expect(String(error)).toMatch(/EACCES|EINVAL/)
    return null
  }
}

/** Asks the verifier, also where kernels of tests do not by default. */
function verified(body: () => void): void {
  const before = process.env["SKEP_VERIFIER"]
  process.env["SKEP_VERIFIER"] = "1"
  try {
    body()
  } finally {
    if (before === undefined) delete process.env["SKEP_VERIFIER"]
    else process.env["SKEP_VERIFIER"] = before
  }
}

test("an LSM program that faults denies nothing", () => {
  const { kernel, task } = machine()
  watchUnlessRefused(kernel, "lsm/file_open", "r1 = 1; r0 = *(u64 *)(r1 + 0)")
  expect(task.openat("/etc/passwd")).toBe(3)
  kernel.dispose()
})

test("tail calls stop after 33, in the middle of a system call", () => {
  const { kernel, task } = machine()
  const progs = kernel.bpf("MAP_CREATE", {
    map_type: BPF_MAP_TYPE.BPF_MAP_TYPE_PROG_ARRAY,
    key_size: 4,
    value_size: 4,
    max_entries: 1,
  })
  const chain = watch(
    kernel,
    "kprobe/vfs_open",
    `${COUNT}; r1 = r6; r2 = map[fd:${progs}] ll; r3 = 0; call bpf_tail_call; r1 = 7; *(u64 *)(r9 + 8) = r1; r0 = 0`,
  )
  const value = new Uint8Array(Int32Array.of(chain.fd).buffer)
  expect(kernel.bpf("MAP_UPDATE_ELEM", { map_fd: progs, key: new Uint8Array(4), value })).toBe(0)
  expect(task.openat("/etc/passwd")).toBe(3)
  expect(chain.slots(2)).toEqual([34n, 7n])
  kernel.dispose()
})

test("a full hash map says E2BIG and takes no more", () => {
  const { kernel, task } = machine()
  const map = kernel.bpf("MAP_CREATE", {
    map_type: BPF_MAP_TYPE.BPF_MAP_TYPE_HASH,
    key_size: 8,
    value_size: 8,
    max_entries: 4,
  })
  const program = watch(
    kernel,
    "tp/syscalls/sys_enter_close",
    `r1 = *(u64 *)(r6 + 16); *(u64 *)(r10 - 8) = r1; r2 = r10; r2 += -8; r3 = r2; r1 = map[fd:${map}] ll; r4 = 0
     call bpf_map_update_elem; r1 = *(u64 *)(r9 + 0); r1 += 1; *(u64 *)(r9 + 0) = r1; r1 &= 15; r1 <<= 3; r1 += r9; *(u64 *)(r1 + 0) = r0; r0 = 0`,
  )
  for (let fd = 100; fd < 106; fd++) task.close(fd)
  const [, ...results] = program.slots(7)
  expect(results.map((one) => Number(BigInt.asIntN(64, one)))).toEqual([
    0,
    0,
    0,
    0,
    -ERRNO.E2BIG,
    -ERRNO.E2BIG,
  ])
  kernel.dispose()
})

test("programs that may not sleep are refused what sleeps", () => {
  const { kernel } = machine()
  const sleeps = "r1 = r10; r1 += -8; r2 = 8; r3 = 0; call bpf_copy_from_user; r0 = 0"
  verified(() => {
    expect(() => watch(kernel, "fentry/vfs_open", sleeps)).toThrow(/EINVAL/)
    expect(() => watch(kernel, "fentry/vfs_open", sleeps, { sleepable: true })).not.toThrow()
    expect(() => watch(kernel, "tp/sched/sched_switch", "r0 = 0", { sleepable: true })).toThrow(
      /EINVAL/,
    )
  })
  kernel.dispose()
})

test("programs without a GPL licence are refused what is GPL only", () => {
  const { kernel } = machine()
  const stack = "r1 = r6; r2 = r10; r2 += -8; r3 = 8; r4 = 0; call bpf_get_stack; r0 = 0"
  verified(() => {
    expect(() => watch(kernel, "kprobe/vfs_open", stack)).not.toThrow()
    expect(() => watch(kernel, "kprobe/vfs_open", stack, { license: "Proprietary" })).toThrow(
      /EINVAL/,
    )
  })
  kernel.dispose()
})

test("a thousand loads, attachments, runs and unloads of every kind leave memory as it was", () => {
  const { kernel, task } = machine()
  kernel.world.executables.define("/bin/ls", { symbols: { main: 0x1000 } })
  const hooks = [
    "kprobe/vfs_open",
    "kretprobe/vfs_open",
    "fentry/vfs_open",
    "fexit/vfs_open",
    "lsm/file_open",
    "tp/syscalls/sys_enter_openat",
    "raw_tp/sys_enter",
    "tp_btf/sys_exit",
    "kprobe.multi/vfs_open,vfs_read",
    "kprobe.session/vfs_open",
    "uprobe/main",
  ]
  const text = "r1 = 1; *(u64 *)(r9 + 0) = r1; r0 = 0"
  const round = (): void => {
    for (const hook of hooks) {
      const program = watch(kernel, hook, text, { path: "/bin/ls", offset: 0x1000n })
      task.close(task.openat("/etc/passwd"))
      if (hook.startsWith("uprobe")) task.call("main", [], { path: "/bin/ls" })
      if (program.slots(1)[0] !== 1n) throw new Error(`${hook} did not run`)
      program.close()
    }
    runIterator(kernel)
  }
  for (let i = 0; i < 10; i++) round()
  const before = kernel.state.memory.allocatedBytes
  for (let i = 0; i < 90; i++) round()
  expect(kernel.state.memory.allocatedBytes).toBe(before)
  expect(kernel.tables.fds.size).toBe(0)
  kernel.dispose()
})

function runIterator(kernel: ReturnType<typeof machine>["kernel"]): void {
  const fd = kernel.bpf("PROG_LOAD", {
    prog_type: BPF_PROG_TYPE.BPF_PROG_TYPE_TRACING,
    expected_attach_type: 28,
    attach_btf_id: kernel.state.types.findByName("bpf_iter_task", "func"),
    insns: assemble("r0 = 0\nexit", { helperId: (name) => helperByName(name)?.id }).bytes,
    license: "GPL",
  })
  const link = kernel.bpf("LINK_CREATE", { prog_fd: fd, attach_type: 28 })
  const iterator = kernel.bpf("ITER_CREATE", { link_fd: link })
  expect(kernel.read(iterator, new Uint8Array(16))).toBe(0)
  for (const one of [iterator, link, fd]) kernel.close(one)
}
