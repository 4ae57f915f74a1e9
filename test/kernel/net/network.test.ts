/**
 * The virtual network as scenarios use it. What is expected here is what RFCs and Linux's manual
 * pages say; that Linux does the same is asked in test/kernels/sockets.
 */

import { describe, expect, test } from "vitest"
import { type EmbeddedKernel, embeddedKernel } from "../../../src/api/embedded.ts"
import { asm, program } from "../../../src/api/index.ts"
import { ethernet, icmp, ipv4 } from "../../../src/packet/index.ts"
import { BPF_ATTACH_TYPE } from "../../../src/spec/index.ts"

/** Two namespaces, connected by a veth pair, with a router between them. */
function routed(kernel: EmbeddedKernel): void {
  const [a, ra] = kernel.vethPair("a0", "ra")
  const [b, rb] = kernel.vethPair("b0", "rb")
  kernel.net
    .namespace("left")
    .take(a)
    .addAddress("a0", "10.0.1.2/24")
    .addRoute({ to: "default", via: "10.0.1.1" })
  kernel.net
    .namespace("right")
    .take(b)
    .addAddress("b0", "10.0.2.2/24")
    .addRoute({ to: "default", via: "10.0.2.1" })
  kernel.net
    .namespace("router")
    .take(ra)
    .take(rb)
    .addAddress("ra", "10.0.1.1/24")
    .addAddress("rb", "10.0.2.1/24")
}

describe("Sockets of the embedded kernel", () => {
  test("a connection carries data both ways and ends on both sides", () => {
    const kernel = embeddedKernel()
    const server = kernel.net.socket().bind("127.0.0.1:80").listen()
    const client = kernel.net.socket().connect("127.0.0.1:80")
    const peer = server.accept()
    expect(client.state).toBe("established")
    expect(client.send("hello")).toBe(5)
    expect(peer?.receiveText()).toBe("hello")
    peer?.send("there")
    expect(client.receiveText()).toBe("there")
    client.close()
    expect(peer?.receiveText()).toBe("")
    peer?.close()
    expect(client.state).toBe("close")
    kernel.close()
  })

  test("a megabyte arrives whole, in segments of the route's size", () => {
    const kernel = embeddedKernel()
    routed(kernel)
    kernel.net.namespace("router").writeSetting("net/ipv4/ip_forward", "1")
    const server = kernel.net.socket({ namespace: "right" }).bind("10.0.2.2:80").listen()
    const client = kernel.net.socket({ namespace: "left" }).connect("10.0.2.2:80")
    const data = Uint8Array.from({ length: 1 << 20 }, (_, i) => (i * 7) & 255)
    client.send(data)
    expect(server.accept()?.receive(1 << 21)?.data).toEqual(data)
    const sizes = kernel.interface("lo").counters.rxPackets
    expect(sizes).toBe(0)
    kernel.close()
  })

  test("a router that does not forward answers nothing; one that does, everything", () => {
    const kernel = embeddedKernel()
    routed(kernel)
    kernel.net.socket({ namespace: "right" }).bind("10.0.2.2:80").listen()
    const client = () => kernel.net.socket({ namespace: "left" })
    expect(() => client().connect("10.0.2.2:80")).toThrow(/ETIMEDOUT/)
    kernel.net.namespace("router").writeSetting("net/ipv4/ip_forward", "1")
    expect(client().connect("10.0.2.2:80").state).toBe("established")
    expect(() => client().connect("10.0.2.2:81")).toThrow(/ECONNREFUSED/)
    expect(() => client().connect("10.9.9.9:81")).toThrow(/ETIMEDOUT/)
    kernel.close()
  })

  test("datagrams to nobody come back as errors of a connected socket", () => {
    const kernel = embeddedKernel()
    const socket = kernel.net.socket({ type: "datagram" }).connect("127.0.0.1:9")
    expect(socket.send("x")).toBe(1)
    expect(() => socket.send("x")).toThrow(/ECONNREFUSED/)
    kernel.close()
  })

  test("lost segments are sent again as time passes", () => {
    const kernel = embeddedKernel()
    const [a, b] = kernel.vethPair("v0", "v1")
    kernel.net.namespace("other").take(b).addAddress("v1", "10.5.0.2/24")
    kernel.net.namespace().addAddress("v0", "10.5.0.1/24")
    const server = kernel.net.socket({ namespace: "other" }).bind("10.5.0.2:80").listen()
    const client = kernel.net.socket().connect("10.5.0.2:80")
    const peer = server.accept()
    const device = kernel.engine.network.devices.get(b.index)
    if (device === undefined) throw new Error("no device")
    device.up = false
    client.send("lost")
    expect(peer?.receive()).toBeUndefined()
    device.up = true
    kernel.clock.advance(3_000_000_000n)
    expect(peer?.receiveText()).toBe("lost")
    expect(a.counters.txPackets).toBeGreaterThan(3)
    kernel.close()
  })

  test("an echo request from outside is answered to where it came from", () => {
    const kernel = embeddedKernel()
    const device = kernel.interface("eth0")
    kernel.net.namespace().addAddress("eth0", "192.0.2.1/24")
    const request = ethernet(
      { dst: kernel.engine.network.find("eth0")?.mac ?? new Uint8Array(6) },
      ipv4(
        { src: "192.0.2.9", dst: "192.0.2.1" },
        icmp({ type: 8, id: 7, seq: 1 }, Uint8Array.of(1, 2, 3)),
      ),
    )
    device.receive(request)
    const [reply] = device.transmitted
    expect([...reply.subarray(26, 34)]).toEqual([192, 0, 2, 1, 192, 0, 2, 9])
    expect([...reply.subarray(34, 36)]).toEqual([0, 0])
    expect([...reply.subarray(38)]).toEqual([0, 7, 0, 1, 1, 2, 3])
    kernel.close()
  })
})

describe("Programs of routes and netkit devices", () => {
  test("an out program drops what takes its route", async () => {
    const kernel = embeddedKernel()
    const out = await kernel.loadProgram(
      program({ type: "lwt_out", instructions: asm`r0 = 2; exit` }),
    )
    kernel.vethPair("v0", "v1")
    kernel.net.namespace().addAddress("v0", "10.6.0.1/24")
    kernel.net.namespace().addRoute({ to: "10.7.0.0/16", device: "v0" }, { out })
    kernel.net.namespace().addNeighbour("v0", "10.7.0.1", "02:00:00:00:00:77")
    const socket = kernel.net.socket({ type: "datagram" })
    expect(() => socket.send("x", "10.7.0.1:5")).toThrow(/EPERM/)
    expect(kernel.interface("v0").counters.txPackets).toBe(0)
    kernel.close()
  })

  test("a netkit program decides what leaves its device", async () => {
    const kernel = embeddedKernel()
    kernel.net.netkitPair("nk0", "nk1")
    const drop = await kernel.loadProgram(
      program({ type: "sched_cls", instructions: asm`r0 = 2; exit` }),
    )
    const frame = new Uint8Array(60)
    kernel.interface("nk0").transmit(frame)
    expect(kernel.interface("nk1").counters.rxPackets).toBe(1)
    const fd = kernel.engine.bpf("LINK_CREATE", {
      prog_fd: drop.fd,
      target_ifindex: kernel.interface("nk0").index,
      attach_type: BPF_ATTACH_TYPE.BPF_NETKIT_PRIMARY,
    })
    expect(fd).toBeGreaterThan(0)
    kernel.interface("nk0").transmit(frame)
    expect(kernel.interface("nk1").counters.rxPackets).toBe(1)
    expect(kernel.interface("nk0").counters.txDropped).toBe(1)
    kernel.engine.close(fd)
    kernel.interface("nk0").transmit(frame)
    expect(kernel.interface("nk1").counters.rxPackets).toBe(2)
    kernel.close()
  })
})

describe("What goes wrong stays where it is", () => {
  const missing = 4711

  test("a redirect to a device that is not there drops the frame, and the next one passes", async () => {
    const kernel = embeddedKernel()
    const eth0 = kernel.interface("eth0")
    const away = await kernel.loadProgram(
      program({
        type: "xdp",
        instructions: asm`r1 = ${missing}; r2 = 0; call bpf_redirect; exit`,
      }),
    )
    const link = away.attach({ interface: "eth0" })
    expect(eth0.receive(new Uint8Array(60)).verdict).toBe("aborted")
    expect(eth0.counters.rxDropped).toBe(1)
    link.close()
    expect(eth0.receive(new Uint8Array(60)).verdict).toBe("pass")
    kernel.close()
  })

  test("a device that goes away takes its routes with it; connections over it time out", () => {
    const kernel = embeddedKernel()
    const [v0, v1] = kernel.vethPair("v0", "v1")
    kernel.net.namespace("other").take(v1).addAddress("v1", "10.5.0.2/24")
    kernel.net.namespace().addAddress("v0", "10.5.0.1/24")
    kernel.net.socket({ namespace: "other" }).bind("10.5.0.2:80").listen()
    const client = kernel.net.socket().connect("10.5.0.2:80")
    const device = kernel.engine.network.devices.get(v0.index)
    if (device === undefined) throw new Error("no device")
    kernel.engine.network.remove(device)
    expect(client.send("into the void")).toBe(13)
    expect(() => kernel.net.socket().connect("10.5.0.2:80")).toThrow(/ENETUNREACH/)
    kernel.clock.advance(3_600_000_000_000n)
    expect(() => client.receive()).toThrow(/ETIMEDOUT/)
    expect(client.state).toBe("close")
    kernel.close()
  })

  test("packets that go round in a circle run out of hops", () => {
    const kernel = embeddedKernel()
    const [a, b] = kernel.vethPair("v0", "v1")
    for (const [name, device, own, other] of [
      ["one", a, "10.5.0.1", "10.5.0.2"],
      ["two", b, "10.5.0.2", "10.5.0.1"],
    ] as const)
      kernel.net
        .namespace(name)
        .take(device)
        .addAddress(device.name, `${own}/24`)
        .addRoute({ to: "10.9.0.0/16", via: other })
        .writeSetting("net/ipv4/ip_forward", "1")
    const socket = kernel.net.socket({ namespace: "one", type: "datagram" })
    expect(socket.send("x", "10.9.0.1:5")).toBe(1)
    expect(a.counters.txPackets + b.counters.txPackets).toBeLessThan(70)
    kernel.close()
  })

  test("a program that faults on a socket's packet drops it, and the socket goes on", async () => {
    const kernel = embeddedKernel({ budget: 1000 })
    const loop = await kernel.loadProgram(
      program({
        type: "cgroup_skb",
        instructions: asm`
          r6 = 100000
        again:
          r6 += -1
          if r6 != 0 goto again
          r0 = 1
          exit`,
      }),
    )
    const cgroup = kernel.engine.openCgroup("/")
    const fd = kernel.engine.bpf("LINK_CREATE", {
      prog_fd: loop.fd,
      target_fd: cgroup,
      attach_type: BPF_ATTACH_TYPE.BPF_CGROUP_INET_INGRESS,
    })
    const one = kernel.net.socket({ type: "datagram" }).bind("127.0.0.1:5001")
    const other = kernel.net.socket({ type: "datagram" }).bind("127.0.0.1:5002")
    one.send("lost", "127.0.0.1:5002")
    expect(other.receive()).toBeUndefined()
    kernel.engine.close(fd)
    one.send("found", "127.0.0.1:5002")
    expect(other.receiveText()).toBe("found")
    kernel.close()
  })

  test("a thousand connections and attachments leave memory as it was", async () => {
    const kernel = embeddedKernel()
    const pass = await kernel.loadProgram(
      program({ type: "cgroup_skb", instructions: asm`r0 = 1; exit` }),
    )
    const cgroup = kernel.engine.openCgroup("/")
    const server = kernel.net.socket().bind("127.0.0.1:80").listen()
    const round = (): void => {
      const fd = kernel.engine.bpf("LINK_CREATE", {
        prog_fd: pass.fd,
        target_fd: cgroup,
        attach_type: BPF_ATTACH_TYPE.BPF_CGROUP_INET_EGRESS,
      })
      const client = kernel.net.socket().connect("127.0.0.1:80")
      const peer = server.accept()
      client.send("x")
      peer?.receive()
      client.close()
      peer?.close()
      kernel.engine.close(fd)
      kernel.clock.advance(120_000_000_000n)
    }
    for (let i = 0; i < 50; i++) round()
    const before = kernel.engine.state.memory.allocatedBytes
    for (let i = 0; i < 1000; i++) round()
    expect(kernel.engine.state.memory.allocatedBytes).toBe(before)
    expect(kernel.engine.network.inet.initial.sockets.all().length).toBe(1)
    kernel.close()
  })
})
