import { readFileSync } from "node:fs"
import { type Task, type TestBench, testBench } from "skep/testing"
import { describe, expect, test } from "vitest"

const object = readFileSync(new URL("./connections.bpf.o", import.meta.url))

/** include/net/tcp_states.h */
const STATE = { established: 1, synSent: 2, synRecv: 3, finWait1: 4, close: 7, listen: 10 } as const
const AF_INET = 2
const AF_INET6 = 10

interface Connection {
  readonly socket: bigint
  readonly sport: number
  readonly dport: number
  readonly saddr: Uint8Array
  readonly daddr: Uint8Array
  readonly family?: number
}

const web: Connection = {
  socket: 0xffff_8881_0000_1000n,
  sport: 40_000,
  dport: 443,
  saddr: new Uint8Array([10, 0, 0, 1]),
  daddr: new Uint8Array([192, 0, 2, 7]),
}

/** A connection's socket goes from one state to the next while `task` runs. */
function transition(
  bench: TestBench,
  connection: Connection,
  states: [from: keyof typeof STATE, to: keyof typeof STATE],
  task?: Task,
): void {
  const { socket, family = AF_INET, ...addresses } = connection
  const [oldstate, newstate] = states.map((state) => STATE[state])
  bench.kernel.emit(
    "sock:inet_sock_set_state",
    { skaddr: socket, family, oldstate, newstate, ...addresses },
    { task },
  )
}

describe("a connection", () => {
  test("begun here is reported when it closes: duration from its SYN, and who began it", () => {
    using bench = testBench(object)
    const curl = bench.kernel.spawn({ comm: "curl", pid: 4321 })
    transition(bench, web, ["close", "synSent"], curl)
    bench.kernel.clock.advance(3_000_000n)
    // The SYN-ACK arrives in an interrupt, while some other task runs.
    transition(bench, web, ["synSent", "established"], bench.kernel.spawn({ comm: "kworker" }))
    bench.kernel.clock.advance(2_000_000n)
    expect([...bench.maps.events.drain()]).toEqual([])
    transition(bench, web, ["finWait1", "close"])
    const { socket: _, ...addresses } = web
    expect([...bench.maps.events.drain()]).toEqual([
      { duration_ns: 5_000_000n, pid: 4321, comm: "curl", ...addresses },
    ])
    expect(bench.maps.open_connections.count()).toBe(0)
  })

  test("accepted here is timed from its establishment", () => {
    using bench = testBench(object)
    transition(bench, web, ["listen", "synRecv"])
    bench.kernel.clock.advance(1_000n)
    transition(bench, web, ["synRecv", "established"], bench.kernel.spawn({ comm: "nginx" }))
    bench.kernel.clock.advance(700n)
    transition(bench, web, ["established", "close"])
    expect([...bench.maps.events.drain()]).toMatchObject([{ duration_ns: 700n, comm: "nginx" }])
  })

  test("that was open before the program was attached is not reported", () => {
    using bench = testBench(object)
    transition(bench, web, ["established", "close"])
    expect([...bench.maps.events.drain()]).toEqual([])
  })

  test("over IPv6 is not followed", () => {
    using bench = testBench(object)
    const six = { ...web, family: AF_INET6 }
    transition(bench, six, ["close", "synSent"])
    transition(bench, six, ["established", "close"])
    expect(bench.maps.open_connections.count()).toBe(0)
    expect([...bench.maps.events.drain()]).toEqual([])
  })
})

test("connections that overlap are told apart by their sockets", () => {
  using bench = testBench(object)
  const curl = bench.kernel.spawn({ comm: "curl" })
  const wget = bench.kernel.spawn({ comm: "wget" })
  const other = { ...web, socket: web.socket + 0x800n, sport: 40_001 }
  transition(bench, web, ["close", "synSent"], curl)
  bench.kernel.clock.advance(10n)
  transition(bench, other, ["close", "synSent"], wget)
  bench.kernel.clock.advance(10n)
  transition(bench, web, ["established", "close"])
  bench.kernel.clock.advance(10n)
  transition(bench, other, ["established", "close"])
  const events = [...bench.maps.events.drain()]
  expect(events.map(({ comm, sport, duration_ns }) => [comm, sport, duration_ns])).toEqual([
    ["curl", 40_000, 20n],
    ["wget", 40_001, 20n],
  ])
})

test("a socket that is used again begins anew", () => {
  using bench = testBench(object)
  for (const duration of [5n, 8n]) {
    transition(bench, web, ["close", "synSent"])
    bench.kernel.clock.advance(duration)
    transition(bench, web, ["synSent", "close"])
  }
  const durations = [...bench.maps.events.drain()].map((event) => event.duration_ns)
  expect(durations).toEqual([5n, 8n])
})
