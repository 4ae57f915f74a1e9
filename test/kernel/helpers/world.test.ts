/**
 * Helpers whose answers come from the virtual world: clock, timers, tasks, trace_pipe, redirects.
 * Expected values are what the scenario says, or what a Linux 6.18 printed for the same program.
 */

import { afterEach, expect, test } from "vitest"
import { createEmbeddedKernel, type EmbeddedKernel } from "../../../src/kernel/index.ts"
import { udp4 } from "../testrun/packets.ts"
import { load, type ProgramSpec, run } from "../testrun/sides.ts"
import { call, frame, program, quads, save, string, words } from "./macros.ts"

const XDP = "BPF_PROG_TYPE_XDP"
const RAW = "BPF_PROG_TYPE_RAW_TRACEPOINT"
const TC = "BPF_PROG_TYPE_SCHED_CLS"

let kernel: EmbeddedKernel
afterEach(() => kernel.dispose())

/** Runs a program once and returns the slots of `out`. */
function slots(spec: ProgramSpec, count: number, times = 1): bigint[] {
  const loaded = load(kernel, spec)
  for (let i = 0; i < times; i++) {
    const packet = spec.type !== RAW
    const outcome = run(kernel, loaded.fd, packet ? { data: udp4 } : { room: 0 })
    expect(outcome.result).toBe("0")
  }
  const value = new Uint8Array(512)
  const fd = loaded.maps.get("out") ?? -1
  expect(kernel.bpf("MAP_LOOKUP_ELEM", { map_fd: fd, key: new Uint8Array(4), value })).toBe(0)
  const view = new DataView(value.buffer)
  return Array.from({ length: count }, (_, i) => view.getBigInt64(8 * i, true))
}

test("trace_printk writes the line that Linux writes", () => {
  kernel = createEmbeddedKernel({ bootTimeNs: 8351_729_423_400n })
  const hello = `${string(-64, "hello %d")}; ${frame("r1", -64)}; r2 = 9; r3 = 5; call bpf_trace_printk`
  slots(program(RAW, `${hello}; r0 = 0`), 1)
  slots(program(XDP, `${hello}; r0 = 0`), 1)
  expect(kernel.tracePipe.drain()).toEqual([
    "       swapper/0-0       [000] ...2.  8351.729423: bpf_trace_printk: hello 5",
    "       swapper/0-0       [000] b..11  8351.729423: bpf_trace_printk: hello 5",
  ])
})

test("clocks show the virtual time, and stand still while a program runs", () => {
  kernel = createEmbeddedKernel({ bootTimeNs: 5_000_000_123n })
  const clocks = ["ktime_get_ns", "ktime_get_boot_ns", "ktime_get_coarse_ns", "jiffies64"]
  const text = clocks.map((clock, i) => `${call(clock)}\n${save(i)}`).join("\n")
  const [mono, boot, coarse, jiffies] = slots(program(TC, `${text}\nr0 = 0`), 4)
  expect([mono, boot, coarse]).toEqual([5_000_000_123n, 5_000_000_123n, 5_000_000_000n])
  // INITIAL_JIFFIES is -300 * HZ as 32 bits, and five seconds are 1,250 ticks.
  expect(jiffies).toBe(2n ** 32n - 300n * 250n + 1250n)
})

test("random numbers repeat with the seed, and differ without", () => {
  const text = `${call("get_prandom_u32")}\n${save(0)}\n${call("get_prandom_u32")}\n${save(1)}\nr0 = 0`
  const of = (seed: number): bigint[] => {
    kernel = createEmbeddedKernel({ seed })
    const result = slots(program(TC, text), 2)
    kernel.dispose()
    return result
  }
  expect(of(7)).toEqual(of(7))
  expect(of(7)).not.toEqual(of(8))
  kernel = createEmbeddedKernel()
})

test("a timer calls back with map, key and value when its time comes, and not before", () => {
  kernel = createEmbeddedKernel({ bootTimeNs: 1000n, verify: false })
  const text = `${words(-8, 1)}; ${frame("r2", -8)}; r1 = map[t] ll; call bpf_map_lookup_elem
    if r0 == 0 goto end; r7 = r0
    r1 = r7; r1 += 8; r2 = map[t] ll; r3 = 1; call bpf_timer_init; ${save(0)}
    r1 = r7; r1 += 8; r2 = map[t] ll; r3 = 1; call bpf_timer_init; ${save(1)}
    r1 = r7; r1 += 8; r2 = subprog[expire] ll; call bpf_timer_set_callback; ${save(2)}
    r1 = r7; r1 += 8; r2 = 500; r3 = 0; call bpf_timer_start; ${save(3)}
    end: r0 = 0; exit
    expire: r4 = *(u32 *)(r2 + 0); r4 += 100; *(u64 *)(r3 + 0) = r4; r0 = 0`
  const spec = program(TC, text, {
    maps: { t: { type: "BPF_MAP_TYPE_ARRAY", key: 4, value: 24, entries: 2 } },
    callbacks: ["expire"],
  })
  const loaded = load(kernel, spec)
  run(kernel, loaded.fd, { data: udp4 })
  const fd = loaded.maps.get("t") ?? -1
  const look = (): bigint => {
    const value = new Uint8Array(24)
    kernel.bpf("MAP_LOOKUP_ELEM", { map_fd: fd, key: Uint8Array.of(1, 0, 0, 0), value })
    return new DataView(value.buffer).getBigUint64(0, true)
  }
  kernel.clock.advance(499n)
  expect(look()).toBe(0n)
  kernel.clock.advance(1n)
  expect(look()).toBe(101n)
})

test("tail calls stop after 33, and fall through for an empty slot", () => {
  kernel = createEmbeddedKernel()
  const text = `r1 = *(u64 *)(r9 + 0); r1 += 1; ${save(0, "r1")}
    r1 = r6; r2 = map[progs] ll; r3 = 0; call bpf_tail_call
    r1 = r6; r2 = map[progs] ll; r3 = 1; call bpf_tail_call
    r1 = 5; ${save(1, "r1")}; r0 = 7`
  const spec = program(TC, text, {
    maps: { progs: { type: "BPF_MAP_TYPE_PROG_ARRAY", key: 4, value: 4, entries: 2 } },
  })
  const loaded = load(kernel, spec)
  const progs = loaded.maps.get("progs") ?? -1
  const value = new Uint8Array(Int32Array.of(loaded.fd).buffer)
  expect(kernel.bpf("MAP_UPDATE_ELEM", { map_fd: progs, key: new Uint8Array(4), value })).toBe(0)
  expect(run(kernel, loaded.fd, { data: udp4 }).retval).toBe(7)
  const out = new Uint8Array(512)
  kernel.bpf("MAP_LOOKUP_ELEM", {
    map_fd: loaded.maps.get("out") ?? -1,
    key: new Uint8Array(4),
    value: out,
  })
  expect(new DataView(out.buffer).getUint32(0, true)).toBe(34)
})

test("stack traces have one id for one place", () => {
  kernel = createEmbeddedKernel()
  const text = `r1 = r6; r2 = map[stacks] ll; r3 = 0; call bpf_get_stackid; ${save(0)}
    r1 = r6; r2 = map[stacks] ll; r3 = 0; call bpf_get_stackid; ${save(1)}
    r1 = r6; r2 = map[stacks] ll; r3 = 0x100; call bpf_get_stackid; ${save(2)}
    r1 = r6; r2 = map[stacks] ll; r3 = 0x1000; call bpf_get_stackid; ${save(3)}; r0 = 0`
  const maps = {
    stacks: { type: "BPF_MAP_TYPE_STACK_TRACE", key: 4, value: 64, entries: 8 },
  } as const
  const [one, other, user, flags] = slots(program(RAW, text, { maps }), 4)
  expect(one).toBe(other)
  expect(one).toBeGreaterThanOrEqual(0n)
  // The idle task has no user stack (-EFAULT); unknown flags are -EINVAL.
  expect([user, flags]).toEqual([-14n, -22n])
})

test("addresses of kernel functions print as symbols", () => {
  kernel = createEmbeddedKernel()
  const address = kernel.kernelSymbol("vfs_read") ?? 0n
  const text = `${string(-64, "%ps %pS %pB")}; ${frame("r1", -64)}; r2 = 12
    r3 = ${address + 3n} ll; r4 = r3; r5 = r3; call bpf_trace_printk; r0 = 0`
  slots(program(RAW, text), 1)
  expect(kernel.tracePipe.drain()[0]).toMatch(/: vfs_read vfs_read\+0x3\/0x10 vfs_read\+0x3\/0x10$/)
})

test("ring buffer records end the wait of a reader", () => {
  kernel = createEmbeddedKernel()
  const text = `${quads(-16, 42)}; r1 = map[r] ll; ${frame("r2", -16)}; r3 = 8; r4 = 0
    call bpf_ringbuf_output; r0 = 0`
  const loaded = load(
    kernel,
    program(TC, text, {
      maps: { r: { type: "BPF_MAP_TYPE_RINGBUF", key: 0, value: 0, entries: 4096 } },
    }),
  )
  let woken = 0
  kernel.watch(loaded.maps.get("r") ?? -1, () => woken++)
  run(kernel, loaded.fd, { data: udp4 })
  expect(woken).toBe(1)
})

test("perf events carry the record and the packet bytes that were asked for", () => {
  kernel = createEmbeddedKernel()
  const text = `${quads(-16, 42)}; r1 = r6; r2 = map[e] ll; r3 = 0x14ffffffff ll; ${frame("r4", -16)}
    r5 = 8; call bpf_perf_event_output; ${save(0)}; r0 = 2`
  const loaded = load(
    kernel,
    program(XDP, text, {
      maps: { e: { type: "BPF_MAP_TYPE_PERF_EVENT_ARRAY", key: 4, value: 4, entries: 1 } },
    }),
  )
  const ring = kernel.openPerfRing(loaded.maps.get("e") ?? -1, 0, 1)
  if (typeof ring === "number") throw new Error(`openPerfRing: ${ring}`)
  run(kernel, loaded.fd, { data: udp4 })
  const records: Uint8Array[] = []
  ring.drain(
    (data) => records.push(data.slice()),
    () => {},
  )
  expect(records).toHaveLength(1)
  expect([...records[0].subarray(0, 8)]).toEqual([42, 0, 0, 0, 0, 0, 0, 0])
  expect(records[0].subarray(8, 28)).toEqual(udp4.subarray(0, 20))
})

test("a program that breaks a rule faults, and the test run says -EFAULT", () => {
  kernel = createEmbeddedKernel({ verify: false })
  const bad: readonly string[] = [
    // A helper on something that is no map, a read outside of the stack, a string without an end.
    `r1 = 5; ${frame("r2", -8)}; ${words(-8, 0)}; call bpf_map_lookup_elem; r0 = 0`,
    `r1 = map[out] ll; r2 = 0; call bpf_map_lookup_elem; r0 = 0`,
    `r1 = map[out] ll; ${frame("r2", -2)}; call bpf_map_lookup_elem; r0 = 0`,
    `r1 = 0; r2 = 8; r3 = 0; call bpf_probe_read_kernel; r0 = 0`,
  ]
  for (const text of bad) {
    const loaded = load(kernel, program(XDP, text))
    expect(run(kernel, loaded.fd, { data: udp4 }).result).toBe("EFAULT")
  }
})
