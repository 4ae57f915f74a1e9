/**
 * Helpers and kernel functions of helper-cases.ts: the same program on the running Linux and on an
 * embedded kernel with the running kernel's types leaves the same results.
 */

import { readFileSync } from "node:fs"
import { describe, expect, test } from "vitest"
import { type Btf, readBtf } from "../../src/btf/index.ts"
import { createEmbeddedKernel } from "../../src/kernel/index.ts"
import { createLinuxKernel } from "../../src/linux/index.ts"
import type { HelperCase } from "../kernel/helpers/macros.ts"
import { runCase } from "../kernel/helpers/sides.ts"
import { load, run, unload } from "../kernel/testrun/sides.ts"
import { describeWith, requirement } from "../support/requirements.ts"
import { expectedCases, helperCases } from "./helper-cases.ts"

/** Names of types and functions replaced by ids and offsets; undefined when this Linux lacks one. */
function resolve(btf: Btf, item: HelperCase): HelperCase | undefined {
  let missing = false
  const known = (id: number | undefined): number => {
    if (id === undefined) missing = true
    return id ?? 0
  }
  const offsetOf = (struct: string, member: string): number => {
    const type = btf.type(known(btf.findByName(struct, "struct")))
    const fields = type.kind === "struct" ? flatten(btf, type.members, 0) : []
    return known(fields.find(([name]) => name === member)?.[1])
  }
  const text = item.program.text
    .replace(
      /call kfunc (\w+)/g,
      (_, name) => `call kernel-function#${known(btf.findByName(name, "func"))}`,
    )
    .replace(/@id\((\w+)\)/g, (_, name) => `${known(btf.findByName(name, "struct"))}`)
    .replace(/@offset\((\w+)\.(\w+)\)/g, (_, struct, member) => `${offsetOf(struct, member)}`)
  return missing ? undefined : { ...item, program: { ...item.program, text } }
}

type Members = readonly {
  readonly name: string
  readonly type: number
  readonly bitOffset: number
}[]

/** Members by name with their byte offset, those of anonymous members included. */
function flatten(btf: Btf, members: Members, base: number): [string, number][] {
  return members.flatMap(({ name, type, bitOffset }): [string, number][] => {
    const at = base + bitOffset / 8
    const inner = name === "" ? btf.resolve(type) : null
    return inner !== null && "members" in inner
      ? flatten(btf, inner.members as Members, at)
      : [[name, at]]
  })
}

describeWith([requirement.linux()], "helpers on both kernels", () => {
  const btf = readBtf(readFileSync("/sys/kernel/btf/vmlinux"))
  const linux = createLinuxKernel()
  const embedded = createEmbeddedKernel({ cpus: linux.possibleCpus, btf })

  for (const [topic, cases] of Object.entries(helperCases))
    describe(topic, () => {
      test.each(cases.map((item) => [item.name, item] as const))("%s", (_, item) => {
        const resolved = resolve(btf, item)
        if (resolved === undefined) {
          console.warn(`skipped: ${item.name}: this Linux lacks what it names`)
          return
        }
        expect(runCase(embedded, resolved)).toEqual(runCase(linux, resolved))
      })
    })
})

describe("helpers that this Linux does not let be compared", () => {
  // Some of them are only for programs that are bound to a device, or for objects that are missing.
  const kernel = createEmbeddedKernel({ verify: false })
  const btf = readBtf(kernel.vmlinuxBtf() ?? new Uint8Array(0))

  test.each(expectedCases.map(([item, slots]) => [item.name, item, slots] as const))(
    "%s",
    (_, item, slots) => {
      const resolved = resolve(btf, item)
      expect(resolved).toBeDefined()
      if (resolved === undefined) return
      const program = load(kernel, resolved.program)
      expect(run(kernel, program.fd, resolved.input).result).toBe("0")
      const value = new Uint8Array(512)
      const map_fd = program.maps.get("out") ?? -1
      kernel.bpf("MAP_LOOKUP_ELEM", { map_fd, key: new Uint8Array(4), value })
      unload(kernel, program)
      expect([...new BigInt64Array(value.buffer, 0, slots.length)]).toEqual(slots)
    },
  )
})
