/**
 * A small world for interpreter tests: kernel memory, a machine, instructions by hand, and
 * helpers as plain functions.
 */

import {
  createInterpreter,
  type Executable,
  type HelperFunction,
  type Interpreter,
  type InterpreterOptions,
  type PrepareOptions,
  type PrepareResult,
  prepare,
  REGION_TAG,
  type Run,
  type RunResult,
  STACK_BYTES,
} from "../../src/interpreter/index.ts"
import { encodeProgram, type Instruction } from "../../src/isa/index.ts"
import { createKernelMemory, type KernelMemory } from "../../src/kernel/memory/index.ts"

export type Helpers = Readonly<Record<number, HelperFunction<null>>>
export type Address = readonly [low: number, high: number]

export interface World {
  readonly memory: KernelMemory
  readonly machine: Interpreter<null>
  /** Memory of its own region; returns its address and the region's index. */
  region(size: number, flags: number): { address: Address; region: number; offset: number }
  build(program: readonly Instruction[], helpers?: Helpers, kfuncs?: Helpers): Executable<null>
  prepareWith(
    program: readonly Instruction[],
    options: Partial<PrepareOptions<null>>,
  ): PrepareResult<null>
  run(program: Executable<null> | readonly Instruction[], run?: Partial<Run<null>>): RunResult<null>
}

export function createWorld(
  options: Partial<InterpreterOptions<null>> & { shared?: boolean } = {},
): World {
  const memory = createKernelMemory({ initialBytes: 2 ** 20, shared: options.shared })
  const stackAddress = memory.allocate(STACK_BYTES)
  const stackRegion = memory.createRegion(0, 0, 0)
  const machine = createInterpreter<null>(memory, { stackAddress, stackRegion, ...options })
  const prepareWith: World["prepareWith"] = (program, options) =>
    prepare<null>({
      name: "test",
      program: encodeProgram(program),
      resolveCall: () => null,
      ...options,
    })
  const build: World["build"] = (program, helpers = {}, kfuncs = {}) => {
    const { executable, problem } = prepareWith(program, {
      resolveCall: (kind, imm) => (kind === "helper" ? helpers : kfuncs)[imm] ?? null,
    })
    if (problem !== null) throw new Error(`slot ${problem.slot}: ${problem.message}`)
    return executable
  }
  return {
    memory,
    machine,
    build,
    prepareWith,
    region(size, flags) {
      const offset = memory.allocate(size)
      const region = memory.createRegion(offset, offset + size, flags)
      return { address: [offset, REGION_TAG | region], region, offset }
    },
    run(program, run = {}) {
      const executable = "length" in program && "name" in program ? program : build(program)
      return machine.run(executable, { environment: null, ...run })
    },
  }
}

/** One instruction; what is not given is 0. */
export function insn(opcode: number, dst = 0, src = 0, off = 0, imm = 0): Instruction {
  return { opcode, dst, src, off, imm }
}

/** rN = a 64-bit constant: two slots. */
export function loadImmediate(dst: number, value: bigint): Instruction[] {
  const low = Number(BigInt.asIntN(32, value))
  const high = Number(BigInt.asIntN(32, value >> 32n))
  return [insn(0x18, dst, 0, 0, low), insn(0, 0, 0, 0, high)]
}

export const exit: Instruction = insn(0x95)

/** rN = a small constant, sign-extended. */
export function mov(dst: number, imm: number): Instruction {
  return insn(0xb7, dst, 0, 0, imm)
}

/** r0 of a run, unsigned. */
export function resultOf({ low, high }: RunResult<null>): bigint {
  return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0)
}
