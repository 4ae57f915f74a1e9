/**
 * Events from a ring buffer: one by one, or in batches. Both wait for more, until the signal aborts
 * or the map is closed; `drain()` takes what is there and does not wait.
 */

import { readFileSync } from "node:fs"
import { embeddedKernel } from "skep/embedded"
import { formatIpv4, openCapture } from "skep/testing"
import { type FlowEvent, parseFlowStats } from "./generated/flow-stats.bpf.ts"

const file = (path: string): Uint8Array => readFileSync(new URL(path, import.meta.url))
const host = (be32: number): string => formatIpv4(new Uint8Array(new Uint32Array([be32]).buffer))

const FLOW_ENDS = 1

using kernel = embeddedKernel()
using loaded = await kernel.load(parseFlowStats(file("../flow-stats/flow-stats.bpf.o")))
using _link = loaded.programs.flow_stats.attach({ interface: kernel.interface("eth0").index })
const { events } = loaded.maps

/** Counts flows by what happened to them, a batch a wake-up, until it is told to stop. */
async function count(signal: AbortSignal): Promise<{ batches: number; events: number }> {
  const seen = { batches: 0, events: 0 }
  try {
    for await (const batch of events.readBatches({ signal })) {
      seen.batches++
      for (const _event of batch) seen.events++
    }
  } catch (error) {
    if (!signal.aborted) throw error
  }
  return seen
}

/** The first flow that ends, one event at a time; leaving the loop ends the stream. */
async function firstEnd(): Promise<FlowEvent | undefined> {
  for await (const event of events.read()) if (event.kind === FLOW_ENDS) return event
  return undefined
}

const frames = [...openCapture(file("../captures/mixed-small.pcap")).frames()]
const eth0 = kernel.interface("eth0")
const half = frames.length >> 1

const ended = firstEnd()
for (const { data } of frames.slice(0, half)) eth0.receive(data)
const flow = (await ended)?.flow
if (flow !== undefined)
  console.log(`first end: ${host(flow.saddr)}:${flow.sport} to ${host(flow.daddr)}:${flow.dport}`)
console.log(`left by the first reader: ${[...events.drain()].length > 0}`)

const stop = new AbortController()
const counting = count(stop.signal)
let time = 0
for (const { data } of frames.slice(half)) {
  eth0.receive(data)
  // A wake-up is a turn of the event loop: readers run when the sender waits.
  if (++time % 100 === 0) await new Promise((resolve) => setImmediate(resolve))
}
await new Promise((resolve) => setImmediate(resolve))
stop.abort()
const seen = await counting
console.log(`${seen.events} events in fewer batches: ${seen.batches < seen.events}`)
console.log(`lost: ${loaded.globals.lost_events}`)
