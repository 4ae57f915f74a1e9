import { readFileSync } from "node:fs"
import { testBench } from "skep/testing"
import { expect, test } from "vitest"

const object = readFileSync(new URL("../../seeds/programs/syscall_count.bpf.o", import.meta.url))

test("a tracepoint program runs for system calls given by their arguments", () => {
  using bench = testBench(object)
  const task = bench.kernel.spawn({ pid: 300 })
  const { outcomes } = bench.kernel.emit("syscalls:sys_enter_openat", { dfd: -100 }, { task })
  expect(outcomes).toMatchObject([{ fault: null, low: 0 }])
  expect(bench.maps.syscall_count.get(300)).toBe(1n)
})

test("fields that only the raw tracepoint has are no fault of the record", () => {
  const exec = readFileSync(new URL("../../seeds/programs/trace_exec.bpf.o", import.meta.url))
  using bench = testBench(exec)
  const p = bench.kernel.spawn({ pid: 301 })
  const emit = (fields: object): void => {
    bench.kernel.emit("sched:sched_process_exec", { p, filename: "/bin/ls", ...fields })
  }
  // TP_PROTO(struct task_struct *p, pid_t old_pid, struct linux_binprm *bprm)
  emit({ bprm: "/bin/ls", old_pid: 301 })
  expect(() => emit({ old_pig: 301 })).toThrow(TypeError)
})
