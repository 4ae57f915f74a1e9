/**
 * The interpreter on programs that compute, in nanoseconds per eBPF instruction, beside the
 * kernel's JIT on the same machine and packet.
 */

import {
  createInterpreter,
  type HelperFunction,
  prepare,
  REGION_CONTEXT,
  REGION_READ,
  REGION_TAG,
  REGION_WRITE,
  STACK_BYTES,
} from "../src/interpreter/index.ts"
import { createKernelMemory } from "../src/kernel/memory/index.ts"
import { type Bench, type BenchOptions, geometricMean, type Row, time } from "./support/bench.ts"
import { type LinuxRun, linuxRefuses, runOnLinux } from "./support/linux-run.ts"
import {
  type BenchProgram,
  benchPacket,
  MAP_VALUE_BYTES,
  programNames,
  readProgram,
} from "./support/programs.ts"

/** A world for one program: packet, context, and the one map value that `sieve` wants. */
function embed({ name, insns, mapSlots }: BenchProgram) {
  const memory = createKernelMemory()
  const packet = benchPacket()
  const data = memory.allocate(packet.length)
  memory.write(data, packet)
  const packetRegion = memory.createRegion(data, data + packet.length, REGION_READ | REGION_WRITE)
  const context = memory.allocate(24)
  memory.view.setUint32(context, data, true)
  memory.view.setUint32(context + 4, data + packet.length, true)
  const contextRegion = memory.createRegion(context, context + 24, REGION_READ | REGION_CONTEXT)
  const tag = REGION_TAG | packetRegion
  memory.setContextTags(contextRegion, new Map([0, 4].map((offset) => [offset, tag])))
  const value = memory.allocate(MAP_VALUE_BYTES)
  const valueRegion = memory.createRegion(
    value,
    value + MAP_VALUE_BYTES,
    REGION_READ | REGION_WRITE,
  )
  const stackAddress = memory.allocate(STACK_BYTES)
  const stackRegion = memory.createRegion(0, 0, 0)
  const lookup: HelperFunction<null> = (machine) => {
    const key = machine.checkRead(2, 4)
    if (key >= 0) machine.setResult64(value, REGION_TAG | valueRegion)
  }
  const program = insns.slice()
  const view = new DataView(program.buffer)
  // The helper ignores which map it is; the slots only must hold something that is not 0.
  for (const slot of mapSlots) view.setInt32(slot * 8 + 4, value, true)
  const { executable, problem } = prepare<null>({
    name,
    program,
    resolveCall: (kind, imm) => (kind === "helper" && imm === 1 ? lookup : null),
  })
  if (problem !== null) throw new Error(`${name}: ${problem.message}`)
  const machine = createInterpreter<null>(memory, { stackAddress, stackRegion })
  const run = {
    environment: null,
    arguments: [[context, REGION_TAG | contextRegion]],
  } as const
  return () => machine.run(executable, run)
}

function measure(name: string, onLinux: boolean, options: BenchOptions): Row {
  const program = readProgram(name)
  const run = embed(program)
  const { fault, low, steps } = run()
  if (fault !== null) throw new Error(`${name}: ${fault.message}`)
  const { bestNs, medianNs } = time(run, options)
  const linux: LinuxRun | null = onLinux ? runOnLinux(program) : null
  if (linux !== null && linux.result !== low >>> 0)
    throw new Error(`${name} gives ${low >>> 0} here and ${linux.result} on Linux`)
  return {
    program: name,
    instructions: steps,
    "ns/run": medianNs,
    "ns/instruction": medianNs / steps,
    best: bestNs / steps,
    "kernel JIT ns/run": linux?.medianNs,
    "times kernel JIT": linux === null ? undefined : medianNs / Math.max(linux.medianNs, 1),
  }
}

export const bench: Bench = {
  name: "interpreter",
  question:
    "How long does the interpreter take for an instruction, and how far is that from a JIT?",
  async run(options) {
    const errno = linuxRefuses()
    const rows = programNames.map((name) => measure(name, errno === 0, options))
    const mean = (column: string) =>
      geometricMean(rows.map((row) => row[column] as number)).toFixed(2)
    return {
      rows,
      notes: [
        `geometric mean: ${mean("ns/instruction")} ns an instruction, ${mean("best")} at best`,
        "all programs run in one process, so the loop is compiled for all of them at once",
        errno === 0
          ? "kernel JIT: BPF_PROG_TEST_RUN's own duration; results are compared as well"
          : `Linux does not let us load programs here (errno ${errno})`,
      ],
    }
  },
}
