/**
 * bpf(2) commands on both kernels: the same calls, the same errno. File descriptors count as "fd",
 * whatever their number.
 */

import { expect, test } from "vitest"
import { assemble } from "../../src/isa/index.ts"
import { createEmbeddedKernel } from "../../src/kernel/index.ts"
import { createLinuxKernel } from "../../src/linux/index.ts"
import { describeWith, requirement } from "../support/requirements.ts"
import { runOnBoth, type Script } from "./command-script.ts"

const { bytes: RETURN_2 } = assemble("r0 = 2; exit")
const { bytes: RETURN_0 } = assemble("r0 = 0; exit")
const BAD_FD = 9999
const hash = { map_type: 1, key_size: 4, value_size: 8, max_entries: 4 }
const xdp = { prog_type: 6, insns: RETURN_2, license: "GPL" }
const key = (n: number): Uint8Array => new Uint8Array(new Uint32Array([n]).buffer)
const value = (n: number): Uint8Array => new Uint8Array(new BigUint64Array([BigInt(n)]).buffer)

/** What is called, by what it shows. */
const SCRIPTS: Readonly<Record<string, (script: Script) => void>> = {
  "map names may have letters, digits, dots and underscores, 15 at most"(script) {
    for (const map_name of ["ok_1.x", "", "fifteen_letters", "bad-name", "sp ace"])
      script.call("MAP_CREATE", { ...hash, map_name })
  },
  "a map takes what its modes allow"(script) {
    const readonly = script.call("MAP_CREATE", { ...hash, map_flags: 8 })
    script.call("MAP_UPDATE_ELEM", { map_fd: readonly, key: key(1), value: value(1) })
    script.call("MAP_LOOKUP_ELEM", { map_fd: readonly, key: key(1), value: value(0) })
    const writeonly = script.call("MAP_CREATE", { ...hash, map_flags: 16 })
    script.call("MAP_UPDATE_ELEM", { map_fd: writeonly, key: key(1), value: value(1) })
    script.call("MAP_LOOKUP_ELEM", { map_fd: writeonly, key: key(1), value: value(0) })
    script.call("MAP_GET_NEXT_KEY", { map_fd: writeonly, next_key: key(0) })
    script.call("MAP_CREATE", { ...hash, map_flags: 24 })
  },
  "a frozen map can only be read"(script) {
    const map_fd = script.call("MAP_CREATE", hash)
    script.call("MAP_UPDATE_ELEM", { map_fd, key: key(1), value: value(1) })
    script.call("MAP_FREEZE", { map_fd })
    script.call("MAP_FREEZE", { map_fd })
    script.call("MAP_UPDATE_ELEM", { map_fd, key: key(1), value: value(2) })
    script.call("MAP_DELETE_ELEM", { map_fd, key: key(1) })
    const out = value(0)
    script.call("MAP_LOOKUP_ELEM", { map_fd, key: key(1), value: out })
    script.note(out[0])
  },
  "descriptors that are not open, or of another kind"(script) {
    const program = script.call("PROG_LOAD", xdp)
    const map = script.call("MAP_CREATE", hash)
    for (const map_fd of [BAD_FD, program]) {
      script.call("MAP_LOOKUP_ELEM", { map_fd, key: key(1), value: value(0) })
      script.call("MAP_FREEZE", { map_fd })
    }
    for (const prog_fd of [BAD_FD, map]) script.call("PROG_TEST_RUN", { prog_fd })
    for (const link_fd of [BAD_FD, map]) script.call("LINK_DETACH", { link_fd })
    script.call("OBJ_GET_INFO_BY_FD", { bpf_fd: BAD_FD, info: new Uint8Array(16) })
  },
  "programs: sizes, types, flags, names"(script) {
    script.call("PROG_LOAD", { ...xdp, insns: new Uint8Array(0) })
    script.call("PROG_LOAD", { ...xdp, prog_type: 0 })
    script.call("PROG_LOAD", { ...xdp, prog_type: 99 })
    script.call("PROG_LOAD", { ...xdp, prog_flags: 1 << 30 })
    script.call("PROG_LOAD", { ...xdp, prog_name: "bad-name" })
    script.call("PROG_LOAD", { ...xdp, prog_name: "good.name_1" })
    script.call("PROG_LOAD", { ...xdp, attach_btf_id: 1 })
    script.call("PROG_LOAD", { ...xdp, prog_btf_fd: BAD_FD, func_info: new Uint8Array(8) })
  },
  "programs: attach types that a program type insists on"(script) {
    for (const [prog_type, expected_attach_type] of [
      [8, 0],
      [8, 1],
      [8, 2],
      [18, 10],
      [18, 0],
      [25, 21],
      [25, 1],
      [9, 2],
      [9, 8],
      [30, 36],
      [30, 0],
      [31, 0],
      [31, 1],
      [26, 23],
    ])
      script.call("PROG_LOAD", {
        prog_type,
        expected_attach_type,
        insns: prog_type === 31 ? RETURN_0 : RETURN_0,
        license: "GPL",
      })
  },
  "programs: malformed instructions"(script) {
    for (const text of ["r0 = 0", "exit", "goto +5; exit", "r0 = 0; r11 = 1; exit"]) {
      let insns: Uint8Array
      try {
        insns = assemble(text).bytes
      } catch {
        insns = new Uint8Array([0xb7, 0x0b, 0, 0, 1, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0])
      }
      if (text !== "exit") script.call("PROG_LOAD", { ...xdp, insns })
    }
    script.call("PROG_LOAD", { ...xdp, insns: new Uint8Array([0xff, 0, 0, 0, 0, 0, 0, 0]) })
    script.call("PROG_LOAD", { ...xdp, insns: new Uint8Array(16).fill(0) })
  },
  "programs: helpers that do not exist, or not for this type or licence"(script) {
    for (const [prog_type, license, id] of [
      [6, "GPL", 999],
      [6, "GPL", 0],
      [5, "GPL", 51],
      [1, "GPL", 9],
      [6, "Proprietary", 6],
    ] as const)
      script.call("PROG_LOAD", {
        prog_type,
        license,
        insns: assemble(`call ${id}; r0 = 0; exit`).bytes,
      })
  },
  "programs: maps that are none"(script) {
    const load = (fd: number): Uint8Array => {
      const { bytes } = assemble("r1 = 0 ll; r0 = 0; exit")
      bytes[1] |= 0x10
      new DataView(bytes.buffer).setInt32(4, fd, true)
      return bytes
    }
    const map = script.call("MAP_CREATE", hash)
    const program = script.call("PROG_LOAD", xdp)
    for (const fd of [map, BAD_FD, program]) script.call("PROG_LOAD", { ...xdp, insns: load(fd) })
  },
  "links: what XDP and TCX refuse"(script) {
    const program = script.call("PROG_LOAD", xdp)
    const filter = script.call("PROG_LOAD", { ...xdp, prog_type: 3 })
    script.call("LINK_CREATE", { prog_fd: BAD_FD, target_ifindex: 1, attach_type: 37 })
    script.call("LINK_CREATE", { prog_fd: program, target_ifindex: 987654, attach_type: 37 })
    script.call("LINK_CREATE", { prog_fd: program, target_ifindex: 1, attach_type: 46 })
    script.call("LINK_CREATE", { prog_fd: filter, target_ifindex: 987654, attach_type: 46 })
    script.call("LINK_CREATE", { prog_fd: filter, target_ifindex: 1, attach_type: 37 })
  },
  "links: raw tracepoints by name"(script) {
    const program = script.call("PROG_LOAD", { prog_type: 17, insns: RETURN_0, license: "GPL" })
    const prog_fd = program
    script.call("RAW_TRACEPOINT_OPEN", { prog_fd, name: "no_such_event" })
    const link = script.call("RAW_TRACEPOINT_OPEN", { prog_fd, name: "task_rename" })
    script.call("LINK_DETACH", { link_fd: link })
    script.call("LINK_UPDATE", { link_fd: link, new_prog_fd: program })
    const other = script.call("PROG_LOAD", xdp)
    script.call("RAW_TRACEPOINT_OPEN", { prog_fd: other, name: "task_rename" })
  },
  "pins: names and places"(script) {
    const map = script.call("MAP_CREATE", hash)
    script.call("OBJ_PIN", { pathname: "/tmp/skep-not-bpffs", bpf_fd: map })
    script.call("OBJ_PIN", { pathname: "/sys/fs/bpf/a/b/c", bpf_fd: BAD_FD })
    script.call("OBJ_GET", { pathname: "/sys/fs/bpf/skep-is-not-there" })
  },
  "ids: beyond the last there is none"(script) {
    for (const command of ["PROG_GET_NEXT_ID", "MAP_GET_NEXT_ID", "LINK_GET_NEXT_ID"] as const) {
      script.call(command, { start_id: 0x7ffffffe })
      script.call(command, { start_id: 0x7fffffff })
    }
    script.call("PROG_GET_FD_BY_ID", { id: 0x7ffffff0 })
    script.call("MAP_GET_FD_BY_ID", { id: 0x7ffffff0 })
  },
  "prog arrays take programs of one type"(script) {
    const map_fd = script.call("MAP_CREATE", { ...hash, map_type: 3, value_size: 4 })
    const program = script.call("PROG_LOAD", xdp)
    const filter = script.call("PROG_LOAD", { ...xdp, prog_type: 3 })
    script.call("MAP_UPDATE_ELEM", { map_fd, key: key(0), value: key(program) })
    script.call("MAP_UPDATE_ELEM", { map_fd, key: key(1), value: key(filter) })
    script.call("MAP_UPDATE_ELEM", { map_fd, key: key(9), value: key(program) })
    script.call("MAP_UPDATE_ELEM", { map_fd, key: key(1), value: key(map_fd) })
    script.call("MAP_UPDATE_ELEM", { map_fd, key: key(1), value: key(BAD_FD) })
    script.call("MAP_DELETE_ELEM", { map_fd, key: key(2) })
    script.call("MAP_DELETE_ELEM", { map_fd, key: key(0) })
  },
  "maps of maps take maps like their template"(script) {
    const inner_map_fd = script.call("MAP_CREATE", hash)
    const outer = { map_type: 13, key_size: 4, value_size: 4, max_entries: 2, inner_map_fd }
    const map_fd = script.call("MAP_CREATE", outer)
    script.call("MAP_CREATE", { ...outer, inner_map_fd: BAD_FD })
    script.call("MAP_CREATE", { ...outer, inner_map_fd: map_fd })
    const other = script.call("MAP_CREATE", { ...hash, value_size: 16 })
    const larger = script.call("MAP_CREATE", { ...hash, max_entries: 400 })
    script.call("MAP_UPDATE_ELEM", { map_fd, key: key(1), value: key(inner_map_fd) })
    script.call("MAP_UPDATE_ELEM", { map_fd, key: key(2), value: key(other) })
    script.call("MAP_UPDATE_ELEM", { map_fd, key: key(2), value: key(larger) })
    script.call("MAP_UPDATE_ELEM", { map_fd, key: key(1), value: key(inner_map_fd), flags: 1n })
    script.call("MAP_DELETE_ELEM", { map_fd, key: key(7) })
    script.call("MAP_DELETE_ELEM", { map_fd, key: key(1) })
  },
  "statistics are switched on by a descriptor"(script) {
    script.call("ENABLE_STATS", { type: 0 })
    script.call("ENABLE_STATS", { type: 1 })
  },
  "the info of a program and a map says what was given"(script) {
    const map = script.call("MAP_CREATE", { ...hash, map_name: "counts" })
    const info = new Uint8Array(64)
    script.call("OBJ_GET_INFO_BY_FD", { bpf_fd: map, info })
    script.note([...info.subarray(0, 4), ...info.subarray(8, 40)])
    const program = script.call("PROG_LOAD", { ...xdp, prog_name: "named" })
    const about = new Uint8Array(232)
    script.call("OBJ_GET_INFO_BY_FD", { bpf_fd: program, info: about })
    script.note([...about.subarray(0, 4), ...about.subarray(8, 16), ...about.subarray(64, 88)])
  },
}

describeWith([requirement.linux()], "bpf(2) commands on both kernels", () => {
  for (const [name, run] of Object.entries(SCRIPTS))
    test(name, () => {
      const guest = createEmbeddedKernel({ cpus: 2 })
      const host = createLinuxKernel()
      try {
        const [ours, linux] = runOnBoth([guest, host], run)
        expect(ours).toEqual(linux)
      } finally {
        guest.dispose()
      }
    })
})
