/**
 * Calls of random helpers and kfuncs by programs of random types, with arguments that are mostly of
 * the right kind: Linux and our verifier must say the same. SKEP_FUZZ scales their number,
 * SKEP_SEED repeats a run.
 */

import { expect, test } from "vitest"
import {
  BPF_ATTACH_TYPE as AT,
  allowedHelpers,
  HELPERS,
  BPF_MAP_TYPE as MT,
  BPF_PROG_TYPE as PT,
} from "../../../src/spec/index.ts"
import { KFUNCS } from "../../../src/spec/kfuncs.ts"
import { describeWith, requirement } from "../../support/requirements.ts"
import { compareMany, kfuncId, type MapSpec, type NamedProgram } from "./oracle.ts"

const count = 40 * Number(process.env.SKEP_FUZZ ?? 1)
const firstSeed = Number(process.env.SKEP_SEED ?? Date.now() % 1_000_000)

/** Program types whose programs can be loaded without a target. */
const types: readonly (readonly [type: number, attachType?: number])[] = [
  [PT.BPF_PROG_TYPE_SOCKET_FILTER],
  [PT.BPF_PROG_TYPE_KPROBE],
  [PT.BPF_PROG_TYPE_SCHED_CLS],
  [PT.BPF_PROG_TYPE_TRACEPOINT],
  [PT.BPF_PROG_TYPE_XDP],
  [PT.BPF_PROG_TYPE_PERF_EVENT],
  [PT.BPF_PROG_TYPE_CGROUP_SKB],
  [PT.BPF_PROG_TYPE_CGROUP_SOCK],
  [PT.BPF_PROG_TYPE_LWT_IN],
  [PT.BPF_PROG_TYPE_LWT_XMIT],
  [PT.BPF_PROG_TYPE_SOCK_OPS],
  [PT.BPF_PROG_TYPE_SK_SKB],
  [PT.BPF_PROG_TYPE_CGROUP_DEVICE],
  [PT.BPF_PROG_TYPE_SK_MSG],
  [PT.BPF_PROG_TYPE_RAW_TRACEPOINT],
  [PT.BPF_PROG_TYPE_CGROUP_SOCK_ADDR, AT.BPF_CGROUP_INET4_CONNECT],
  [PT.BPF_PROG_TYPE_LWT_SEG6LOCAL],
  [PT.BPF_PROG_TYPE_SK_REUSEPORT],
  [PT.BPF_PROG_TYPE_FLOW_DISSECTOR],
  [PT.BPF_PROG_TYPE_CGROUP_SYSCTL, AT.BPF_CGROUP_SYSCTL],
  [PT.BPF_PROG_TYPE_CGROUP_SOCKOPT, AT.BPF_CGROUP_SETSOCKOPT],
  [PT.BPF_PROG_TYPE_SK_LOOKUP, AT.BPF_SK_LOOKUP],
  [PT.BPF_PROG_TYPE_SYSCALL],
  [PT.BPF_PROG_TYPE_NETFILTER, AT.BPF_NETFILTER],
]
const BPF_F_SLEEPABLE = 16

function map(map_type: number, key_size: number, value_size: number, max_entries = 2): MapSpec {
  return { map_type, key_size, value_size, max_entries }
}
const maps: Readonly<Record<string, MapSpec>> = {
  array: map(MT.BPF_MAP_TYPE_ARRAY, 4, 64),
  hash: map(MT.BPF_MAP_TYPE_HASH, 4, 64),
  ring: map(MT.BPF_MAP_TYPE_RINGBUF, 0, 0, 4096),
  events: map(MT.BPF_MAP_TYPE_PERF_EVENT_ARRAY, 4, 4),
  traces: map(MT.BPF_MAP_TYPE_STACK_TRACE, 4, 80),
  cgroups: map(MT.BPF_MAP_TYPE_CGROUP_ARRAY, 4, 4),
  sockets: map(MT.BPF_MAP_TYPE_SOCKMAP, 4, 4),
  hashed: map(MT.BPF_MAP_TYPE_SOCKHASH, 4, 4),
  queue: map(MT.BPF_MAP_TYPE_QUEUE, 0, 8),
  xsks: map(MT.BPF_MAP_TYPE_XSKMAP, 4, 4),
  reuseport: map(MT.BPF_MAP_TYPE_REUSEPORT_SOCKARRAY, 4, 8),
  bloom: map(MT.BPF_MAP_TYPE_BLOOM_FILTER, 0, 8),
  user: map(MT.BPF_MAP_TYPE_USER_RINGBUF, 0, 0, 4096),
}

/** What most calls pass for an argument of a kind. */
const likely: Readonly<Record<string, string>> = {
  ctx: "context",
  map: "map",
  key: "stack",
  value: "stack",
  mem: "stack",
  fixed: "stack",
  size: "constant",
  size0: "small",
  any: "constant",
  alloc_size0: "constant",
  ringbuf_mem: "record",
  stack: "stack",
  str: "value",
  dynptr: "stack",
}

class Writer {
  private state: number
  constructor(seed: number) {
    this.state = seed
  }

  /** From 0 to `below - 1`. */
  pick(below: number): number {
    this.state = (Math.imul(this.state, 1103515245) + 12345) & 0x7fffffff
    return Math.floor((this.state / 0x80000000) * below)
  }
  of<T>(list: readonly T[]): T {
    return list[this.pick(list.length)]
  }

  argument(n: number, kind: string): string {
    const pools: Readonly<Record<string, () => string>> = {
      context: () => `r${n} = r6`,
      stack: () => `r${n} = r10\nr${n} += -${this.of([8, 16, 32, 64, 4])}`,
      constant: () => `r${n} = ${this.of([0, 1, 4, 8, 16, 20, 64, -1])}`,
      unknown: () => `r${n} = r8`,
      small: () => `r${n} = r8\nr${n} &= ${this.of([7, 15, 63])}`,
      map: () => `r${n} = map[${this.of(Object.keys(maps))}] ll`,
      value: () => `r${n} = r7\nr${n} += ${this.of([0, 8, 4, 60])}`,
      record: () => `r${n} = r9`,
    }
    const usual = pools[likely[kind] ?? ""]
    const chosen = usual !== undefined && this.pick(10) < 8 ? usual : this.of(Object.values(pools))
    return chosen()
  }

  /** R6 is the context, R7 a map value, R8 a number, R9 a ring buffer's record or 0. */
  program(kinds: readonly string[], call: string): string {
    const record = this.pick(4) === 0
    return [
      "r6 = r1\nr1 = 0",
      ...[8, 16, 24, 32].map((at) => `*(u64 *)(r10 - ${at}) = r1`),
      "r2 = r10\nr2 += -8\nr1 = map[array] ll\ncall 1\nr7 = r0\nif r7 == 0 goto out",
      "call 7\nr8 = r0\nr9 = 0",
      record ? "r1 = map[ring] ll\nr2 = 16\nr3 = 0\ncall 131\nr9 = r0\nif r9 == 0 goto out" : "",
      ...kinds.map((kind, index) => this.argument(index + 1, kind)),
      `call ${call}`,
      record ? "r1 = r9\nr2 = 0\ncall 132" : "",
      `out: r0 = ${this.of(["r0", "0", "1", "0", "1"])}\nexit`,
    ].join("\n")
  }
}

/** Depend on how a kernel was built, or is locked down. */
const optional = ["probe_write_user", "override_return"]

function* helperCalls(writer: Writer): Generator<NamedProgram> {
  for (let n = 0; n < count; n++) {
    const [type, attachType = 0] = writer.of(types)
    const mine = allowedHelpers({ type, attachType })
    const id = writer.pick(20) === 0 ? 1 + writer.pick(HELPERS.length - 1) : writer.of(mine)
    const helper = HELPERS[id]
    if (optional.includes(helper.name)) continue
    yield {
      name: `${type} bpf_${helper.name}`,
      text: writer.program(
        helper.parameters.map(({ kind }) => kind),
        String(id),
      ),
      type,
      expectedAttachType: attachType,
      flags: type === PT.BPF_PROG_TYPE_SYSCALL ? BPF_F_SLEEPABLE : 0,
    }
  }
}

/** What a parameter of a kfunc most likely takes. */
function kindOf(parameter: string): string {
  if (/__sz|__szk|__k\b/.test(parameter)) return "constant"
  if (/__map|bpf_map/.test(parameter)) return "map"
  if (/__sk_buff|xdp_md|xdp_buff|sk_buff \*/.test(parameter)) return "ctx"
  if (/__str/.test(parameter)) return "str"
  return parameter.includes("*") ? "mem" : "any"
}

function* kfuncCalls(writer: Writer): Generator<NamedProgram> {
  const present = KFUNCS.filter(({ name }) => kfuncId(name) > 0)
  for (let n = 0; n < count; n++) {
    const [type, attachType = 0] = writer.of(types)
    const kfunc = writer.of(present)
    const parameters = /\((.*)\)$/.exec(kfunc.prototype)?.[1] ?? ""
    const kinds =
      parameters === "void" || parameters === "" ? [] : parameters.split(",").map(kindOf)
    yield {
      name: `${type} ${kfunc.name}`,
      text: writer.program(kinds.slice(0, 5), `kfunc_${kfunc.name}`),
      type,
      expectedAttachType: attachType,
      flags: type === PT.BPF_PROG_TYPE_SYSCALL ? BPF_F_SLEEPABLE : 0,
    }
  }
}

describeWith([requirement.linux()], `random calls (seed ${firstSeed})`, () => {
  test.each([
    ["helpers", helperCalls],
    ["kfuncs", kfuncCalls],
  ] as const)(
    "%s have Linux's verdicts",
    (_name, make) => {
      const differences: string[] = []
      for (const { name, linux, ours, text } of compareMany(make(new Writer(firstSeed)), maps)) {
        const same =
          linux.errno === ours.errno && (linux.errno === 0 || linux.message === ours.message)
        if (!same)
          differences.push(
            `${name}\n  Linux ${linux.errno} ${linux.message}\n  ours  ${ours.errno} ${ours.message}\n${text}`,
          )
      }
      expect(differences.join("\n\n")).toBe("")
    },
    600_000,
  )
})
