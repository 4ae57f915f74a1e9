/** Programs in assembler text, attached to functions, hooks and events of an embedded kernel. */

import { assemble } from "../../../src/isa/index.ts"
import { createEmbeddedKernel, type EmbeddedKernel } from "../../../src/kernel/index.ts"
import {
  BPF_ATTACH_TYPE,
  BPF_MAP_TYPE,
  BPF_PROG_FLAG,
  BPF_PROG_TYPE,
  errnoName,
  helperByName,
} from "../../../src/spec/index.ts"

const T = BPF_PROG_TYPE
const A = BPF_ATTACH_TYPE

/** What a program is attached to: `fentry/vfs_read`, `lsm/file_open`, `tp/sched/sched_switch`… */
export type Hook = string

export interface Watch {
  /** The first `count` 8-byte slots of the map `out`. */
  slots(count: number): bigint[]
  /** The records of the list: slot 0 counts, each record is `width` slots. */
  list(width?: number): bigint[][]
  fd: number
  close(): void
}

/** R6 is the context, R9 the value of `out`. R0 is the result; 0 when the text does not set it. */
export function watch(
  kernel: EmbeddedKernel,
  hook: Hook,
  text: string,
  options: {
    cookie?: bigint
    sleepable?: boolean
    cgroup?: string
    license?: string
    path?: string
    offset?: bigint
  } = {},
): Watch {
  const out = kernel.bpf("MAP_CREATE", {
    map_type: BPF_MAP_TYPE.BPF_MAP_TYPE_ARRAY,
    key_size: 4,
    value_size: 4096,
    max_entries: 1,
  })
  const place = placeOf(kernel, hook)
  const source = `r6 = r1\nr9 = map[fd:${out}][0]\n${text}\nexit`
  const log = new Uint8Array(4096)
  const fd = kernel.bpf("PROG_LOAD", {
    prog_type: place.type,
    expected_attach_type: place.attachType,
    attach_btf_id: place.btfId,
    prog_flags: options.sleepable ? BPF_PROG_FLAG.BPF_F_SLEEPABLE : 0,
    insns: assemble(source, { helperId: (name) => helperByName(name)?.id }).bytes,
    license: options.license ?? "GPL",
    log_level: 1,
    log_buf: log,
  })
  if (fd < 0) {
    kernel.close(out)
    throw new Error(
      `${hook}: ${errnoName(fd)} ${new TextDecoder().decode(log.subarray(0, log.indexOf(0)))}`,
    )
  }
  const link = place.attach(fd, options)
  if (link < 0) {
    kernel.close(fd)
    kernel.close(out)
    throw new Error(`${hook}: attach: ${errnoName(link)}`)
  }
  const read = (): DataView => {
    const value = new Uint8Array(4096)
    kernel.bpf("MAP_LOOKUP_ELEM", { map_fd: out, key: new Uint8Array(4), value })
    return new DataView(value.buffer)
  }
  return {
    fd,
    slots(count) {
      const view = read()
      return Array.from({ length: count }, (_, i) => view.getBigUint64(8 * i, true))
    },
    list(width = 1) {
      const view = read()
      const count = Number(view.getBigUint64(0, true))
      return Array.from({ length: count }, (_, i) =>
        Array.from({ length: width }, (_, j) => view.getBigInt64(8 + 8 * (i * width + j), true)),
      )
    },
    close() {
      kernel.close(link)
      kernel.close(fd)
      kernel.close(out)
    },
  }
}

/** Appends the values of registers to the list in `out`; uses R2 and R3. */
export function append(...registers: readonly string[]): string {
  const width = 8 * registers.length
  return `r2 = *(u64 *)(r9 + 0); r3 = r2; r3 *= ${width}
    if r3 > ${4096 - 8 - width} goto full${width}
    r3 += r9; r2 += 1; *(u64 *)(r9 + 0) = r2
    ${registers.map((register, i) => `*(u64 *)(r3 + ${8 + 8 * i}) = ${register}`).join("\n")}
    full${width}: r0 = 0`
}

interface Place {
  readonly type: number
  readonly attachType: number
  readonly btfId: number
  attach(
    fd: number,
    options: { cookie?: bigint; cgroup?: string; path?: string; offset?: bigint },
  ): number
}

function placeOf(kernel: EmbeddedKernel, hook: Hook): Place {
  const [kind, ...rest] = hook.split("/")
  const name = rest.join("/")
  const id = (full: string, of: "func" | "typedef"): number =>
    kernel.state.types.findByName(full, of) ?? 0
  const traced = (
    attachType: number,
    btfId: number,
    type: number = T.BPF_PROG_TYPE_TRACING,
  ): Place => ({
    type,
    attachType,
    btfId,
    attach: (prog_fd, { cookie, cgroup }) => {
      const target_fd = cgroup === undefined ? undefined : kernel.openCgroup(cgroup)
      const tracing = cookie === undefined ? undefined : { cookie }
      return kernel.bpf("LINK_CREATE", { prog_fd, attach_type: attachType, target_fd, tracing })
    },
  })
  const event = (
    type: number,
    open: (options: { path?: string; offset?: bigint }) => number,
  ): Place => ({
    type,
    attachType: 0,
    btfId: 0,
    attach(prog_fd, options) {
      const target_fd = open(options)
      if (target_fd < 0) return target_fd
      const perf_event = { bpf_cookie: options.cookie ?? 0n }
      const link = kernel.bpf("LINK_CREATE", {
        prog_fd,
        target_fd,
        attach_type: A.BPF_PERF_EVENT,
        perf_event,
      })
      kernel.close(target_fd)
      return link
    },
  })
  switch (kind) {
    case "fentry":
      return traced(A.BPF_TRACE_FENTRY, id(name, "func"))
    case "fexit":
      return traced(A.BPF_TRACE_FEXIT, id(name, "func"))
    case "fmod_ret":
      return traced(A.BPF_MODIFY_RETURN, id(name, "func"))
    case "lsm":
      return traced(A.BPF_LSM_MAC, id(`bpf_lsm_${name}`, "func"), T.BPF_PROG_TYPE_LSM)
    case "lsm_cgroup":
      return traced(A.BPF_LSM_CGROUP, id(`bpf_lsm_${name}`, "func"), T.BPF_PROG_TYPE_LSM)
    case "tp_btf":
      return traced(A.BPF_TRACE_RAW_TP, id(`btf_trace_${name}`, "typedef"))
    case "raw_tp":
      return {
        type: T.BPF_PROG_TYPE_RAW_TRACEPOINT,
        attachType: 0,
        btfId: 0,
        attach: (prog_fd, { cookie }) =>
          kernel.bpf("RAW_TRACEPOINT_OPEN", { prog_fd, name, cookie }),
      }
    case "tp":
      return event(T.BPF_PROG_TYPE_TRACEPOINT, () => kernel.openTracepoint(rest[0], rest[1]))
    case "kprobe":
    case "kretprobe":
      return event(T.BPF_PROG_TYPE_KPROBE, () => kernel.openKprobe(name, kind === "kretprobe"))
    case "uprobe":
    case "uretprobe":
      return event(T.BPF_PROG_TYPE_KPROBE, ({ path = "/bin/sh", offset = 0n }) =>
        kernel.openUprobe({ path, offset, onReturn: kind === "uretprobe" }),
      )
    case "kprobe.multi":
    case "kprobe.session":
      return {
        type: T.BPF_PROG_TYPE_KPROBE,
        attachType: kind === "kprobe.multi" ? A.BPF_TRACE_KPROBE_MULTI : A.BPF_TRACE_KPROBE_SESSION,
        btfId: 0,
        attach: (prog_fd, { cookie }) =>
          kernel.bpf("LINK_CREATE", {
            prog_fd,
            attach_type:
              kind === "kprobe.multi" ? A.BPF_TRACE_KPROBE_MULTI : A.BPF_TRACE_KPROBE_SESSION,
            kprobe_multi: {
              syms: name.split(","),
              cookies:
                cookie === undefined
                  ? undefined
                  : name.split(",").map((_, i) => cookie + BigInt(i)),
            },
          }),
      }
    default:
      throw new Error(`no hook '${hook}'`)
  }
}

/** A kernel of two CPUs with a task of root. */
export function machine(): {
  kernel: EmbeddedKernel
  task: import("../../../src/kernel/index.ts").Process
} {
  const kernel = createEmbeddedKernel({ cpus: 2 })
  return { kernel, task: kernel.tasks.spawn({ pid: 500, comm: "worker" }) as never }
}
