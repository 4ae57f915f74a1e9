/**
 * Runs programs: one machine for each CPU and each level of nesting, an {@link Environment} for
 * each run. This is the only place from which the engines are entered.
 */

import { REGION_TAG, type Run } from "../../interpreter/index.ts"
import type { Environment, KernelState, RunInput, RunOutcome } from "../environment.ts"
import { type EngineOptions, Engines } from "./engines.ts"
import type { Program } from "./program.ts"

/** Runs inside runs (redirects into devices with programs, timers, events in helpers). */
const NESTING_MAX = 16

export type RunnerOptions = EngineOptions

export class Runner {
  private readonly options: RunnerOptions
  readonly engines: Engines
  private depth = 0
  private cpu = 0

  constructor(options: RunnerOptions) {
    this.options = options
    this.engines = new Engines(options)
  }

  /** The CPU of the innermost run in progress; 0 outside of runs. */
  currentCpu(): number {
    return this.cpu
  }

  run(kernel: KernelState, program: Program, input: RunInput): RunOutcome {
    if (this.depth >= NESTING_MAX) {
      program.recursionMisses++
      return { low: 0, high: 0, fault: null, redirect: null, steps: 0 }
    }
    return this.within(kernel, program, input, (run, depth) => {
      const { low, high, fault, steps } = this.engines.run(kernel, program, depth, run)
      const { redirect, returnValue } = run.environment
      return { low, high, fault, redirect, returnValue, steps }
    })
  }

  /** What `body` runs happens one level deeper, on the CPU of the input. */
  within<R>(
    kernel: KernelState,
    program: Program,
    input: RunInput,
    body: (run: Run<Environment>, depth: number) => R,
  ): R {
    const environment = this.environmentOf(kernel, program, input)
    const outerCpu = this.cpu
    this.cpu = environment.cpu
    const depth = this.depth++
    try {
      const first = [input.context, REGION_TAG | input.contextRegion] as const
      return body({ environment, arguments: [first], budget: this.options.budget }, depth)
    } finally {
      this.depth--
      this.cpu = outerCpu
    }
  }

  private environmentOf(kernel: KernelState, program: Program, input: RunInput): Environment {
    return {
      kernel,
      program,
      cpu: input.cpu ?? this.cpu,
      task: input.task ?? kernel.idleTask,
      context: input.context,
      contextRegion: input.contextRegion,
      packet: input.packet ?? null,
      network: input.network ?? null,
      cookie: input.cookie ?? 0n,
      functionArguments: input.functionArguments ?? null,
      functionIp: input.functionIp ?? null,
      session: input.session ?? null,
      sequence: input.sequence ?? null,
      perf: input.perf ?? null,
      redirect: null,
      lock: 0,
      returnValue: input.returnValue ?? 0,
    }
  }

  /**
   * Calls a function of a program outside of its main run (timer callbacks), with addresses as
   * arguments.
   */
  callFunction(
    kernel: KernelState,
    program: Program,
    entry: number,
    args: readonly (readonly [low: number, high: number])[],
  ): RunOutcome {
    if (this.depth >= NESTING_MAX) return { low: 0, high: 0, fault: null, redirect: null, steps: 0 }
    const environment: Environment = {
      kernel,
      program,
      cpu: this.cpu,
      task: kernel.idleTask,
      context: 0,
      contextRegion: 0,
      packet: null,
      network: null,
      cookie: 0n,
      functionArguments: null,
      functionIp: null,
      session: null,
      sequence: null,
      perf: null,
      redirect: null,
      lock: 0,
      returnValue: 0,
    }
    const depth = this.depth++
    try {
      const { low, high, fault, steps } = this.engines.run(kernel, program, depth, {
        environment,
        arguments: args,
        entry,
        budget: this.options.budget,
      })
      return { low, high, fault, redirect: environment.redirect, steps }
    } finally {
      this.depth--
    }
  }
}
