/**
 * PROG_TEST_RUN of programs on trampolines runs the kernel's own test functions, with the arguments
 * and results of linux v6.18 net/bpf/test_run.c (and selftests/bpf/progs/fentry_test.c, fexit_test.c,
 * modify_return.c).
 */

import { expect, test } from "vitest"
import { append, machine, watch } from "./support.ts"

/** Arguments and result of `bpf_fentry_test1` to 6. */
const FUNCTIONS: readonly (readonly [name: string, args: readonly bigint[], result: bigint])[] = [
  ["bpf_fentry_test1", [1n], 2n],
  ["bpf_fentry_test2", [2n, 3n], 5n],
  ["bpf_fentry_test3", [4n, 5n, 6n], 15n],
  ["bpf_fentry_test4", [7n, 8n, 9n, 10n], 34n],
  ["bpf_fentry_test5", [11n, 12n, 13n, 14n, 15n], 65n],
  ["bpf_fentry_test6", [16n, 17n, 18n, 19n, 20n, 21n], 111n],
]

test.each(FUNCTIONS)("%s is called once, with its arguments and result", (name, args, result) => {
  const { kernel } = machine()
  const read = args
    .map((_, i) => `r1 = *(u64 *)(r6 + ${8 * i}); *(u64 *)(r9 + ${8 * i}) = r1`)
    .join("\n")
  const count = "r1 = *(u64 *)(r9 + 800); r1 += 1; *(u64 *)(r9 + 800) = r1"
  const entry = watch(kernel, `fentry/${name}`, `${read}\n${count}\nr0 = 0`)
  const exit = watch(
    kernel,
    `fexit/${name}`,
    `r1 = *(u64 *)(r6 + ${8 * args.length}); *(u64 *)(r9 + 0) = r1; ${count}; r0 = 0`,
  )
  const attr = { prog_fd: entry.fd, retval: 99 }
  expect(kernel.bpf("PROG_TEST_RUN", attr)).toBe(0)
  expect(attr.retval).toBe(0)
  expect(entry.slots(args.length)).toEqual(args)
  expect(entry.slots(101)[100]).toBe(1n)
  expect(exit.slots(1)).toEqual([result])
  expect(exit.slots(101)[100]).toBe(1n)
  kernel.dispose()
})

test("fmod_ret: the functions run unless a program answers, which the caller sees", () => {
  const { kernel } = machine()
  const run = (text: string): number => {
    const program = watch(kernel, "fmod_ret/bpf_modify_return_test", text)
    const attr = { prog_fd: program.fd, retval: 0 }
    expect(kernel.bpf("PROG_TEST_RUN", attr)).toBe(0)
    program.close()
    return attr.retval
  }
  // Both functions run: two side effects, 4 + 29.
  expect(run("r0 = 0")).toBe((2 << 16) | 33)
  // The first does not, and its result is the program's.
  expect(run("r0 = -22")).toBe(((1 << 16) | ((-22 + 29) & 0xffff)) >>> 0)
  kernel.dispose()
})

test("a session sees entry and return, keeps a value between them, and may pass over the return", () => {
  const { kernel, task } = machine()
  const seen = watch(
    kernel,
    "kprobe.session/vfs_open,vfs_read",
    `r7 = *(u64 *)(r6 + 80); ${append("r7")}; r0 = 0`,
  )
  const entryOnly = watch(kernel, "kprobe.session/vfs_open", `${append("r6")}; r0 = 1`)
  const fd = task.openat("/etc/hosts")
  task.read(fd, 9)
  // Result registers: nothing at entry, 0 and 9 at return.
  expect(seen.list()).toEqual([[0n], [0n], [0n], [9n]])
  expect(entryOnly.list()).toHaveLength(1)
  kernel.dispose()
})
