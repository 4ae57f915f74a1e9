/** The table of kfuncs against the running kernel: names, prototypes, and who may call them. */

import { describe, expect, test } from "vitest"
import { KFUNCS, kfuncAllowed, kfuncByName } from "../../src/spec/index.ts"
import { describeWith, requirement } from "../support/requirements.ts"
import { kernelBtf, kernelKfuncFlags, loads, scenarios } from "./helper-probe.ts"
import { insn, tryLoad } from "./trial.ts"

describe("kfuncs", () => {
  test("have flags and a prototype", () => {
    expect(kfuncByName("bpf_task_acquire")).toMatchObject({
      flags: ["acquire", "ret_null", "rcu"],
      prototype: "struct task_struct *(struct task_struct *p)",
    })
    expect(kfuncByName("bpf_iter_num_new")?.flags).toEqual(["iter_new"])
    expect(kfuncByName("vfs_read")).toBeUndefined()
    expect(new Set(KFUNCS.map(({ name }) => name)).size).toBe(KFUNCS.length)
  })
})

const btfThere = {
  name: "linux",
  available: kernelBtf()?.findByName("bpf_kfunc", "decl_tag") !== undefined,
  reason: "the kernel's BTF has no bpf_kfunc tags",
}

describeWith([btfThere], "kfuncs in the running kernel's BTF", () => {
  const btf = kernelBtf()!
  const tagged = new Set<string>()
  for (const id of btf.findAll("bpf_kfunc", "decl_tag"))
    tagged.add(btf.type(btf.typeOf(id, "decl_tag").type).name)

  test("are in the table, but for tests and algorithms", () => {
    const own = /^(bbr_|cubictcp_|bpf_fentry_test|bpf_modify_return|bpf_kfunc_call_|__bpf_trap)/
    const missing = [...tagged].filter((name) => !own.test(name) && !kfuncByName(name))
    expect(missing).toEqual([])
  })

  test("have the parameters that the table says", () => {
    for (const { name, prototype } of KFUNCS.filter((kfunc) => tagged.has(kfunc.name))) {
      const proto = btf.typeOf(btf.findByName(name, "func")!, "func").type
      const names = btf.typeOf(proto, "func_proto").params.map((parameter) => parameter.name)
      for (const parameter of names) expect(`${name} ${prototype}`).toContain(parameter)
    }
  })
})

const flagBits = `acquire release ret_null 8 trusted_args sleepable destructive rcu iter_new
  iter_next iter_destroy rcu_protected fastcall arena_ret arena_arg1 arena_arg2`.split(/\s+/)

describeWith([requirement.linux(), btfThere], "flags of kfuncs", () => {
  test("are those of the kernel's own sets", () => {
    const btf = kernelBtf()!
    const ids = new Map(KFUNCS.map((kfunc) => [btf.findByName(kfunc.name, "func") ?? 0, kfunc]))
    const tagged = btf.findAll("bpf_kfunc", "decl_tag").map((id) => btf.typeOf(id, "decl_tag").type)
    const kernel = kernelKfuncFlags(new Set(tagged))
    if (kernel.size === 0) console.warn("skipped: kernel memory or symbols are not readable")
    else expect(kernel.size).toBeGreaterThan(150)
    for (const [id, { name, flags }] of ids) {
      const word = kernel.get(id)
      if (word === undefined) continue
      const linux = flagBits.filter((_flag, bit) => (word & (1 << bit)) !== 0)
      expect(`${name} ${flags.join(" ")}`).toBe(`${name} ${linux.join(" ")}`)
    }
  })
})

describeWith([requirement.linux(), btfThere], "callers of kfuncs", () => {
  const seen = new Set<string>()
  const known = scenarios().filter((scenario) => {
    const key = `${scenario.type} ${/iter tcp|session|tp_btf/.test(scenario.name)}`
    return loads(scenario) && !seen.has(key) && seen.add(key) !== undefined
  })

  test.each(known.map((scenario) => [scenario.name, scenario] as const))(
    "are Linux's for %s programs",
    (_name, scenario) => {
      const btf = kernelBtf()!
      for (const kfunc of KFUNCS) {
        const id = btf.findByName(kfunc.name, "func")
        if (id === undefined) continue
        const code = [insn(0x85, 0, 2, 0, id), insn(0xb7, 0, 0, 0, 0), insn(0x95)]
        const { log } = tryLoad({ ...scenario, instructions: code })
        const refused = /calling kernel function .* is not allowed/.test(log)
        const ours = kfuncAllowed(kfunc, scenario.type, scenario.attachType)
        expect(`${kfunc.name} ${ours}`).toBe(`${kfunc.name} ${!refused}`)
      }
    },
  )
})
