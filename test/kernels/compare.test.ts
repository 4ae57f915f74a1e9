/** The two kernels agree: return value, packet, context and maps, on real packets. */

import { afterAll, expect, test } from "vitest"
import { embeddedKernel } from "../../src/api/embedded.ts"
import { linuxKernel } from "../../src/api/linux.ts"
import { describeWith, requirement } from "../support/requirements.ts"
import { compareObject } from "./compare-object.ts"
import { comparedObjects } from "./objects.ts"
import { ethernetFrames } from "./packets.ts"
import { pinToCpu0 } from "./pin.ts"

const PACKETS = 200
const OBJECTS_MIN = 40

describeWith([requirement.linux()], "the embedded kernel and Linux", () => {
  let compared = 0

  for (const object of comparedObjects())
    test(`agree on ${object.name}`, async () => {
      pinToCpu0()
      const host = linuxKernel()
      using guest = embeddedKernel({ cpus: host.cpus })
      const result = await compareObject([guest, host], object, ethernetFrames(PACKETS))
      expect(result.differences).toEqual([])
      if (result.skipped === null) {
        compared++
        expect(result.refused).toBeLessThan(result.runs)
      }
    })

  afterAll(() => {
    expect(compared).toBeGreaterThanOrEqual(OBJECTS_MIN)
  })
})
