/** Section names against libbpf's documented table: what each says of a program. */

import { describe, expect, test } from "vitest"
import { BPF_ATTACH_TYPE, BPF_PROG_TYPE, matchSection, SECTIONS } from "../../src/spec/index.ts"

describe("matchSection", () => {
  const cases: [section: string, type: number, attachType: number, target: string | null][] = [
    ["xdp", BPF_PROG_TYPE.BPF_PROG_TYPE_XDP, BPF_ATTACH_TYPE.BPF_XDP, null],
    ["xdp.frags/cpumap", BPF_PROG_TYPE.BPF_PROG_TYPE_XDP, BPF_ATTACH_TYPE.BPF_XDP_CPUMAP, null],
    ["tc", BPF_PROG_TYPE.BPF_PROG_TYPE_SCHED_CLS, 0, null],
    ["tc/ingress", BPF_PROG_TYPE.BPF_PROG_TYPE_SCHED_CLS, BPF_ATTACH_TYPE.BPF_TCX_INGRESS, null],
    ["kprobe/do_unlinkat", BPF_PROG_TYPE.BPF_PROG_TYPE_KPROBE, 0, "do_unlinkat"],
    ["kprobe", BPF_PROG_TYPE.BPF_PROG_TYPE_KPROBE, 0, null],
    ["uprobe//bin/sh:readline", BPF_PROG_TYPE.BPF_PROG_TYPE_KPROBE, 0, "/bin/sh:readline"],
    ["tp/sched/sched_switch", BPF_PROG_TYPE.BPF_PROG_TYPE_TRACEPOINT, 0, "sched/sched_switch"],
    ["fentry.s/vfs_read", BPF_PROG_TYPE.BPF_PROG_TYPE_TRACING, 24, "vfs_read"],
    ["lsm/file_open", BPF_PROG_TYPE.BPF_PROG_TYPE_LSM, BPF_ATTACH_TYPE.BPF_LSM_MAC, "file_open"],
    ["sk_reuseport/migrate", BPF_PROG_TYPE.BPF_PROG_TYPE_SK_REUSEPORT, 40, null],
    ["cgroup/connect4", BPF_PROG_TYPE.BPF_PROG_TYPE_CGROUP_SOCK_ADDR, 10, null],
    ["struct_ops.s/init", BPF_PROG_TYPE.BPF_PROG_TYPE_STRUCT_OPS, 0, "init"],
  ]
  test.each(cases)("reads %s", (section, type, attachType, target) => {
    expect(matchSection(section, { strict: true })).toMatchObject({
      type,
      attachType,
      target,
      autoload: true,
      loose: false,
    })
  })

  test("marks sleepable programs and multi-buffer XDP", () => {
    expect(matchSection("fentry.s/f")?.sleepable).toBe(true)
    expect(matchSection("fentry/f")?.sleepable).toBe(false)
    expect(matchSection("syscall")?.sleepable).toBe(true)
    expect(matchSection("xdp.frags")?.frags).toBe(true)
    expect(matchSection("lsm/f")?.needsAttachBtf).toBe(true)
    expect(matchSection("lsm.s/f")?.autoAttach).toBe("lsm")
  })

  test("reads a leading ? as not loaded by default", () => {
    expect(matchSection("?xdp")).toMatchObject({ name: "xdp", autoload: false })
  })

  test("takes an extra part after an exact name only when not strict", () => {
    expect(matchSection("socket/one")).toMatchObject({ name: "socket", loose: true, target: "one" })
    expect(matchSection("xdp/devmap/one")?.name).toBe("xdp/devmap")
    expect(matchSection("socket/one", { strict: true })).toBeNull()
    // The samples of Linux before 6 and libbpf before 1.0.
    expect(matchSection("xdp_sock")).toMatchObject({ name: "xdp", loose: true, target: "sock" })
    expect(matchSection("xdp_sock", { strict: true })).toBeNull()
    expect(matchSection("xdpsock")).toBeNull()
  })

  test("knows no name that merely starts like one", () => {
    expect(matchSection("xdpfoo")).toBeNull()
    expect(matchSection("kprobes/f")).toBeNull()
    expect(matchSection(".text")).toBeNull()
    expect(matchSection("")).toBeNull()
  })

  test("has every row reachable by its own name", () => {
    expect(SECTIONS.length).toBe(116)
    for (const row of SECTIONS) expect(matchSection(row.name.replace("+", ""))?.name).toBe(row.name)
  })
})
