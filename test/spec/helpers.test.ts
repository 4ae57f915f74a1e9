/**
 * The helper tables against the running kernel: ids against its BTF, availability against trial
 * loads of every helper in every program type, signatures against its `bpf_func_proto`s.
 */

import { describe, expect, test } from "vitest"
import {
  HELPER_NAMES,
  HELPERS,
  type Helper,
  type HelperArgument,
  type HelperResult,
  helperAllowed,
  helperByName,
  helperFor,
  helperRefusal,
} from "../../src/spec/index.ts"
import { describeWith, requirement } from "../support/requirements.ts"
import {
  callVerdict,
  helperIds,
  type KernelSignature,
  kernelBtf,
  kernelSignatures,
  loads,
  scenarios,
} from "./helper-probe.ts"

describe("helpers", () => {
  test("are found by id and by name, with or without bpf_", () => {
    expect(HELPERS[1].name).toBe("map_lookup_elem")
    expect(helperByName("bpf_map_lookup_elem")?.id).toBe(1)
    expect(helperByName("ktime_get_ns")?.id).toBe(5)
    expect(helperByName("no_such_helper")).toBeUndefined()
    expect(helperByName("unspec")).toBeUndefined()
    expect(helperFor(0, 1)).toBeUndefined()
    expect(helperFor(9999, 1)).toBeUndefined()
  })

  test("have as many C parameters as the verifier checks, unless variadic", () => {
    for (const { name, prototype, parameters } of HELPERS.slice(1)) {
      const list = prototype.slice(prototype.indexOf("(") + 1, -1)
      const count = list === "void" ? 0 : list.split(",").length
      if (!list.endsWith("...") && name !== "get_branch_snapshot" && name !== "get_cgroup_classid")
        expect(`${name} ${parameters.length}`).toBe(`${name} ${count}`)
    }
  })
})

const btfThere = {
  name: "linux",
  available: kernelBtf() !== null,
  reason: "/sys/kernel/btf/vmlinux is not there",
}

describeWith([btfThere], "helper ids", () => {
  test("are those of the running kernel's enum bpf_func_id", () => {
    const btf = kernelBtf()!
    const { values } = btf.typeOf(btf.findByName("bpf_func_id", "enum")!, "enum")
    const kernel = values.slice(0, HELPER_NAMES.length).map(({ name }) => name)
    expect(HELPER_NAMES.map((name) => `BPF_FUNC_${name}`)).toEqual(kernel)
  })
})

/** Which kernel options and lockdown take away, so that a trial cannot confirm them. */
const optional = /^(probe_write_user|override_return)$/

describeWith([requirement.linux()], "helper availability", () => {
  // One scenario of each type, and the attach types that change a helper.
  const representative = scenarios()
    .filter(loads)
    .filter(({ type, name }, at, all) => {
      const first = all.findIndex((other) => other.type === type) === at
      return first || /multi|iter tcp|setsockopt/.test(name)
    })

  test.each(
    scenarios()
      .filter(loads)
      .map((known) => [known.name, known] as const),
  )("in %s programs is Linux's", (_name, known) => {
    for (const id of helperIds) {
      const name = HELPER_NAMES[id]
      if (optional.test(name)) continue
      const verdict = callVerdict(known, id)
      const linux = verdict === "absent" || verdict === "refused" ? verdict : "allowed"
      const refusal = helperRefusal(id, known)
      const ours = refusal === null ? "allowed" : refusal === "absent" ? "absent" : "refused"
      expect(`${name} ${ours}`).toBe(`${name} ${linux}`)
    }
  })

  test("of GPL helpers depends on the license", () => {
    // struct_ops programs must be GPL compatible as a whole.
    for (const known of representative.filter(({ type }) => type !== 27)) {
      for (const id of helperIds.filter((id) => helperAllowed(id, known))) {
        const helper = helperFor(id, known.type, known.attachType)!
        if (optional.test(helper.name)) continue
        const verdict = callVerdict(known, id, { license: "Proprietary" })
        const gpl = verdict !== null && /GPL-restricted/.test(verdict)
        if (verdict === "absent" || verdict === "refused") continue
        expect(`${known.name} ${helper.name} ${helper.gplOnly}`).toBe(
          `${known.name} ${helper.name} ${gpl}`,
        )
      }
    }
  })

  test("of helpers that take the context first is visible in what R1 may be", () => {
    for (const known of representative) {
      for (const id of helperIds.filter((id) => helperAllowed(id, known))) {
        const helper = helperFor(id, known.type, known.attachType)!
        const verdict = callVerdict(known, id, { scalar: true })
        if (verdict === "sleeps" || verdict === "absent" || verdict === "refused") continue
        const wanted = /^R1 type=scalar expected=(.*)$/.exec(verdict ?? "")?.[1]
        expect(`${known.name} ${helper.name}: ${wanted?.startsWith("ctx") ?? false}`).toBe(
          `${known.name} ${helper.name}: ${takesContext(helper)}`,
        )
      }
    }
  })
})

function takesContext(helper: Helper): boolean {
  const first = helper.parameters[0]
  return first?.kind === "ctx" && !first.nullable
}

const argumentKinds = `none map key value mem arena size size0 ctx any spin_lock sock_common socket
  btf ringbuf_mem alloc_size0 btf_sock percpu func stack str timer kptr dynptr`.split(/\s+/)
const returnKinds = "int void map_value socket tcp_sock sock_common mem mem_or_btf btf".split(" ")

/** The number that the kernel would hold for an argument. Source: enum bpf_type_flag. */
function argumentWord(argument: HelperArgument): number {
  const kind = argument.kind === "fixed" ? "mem" : argument.kind
  return (
    argumentKinds.indexOf(kind) +
    (argument.nullable ? 0x100 : 0) +
    (argument.readonly ? 0x200 : 0) +
    (argument.release ? 0x2000 : 0) +
    (argument.uninit ? 0x8000 : 0) +
    (argument.dynptr === "local" ? 0x1_0000 : 0) +
    (argument.dynptr === "ringbuf" ? 0x2_0000 : 0) +
    (argument.kind === "fixed" ? 0x4_0000 : 0) +
    (argument.aligned ? 0x200_0000 : 0) +
    (argument.write ? 0x400_0000 : 0)
  )
}

function resultWord(result: HelperResult): number {
  return (
    returnKinds.indexOf(result.kind) +
    (result.nullable ? 0x100 : 0) +
    (result.readonly ? 0x200 : 0) +
    (result.ringbuf ? 0x400 : 0) +
    (result.trusted ? 0x10_0000 : 0)
  )
}

function describeSignature(signature: KernelSignature): string {
  const { gplOnly, packetAccess, mightSleep, fastcall, result, parameters, sizes } = signature
  const flags = [gplOnly, packetAccess, mightSleep, fastcall].map(Number).join("")
  const shown = parameters.map((word, i) =>
    (word & 0x4_0000) !== 0 ? `${word}/${sizes[i]}` : word,
  )
  return `${flags} ${result} ${shown.join(" ")}`
}

function describeHelper(helper: Helper): string {
  const { gplOnly, packetAccess, mightSleep, fastcall, result, parameters } = helper
  const flags = [gplOnly, packetAccess, mightSleep, fastcall].map(Number).join("")
  const words = parameters.map((argument) => {
    const word = argumentWord(argument)
    return argument.kind === "fixed" ? `${word}/${argument.sizeBytes}` : word
  })
  while (words.length < 5) words.push(0)
  return `${flags} ${resultWord(result)} ${words.join(" ")}`
}

/** Functions of helpers whose name is not `bpf_` and the helper's. */
const otherNames: Readonly<Record<string, string>> = {
  probe_read: "bpf_probe_read_compat",
  probe_read_str: "bpf_probe_read_compat_str",
  get_prandom_u32: "bpf_user_rnd_u32",
  setsockopt: "bpf_sock_ops_setsockopt",
  getsockopt: "bpf_sock_ops_getsockopt",
  redirect_map: "bpf_xdp_redirect_map",
  fib_lookup: "bpf_skb_fib_lookup",
  lwt_push_encap: "bpf_lwt_in_push_encap",
  sk_select_reuseport: "sk_select_reuseport",
  load_hdr_opt: "bpf_sock_ops_load_hdr_opt",
  store_hdr_opt: "bpf_sock_ops_store_hdr_opt",
  reserve_hdr_opt: "bpf_sock_ops_reserve_hdr_opt",
  check_mtu: "bpf_skb_check_mtu",
  get_func_ip: "bpf_get_func_ip_kprobe",
  get_func_arg: "get_func_arg",
  get_func_ret: "get_func_ret",
  get_func_arg_cnt: "get_func_arg_cnt",
  skb_output: "bpf_skb_event_output",
  xdp_output: "bpf_xdp_event_output",
}

describeWith([requirement.linux()], "helper signatures", () => {
  const functionOf = (name: string): string => otherNames[name] ?? `bpf_${name}`
  const wanted = new Set(HELPERS.slice(1).map(({ name }) => functionOf(name)))
  test("are the kernel's own bpf_func_proto structures", () => {
    const byFunction = new Map<string, string[]>()
    for (const signature of kernelSignatures(wanted)) {
      const known = byFunction.get(signature.function) ?? []
      byFunction.set(signature.function, [...known, describeSignature(signature)])
    }
    if (byFunction.size === 0) console.warn("skipped: kernel memory or symbols are not readable")
    for (const helper of HELPERS.slice(1)) {
      const kernel = byFunction.get(functionOf(helper.name))
      if (kernel === undefined) continue
      const ours = describeHelper(helper)
      if (!kernel.includes(ours)) expect(`${helper.name} ${ours}`).toBe(`${helper.name} ${kernel}`)
    }
    if (byFunction.size > 0) expect(byFunction.size).toBeGreaterThan(190)
  })
})
