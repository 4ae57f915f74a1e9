/**
 * Context layouts against the running kernel's BTF, and every load and store of every context
 * against trial loads.
 */

import { describe, expect, test } from "vitest"
import {
  BPF_PROG_TYPE,
  CONTEXTS,
  contextAccessAllowed,
  contextOf,
  fieldAt,
  returnRange,
  TC_ACTION,
  verdictName,
} from "../../src/spec/index.ts"
import { describeWith, requirement } from "../support/requirements.ts"
import { kernelBtf, loads, type Scenario, scenarios } from "./helper-probe.ts"
import { insn, tryLoad } from "./trial.ts"

describe("contexts", () => {
  test("are found by program type, and fields by offset", () => {
    const layout = contextOf(BPF_PROG_TYPE.BPF_PROG_TYPE_XDP)!
    expect(layout.name).toBe("xdp_md")
    expect(fieldAt(layout, 5)).toMatchObject({ name: "data_end", pointer: "packet_end" })
    expect(fieldAt(layout, 24)).toBeUndefined()
    expect(contextOf(BPF_PROG_TYPE.BPF_PROG_TYPE_TRACING)).toBeNull()
  })

  test("give verdicts their kernel names, whatever the sign of the number", () => {
    expect(verdictName(BPF_PROG_TYPE.BPF_PROG_TYPE_XDP, 1)).toBe("XDP_DROP")
    expect(verdictName(BPF_PROG_TYPE.BPF_PROG_TYPE_SCHED_CLS, 0xffff_ffff)).toBe("TC_ACT_UNSPEC")
    expect(verdictName(BPF_PROG_TYPE.BPF_PROG_TYPE_SCHED_CLS, TC_ACTION.TC_ACT_SHOT)).toBe(
      "TC_ACT_SHOT",
    )
    expect(verdictName(BPF_PROG_TYPE.BPF_PROG_TYPE_SK_MSG, 0)).toBe("SK_DROP")
    expect(verdictName(BPF_PROG_TYPE.BPF_PROG_TYPE_CGROUP_DEVICE, 0)).toBe("deny")
    expect(verdictName(BPF_PROG_TYPE.BPF_PROG_TYPE_XDP, 77)).toBeUndefined()
    expect(verdictName(BPF_PROG_TYPE.BPF_PROG_TYPE_KPROBE, 0)).toBeUndefined()
  })
})

const btfThere = {
  name: "linux",
  available: kernelBtf() !== null && process.arch === "x64",
  reason: "no /sys/kernel/btf/vmlinux of an x86-64 kernel",
}

describeWith([btfThere], "context layouts", () => {
  const layouts = Object.values(CONTEXTS).filter(({ name }) => name !== "user_pt_regs")
  test.each(layouts.map((layout) => [layout.name, layout] as const))("%s", (name, layout) => {
    const btf = kernelBtf()!
    const id = btf.findByName(name, "struct")!
    expect(layout.sizeBytes).toBe(name === "bpf_raw_tracepoint_args" ? 0 : btf.sizeOf(id))
    const offsets = new Map<string, number>()
    const walk = (structId: number, base: number): void => {
      for (const member of btf.typeOf(structId, btf.kindOf(structId) as "struct").members) {
        const at = base + member.bitOffset / 8
        if (member.name !== "") offsets.set(member.name, at)
        const type = btf.resolve(member.type)
        if ((type.kind === "struct" || type.kind === "union") && anonymous.test(member.name))
          walk(type.id, at)
      }
    }
    // bpf_perf_event_data.regs holds the registers by name.
    const anonymous = name === "bpf_perf_event_data" ? /^(regs)?$/ : /^$/
    walk(id, 0)
    for (const field of layout.fields)
      expect(`${field.name} ${offsets.get(field.name)}`).toBe(`${field.name} ${field.offset}`)
  })
})

const loadCodes = new Map([
  [1, 0x71],
  [2, 0x69],
  [4, 0x61],
  [8, 0x79],
])
const storeCodes = new Map([
  [1, 0x73],
  [2, 0x6b],
  [4, 0x63],
  [8, 0x7b],
])

function accepts(known: Scenario, access: { offset: number; sizeBytes: number; write: boolean }) {
  const { offset, sizeBytes, write } = access
  const value = returnRange(known.type, known.attachType)?.min ?? 0
  const code = write
    ? [insn(0xb7, 2, 0, 0, 0), insn(storeCodes.get(sizeBytes)!, 1, 2, offset)]
    : [insn(loadCodes.get(sizeBytes)!, 2, 1, offset)]
  const instructions = [...code, insn(0xb7, 0, 0, 0, value), insn(0x95)]
  return tryLoad({ ...known, instructions, logLevel: 0 }).result >= 0
}

describeWith([requirement.linux()], "context access", () => {
  const seen = new Set<string>()
  const known = scenarios().filter((scenario) => {
    if (contextOf(scenario.type) === null || !loads(scenario)) return false
    // Attach types of kprobes and sk_skb change nothing here.
    const byAttachType = /SOCK|BIND|CONNECT|SENDMSG|RECVMSG|NAME|sockopt/.test(scenario.name)
    const key = byAttachType ? scenario.name : String(scenario.type)
    return !seen.has(key) && seen.add(key) !== undefined
  })

  test.each(known.map((scenario) => [scenario.name, scenario] as const))(
    "of %s programs is Linux's for every offset, width and direction",
    (_name, scenario) => {
      const end = (contextOf(scenario.type)!.sizeBytes || 96) + 8
      for (const sizeBytes of [1, 2, 4, 8])
        for (let offset = 0; offset < end; offset += sizeBytes)
          for (const write of [false, true]) {
            const access = { offset, sizeBytes, write }
            const ours = contextAccessAllowed(scenario.type, scenario.attachType, access)
            const text = `${write ? "store" : "load"} ${sizeBytes} at ${offset}:`
            expect(`${text} ${ours}`).toBe(`${text} ${accepts(scenario, access)}`)
          }
    },
  )

  test("ends in the return values that Linux accepts", () => {
    for (const scenario of scenarios().filter(loads)) {
      const range = returnRange(scenario.type, scenario.attachType)
      for (const value of [-1, 0, 1, 2, 3, 4]) {
        const instructions = [insn(0xb7, 0, 0, 0, value), insn(0x95)]
        const linux = tryLoad({ ...scenario, instructions, logLevel: 0 }).result >= 0
        const ours = range === null || (value >= range.min && value <= range.max)
        expect(`${scenario.name} ${value} ${ours}`).toBe(`${scenario.name} ${value} ${linux}`)
      }
    }
  })
})
