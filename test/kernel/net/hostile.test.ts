/** Frames that nobody should send: the stack takes them all, and goes on. */

import { expect, test } from "vitest"
import { type EmbeddedKernel, embeddedKernel } from "../../../src/api/embedded.ts"
import { ethernet, icmp, ipv4, ipv6, tcp, udp } from "../../../src/packet/index.ts"

const ROUNDS = 1500 * Number(process.env["SKEP_FUZZ"] ?? 1)

/** xorshift32 */
function randomOf(seed: number): () => number {
  let state = seed || 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state >>> 0
  }
}

function templates(mac: Uint8Array): Uint8Array[] {
  const four = { src: "192.0.2.9", dst: "192.0.2.1" }
  const six = { src: "2001:db8::9", dst: "2001:db8::1" }
  const syn = tcp({ srcPort: 1234, dstPort: 80, flags: ["syn"] })
  const data = tcp({ srcPort: 1234, dstPort: 80, flags: ["ack", "psh"], seq: 7, ack: 9 }, "data")
  const datagram = udp({ srcPort: 5, dstPort: 53 }, "question")
  return [
    ...[syn, data, datagram, icmp({ type: 8 }, "echo"), icmp({ type: 3, code: 3 }, "quoted")].map(
      (layer) => ethernet({ dst: mac }, ipv4(four, layer)),
    ),
    ...[syn, data, datagram].map((layer) => ethernet({ dst: mac }, ipv6(six, layer))),
  ]
}

function host(): { kernel: EmbeddedKernel; mac: Uint8Array } {
  const kernel = embeddedKernel()
  const eth0 = kernel.interface("eth0")
  kernel.net.namespace().addAddress("eth0", "192.0.2.1/24").addAddress("eth0", "2001:db8::1/64")
  kernel.net.namespace().writeSetting("net/ipv4/ip_forward", "1")
  kernel.net.socket({ family: "inet6" }).bind("[::]:80").listen()
  kernel.net.socket({ family: "inet6", type: "datagram" }).bind("[::]:53")
  expect(eth0.index).toBeGreaterThan(1)
  return { kernel, mac: kernel.engine.network.find("eth0")?.mac ?? new Uint8Array(6) }
}

test("damaged frames of every protocol are taken without harm", () => {
  const seed = 20_251_125
  const random = randomOf(seed)
  const { kernel, mac } = host()
  const eth0 = kernel.interface("eth0")
  const valid = templates(mac)
  for (let round = 0; round < ROUNDS; round++) {
    const frame = valid[random() % valid.length].slice(0, 14 + (random() % 100))
    const changes = random() % 6
    for (let i = 0; i < changes; i++) {
      // Behind the link-layer addresses, which would keep the frame from the stack.
      const at = 12 + (random() % Math.max(1, frame.length - 12))
      if (at < frame.length) frame[at] = random()
    }
    expect(() => eth0.receive(frame), `seed ${seed}, round ${round}`).not.toThrow()
  }
  const client = kernel.net.socket().connect("192.0.2.1:80")
  expect(client.state).toBe("established")
  kernel.close()
})

test("segments of a connection in any order and state do no harm", () => {
  const seed = 4711
  const random = randomOf(seed)
  const { kernel, mac } = host()
  const eth0 = kernel.interface("eth0")
  const flags = ["syn", "ack", "fin", "rst", "psh", "urg"] as const
  for (let round = 0; round < ROUNDS; round++) {
    const chosen = flags.filter(() => random() % 3 === 0)
    const segment = tcp(
      {
        srcPort: 1000 + (random() % 4),
        dstPort: 80,
        flags: chosen,
        seq: random() % 4,
        ack: (0x1000_0000 + (random() % 0x4_0000)) >>> 0,
      },
      random() % 2 ? "x" : "",
    )
    const frame = ethernet({ dst: mac }, ipv4({ src: "192.0.2.9", dst: "192.0.2.1" }, segment))
    expect(() => eth0.receive(frame), `seed ${seed}, round ${round}`).not.toThrow()
    if (round % 100 === 0) kernel.clock.advance(1_000_000_000n)
  }
  kernel.clock.advance(3_600_000_000_000n)
  expect(kernel.net.socket().connect("192.0.2.1:80").state).toBe("established")
  kernel.close()
})
