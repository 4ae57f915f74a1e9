/**
 * Commands on programs at cgroups and devices, on links, types and bindings, on both kernels. What
 * is attached on Linux is attached to a cgroup and a device that this test makes and removes.
 */

import { spawnSync } from "node:child_process"
import { mkdirSync, readFileSync, rmdirSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, expect, test } from "vitest"
import { BtfBuilder } from "../../src/btf/index.ts"
import { assemble } from "../../src/isa/index.ts"
import { createEmbeddedKernel } from "../../src/kernel/index.ts"
import { createLinuxKernel } from "../../src/linux/index.ts"
import { BPF_ATTACH_TYPE as A, BPF_PROG_TYPE as P } from "../../src/spec/index.ts"
import { describeWith, requirement } from "../support/requirements.ts"
import { runOnBoth, type Script } from "./command-script.ts"

const BAD_FD = 9999
const BPF_F_ALLOW_OVERRIDE = 1
const BPF_F_ALLOW_MULTI = 2
const BPF_F_REPLACE = 4

const { bytes: RETURN_1 } = assemble("r0 = 1; exit")
const program = (script: Script, prog_type: number, expected_attach_type = 0): number =>
  script.call("PROG_LOAD", { prog_type, expected_attach_type, insns: RETURN_1, license: "GPL" })

/** The device and the cgroup of each kernel. */
interface Place {
  readonly cgroup: string
  readonly ifindex: number
}

/** The id that OBJ_GET_INFO_BY_FD tells of a link, a map or types. */
function idOf(script: Script, bpf_fd: number, offset: number): number {
  const info = new Uint8Array(64)
  script.call("OBJ_GET_INFO_BY_FD", { bpf_fd, info })
  return new DataView(info.buffer).getUint32(offset, true)
}

function query(script: Script, target: object, attach_type: number): void {
  const attr = {
    ...target,
    ...{ attach_type, prog_ids: new Uint32Array(4), prog_cnt: 4, attach_flags: 0 },
  }
  script.call("PROG_QUERY", attr)
  const ids = [...attr.prog_ids].filter((id) => id !== 0).length
  script.note(`${attr.prog_cnt} programs, ${ids} ids, flags ${attr.attach_flags}`)
}

const SCRIPTS: Readonly<Record<string, (script: Script, place: Place) => void>> = {
  "a cgroup takes several programs where the first allowed it"(script, { cgroup }) {
    const target_fd = script.owns(script.kernel.openCgroup(cgroup))
    const attach_type = A.BPF_CGROUP_INET_INGRESS
    const [one, two] = [1, 2].map(() => program(script, P.BPF_PROG_TYPE_CGROUP_SKB))
    const at = { target_fd, attach_type }
    query(script, { target_fd }, attach_type)
    const multi = { ...at, attach_flags: BPF_F_ALLOW_MULTI }
    script.call("PROG_ATTACH", { ...multi, attach_bpf_fd: one })
    script.call("PROG_ATTACH", { ...multi, attach_bpf_fd: one })
    script.call("PROG_ATTACH", { ...at, attach_bpf_fd: two })
    script.call("PROG_ATTACH", { ...multi, attach_bpf_fd: two })
    query(script, { target_fd }, attach_type)
    script.call("PROG_DETACH", { ...at, attach_bpf_fd: one })
    script.call("PROG_DETACH", { ...at, attach_bpf_fd: one })
    script.call("PROG_DETACH", { ...at, attach_bpf_fd: two })
    query(script, { target_fd }, attach_type)
  },
  "a cgroup's only program is replaced where it is the only one allowed"(script, { cgroup }) {
    const target_fd = script.owns(script.kernel.openCgroup(cgroup))
    const attach_type = A.BPF_CGROUP_INET_EGRESS
    const [one, two] = [1, 2].map(() =>
      program(script, P.BPF_PROG_TYPE_CGROUP_SKB, A.BPF_CGROUP_INET_EGRESS),
    )
    const at = { target_fd, attach_type, attach_flags: BPF_F_ALLOW_OVERRIDE }
    for (const attach_bpf_fd of [one, two, two])
      script.call("PROG_ATTACH", { ...at, attach_bpf_fd })
    query(script, { target_fd }, attach_type)
    script.call("PROG_DETACH", { target_fd, attach_type })
    script.call("PROG_DETACH", { target_fd, attach_type })
    const multi = { ...at, attach_flags: BPF_F_ALLOW_MULTI }
    script.call("PROG_ATTACH", { ...multi, attach_bpf_fd: one })
    const replace = { ...multi, attach_flags: BPF_F_ALLOW_MULTI | BPF_F_REPLACE }
    script.call("PROG_ATTACH", { ...replace, attach_bpf_fd: two, replace_bpf_fd: two })
    script.call("PROG_ATTACH", { ...replace, attach_bpf_fd: two, replace_bpf_fd: one })
    query(script, { target_fd }, attach_type)
    script.call("PROG_DETACH", { target_fd, attach_type, attach_bpf_fd: two })
  },
  "what cgroups refuse"(script, { cgroup }) {
    const target_fd = script.owns(script.kernel.openCgroup(cgroup))
    const attach_bpf_fd = program(script, P.BPF_PROG_TYPE_CGROUP_SKB)
    const xdp = program(script, P.BPF_PROG_TYPE_XDP)
    const attach_type = A.BPF_CGROUP_INET_INGRESS
    script.call("PROG_ATTACH", { target_fd: BAD_FD, attach_type, attach_bpf_fd })
    script.call("PROG_ATTACH", { target_fd: attach_bpf_fd, attach_type, attach_bpf_fd })
    script.call("PROG_ATTACH", { target_fd, attach_type, attach_bpf_fd: BAD_FD })
    script.call("PROG_ATTACH", { target_fd, attach_type, attach_bpf_fd: xdp })
    script.call("PROG_ATTACH", { target_fd, attach_type: 9999, attach_bpf_fd })
    script.call("PROG_ATTACH", { target_fd, attach_type, attach_bpf_fd, attach_flags: 1 << 20 })
    script.call("PROG_DETACH", { target_fd, attach_type: 9999, attach_bpf_fd })
    script.call("PROG_QUERY", { target_fd: BAD_FD, attach_type })
    script.call("PROG_QUERY", { target_fd, attach_type: 9999 })
  },
  "programs at a device's TCX hooks, in order"(script, { ifindex }) {
    const attach_type = A.BPF_TCX_INGRESS
    const [one, two] = [1, 2].map(() => program(script, P.BPF_PROG_TYPE_SCHED_CLS))
    const at = { target_ifindex: ifindex, attach_type }
    query(script, { target_ifindex: ifindex }, attach_type)
    script.call("PROG_ATTACH", { ...at, attach_bpf_fd: one })
    script.call("PROG_ATTACH", { ...at, attach_bpf_fd: one })
    script.call("PROG_ATTACH", { ...at, attach_bpf_fd: two })
    query(script, { target_ifindex: ifindex }, attach_type)
    for (const attach_bpf_fd of [one, two, two])
      script.call("PROG_DETACH", { ...at, attach_bpf_fd })
    query(script, { target_ifindex: ifindex }, attach_type)
    script.call("PROG_QUERY", { target_ifindex: 987654, attach_type })
    script.call("PROG_ATTACH", { ...at, target_ifindex: 987654, attach_bpf_fd: one })
  },
  "a program at a TCX hook is replaced in its place"(script, { ifindex }) {
    const attach_type = A.BPF_TCX_EGRESS
    const [one, two] = [1, 2].map(() => program(script, P.BPF_PROG_TYPE_SCHED_CLS))
    const at = { target_ifindex: ifindex, attach_type }
    script.call("PROG_ATTACH", { ...at, attach_bpf_fd: one })
    const replace = { ...at, attach_flags: BPF_F_REPLACE }
    script.call("PROG_ATTACH", { ...replace, attach_bpf_fd: two, replace_bpf_fd: two })
    script.call("PROG_ATTACH", { ...replace, attach_bpf_fd: two, replace_bpf_fd: one })
    query(script, { target_ifindex: ifindex }, attach_type)
    for (const attach_bpf_fd of [one, two]) script.call("PROG_DETACH", { ...at, attach_bpf_fd })
  },
  "a link is found by its id as long as it is there"(script) {
    const prog_fd = program(script, P.BPF_PROG_TYPE_RAW_TRACEPOINT)
    const link = script.call("RAW_TRACEPOINT_OPEN", { prog_fd, name: "task_rename" })
    const id = idOf(script, link, 4)
    const again = script.call("LINK_GET_FD_BY_ID", { id })
    script.note(idOf(script, again, 4) === id)
    script.close(link)
    script.close(again)
    script.call("LINK_GET_FD_BY_ID", { id })
    script.call("LINK_GET_FD_BY_ID", { id: 0 })
  },
  "types are found by their id as long as they are there"(script) {
    const builder = new BtfBuilder()
    builder.int("int", 4, "signed")
    const btf = script.call("BTF_LOAD", { btf: builder.build() })
    const id = idOf(script, btf, 12)
    const again = script.call("BTF_GET_FD_BY_ID", { id })
    script.note(idOf(script, again, 12) === id)
    const attr = { start_id: id - 1, next_id: 0 }
    script.call("BTF_GET_NEXT_ID", attr)
    script.note(attr.next_id === id)
    script.close(btf)
    script.close(again)
    script.call("BTF_GET_FD_BY_ID", { id })
    script.call("BTF_GET_NEXT_ID", { start_id: 0x7ffffffe })
    script.call("BTF_GET_NEXT_ID", { start_id: 0x7fffffff })
  },
  "a program keeps a map that is bound to it"(script) {
    const prog_fd = program(script, P.BPF_PROG_TYPE_XDP)
    const map = { map_type: 2, key_size: 4, value_size: 8, max_entries: 1 }
    const map_fd = script.call("MAP_CREATE", map)
    const id = idOf(script, map_fd, 4)
    script.call("PROG_BIND_MAP", { prog_fd, map_fd })
    script.call("PROG_BIND_MAP", { prog_fd, map_fd })
    script.call("PROG_BIND_MAP", { prog_fd, map_fd, flags: 1 })
    script.call("PROG_BIND_MAP", { prog_fd: BAD_FD, map_fd })
    script.call("PROG_BIND_MAP", { prog_fd, map_fd: BAD_FD })
    script.call("PROG_BIND_MAP", { prog_fd: map_fd, map_fd })
    const info = new Uint8Array(232)
    script.call("OBJ_GET_INFO_BY_FD", { bpf_fd: prog_fd, info })
    script.note(new DataView(info.buffer).getUint32(52, true))
    script.close(map_fd)
    script.call("MAP_GET_FD_BY_ID", { id })
  },
}

/** Where this Linux has its cgroups of version 2. */
function cgroupRoot(): string | null {
  try {
    return readFileSync("/proc/mounts", "utf8").match(/^\S+ (\S+) cgroup2 /m)?.[1] ?? null
  } catch {
    return null
  }
}

const root = cgroupRoot()
const cgroups = {
  name: "cgroup2",
  available: root !== null,
  reason: "no cgroup2 file system is mounted",
}

describeWith([requirement.linux(), requirement.ip(), cgroups], "attaching on both kernels", () => {
  const device = `skepac${process.pid % 100_000}`
  const cgroup = join(root ?? "", device)
  const linux = createLinuxKernel()

  beforeAll(() => {
    const { status, stderr } = spawnSync("ip", ["link", "add", device, "type", "veth"], {
      encoding: "utf8",
    })
    expect(`${status} ${stderr}`).toBe("0 ")
    mkdirSync(cgroup)
  })
  afterAll(() => {
    spawnSync("ip", ["link", "del", device])
    rmdirSync(cgroup)
  })

  for (const [name, run] of Object.entries(SCRIPTS))
    test(name, () => {
      const guest = createEmbeddedKernel({ cpus: 2 })
      const { ifindex } = guest.network.add({ name: "eth0" })
      const here = { cgroup: "/sys/fs/cgroup/own", ifindex }
      const there = { cgroup, ifindex: linux.interfaceIndex(device) }
      try {
        const [ours, theirs] = runOnBoth([guest, linux], (script) =>
          run(script, script.kernel === guest ? here : there),
        )
        expect(ours).toEqual(theirs)
      } finally {
        guest.dispose()
      }
    })
})
