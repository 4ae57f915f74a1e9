/**
 * A program of bench/programs in an embedded kernel of its own: loaded, its maps filled, a packet
 * ready.
 */

import { readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { parseObject } from "../../src/api/index.ts"
import { Kernel } from "../../src/api/kernel.ts"
import { XdpBuffer } from "../../src/kernel/contexts/index.ts"
import { createEmbeddedKernel, type EmbeddedKernel } from "../../src/kernel/index.ts"
import type { KernelInterface } from "../../src/spec/index.ts"
import { benchPacket } from "./programs.ts"

const folder = join(dirname(fileURLToPath(import.meta.url)), "../programs")

/** Numbers of a linear congruential generator: the maps' contents. */
function numbers(): () => number {
  let state = 42n
  return () => {
    state = BigInt.asUintN(64, state * 6364136223846793005n + 1442695040888963407n)
    return Number(state >> 33n)
  }
}

/** Loads a program and fills its maps; returns its descriptor and those of its maps. */
export function loadBenchProgram(
  kernel: KernelInterface,
  name: string,
): { readonly fd: number; readonly maps: readonly number[]; close(): void } {
  const object = parseObject(new Uint8Array(readFileSync(join(folder, `${name}.o`))))
  const collection = new Kernel(kernel).loadSync(object)
  const [program] = Object.values(collection.programs) as { fd: number }[]
  const maps = (Object.values(collection.maps) as { fd: number }[]).map(({ fd }) => fd)
  fill(kernel, name.replace(/_x$/, ""), maps, program.fd)
  return { fd: program.fd, maps, close: () => collection.close() }
}

function fill(
  kernel: KernelInterface,
  name: string,
  maps: readonly number[],
  program: number,
): void {
  const next = numbers()
  const put = (map: number, key: readonly number[], value: readonly number[]): void => {
    const attr = {
      map_fd: maps[map],
      key: new Uint8Array(Uint32Array.from(key).buffer),
      value: new Uint8Array(Uint32Array.from(value).buffer),
      flags: 0n,
    }
    const error = kernel.bpf("MAP_UPDATE_ELEM", attr)
    if (error < 0) throw new Error(`${name}: a map refuses an element with errno ${-error}`)
  }
  if (name === "fw") for (let i = 0; i < 10_000; i++) put(0, [next() | 1], [0, 0])
  if (name === "flow")
    for (let i = 0; i < 10_000; i++) put(0, [next(), next(), next(), 6], [0, 0, 0, 0, 0, 0])
  if (name === "lpm") {
    for (let i = 1; i < 1000; i++) put(0, [8 + (next() % 17), next()], [i])
    put(0, [24, 0x0702a8c0], [777])
  }
  if (name === "tail") put(0, [0], [program])
}

export interface EmbeddedProgram {
  readonly kernel: EmbeddedKernel
  /** Runs it `count` times; the low half of the last r0. */
  repeat(count: number): number
  /** Runs it once by way of the kernel's `run`. */
  once(): number
  /** Between rounds: rings are emptied. */
  drain(): void
  close(): void
}

/** Loads `name` into a kernel whose programs are compiled (without checks) or interpreted. */
export function embeddedProgram(name: string, engine: "jit" | "interpreter"): EmbeddedProgram {
  const kernel = createEmbeddedKernel({
    engine,
    trustPrograms: true,
    onNotice: (text) => {
      throw new Error(text)
    },
  })
  const { fd, maps, close } = loadBenchProgram(kernel, name)
  const object = kernel.tables.fds.get(fd, "program")
  if (typeof object === "number") throw new Error(`${name}: errno ${object}`)
  const program = object.value
  const packet = new XdpBuffer(kernel.state.memory)
  packet.load(benchPacket(), { ingressIfindex: 1 })
  const input = { context: packet.context, contextRegion: packet.contextRegion, packet }
  const { runner, state } = kernel
  const ring = name.startsWith("ringbuf") ? kernel.openRing(maps[0]) : null
  const once = (): number => {
    const { low, fault } = state.run(program, input)
    if (fault !== null) throw new Error(`${name}: ${fault.message}`)
    return low >>> 0
  }
  return {
    kernel,
    once,
    repeat(count) {
      const result = runner.within(state, program, input, (run, depth) =>
        runner.engines.repeat(state, program, depth, run, count),
      )
      if (result === null) throw new Error(`${name} ends with a fault`)
      return result >>> 0
    },
    drain() {
      if (ring === null || typeof ring === "number") return
      ring.setConsumerPosition(ring.producerPosition())
    },
    close() {
      close()
      kernel.dispose()
    },
  }
}
