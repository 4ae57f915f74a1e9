/**
 * Random sequences of packet helpers with random arguments, on both kernels: the same results,
 * packet and context. SKEP_FUZZ scales the number of programs; the seed is printed.
 */

import { isDeepStrictEqual } from "node:util"
import { afterAll, describe, expect, test } from "vitest"
import { createEmbeddedKernel } from "../../../src/kernel/index.ts"
import { createRandom } from "../../../src/kernel/random.ts"
import { createLinuxKernel } from "../../../src/linux/index.ts"
import { describeWith, requirement } from "../../support/requirements.ts"
import { arp, context, doubleTagged, frame, llc, tagged, udp4, udp6 } from "../testrun/packets.ts"
import * as make from "./cases-packets.ts"
import type { HelperCase } from "./macros.ts"
import { runCase } from "./sides.ts"

const SEED = Number(process.env.SKEP_FUZZ_SEED ?? Date.now() % 1_000_000)
const PROGRAMS = 60 * Number(process.env.SKEP_FUZZ ?? 1)
const STEPS = 12
const packets = [udp4, udp6, arp, tagged, doubleTagged, llc, frame(60), frame(1514)]

type Random = () => number

/** An integer in `[low, high]`, or at times a value at the edge of what helpers take. */
function near(random: Random, low: number, high: number): number {
  if (random() % 12 === 0) return [0, 1, -1, 0xffff, 0x10000, 0x7fffffff][random() % 6]
  return low + (random() % (high - low + 1))
}

/** Steps on a tc packet; each leaves its result in a slot. */
const skbSteps: readonly ((slot: number, random: Random) => string)[] = [
  (slot, random) => make.store(slot, near(random, 0, 120), 1 + (random() % 16), random() % 4),
  (slot, random) => make.onPacket(slot, "skb_change_tail", near(random, 14, 300), 0),
  (slot, random) => make.onPacket(slot, "skb_change_head", near(random, 0, 40), 0),
  (slot, random) => make.onPacket(slot, "skb_pull_data", near(random, 0, 300)),
  (slot, random) =>
    make.onPacket(slot, "skb_change_proto", make.swapped(random() % 2 ? 0x86dd : 0x0800), 0),
  (slot, random) => make.onPacket(slot, "skb_change_type", random() % 5),
  (slot, random) =>
    make.room(slot, near(random, -60, 60), random() % 2, [0, 0, 0, 2, 4, 0x22, 0x40][random() % 7]),
  (slot, random) => make.push(slot, random() % 2 ? 0x8100 : 0x88a8, random() & 0xffff),
  (slot) => make.pop(slot),
  (slot, random) =>
    make.l3(slot, near(random, 10, 60), random() & 0xffff, random() & 0xffff, random() % 2 ? 2 : 4),
  (slot, random) =>
    make.l4(
      slot,
      near(random, 10, 80),
      random() | 0,
      random() | 0,
      [2, 4, 0x12, 0x14][random() % 4],
    ),
  (slot, random) => make.onPacket(slot, "csum_level", random() % 4),
  (slot, random) => make.onPacket(slot, "set_hash", random() | 0),
]

const xdpSteps: readonly ((slot: number, random: Random) => string)[] = [
  (slot, random) => make.adjust(slot, "head", near(random, -120, 60)),
  (slot, random) => make.adjust(slot, "tail", near(random, -60, 400)),
  (slot, random) => make.adjust(slot, "meta", near(random, -16, 16) & ~(random() % 4 ? 3 : 0)),
  (slot) => make.onPacket(slot, "xdp_get_buff_len"),
]

function sequence(random: Random, index: number): HelperCase {
  const tc = random() % 3 !== 0
  const steps = tc ? skbSteps : xdpSteps
  const body = Array.from({ length: STEPS }, (_, slot) =>
    steps[random() % steps.length](slot, random),
  )
  const data = packets[random() % packets.length]
  const name = `${index}: ${tc ? "tc" : "xdp"}`
  if (tc) return make.tc(name, body.join("\n"), data, { room: 20_000 })
  const meta =
    random() % 3 === 0
      ? {
          context: context(24, [
            [0, 8],
            [4, data.length],
          ]),
          contextRoom: 24,
        }
      : {}
  return make.xdp(name, body.join("\n"), data, { room: 20_000, ...meta })
}

describeWith([requirement.linux()], `random sequences of packet helpers, seed ${SEED}`, () => {
  const linux = createLinuxKernel()
  const embedded = createEmbeddedKernel({ cpus: linux.possibleCpus })
  afterAll(() => embedded.dispose())
  describe(`${PROGRAMS} programs of ${STEPS} calls`, () => {
    test("agree", () => {
      const random = createRandom(SEED)
      for (let index = 0; index < PROGRAMS; index++) {
        const item = sequence(random, index)
        // Linux moves bytes from behind the packet when headers lie beyond its end: what is there
        // is chance, so a difference counts only if it stays.
        let [actual, expected] = [runCase(embedded, item), runCase(linux, item)]
        for (let again = 0; again < 3 && !isDeepStrictEqual(actual, expected); again++)
          [actual, expected] = [runCase(embedded, item), runCase(linux, item)]
        expect(actual, item.program.text).toEqual(expected)
      }
    })
  })
})
