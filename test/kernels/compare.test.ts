/** The two kernels agree: return value, packet, context and maps, on real packets. */

import { afterAll, beforeAll, expect, test } from "vitest"
import { embeddedKernel } from "../../src/api/embedded.ts"
import { linuxKernel } from "../../src/api/linux.ts"
import { pinToCpu } from "../../src/linux/index.ts"
import { describeWith, requirement } from "../support/requirements.ts"
import { compareListed } from "./compare-listed.ts"
import { comparedObjects } from "./objects.ts"
import { ethernetFrames } from "./packets.ts"

const PACKETS = 200
const OBJECTS_MIN = 40

describeWith([requirement.linux()], "the embedded kernel and Linux", () => {
  let compared = 0
  let unpin: (() => void) | null = null

  beforeAll(() => {
    unpin = pinToCpu(0)
    expect(unpin).not.toBeNull()
  })

  for (const object of comparedObjects())
    test(`agree on ${object.name}`, () => {
      const host = linuxKernel()
      using guest = embeddedKernel({ cpus: host.cpus })
      const result = compareListed([guest, host], object, ethernetFrames(PACKETS))
      expect(result.differences).toEqual([])
      if (result.skipped === null) {
        compared++
        expect(result.refused).toBeLessThan(result.runs)
      }
    })

  afterAll(() => {
    unpin?.()
    expect(compared).toBeGreaterThanOrEqual(OBJECTS_MIN)
  })
})
