/**
 * Kernel functions: the same program on the running Linux and on an embedded kernel with the
 * running kernel's types (so that the BTF ids of the calls are the same) gives the same results.
 */

import { readFileSync } from "node:fs"
import { expect, test } from "vitest"
import { readBtf } from "../../../src/btf/index.ts"
import { createEmbeddedKernel } from "../../../src/kernel/index.ts"
import { createLinuxKernel } from "../../../src/linux/index.ts"
import { describeWith, requirement } from "../../support/requirements.ts"
import { kfuncCases } from "./cases-kfuncs.ts"
import type { HelperCase } from "./macros.ts"
import { runCase } from "./sides.ts"

describeWith([requirement.linux()], "kernel functions on two kernels", () => {
  const btf = readBtf(readFileSync("/sys/kernel/btf/vmlinux"))
  const linux = createLinuxKernel()
  const embedded = createEmbeddedKernel({ cpus: linux.possibleCpus, btf })

  /** Calls by name become calls by BTF id; undefined when this Linux lacks one. */
  const resolve = (item: HelperCase): HelperCase | undefined => {
    let missing = false
    const text = item.program.text.replace(/call kfunc (\w+)/g, (_, name: string) => {
      const id = btf.findByName(name, "func")
      if (id === undefined) missing = true
      return `call kernel-function#${id}`
    })
    return missing ? undefined : { ...item, program: { ...item.program, text } }
  }

  test.each(kfuncCases.map((item) => [item.name, item] as const))("%s", (_, item) => {
    const resolved = resolve(item)
    if (resolved === undefined) {
      console.warn(`skipped: ${item.name}: this Linux lacks the function`)
      return
    }
    expect(runCase(embedded, resolved)).toEqual(runCase(linux, resolved))
  })
})
