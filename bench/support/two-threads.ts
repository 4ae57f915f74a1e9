/** The same loop over one map in two threads at once. */

import { Worker } from "node:worker_threads"
import { sharedEnginesModule } from "../../src/kernel/maps/engines.ts"
import { CPU_WORD, CPU_WORD_BYTES } from "../../src/wasm/maps/layout.ts"
import type { Loop } from "./map-operations.ts"

/** What a thread does: waits for the other one, then makes passes for a while. */
const THREAD = `
const { parentPort, workerData } = require("node:worker_threads")
const { loop, targets, engines, memory, cpu, cpuWord, first, warmUp, passes, barrier } = workerData
const words = new Int32Array(memory.buffer)
words[cpuWord >> 2] = cpu
const global = (value) => new WebAssembly.Global({ value: "i32", mutable: false }, value)
const no = () => 0
const host = {
  cpuWord: global(cpuWord), mayWait: global(1), refill: no, allocate: no, release: no, wake: no,
  otherLookup: no, otherUpdate: no, otherDelete: no,
}
const { exports } = new WebAssembly.Instance(engines, { env: { memory }, host })
const e = { memory }
targets.forEach((name, index) => { e["f" + index] = exports[name] })
const { run } = new WebAssembly.Instance(loop, { e }).exports
for (let pass = 0; pass < warmUp; pass++) run(first)
Atomics.add(words, barrier >> 2, 1)
while (Atomics.load(words, barrier >> 2) < 2) {}
const start = process.hrtime.bigint()
for (let pass = 0; pass < passes; pass++) run(first)
parentPort.postMessage(Number(process.hrtime.bigint() - start) / passes)
`

/** Nanoseconds of a pass in the slower of two threads, each with a key area of its own. */
export async function timeTwoThreads(
  loops: readonly Loop[],
  memory: WebAssembly.Memory,
  options: { first: number; passes: number; barrier: number },
): Promise<number> {
  new Int32Array(memory.buffer)[options.barrier >> 2] = 0
  const times = loops.map(
    ({ module, targets }, cpu) =>
      new Promise<number>((resolve, reject) => {
        const worker = new Worker(THREAD, {
          eval: true,
          workerData: {
            loop: module,
            targets,
            engines: sharedEnginesModule(),
            memory,
            cpu,
            cpuWord: CPU_WORD + CPU_WORD_BYTES * (cpu + 1),
            first: options.first,
            warmUp: options.passes,
            passes: options.passes,
            barrier: options.barrier,
          },
        })
        worker.once("message", resolve)
        worker.once("error", reject)
      }),
  )
  return Math.max(...(await Promise.all(times)))
}
