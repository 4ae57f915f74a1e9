/**
 * Attaching by section name: the commands that are sent, links that both kernels accept, and
 * pinned maps. On Linux everything is attached to what the test made itself: a cgroup, a veth pair,
 * a bpffs of its own.
 */

import { spawnSync } from "node:child_process"
import { mkdirSync, mkdtempSync, readFileSync, rmdirSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, test } from "vitest"
import { BpfError, NotSupportedError } from "../../src/base/index.ts"
import { EmbeddedKernel } from "../../src/kernel/index.ts"
import { attachProgram, type LoadedProgram, loadObject } from "../../src/loader/index.ts"
import { type BpfObject, readObject, withMaps } from "../../src/object/index.ts"
import type { KernelInterface } from "../../src/spec/index.ts"
import { objectBytes } from "../object/corpus.ts"
import { root } from "../support/requirements.ts"
import { FakeKernel } from "./fake-kernel.ts"
import { kernels, key32, lookUp } from "./kernels.ts"

const sections = (): BpfObject => readObject(objectBytes("sections.clang19.o"))

/** A program of the corpus as if it had been loaded, with changes. */
function loadedProgram(
  name: string,
  changes: Partial<LoadedProgram["definition"]> = {},
): LoadedProgram {
  const definition = sections().programs.find((program) => program.name === name)
  if (definition === undefined) throw new Error(`no program ${name}`)
  return { fd: 7, definition: { ...definition, ...changes }, log: [] }
}

describe("The commands of attaching", () => {
  test("a tracepoint's perf event is opened, linked and closed", () => {
    const kernel = new FakeKernel()
    const link = attachProgram(kernel, loadedProgram("on_switch"), { cookie: 5n })
    expect(kernel.calls).toMatchObject([
      {
        command: "LINK_CREATE",
        attr: { prog_fd: 7, attach_type: 41, perf_event: { bpf_cookie: 5n } },
      },
    ])
    expect([...kernel.open]).toEqual([link])
  })

  test("raw tracepoints and BTF targets go through RAW_TRACEPOINT_OPEN", () => {
    const kernel = new FakeKernel()
    const raw = { section: "raw_tp/sched_switch", attachTarget: "sched_switch" }
    attachProgram(kernel, loadedProgram("on_switch", raw))
    attachProgram(kernel, loadedProgram("entry"))
    attachProgram(kernel, loadedProgram("sleepable"))
    expect(kernel.sent("RAW_TRACEPOINT_OPEN")).toEqual([
      { prog_fd: 7, name: "sched_switch" },
      { prog_fd: 7 },
      { prog_fd: 7 },
    ])
    attachProgram(kernel, loadedProgram("entry"), { cookie: 9n })
    expect(kernel.sent("LINK_CREATE")).toEqual([
      { prog_fd: 7, attach_type: 24, tracing: { cookie: 9n } },
    ])
  })

  test("devices, cgroups, namespaces, iterators and functions are targets of links", () => {
    const kernel = new FakeKernel()
    const attach = attachProgram.bind(null, kernel)
    attach(loadedProgram("frags"), { ifindex: 3, flags: 2 })
    attach(loadedProgram("ingress"), { ifindex: 3 })
    attach(loadedProgram("connect4"), { cgroupFd: 8 })
    attach(loadedProgram("many"), { symbols: ["a", "b"], cookie: 1n })
    attach(loadedProgram("on_switch", { section: "iter/task", attachTarget: "task" }))
    attach(loadedProgram("user", { section: "sk_lookup", type: 30, attachType: 36 }), {
      netnsFd: 9,
    })
    attach(loadedProgram("ingress", { section: "tc", attachType: 0 }), { ifindex: 4 })
    expect(kernel.sent("LINK_CREATE")).toEqual([
      { prog_fd: 7, attach_type: 37, flags: 2, target_ifindex: 3 },
      { prog_fd: 7, attach_type: 46, target_ifindex: 3 },
      { prog_fd: 7, attach_type: 10, target_fd: 8 },
      {
        prog_fd: 7,
        attach_type: 42,
        kprobe_multi: { flags: 0, syms: ["a", "b"], cookies: [1n, 1n] },
      },
      { prog_fd: 7, attach_type: 28 },
      { prog_fd: 7, attach_type: 36, target_fd: 9 },
      { prog_fd: 7, attach_type: 46, target_ifindex: 4 },
    ])
  })

  test("a missing target says what to give", () => {
    const kernel = new FakeKernel()
    const attempt =
      (name: string, changes = {}) =>
      () =>
        attachProgram(kernel, loadedProgram(name, changes))
    expect(attempt("frags")).toThrow(/program 'frags' .* needs a target: \{ ifindex: 2 \}/)
    expect(attempt("connect4")).toThrow(/needs a target: \{ cgroupFd \}/)
    expect(attempt("many")).toThrow(/without patterns/)
    expect(attempt("on_switch", { attachTarget: "sched_switch" })).toThrow(/group and name/)
    expect(attempt("on_switch", { attachTarget: "x/none" })).toThrow(
      /ENOENT .*: the kernel has no tracepoint 'x\/none'/,
    )
    expect(attempt("connect4", { section: "syscall", type: 31 })).toThrow(NotSupportedError)
    expect([...kernel.open]).toEqual([])
  })

  test("a system call's function is found by its architecture's name", () => {
    const kernel = new FakeKernel()
    const opened: string[] = []
    kernel.openKprobe = (symbol: string) => {
      opened.push(symbol)
      return kernel.opened()
    }
    kernel.symbols.set("__arm64_sys_openat", 1n)
    const changes = { section: "kretsyscall/openat", attachTarget: "openat", type: 2 }
    attachProgram(kernel, loadedProgram("on_switch", changes))
    expect(opened).toEqual(["__arm64_sys_openat"])
  })
})

describe.each(kernels)("Links of $label", ({ kernel, label }) => {
  test("a cgroup takes a program by link", () => {
    const cgroup = openCgroup(kernel)
    if (cgroup === null) return console.warn("skipped: no cgroup v2 to make a group in")
    const file = join(root, "test/kernels/programs/cgroup-skb.bpf.o")
    const loaded = loadObject(kernel, readObject(readFileSync(file)), {})
    try {
      const filter = programOf(loaded, "cgroup_skb")
      const link = attachProgram(kernel, filter, { cgroupFd: cgroup.fd })
      expect(link).toBeGreaterThanOrEqual(0)
      kernel.close(link)
    } finally {
      loaded.close()
      cgroup.close()
    }
  })

  test("a program on connect(2) goes to a cgroup", () => {
    const cgroup = openCgroup(kernel)
    if (cgroup === null) return console.warn(`skipped: ${label} has no cgroup for the test`)
    const loaded = loadObject(kernel, sections(), { programs: ["connect4"] })
    try {
      const link = attachProgram(kernel, programOf(loaded, "connect4"), { cgroupFd: cgroup.fd })
      expect(link).toBeGreaterThanOrEqual(0)
      kernel.close(link)
    } finally {
      loaded.close()
      cgroup.close()
    }
  })

  test("a device takes XDP and TCX programs, and only one XDP program", () => {
    const device = makeDevice(kernel)
    if (device === null) return console.warn(`skipped: ${label} has no device for the test`)
    const loaded = loadObject(kernel, sections(), { programs: ["frags", "ingress"] })
    try {
      const xdp = attachProgram(kernel, programOf(loaded, "frags"), { ifindex: device.ifindex })
      const tcx = attachProgram(kernel, programOf(loaded, "ingress"), { ifindex: device.ifindex })
      const again = () =>
        attachProgram(kernel, programOf(loaded, "frags"), { ifindex: device.ifindex })
      expect(again).toThrow(BpfError)
      expect(again).toThrow(/program 'frags' .*LINK_CREATE says EBUSY/)
      kernel.close(xdp)
      kernel.close(attachProgram(kernel, programOf(loaded, "frags"), { ifindex: device.ifindex }))
      kernel.close(tcx)
    } finally {
      loaded.close()
      device.remove()
    }
  })

  test("maps pinned by name are found again, and refused if they do not fit", () => {
    const bpffs = mountBpffs(kernel)
    if (bpffs === null) return console.warn("skipped: cannot mount a bpffs")
    const pinned = () => readObject(objectBytes("maps.clang19.o"))
    const options = { pinPath: bpffs.path, programs: ["entry"] }
    try {
      const first = loadObject(kernel, pinned(), options)
      const value = new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8])
      const fd = first.maps.get("pinned")?.fd ?? -1
      expect(kernel.bpf("MAP_UPDATE_ELEM", { map_fd: fd, key: key32(2), value })).toBe(0)
      first.close()
      const second = loadObject(kernel, pinned(), options)
      expect(second.maps.get("pinned")?.reused).toBe(true)
      expect(lookUp(kernel, second.maps.get("pinned")?.fd ?? -1, key32(2), 8)).toEqual(value)
      second.close()
      const larger = withMaps(pinned(), { pinned: { maxEntries: 9 } })
      expect(() => loadObject(kernel, larger, options)).toThrow(
        /map 'pinned' pinned at .*\/pinned does not fit: maxEntries is 4, the object wants 9/,
      )
    } finally {
      bpffs.unmount()
    }
  })
})

function programOf(
  loaded: { readonly programs: ReadonlyMap<string, LoadedProgram> },
  name: string,
): LoadedProgram {
  const program = loaded.programs.get(name)
  if (program === undefined) throw new Error(`no program ${name}`)
  return program
}

const CGROUP_ROOTS = ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"]

function openCgroup(kernel: KernelInterface): { fd: number; close(): void } | null {
  if (kernel instanceof EmbeddedKernel) {
    const fd = kernel.openCgroup("/skep-test")
    return { fd, close: () => kernel.close(fd) }
  }
  for (const root of CGROUP_ROOTS) {
    const isV2 = spawnSync("stat", ["-fc", "%T", root], { encoding: "utf8" }).stdout
    if (isV2.trim() !== "cgroup2fs") continue
    const path = join(root, `skep-test-${process.pid}`)
    mkdirSync(path)
    const fd = kernel.openCgroup(path)
    return {
      fd,
      close() {
        kernel.close(fd)
        rmdirSync(path)
      },
    }
  }
  return null
}

function makeDevice(kernel: KernelInterface): { ifindex: number; remove(): void } | null {
  if (kernel instanceof EmbeddedKernel) {
    const device = kernel.network.add({ name: "skept0" })
    return { ifindex: device.ifindex, remove() {} }
  }
  const name = `skep${process.pid % 100_000}`
  const ip = (...args: string[]) => spawnSync("ip", ["link", ...args], { stdio: "ignore" }).status
  if (ip("add", name, "type", "veth", "peer", "name", `${name}p`) !== 0) return null
  return {
    ifindex: kernel.interfaceIndex(name),
    remove() {
      ip("del", name)
    },
  }
}

function mountBpffs(kernel: KernelInterface): { path: string; unmount(): void } | null {
  if (kernel instanceof EmbeddedKernel) return { path: "/sys/fs/bpf", unmount() {} }
  const path = mkdtempSync(join(tmpdir(), "skep-bpffs-"))
  if (spawnSync("mount", ["-t", "bpf", "bpf", path], { stdio: "ignore" }).status !== 0) {
    rmdirSync(path)
    return null
  }
  return {
    path,
    unmount() {
      spawnSync("umount", [path], { stdio: "ignore" })
      rmdirSync(path)
    },
  }
}
