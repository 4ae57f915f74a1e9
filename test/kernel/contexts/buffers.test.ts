/**
 * Packet buffers: where the packet lies, what the context says of it, and what stays true while
 * helpers move its borders. Sizes are those of linux v6.18 (XDP_PACKET_HEADROOM, xdp_frame,
 * skb_shared_info).
 */

import { describe, expect, test } from "vitest"
import { REGION_TAG } from "../../../src/interpreter/index.ts"
import {
  BPF_SOCK,
  ETH_HLEN,
  SHARED_INFO_BYTES,
  SKB,
  SkBuffer,
  XDP_FRAME_SIZE,
  XDP_MD,
  XDP_PACKET_HEADROOM,
  XdpBuffer,
} from "../../../src/kernel/contexts/index.ts"
import { createKernelMemory, type KernelMemory } from "../../../src/kernel/memory/index.ts"
import { frame, tagged, udp4, udp6 } from "../testrun/packets.ts"

const memory: KernelMemory = createKernelMemory({ initialBytes: 2 ** 21 })
const u32 = (at: number): number => memory.view.getUint32(at, true)
const bounds = (region: number): number[] => [memory.regionStart[region], memory.regionEnd[region]]

describe("XDP frames", () => {
  test("a frame has 256 bytes before it, and the context points to it", () => {
    const xdp = new XdpBuffer(memory)
    xdp.load(udp4, { ingressIfindex: 7, queue: 2 })
    expect(xdp.data - xdp.hardStart).toBe(XDP_PACKET_HEADROOM)
    expect(xdp.hardEnd - xdp.hardStart).toBe(XDP_FRAME_SIZE)
    const fields = ["data", "data_end", "data_meta", "ingress_ifindex", "rx_queue_index"]
    expect(fields.map((field) => u32(xdp.context + XDP_MD[field]))).toEqual([
      xdp.data,
      xdp.data + udp4.length,
      xdp.data,
      7,
      2,
    ])
    expect(bounds(xdp.region)).toEqual([xdp.data, xdp.dataEnd])
    expect(memory.contextTag(xdp.contextRegion, XDP_MD.data)).toBe(REGION_TAG | xdp.region)
    expect(memory.contextTag(xdp.contextRegion, XDP_MD.rx_queue_index)).toBe(0)
    xdp.free()
  })

  test("metadata lies before the packet, inside the region", () => {
    const xdp = new XdpBuffer(memory)
    xdp.load(udp4, { ingressIfindex: 1, metaBytes: 8 })
    expect(xdp.data - xdp.dataMeta).toBe(8)
    expect(xdp.dataMeta - xdp.hardStart).toBe(XDP_PACKET_HEADROOM - 8)
    expect(bounds(xdp.region)).toEqual([xdp.dataMeta, xdp.dataEnd])
    expect(xdp.frame()).toEqual(udp4.subarray(8))
    expect(xdp.frame(true)).toEqual(udp4)
    xdp.free()
  })

  test("what does not fit goes into fragments of a page, and comes back whole", () => {
    const xdp = new XdpBuffer(memory)
    const jumbo = frame(9000)
    xdp.load(jumbo, { ingressIfindex: 1 })
    const linear = XDP_FRAME_SIZE - XDP_PACKET_HEADROOM - SHARED_INFO_BYTES
    expect(xdp.dataEnd - xdp.data).toBe(linear)
    expect(xdp.fragments.map((fragment) => fragment.length)).toEqual([4096, 9000 - linear - 4096])
    expect(xdp.length).toBe(9000)
    expect(xdp.frame()).toEqual(jumbo)
    xdp.free()
  })

  test("freeing gives back all memory", () => {
    const before = memory.allocatedBytes
    new XdpBuffer(memory).free()
    new SkBuffer(memory).free()
    const skb = new SkBuffer(memory)
    skb.load(udp4, { ifindex: 1 })
    skb.reserve(5000, 5000)
    skb.free()
    expect(memory.allocatedBytes).toBe(before)
  })
})

describe("socket buffers", () => {
  test("tc programs begin at the Ethernet header, sockets and cgroups at the network header", () => {
    const skb = new SkBuffer(memory)
    skb.load(udp4, { ifindex: 3, ingressIfindex: 3 })
    expect([skb.get("len"), skb.networkHeader - skb.data, skb.protocol]).toEqual([
      udp4.length,
      ETH_HLEN,
      0x0800,
    ])
    skb.load(udp4, { ifindex: 3, networkLayer: true })
    expect([skb.get("len"), skb.networkHeader - skb.data]).toEqual([udp4.length - ETH_HLEN, 0])
    expect(skb.bytes()).toEqual(udp4.subarray(ETH_HLEN))
    expect(skb.frame()).toEqual(udp4)
    skb.free()
  })

  test("making room moves the packet and everything that points into it", () => {
    const skb = new SkBuffer(memory)
    skb.load(udp6, { ifindex: 1 })
    const network = skb.networkHeader - skb.data
    expect(skb.reserve(3000, 3000)).toBe(true)
    skb.syncContext()
    expect(skb.headroom).toBeGreaterThanOrEqual(3000)
    expect(skb.hardEnd - skb.dataEnd).toBeGreaterThanOrEqual(3000)
    expect(skb.bytes()).toEqual(udp6)
    expect(skb.networkHeader - skb.data).toBe(network)
    expect(u32(skb.context + SKB.data)).toBe(skb.data)
    expect(bounds(skb.region)).toEqual([skb.data, skb.dataEnd])
    skb.free()
  })

  test("a tag beside the packet is in the context, and in the frame that leaves", () => {
    const skb = new SkBuffer(memory)
    skb.load(udp4, { ifindex: 1 })
    skb.vlan = { protocol: 0x8100, tci: 0x6064 }
    skb.syncContext()
    const fields = ["vlan_present", "vlan_tci", "vlan_proto", "len"]
    expect(fields.map((field) => skb.get(field))).toEqual([1, 0x6064, 0x0081, udp4.length])
    expect(skb.frame()).toEqual(tagged)
    skb.free()
  })

  test("the socket shows the addresses in the order of bpf_sock", () => {
    const skb = new SkBuffer(memory)
    const source = Uint8Array.of(10, 0, 0, 1)
    const destination = Uint8Array.of(10, 0, 0, 2)
    skb.load(udp4, {
      ifindex: 1,
      socket: { family: 2, source, destination, sourcePort: 80, destinationPort: 1234 },
    })
    const at = (field: string): number => skb.socket + BPF_SOCK[field]
    expect(memory.read(at("src_ip4"), 4)).toEqual(source)
    expect(memory.read(at("dst_ip4"), 4)).toEqual(destination)
    // The local port is in host order, the remote one in network order.
    expect(memory.view.getUint32(at("src_port"), true)).toBe(80)
    expect(memory.view.getUint16(at("dst_port"), false)).toBe(1234)
    expect(memory.view.getInt32(skb.context + SKB.sk + 4, true)).toBe(REGION_TAG | skb.socketRegion)
    skb.setSocket(null)
    expect(memory.view.getBigUint64(skb.context + SKB.sk, true)).toBe(0n)
    skb.free()
  })

  test("a packet of a device says broadcast, multicast, other host by its address", () => {
    const skb = new SkBuffer(memory)
    const mac = Uint8Array.of(2, 0, 0, 0, 0, 1)
    const type = (first: number, rest: number): number => {
      const packet = udp4.slice()
      packet.fill(rest, 0, 6)
      packet[0] = first
      skb.load(packet, { ifindex: 2, mac })
      return skb.get("pkt_type")
    }
    expect(type(0xff, 0xff)).toBe(1)
    expect(type(0x01, 0)).toBe(2)
    expect(type(0x02, 7)).toBe(3)
    skb.load(udp4, { ifindex: 2, mac })
    expect(skb.get("pkt_type")).toBe(0)
    skb.free()
  })
})
