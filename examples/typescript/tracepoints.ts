/**
 * A tracepoint program, and the world around it: tasks do something, time passes, events fire.
 * Virtual time moves only when it is told to, so the durations below are exact on every machine.
 */

import { readFileSync } from "node:fs"
import { embeddedKernel, type Task } from "skep/embedded"
import { formatIpv4 } from "skep/testing"
import { parseConnections } from "./generated/connections.bpf.ts"

const object = readFileSync(new URL("../connections/connections.bpf.o", import.meta.url))

/** include/net/tcp_states.h */
const TCP_ESTABLISHED = 1
const TCP_SYN_SENT = 2
const TCP_CLOSE = 7
const AF_INET = 2

using kernel = embeddedKernel()
using loaded = await kernel.load(parseConnections(object))
using _links = loaded.attach()

let sockets = 0n

/** A task connects to a server and stays for a while. */
function connection(task: Task, server: Uint8Array, milliseconds: bigint): void {
  const fields = {
    skaddr: 0xffff_8880_0000_0000n + 0x800n * ++sockets,
    family: AF_INET,
    sport: 40_000 + Number(sockets),
    dport: 443,
    saddr: new Uint8Array([10, 0, 0, 1]),
    daddr: server,
  }
  const states = [TCP_CLOSE, TCP_SYN_SENT, TCP_ESTABLISHED, TCP_CLOSE]
  for (let step = 1; step < states.length; step++) {
    if (states[step] === TCP_CLOSE) kernel.clock.advance(milliseconds * 1_000_000n)
    const [oldstate, newstate] = [states[step - 1], states[step]]
    kernel.emit("sock:inet_sock_set_state", { ...fields, oldstate, newstate }, { task })
  }
}

connection(kernel.spawn({ comm: "curl", pid: 4321 }), new Uint8Array([192, 0, 2, 7]), 25n)
connection(kernel.spawn({ comm: "node", pid: 99 }), new Uint8Array([192, 0, 2, 8]), 1500n)

for (const event of loaded.maps.events.drain())
  console.log(
    `${event.comm} (${event.pid}) to ${formatIpv4(Uint8Array.from(event.daddr))}:${event.dport}` +
      ` for ${event.duration_ns / 1_000_000n} ms`,
  )
console.log(`still open: ${loaded.maps.open_connections.count()}`)
