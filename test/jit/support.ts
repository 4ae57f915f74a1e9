/**
 * A small world for tests of compiled code: kernel memory, a machine, programs as assembler text,
 * and helpers as plain functions. The interpreter runs beside it on the same memory.
 */

import {
  createInterpreter,
  type Executable,
  type HelperFunction,
  type PrepareOptions,
  prepare,
  REGION_READ,
  REGION_TAG,
  REGION_WRITE,
  type Run,
  type RunResult,
  STACK_BYTES,
} from "../../src/interpreter/index.ts"
import { assemble } from "../../src/isa/index.ts"
import {
  AREA,
  type CompileOptions,
  compileProgram,
  type HostPlace,
  JitHost,
  JitMachine,
  type JitProgram,
} from "../../src/jit/index.ts"
import { createKernelMemory, type KernelMemory } from "../../src/kernel/memory/index.ts"

export type Helpers = Readonly<Record<number, HelperFunction<null>>>
export type Address = readonly [low: number, high: number]

export interface JitWorld {
  readonly memory: KernelMemory
  readonly machine: JitMachine<null>
  /** Memory of its own region. */
  region(size: number, flags?: number): { address: Address; region: number; offset: number }
  prepare(program: string | Uint8Array, options?: Partial<PrepareOptions<null>>): Executable<null>
  compile(executable: Executable<null>): JitProgram<null>
  run(program: string | Uint8Array | Executable<null>, run?: Partial<Run<null>>): RunResult<null>
  interpret(
    program: string | Uint8Array | Executable<null>,
    run?: Partial<Run<null>>,
  ): RunResult<null>
}

export interface JitWorldOptions {
  readonly compile?: Partial<CompileOptions>
  readonly helpers?: Helpers
  readonly loadPacket?: HostPlace<null>["loadPacket"]
}

/** With checks of every access unless the options say otherwise. */
export function createJitWorld(options: JitWorldOptions = {}): JitWorld {
  const memory = createKernelMemory({ initialBytes: 2 ** 20 })
  const area = memory.allocate(AREA.BYTES)
  const stackRegion = memory.createRegion(0, 0, 0)
  const compiled = new Map<Executable<null>, JitProgram<null>>()
  const compileOptions: CompileOptions = {
    area,
    stackTag: REGION_TAG | stackRegion,
    checked: true,
    ...options.compile,
  }
  const { loadPacket } = options
  const compile = (executable: Executable<null>): JitProgram<null> => {
    const known = compiled.get(executable)
    if (known !== undefined) return known
    const built = compileProgram(executable, compileOptions)
    const bytes = built.bytes as BufferSource
    if (!WebAssembly.validate(bytes)) throw new Error("the module is not valid")
    const program = host.link(executable, built, new WebAssembly.Module(bytes), compileOptions)
    compiled.set(executable, program)
    return program
  }
  const host: JitHost<null> = new JitHost<null>(memory, {
    area,
    stackRegion,
    loadPacket,
    resolve: compile,
    interpret: () => {},
  })
  const machine = new JitMachine(host, memory.allocate(STACK_BYTES, STACK_BYTES))
  const interpreter = createInterpreter<null>(memory, {
    stackAddress: memory.allocate(STACK_BYTES),
    stackRegion: memory.createRegion(0, 0, 0),
    loadPacket,
  })
  const build: JitWorld["prepare"] = (program, more = {}) => {
    const bytes = typeof program === "string" ? assemble(program).bytes : program
    const { executable, problem } = prepare<null>({
      name: "test",
      program: bytes,
      resolveCall: (kind, imm) => (kind === "helper" ? options.helpers?.[imm] : null) ?? null,
      ...more,
    })
    if (problem !== null) throw new Error(`slot ${problem.slot}: ${problem.message}`)
    return executable
  }
  const executableOf = (program: string | Uint8Array | Executable<null>): Executable<null> =>
    typeof program === "string" || program instanceof Uint8Array ? build(program) : program
  return {
    memory,
    machine,
    prepare: build,
    compile,
    region(size, flags = REGION_READ | REGION_WRITE) {
      const offset = memory.allocate(size)
      const region = memory.createRegion(offset, offset + size, flags)
      return { address: [offset, REGION_TAG | region], region, offset }
    },
    run: (program, run = {}) =>
      machine.run(compile(executableOf(program)), { environment: null, ...run }),
    interpret: (program, run = {}) =>
      interpreter.run(executableOf(program), { environment: null, ...run }),
  }
}
