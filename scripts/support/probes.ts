/**
 * What the embedded kernel does, found out by asking it: programs are loaded, attached and run,
 * commands are called. Nothing in the tables that come from here is written down by hand.
 */

import { openMapHandle } from "../../src/api/maps/index.ts"
import { createEmbeddedKernel, type EmbeddedKernel } from "../../src/kernel/index.ts"
import {
  BPF_ATTACH_TYPE,
  BPF_MAP_TYPE,
  BPF_PROG_TYPE,
  type CommandName,
  ERRNO,
  errnoName,
  LATER_ATTACH_TYPE,
  programTypeName,
  SECTIONS,
} from "../../src/spec/index.ts"

const A = BPF_ATTACH_TYPE
const T = BPF_PROG_TYPE

/** r0 = 0; exit */
const RETURN_0 = new Uint8Array([0xb7, 0, 0, 0, 0, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0])
/** r0 = 1; exit: for hooks that must not refuse. */
const RETURN_1 = RETURN_0.slice()
RETURN_1[4] = 1
const BPF_F_SLEEPABLE = 0x10

/** One kernel for all probes; everything that a probe opens is closed again. */
const kernel: EmbeddedKernel = createEmbeddedKernel()
const device = kernel.network.add({ name: "eth0" })
const cgroup = kernel.openCgroup("/probe")
const netns = kernel.openNetns("/proc/self/ns/net")
const socketMap = kernel.bpf("MAP_CREATE", {
  map_type: BPF_MAP_TYPE.BPF_MAP_TYPE_SOCKMAP,
  key_size: 4,
  value_size: 4,
  max_entries: 1,
})
const [netkit] = kernel.network.addPair(
  { name: "nk0", kind: "netkit", primary: true },
  { name: "nk1", kind: "netkit" },
)
const NETFILTER = { pf: 2, hooknum: 1, priority: 1 }
const tracepoint = kernel.openTracepoint("sched", "sched_switch")
const kprobe = kernel.openKprobe("vfs_read", false)
const perfEvent = kernel.openPerfEvent({ type: 1, config: 0n, samplePeriod: 1000n, cpu: 0 })

/** A file descriptor, used and closed; whether it was one. */
function opens(fd: number): boolean {
  if (fd < 0) return false
  kernel.close(fd)
  return true
}

/** The class that the API gives to maps of a type. */
export function mapClass(type: number): string {
  const spec = { name: "probe", type, keySize: 4, valueSize: 4, maxEntries: 0, flags: 0 }
  // A ring buffer's handle maps its memory at once, so it needs a real map.
  const ring = { map_type: type, key_size: 0, value_size: 0, max_entries: 4096 }
  const fd = type === BPF_MAP_TYPE.BPF_MAP_TYPE_RINGBUF ? kernel.bpf("MAP_CREATE", ring) : -1
  return openMapHandle(kernel, fd, { ...spec, key: null, value: null, inner: null }).constructor
    .name
}

/** Commands that no argument makes work, and what they say. */
const WITHOUT_FUNCTION = {
  TASK_FD_QUERY: { pid: 1, fd: 0 },
  TOKEN_CREATE: { bpffs_fd: 0 },
  PROG_STREAM_READ_BY_FD: { stream_buf: new Uint8Array(8), stream_id: 1, prog_fd: 0 },
} as const

/** `yes`, or the errno with which the kernel answers a command that it does not have. */
export function commandAnswer(command: CommandName): string {
  if (!(command in WITHOUT_FUNCTION)) return "yes"
  const name = command as keyof typeof WITHOUT_FUNCTION
  const result = kernel.bpf(name, WITHOUT_FUNCTION[name])
  return result < 0 ? `no: ${errnoName(-result)}` : "yes"
}

/** What tracing and LSM programs of the probes are for: one target of each kind. */
const TARGETS: Readonly<Record<number, readonly [name: string, kind: "func" | "typedef"]>> = {
  [A.BPF_TRACE_RAW_TP]: ["btf_trace_sched_switch", "typedef"],
  [A.BPF_TRACE_FENTRY]: ["bpf_lsm_file_open", "func"],
  [A.BPF_TRACE_FEXIT]: ["bpf_lsm_file_open", "func"],
  [A.BPF_MODIFY_RETURN]: ["bpf_lsm_file_open", "func"],
  [A.BPF_LSM_MAC]: ["bpf_lsm_file_open", "func"],
  [A.BPF_LSM_CGROUP]: ["bpf_lsm_file_open", "func"],
  [A.BPF_TRACE_ITER]: ["bpf_iter_task", "func"],
}

function load(type: number, attachType: number): number {
  const fd = loadReturning(RETURN_0, type, attachType)
  return fd >= 0 ? fd : loadReturning(RETURN_1, type, attachType)
}

function loadReturning(insns: Uint8Array, type: number, attachType: number): number {
  const target = TARGETS[attachType]
  return kernel.bpf("PROG_LOAD", {
    prog_type: type,
    expected_attach_type: type === T.BPF_PROG_TYPE_SYSCALL ? 0 : attachType,
    prog_flags: type === T.BPF_PROG_TYPE_SYSCALL ? BPF_F_SLEEPABLE : 0,
    insns,
    license: "GPL",
    attach_btf_id: target === undefined ? undefined : kernel.state.types.findByName(...target),
  })
}

/** Programs that are attached to perf events have no attach type in their section names. */
const BY_PERF_EVENT: readonly number[] = [
  T.BPF_PROG_TYPE_KPROBE,
  T.BPF_PROG_TYPE_TRACEPOINT,
  T.BPF_PROG_TYPE_PERF_EVENT,
]

/** Attach types that section names give to a program type; `[0]` when they give none. */
function attachTypesOf(type: number): number[] {
  const later: readonly number[] = Object.values(LATER_ATTACH_TYPE)
  // 0 is BPF_CGROUP_INET_INGRESS, and what sections have that do not say an attach type.
  const found = SECTIONS.filter((row) => row.type === type)
    .map((row) => row.attachType)
    .filter((attachType) => !later.includes(attachType))
  if (BY_PERF_EVENT.includes(type)) found.push(A.BPF_PERF_EVENT)
  return found.length === 0 ? [0] : [...new Set(found)]
}

/** Whether a program of a type can be loaded with one of its attach types. */
export function programIsLoaded(type: number): boolean {
  return attachTypesOf(type).some((attachType) => opens(load(type, attachType)))
}

/** Whether PROG_TEST_RUN takes programs of a type. */
export function programIsTestRun(type: number): boolean {
  return attachTypesOf(type).some((attachType) => {
    const fd = load(type, attachType)
    return fd >= 0 && kernel.bpf("PROG_TEST_RUN", { prog_fd: fd }) !== -ERRNO.ENOTSUPP
  })
}

function isLinked(type: number, attachType: number): boolean {
  const fd = load(type, attachType)
  if (fd < 0) return false
  const targets = [
    { target_ifindex: device.ifindex },
    { target_fd: cgroup },
    { target_fd: tracepoint },
    { target_fd: kprobe },
    { target_fd: netns },
    { target_fd: socketMap },
    { target_ifindex: netkit.ifindex },
    { netfilter: NETFILTER },
    { target_fd: perfEvent },
    { kprobe_multi: { syms: ["vfs_read"] } },
    { uprobe_multi: { path: "/bin/sh", offsets: [0n] } },
    {},
  ]
  try {
    return (
      targets.some((target) =>
        opens(kernel.bpf("LINK_CREATE", { prog_fd: fd, attach_type: attachType, ...target })),
      ) ||
      opens(kernel.bpf("RAW_TRACEPOINT_OPEN", { prog_fd: fd })) ||
      opens(kernel.bpf("RAW_TRACEPOINT_OPEN", { prog_fd: fd, name: "sched_switch" }))
    )
  } finally {
    kernel.close(fd)
  }
}

/** Whether a program of a type can be attached by a link, at any of its attach types. */
export function programIsLinked(type: number): boolean {
  return attachTypesOf(type).some((attachType) => isLinked(type, attachType))
}

/** Program types that section names give an attach type and that can be linked there, by name. */
export function programsLinkedAt(attachType: number): string[] {
  return Object.values(T)
    .filter((type) => type !== 0 && attachTypesOf(type).includes(attachType))
    .filter((type) => attachType !== 0 || type === T.BPF_PROG_TYPE_CGROUP_SKB)
    .filter((type) => isLinked(type, attachType))
    .map(programTypeName)
}

/** Whether PROG_ATTACH (without a link) works at an attach type. */
export function isAttachedDirectly(attachType: number): boolean {
  return Object.values(T).some((type) => {
    if (type === 0 || !attachTypesOf(type).includes(attachType)) return false
    const fd = load(type, attachType)
    if (fd < 0) return false
    const base = { attach_bpf_fd: fd, attach_type: attachType }
    const targets = [
      { target_ifindex: device.ifindex },
      { target_ifindex: netkit.ifindex },
      { target_fd: cgroup },
      { target_fd: socketMap },
      {},
    ]
    return targets.some((target) => {
      if (kernel.bpf("PROG_ATTACH", { ...base, ...target }) !== 0) return false
      kernel.bpf("PROG_DETACH", { ...base, ...target })
      return true
    })
  })
}
