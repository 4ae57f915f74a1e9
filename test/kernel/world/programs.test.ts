/**
 * C programs by section name, compiled on this machine, loaded and attached through the API: each
 * kind of tracing program says where it goes and runs there.
 */

import { spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, test } from "vitest"
import { parseObject } from "../../../src/api/index.ts"
import { embeddedKernel, testBench } from "../../../src/api/testing.ts"
import { describeWith, requirement, root } from "../../support/requirements.ts"

const SOURCE = `
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>
char LICENSE[] SEC("license") = "GPL";
int counts[16];
char name[64];
__u64 number;
SEC("fentry/vfs_read") int BPF_PROG(on_read, struct file *file, char *buf, size_t count) { counts[0]++; number = BPF_CORE_READ(file, f_inode, i_ino); return 0; }
SEC("fexit/do_unlinkat") int BPF_PROG(on_unlink, int dfd, struct filename *f, long ret) { counts[1] = ret; bpf_probe_read_kernel_str(name, sizeof name, BPF_CORE_READ(f, name)); return 0; }
SEC("lsm/path_mkdir") int BPF_PROG(no_mkdir, const struct path *dir, struct dentry *dentry, umode_t mode, int ret) { counts[2]++; return ret ?: -1; }
SEC("kprobe/do_nanosleep") int BPF_KPROBE(on_sleep) { counts[3]++; return 0; }
SEC("tp_btf/sched_process_exec") int BPF_PROG(on_exec, struct task_struct *p, int old_pid, struct linux_binprm *bprm) { counts[4]++; bpf_probe_read_kernel_str(name, sizeof name, BPF_CORE_READ(bprm, filename)); return 0; }
SEC("uprobe//usr/bin/app:work") int BPF_KPROBE(on_work, int a, int b) { counts[5] = a * 100 + b; return 0; }
SEC("uretprobe//usr/bin/app:work") int BPF_KRETPROBE(after_work, int ret) { counts[6] = ret; return 0; }
SEC("usdt//usr/bin/app:app:tick") int on_tick(struct pt_regs *ctx) { counts[7]++; return 0; }
SEC("ksyscall/kill") int BPF_KPROBE(on_kill, struct pt_regs *regs) { counts[8]++; return 0; }
SEC("?perf_event") int on_clock(struct pt_regs *ctx) { counts[9]++; return 0; }
SEC("?iter/task") int dump(struct bpf_iter__task *ctx) { struct task_struct *t = ctx->task; if (!t) return 0; static const char f[] = "%d %s\\n"; __u64 a[2] = { t->pid, (__u64)t->comm }; bpf_seq_printf(ctx->meta->seq, f, sizeof f, a, sizeof a); return 0; }
`

describeWith([requirement.clang()], "C programs that trace", () => {
  test("attach by their sections and see files, processes, functions and probes", () => {
    const folder = mkdtempSync(join(tmpdir(), "skep-trace-c-"))
    try {
      const object = compile(folder)
      const bench = testBench(object, { attach: false, cpus: 2 })
      const world = bench.kernel
      world.executable("/usr/bin/app", { symbols: ["main", "work"], usdt: ["app:tick"] })
      for (const { name } of bench.collection.object.entryPrograms)
        if (name !== "on_clock" && name !== "dump")
          (bench.programs as never as Record<string, { attach(): unknown }>)[name].attach()
      const task = world.spawn({ comm: "app" })
      expect(task.exec("/usr/bin/app")).toBe(0)
      const counts = (): number[] => (bench.globals as never as { counts: number[] }).counts
      const text = (): string => String((bench.globals as never as { name: unknown }).name)
      expect([counts()[4], text()]).toEqual([1, "/usr/bin/app"])
      world.files.write("/tmp/file", "content")
      task.read(task.openat("/tmp/file"), 10)
      expect(counts()[0]).toBe(1)
      expect((bench.globals as never as { number: bigint }).number).toBe(
        BigInt(world.files.find("/tmp/file")?.dentry.inode?.number ?? 0),
      )
      expect(task.unlink("/tmp/nothing")).toBe(-2)
      expect([counts()[1], text()]).toEqual([-2, "/tmp/nothing"])
      expect(task.mkdir("/tmp/new")).toBe(-1)
      task.sleep(1000n)
      expect(task.call("work", [7, 5], { returns: 42 })).toBe(42n)
      task.usdt("app", "tick")
      task.kill(task, 0)
      expect(counts().slice(2, 9)).toEqual([1, 1, 1, 705, 42, 1, 1])
      bench.close()
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  test("an iterator's text and a clock's samples come through the API", () => {
    const folder = mkdtempSync(join(tmpdir(), "skep-trace-c-"))
    try {
      const kernel = embeddedKernel({ cpus: 2 })
      const collection = kernel.loadSync(parseObject(compile(folder)), {
        programs: ["dump", "on_clock"],
      })
      const programs = collection.programs as never as Record<
        string,
        import("../../../src/api/index.ts").Program
      >
      const task = kernel.spawn({ pid: 321, comm: "seen" })
      kernel.spawn({ pid: 322, comm: "also" })
      expect(programs["dump"].iterate()).toBe("1 init\n321 seen\n322 also\n")
      expect(programs["dump"].iterate({ tid: 322 })).toBe("322 also\n")
      const link = programs["on_clock"].attach({
        perfEvent: { type: 1, config: 0n, samplePeriod: 1_000_000n, cpu: 0 },
      })
      task.run(10_000_000n)
      link.close()
      task.run(10_000_000n)
      expect((collection.globals as never as { counts: number[] }).counts[9]).toBe(10)
      expect(() =>
        programs["on_clock"].attach({
          perfEvent: { type: 0, config: 0n, samplePeriod: 1n, cpu: 0 },
        }),
      ).toThrow(/ENOENT/)
      collection.close()
      kernel.close()
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})

function compile(folder: string): Uint8Array {
  const [source, object] = [join(folder, "trace.bpf.c"), join(folder, "trace.bpf.o")]
  writeFileSync(source, SOURCE)
  const flags = [
    "-O2",
    "-g",
    "-target",
    "bpf",
    "-D__TARGET_ARCH_x86",
    "-I",
    join(root, "include"),
    "-Wno-unused",
  ]
  const { status, stderr } = spawnSync("clang", [...flags, "-c", source, "-o", object], {
    encoding: "utf8",
  })
  expect(stderr).toBe("")
  expect(status).toBe(0)
  return new Uint8Array(readFileSync(object))
}
