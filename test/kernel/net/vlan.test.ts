import { asm, program } from "skep"
import { embeddedKernel, ethernet, ipv4, udp, vlan } from "skep/testing"
import { expect, test } from "vitest"

// linux v6.18 net/core/dev.c __netif_receive_skb_core: skb_vlan_untag comes before tc ingress.

const inner = ipv4({ src: "10.0.0.1", dst: "10.0.0.2" }, udp({ srcPort: 1, dstPort: 2 }, "hello"))

const FORMAT = new DataView(new TextEncoder().encode("%u %u %u").buffer).getBigUint64(0, true)

/** Prints len, vlan_tci and protocol of the packet. */
const observer = asm`
  r6 = r1
  *(u64 *)(r10 -8) = 0
  r1 = ${FORMAT} ll
  *(u64 *)(r10 -16) = r1
  r3 = *(u32 *)(r6 +0)
  r4 = *(u32 *)(r6 +24)
  r5 = *(u32 *)(r6 +16)
  r1 = r10
  r1 += -16
  r2 = 9
  call bpf_trace_printk
  r0 = 0
  exit`

async function seenAtIngress(frame: Uint8Array): Promise<{ line: string; delivered: Uint8Array }> {
  using kernel = embeddedKernel()
  const device = kernel.interface("eth0")
  using observe = await kernel.loadProgram(
    program({ type: "sched_cls", name: "observe", instructions: observer }),
  )
  using _link = observe.attach({ interface: "eth0", direction: "ingress" })
  const { frame: delivered } = device.receive(frame)
  return { line: kernel.trace().join(), delivered }
}

/** htons */
const swap = (value: number): number => ((value & 0xff) << 8) | (value >> 8)

test("a tag lies beside the packet at tc ingress and is back in the frame that is delivered", async () => {
  const frame = ethernet({}, vlan({ id: 5, priority: 3 }, inner))
  const { line, delivered } = await seenAtIngress(frame)
  expect(line).toContain(` ${frame.length - 4} ${(3 << 13) | 5} ${swap(0x0800)}`)
  expect(delivered).toEqual(frame)
})

test("of two tags only the outer one is taken off", async () => {
  const frame = ethernet({}, vlan({ id: 100, tpid: 0x88a8 }, vlan({ id: 7 }, inner)))
  const { line, delivered } = await seenAtIngress(frame)
  expect(line).toContain(` ${frame.length - 4} 100 ${swap(0x8100)}`)
  expect(delivered).toEqual(frame)
})

test("frames without a tag are left alone, and so is a tag that nothing follows", async () => {
  const plain = ethernet({}, inner)
  expect((await seenAtIngress(plain)).line).toContain(` ${plain.length} 0 ${swap(0x0800)}`)
  const cut = ethernet({}, vlan({ id: 5 }, inner)).slice(0, 18)
  expect((await seenAtIngress(cut)).line).toContain(` 18 0 ${swap(0x8100)}`)
})
