/**
 * Helpers: the same program on the running Linux and on the embedded kernel gives the same return
 * value, packet and map contents.
 */

import { describe, expect, test } from "vitest"
import { createEmbeddedKernel } from "../../../src/kernel/index.ts"
import { createLinuxKernel } from "../../../src/linux/index.ts"
import { describeWith, requirement } from "../../support/requirements.ts"
import { mapCases } from "./cases-maps.ts"
import { packetCases } from "./cases-packets.ts"
import { ringCases } from "./cases-rings.ts"
import { textCases } from "./cases-text.ts"
import type { HelperCase } from "./macros.ts"
import { runCase } from "./sides.ts"

describeWith([requirement.linux()], "helpers on two kernels", () => {
  const linux = createLinuxKernel()
  const embedded = createEmbeddedKernel({ cpus: linux.possibleCpus })
  const table: readonly (readonly [string, readonly HelperCase[]])[] = [
    ["maps, loops and strings", mapCases],
    ["text and memory", textCases],
    ["packets", packetCases],
    ["rings and dynptrs", ringCases],
  ]
  for (const [topic, cases] of table)
    describe(topic, () => {
      test.each(cases.map((item) => [item.name, item] as const))("%s", (_, item) => {
        expect(runCase(embedded, item)).toEqual(runCase(linux, item))
      })
    })
})
