/** For each program of the guides: it is loaded, fired, and what its text promises is asserted. */

import { parseObject } from "skep"
import {
  dissect,
  ethernet,
  findHeader,
  icmp,
  ipv4,
  ipv6,
  parseIpv4,
  type TestBench,
  tcp,
  testBench,
  udp,
} from "skep/testing"
import { expect } from "vitest"

/** The bytes of `programs/NAME.bpf.o`. */
export type ObjectOf = (name: string) => Uint8Array

const be32 = (address: string): number => new DataView(parseIpv4(address).buffer).getUint32(0, true)

const from = (src: string): Uint8Array =>
  ethernet({}, ipv4({ src, dst: "10.9.9.9" }, udp({ srcPort: 1, dstPort: 2 }, "data")))

const verdictOf = (bench: TestBench, src: string): string => bench.send(from(src)).verdict

/** Frames that are too short for the headers that a program reads. */
function expectCutFramesPass(bench: TestBench, whole: Uint8Array): void {
  for (let length = 14; length < 34; length++)
    expect(bench.send(whole.slice(0, length)).verdict).toBe("pass")
}

export const CHECKS: Readonly<Record<string, (objectOf: ObjectOf) => void>> = {
  count_read(objectOf) {
    using bench = testBench(objectOf("count_read"))
    for (let i = 0; i < 5; i++) bench.kernel.emit("syscalls:sys_enter_read", { fd: i })
    bench.kernel.emit("syscalls:sys_enter_openat", { filename: "/" })
    expect(bench.maps.counter_map.get(0)).toBe(5n)
  },

  trace_sys_enter(objectOf) {
    using bench = testBench(objectOf("trace_sys_enter"))
    const { kernel } = bench
    const main = kernel.spawn({ pid: 500 })
    const thread = kernel.spawn({ pid: 501, tgid: 500 })
    const other = kernel.spawn({ pid: 502 })
    for (const task of [main, thread, other, main]) kernel.call("__x64_sys_read", {}, { task })
    expect(new Map(bench.maps.counts)).toEqual(
      new Map([
        [500, 3n],
        [502, 1n],
      ]),
    )
  },

  xdp_drop_browsers(objectOf) {
    using bench = testBench(objectOf("xdp_drop_browsers"))
    const to = (dstPort: number): Uint8Array =>
      ethernet({}, ipv4({ src: "10.0.0.1", dst: "10.0.0.2" }, tcp({ srcPort: 50000, dstPort })))
    const verdicts = [80, 443, 22, 8080].map((port) => bench.send(to(port)).verdict)
    expect(verdicts).toEqual(["drop", "drop", "pass", "pass"])
    // Answers come from the port, and QUIC is UDP: neither is dropped.
    const answer = tcp({ srcPort: 80, dstPort: 50000 })
    const quic = udp({ srcPort: 50000, dstPort: 443 })
    for (const packet of [answer, quic])
      expect(
        bench.send(ethernet({}, ipv4({ src: "10.0.0.1", dst: "10.0.0.2" }, packet))).verdict,
      ).toBe("pass")
    const six = ipv6({ src: "::1", dst: "::2" }, tcp({ srcPort: 50000, dstPort: 80 }))
    expect(bench.send(ethernet({}, six)).verdict).toBe("pass")
    expectCutFramesPass(bench, to(80))
  },

  bug_prog(objectOf) {
    const object = objectOf("bug_prog")
    expect(() => testBench(object).close()).toThrow(/infinite loop detected at insn 0/)
    // Without the verifier the kernel stops what never returns.
    using bench = testBench(object, { budget: 100_000, verify: false })
    const { outcomes } = bench.kernel.call("do_nanosleep")
    expect(outcomes).toHaveLength(1)
    expect(outcomes[0].fault).not.toBeNull()
    expect(outcomes[0].steps).toBeGreaterThanOrEqual(100_000)
  },

  good_prog(objectOf) {
    using bench = testBench(objectOf("good_prog"))
    const { outcomes } = bench.kernel.call("do_nanosleep")
    expect(outcomes).toMatchObject([{ fault: null, low: 0 }])
    // A thousand rounds of at least an addition and a jump, and then an end.
    expect(outcomes[0].steps).toBeGreaterThan(2_000)
    expect(outcomes[0].steps).toBeLessThan(10_000)
  },

  map_too_large(objectOf) {
    const object = objectOf("map_too_large")
    // Twenty bytes of key and value in each of ten million entries do not fit into 64 MiB.
    const load = (bytes: Uint8Array): void => testBench(bytes, { memoryMaxBytes: 64 << 20 }).close()
    expect(() => load(object)).toThrow(expect.objectContaining({ code: "ENOMEM" }))
    expect(() => load(objectOf("map_limits"))).not.toThrow()
  },

  map_limits(objectOf) {
    using bench = testBench(objectOf("map_limits"))
    const task = bench.kernel.spawn({ pid: 700 })
    bench.kernel.call("do_nanosleep", {}, { task })
    bench.kernel.clock.advance(5n)
    bench.kernel.call("do_nanosleep", {}, { task })
    expect(bench.maps.my_hash.info()).toMatchObject({ type: "hash", maxEntries: 10_000 })
    const [key, value] = [...bench.maps.my_hash.raw.entries()][0]
    expect(new DataView(key.buffer).getInt32(0, true)).toBe(700)
    expect(new DataView(value.buffer).getBigUint64(8, true)).toBe(2n)
  },

  trace_exec(objectOf) {
    using bench = testBench(objectOf("trace_exec"))
    const { kernel } = bench
    for (const [pid, comm] of [
      [800, "ls"],
      [801, "curl"],
    ] as const) {
      const p = kernel.spawn({ pid, comm, uid: 1000 })
      kernel.emit("sched:sched_process_exec", { p, filename: `/bin/${comm}` }, { task: p })
    }
    expect(new Map(bench.maps.processes)).toEqual(
      new Map([
        [800, { uid: 1000, comm: "ls" }],
        [801, { uid: 1000, comm: "curl" }],
      ]),
    )
  },

  lsm_file_open(objectOf) {
    using bench = testBench(objectOf("lsm_file_open"))
    const { kernel } = bench
    const open = (file: string, uid: number): number =>
      kernel.lsm("file_open", { file }, { task: kernel.spawn({ uid }) })
    expect(open("/etc/shadow", 1000)).toBe(-1)
    expect(open("/etc/shadow", 0)).toBe(0)
    expect(open("/etc/passwd", 1000)).toBe(0)
  },

  xdp_load_balancer(objectOf) {
    using bench = testBench(objectOf("xdp_load_balancer"))
    const expected = [0n, 0n, 0n, 0n]
    for (let i = 0; i < 100; i++) {
      const last = (i * 7) % 256
      expected[last % 4]++
      expect(verdictOf(bench, `10.0.0.${last}`)).toBe("pass")
    }
    expect([...bench.maps.backends]).toEqual(expected)
  },

  trace_open_entry(objectOf) {
    using bench = testBench(objectOf("trace_open_entry"))
    const { kernel } = bench
    const task = kernel.spawn({ pid: 900 })
    kernel.call("do_sys_open", {}, { task })
    expect(bench.maps.start.get(900)).toBe(kernel.clock.now())
    // Entry and return in one call take no virtual time: the latency is from the last entry.
    kernel.clock.advance(1_234n)
    kernel.call("do_sys_open", {}, { task, returns: 3 })
    expect(bench.maps.latency.get(900)).toBe(0n)
    expect(bench.maps.start.count()).toBe(0)
  },

  guide_maps(objectOf) {
    using bench = testBench(objectOf("guide_maps"))
    const { kernel, maps } = bench
    const p = kernel.spawn({ pid: 1025, comm: "make" })
    kernel.emit("sched:sched_process_exec", { p, filename: "/usr/bin/make" }, { task: p })
    expect(maps.my_map.get(1025)).toEqual({ timestamp: kernel.clock.now(), comm: "make" })
    expect(maps.counters.length).toBe(256)
    expect(maps.counters.get(1025 % 256)).toBe(1n)
    expect(maps.events.info()).toMatchObject({ type: "ringbuf", maxEntries: 1 << 24 })
    const [record] = [...maps.events.drain()] as Uint8Array[]
    expect(new TextDecoder().decode(record.subarray(8, 12))).toBe("make")
  },

  pkt_count(objectOf) {
    using bench = testBench(objectOf("pkt_count"))
    for (const source of ["192.168.1.5", "10.0.0.1", "192.168.1.5", "192.168.1.5"])
      expect(verdictOf(bench, source)).toBe("pass")
    expect(bench.maps.pkt_count.get(be32("192.168.1.5"))).toBe(3n)
    expect(bench.maps.pkt_count.get(be32("10.0.0.1"))).toBe(1n)
    expectCutFramesPass(bench, from("10.0.0.7"))
    expect(bench.maps.pkt_count.count()).toBe(2)
  },

  lpm_blocklist(objectOf) {
    using bench = testBench(objectOf("lpm_blocklist"))
    // XDP_DROP
    bench.maps.blocklist.set({ prefixlen: 16, data: parseIpv4("192.168.0.0") }, 1)
    const sources = ["192.168.0.0", "192.168.255.255", "192.167.255.255", "192.169.0.0", "10.0.0.1"]
    expect(sources.map((source) => verdictOf(bench, source))).toEqual([
      "drop",
      "drop",
      "pass",
      "pass",
      "pass",
    ])
  },

  xdp_firewall(objectOf) {
    using bench = testBench(objectOf("xdp_firewall"), { cpus: 2 })
    bench.maps.blocklist.set(be32("203.0.113.5"), 1)
    bench.maps.blocklist.set(be32("203.0.113.6"), 0)
    expect(verdictOf(bench, "203.0.113.5")).toBe("drop")
    expect(verdictOf(bench, "203.0.113.5")).toBe("drop")
    expect(verdictOf(bench, "203.0.113.6")).toBe("pass")
    expect(verdictOf(bench, "203.0.113.7")).toBe("pass")
    const counted = (address: string): bigint =>
      bench.maps.pkt_stats.get(be32(address)).reduce((a: bigint, b: bigint) => a + b)
    expect(counted("203.0.113.5")).toBe(2n)
    expect(counted("203.0.113.7")).toBe(1n)
    // "malformed — drop", "Only handle IPv4"
    expect(bench.send(from("203.0.113.7").slice(0, 33)).verdict).toBe("drop")
    expect(bench.send(ethernet({}, ipv6({ src: "::1", dst: "::2" }))).verdict).toBe("pass")
  },

  mark_voip(objectOf) {
    using bench = testBench(objectOf("mark_voip"))
    const tosAfter = (dstPort: number): number | undefined => {
      const packet = udp({ srcPort: 4000, dstPort }, "voice")
      const { frame } = bench.send(ethernet({}, ipv4({ src: "10.0.0.1", dst: "10.0.0.2" }, packet)))
      return findHeader(dissect(frame), "ipv4")?.tos
    }
    const ports = [5060, 10000, 14000, 20000, 5061, 9999, 20001]
    expect(ports.map(tosAfter)).toEqual([0xb8, 0xb8, 0xb8, 0xb8, 0, 0, 0])
    const signalling = ethernet(
      {},
      ipv4({ src: "10.0.0.1", dst: "10.0.0.2" }, tcp({ srcPort: 4000, dstPort: 5060 })),
    )
    expect(bench.send(signalling).frame).toEqual(signalling)
  },

  xdp_redirect_to_xsk(objectOf) {
    using bench = testBench(objectOf("xdp_redirect_to_xsk"))
    // No AF_XDP socket has been bound: everything goes to the stack, from every queue.
    for (const queue of [0, 5, 63, 64]) {
      const { verdict } = bench.device.receive(from("10.0.0.1"), { queue })
      expect(verdict).toBe("pass")
    }
    expect(bench.maps.xsks_map.info()).toMatchObject({ type: "xskmap", maxEntries: 64 })
  },

  xdp_counter(objectOf) {
    using bench = testBench(objectOf("xdp_counter"))
    bench.maps.blocklist.set(be32("10.0.0.66"), 1)
    const sources = ["10.0.0.1", "10.0.0.66", "10.0.0.1", "10.0.0.66", "10.0.0.1"]
    expect(sources.map((source) => verdictOf(bench, source))).toEqual([
      "pass",
      "drop",
      "pass",
      "drop",
      "pass",
    ])
    expect(bench.maps.pkt_count.get(be32("10.0.0.1"))).toEqual([3n])
    expect(bench.maps.pkt_count.get(be32("10.0.0.66"))).toEqual([2n])
    expect(bench.send(ethernet({}, ipv6({ src: "::1", dst: "::2" }))).verdict).toBe("pass")
    const ping = ipv4({ src: "10.0.0.66", dst: "10.0.0.1" }, icmp({ type: "echo-request" }))
    expect(bench.send(ethernet({}, ping)).verdict).toBe("drop")
  },

  syscall_count(objectOf) {
    using bench = testBench(objectOf("syscall_count"))
    const { kernel } = bench
    const [a, b] = [kernel.spawn({ pid: 1100 }), kernel.spawn({ pid: 1101 })]
    kernel.emit("syscalls:sys_enter_read", { fd: 0 }, { task: a })
    kernel.emit("syscalls:sys_enter_openat", { filename: "/" }, { task: a })
    kernel.emit("syscalls:sys_enter_read", { fd: 0 }, { task: b })
    kernel.emit("syscalls:sys_exit_read", { ret: 0 }, { task: b })
    expect(new Map(bench.maps.syscall_count)).toEqual(
      new Map([
        [1100, 2n],
        [1101, 1n],
      ]),
    )
  },

  hello(objectOf) {
    using bench = testBench(objectOf("hello"))
    bench.kernel.call("do_sys_openat2")
    bench.kernel.call("do_sys_openat2")
    const lines = bench.kernel.trace()
    expect(lines).toHaveLength(2)
    for (const line of lines) expect(line).toMatch(/: openat called!\n$/)
  },

  handle_openat(objectOf) {
    using bench = testBench(objectOf("handle_openat"))
    const { kernel } = bench
    for (const comm of ["cat", "sshd"])
      kernel.emit("syscalls:sys_enter_openat", { filename: "/x" }, { task: kernel.spawn({ comm }) })
    const lines = kernel.trace()
    expect(lines.map((line) => line.slice(line.indexOf(": ") + 2))).toEqual([
      expect.stringContaining("openat by cat"),
      expect.stringContaining("openat by sshd"),
    ])
  },

  xdp_drop_blocked_ip(objectOf) {
    using bench = testBench(objectOf("xdp_drop_blocked_ip"))
    expect(verdictOf(bench, "1.2.3.4")).toBe("drop")
    expect(verdictOf(bench, "4.3.2.1")).toBe("pass")
    expect(verdictOf(bench, "1.2.3.5")).toBe("pass")
    expectCutFramesPass(bench, from("1.2.3.4"))
  },

  handle_unlinkat(objectOf) {
    // The same object on our kernel, and on two kernels with the task_struct of the guide.
    const older = parseObject(objectOf("kernel_510")).btf
    const newer = parseObject(objectOf("kernel_515")).btf
    for (const btf of [undefined, older, newer]) {
      using bench = testBench(objectOf("handle_unlinkat"), btf ? { btf } : {})
      const task = bench.kernel.spawn({ pid: 4242, tgid: 4000, comm: "rm" })
      bench.kernel.call("do_unlinkat", {}, { task })
      expect(bench.kernel.trace()).toEqual([expect.stringMatching(/: unlink by pid 4242\n$/)])
    }
  },
}
