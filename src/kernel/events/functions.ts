/**
 * A kernel function runs: kprobes, then the trampoline (fentry, fmod_ret, the function itself,
 * fexit), then kretprobes, as on a Linux with ftrace. A kprobe's bpf_override_return or the verdict
 * of a fmod_ret program takes the function's place; LSM hooks are asked one program after the other.
 */

import { BPF_ATTACH_TYPE } from "../../spec/index.ts"
import type { RunOutcome } from "../environment.ts"
import { hookKey } from "../hooks/hooks.ts"
import type { Attachment } from "../hooks/link.ts"
import type { Task } from "../tasks/task.ts"
import type { ObjectWriter } from "../types/index.ts"
import type { EmitOptions, EventFields, FireOptions, Firing } from "./firing.ts"
import { FUNCTION_REGISTERS, PT_REGS } from "./registers.ts"

const { BPF_TRACE_FENTRY, BPF_TRACE_FEXIT, BPF_MODIFY_RETURN } = BPF_ATTACH_TYPE

/** What one call of a function came to. */
export interface Called {
  /** The function's result as its caller sees it. */
  readonly returned: bigint
  readonly outcomes: readonly RunOutcome[]
}

/** A session program that wants to see the return, with its 8 bytes of state. */
interface OpenSession {
  readonly attachment: Attachment
  readonly cookieOffset: number
}

export class Functions {
  private readonly firing: Firing

  constructor(firing: Firing) {
    this.firing = firing
  }

  /** Whether any program watches the function. */
  isHooked(name: string): boolean {
    const { firing } = this
    return (
      firing.isHooked(hookKey.tracepoint("kprobe", name)) ||
      firing.isHooked(hookKey.tracepoint("kretprobe", name)) ||
      firing.isHooked(hookKey.tracepoint("kprobe_session", name)) ||
      firing.isHooked(hookKey.trampoline(name, BPF_TRACE_FENTRY)) ||
      firing.isHooked(hookKey.trampoline(name, BPF_TRACE_FEXIT)) ||
      firing.isHooked(hookKey.trampoline(name, BPF_MODIFY_RETURN))
    )
  }

  /** Runs `body` as the function `name`; what is attached may keep it from running. */
  run(
    name: string,
    fields: EventFields,
    options: EmitOptions,
    body: () => number | bigint,
  ): number {
    const { observer } = this.firing
    observer?.(`kprobe:${name}`, fields, options)
    const result = this.isHooked(name)
      ? Number(BigInt.asIntN(64, this.call(name, fields, options, body).returned))
      : Number(body())
    observer?.(`kretprobe:${name}`, { ...fields, return: result }, options)
    return result
  }

  /** Only what sees a function return: fexit and kretprobe programs. */
  returned(name: string, fields: EventFields, options: EmitOptions, result: bigint): void {
    const { firing } = this
    if (!this.isHooked(name)) return
    firing.scoped((writer) => {
      const params = firing.prototypeOf(name, "func")?.params
      const args = firing.encodeArguments(params, fields, writer, name)
      const value = BigInt.asUintN(64, result)
      const saved = firing.argumentArray([...args, value], writer)
      const fire: FireOptions = { ...options, functionIp: firing.kernel.kernelSymbol(name) ?? 0n }
      const fexit = hookKey.trampoline(name, BPF_TRACE_FEXIT)
      const count = args.length
      firing.runAll(fexit, saved, 8 * (count + 1), { ...fire, count }, [])
      const registers = this.registers(args, fire.functionIp ?? 0n, writer)
      this.returnProbes(name, registers, value, fire, { outcomes: [], sessions: [] })
    })
  }

  /** The same with everything that programs did; `body` absent: the function does not return. */
  call(
    name: string,
    fields: EventFields,
    options: EmitOptions,
    body?: () => number | bigint,
  ): Called {
    const { firing } = this
    const proto = firing.prototypeOf(name, "func")
    return firing.scoped((writer) => {
      const given = proto === undefined ? undefined : proto.params
      const args = firing.encodeArguments(given, fields, writer, name)
      const outcomes: RunOutcome[] = []
      const functionIp = firing.kernel.kernelSymbol(name) ?? 0n
      const fire: FireOptions = { ...options, functionIp }
      const registers = this.registers(args, functionIp, writer)
      const sessions: OpenSession[] = []
      const overridden = this.entryProbes(name, registers, fire, { outcomes, sessions, writer })
      let returned = overridden ?? 0n
      if (overridden === undefined) {
        const result = this.trampoline(name, args, fire, { outcomes, writer, body })
        if (result === undefined) return { returned: 0n, outcomes }
        returned = result
      }
      this.returnProbes(name, registers, returned, fire, { outcomes, sessions })
      return { returned, outcomes }
    })
  }

  /** Runs kprobe programs; a result when one of them overrides the function. */
  private entryProbes(
    name: string,
    registers: number,
    fire: FireOptions,
    run: { outcomes: RunOutcome[]; sessions: OpenSession[]; writer: ObjectWriter },
  ): bigint | undefined {
    const { firing } = this
    const { view } = firing.kernel.memory
    const entry = view.getBigUint64(registers + PT_REGS.ip, true)
    firing.runAll(hookKey.tracepoint("kprobe", name), registers, PT_REGS.size, fire, run.outcomes)
    for (const attachment of firing.attachmentsAt(hookKey.tracepoint("kprobe_session", name))) {
      const cookieOffset = run.writer.allocate(8)
      const session = { isReturn: false, cookieOffset }
      const outcome = firing.runOne(attachment, registers, PT_REGS.size, { ...fire, session })
      run.outcomes.push(outcome)
      // 1 from the entry means: not interested in the return.
      if (outcome.low === 0) run.sessions.push({ attachment, cookieOffset })
    }
    const memory = firing.kernel.memory.view
    if (memory.getBigUint64(registers + PT_REGS.ip, true) === entry) return undefined
    return memory.getBigUint64(registers + PT_REGS.ax, true)
  }

  /** fentry, fmod_ret, the function, fexit; undefined when the function never returns. */
  private trampoline(
    name: string,
    args: readonly bigint[],
    fire: FireOptions,
    run: { outcomes: RunOutcome[]; writer: ObjectWriter; body?: () => number | bigint },
  ): bigint | undefined {
    const { firing } = this
    const count = args.length
    const saved = firing.argumentArray([...args, 0n], run.writer)
    const resultAt = saved + 8 * count
    const size = 8 * (count + 1)
    const options = { ...fire, count }
    const fentry = hookKey.trampoline(name, BPF_TRACE_FENTRY)
    firing.runAll(fentry, saved, 8 * count, options, run.outcomes)
    let modified = false
    for (const one of firing.attachmentsAt(hookKey.trampoline(name, BPF_MODIFY_RETURN))) {
      const outcome = firing.runOne(one, saved, size, options)
      run.outcomes.push(outcome)
      const { view } = firing.kernel.memory
      view.setInt32(resultAt, outcome.low, true)
      view.setInt32(resultAt + 4, outcome.high, true)
      modified = (outcome.low | outcome.high) !== 0
      if (modified) break
    }
    if (!modified) {
      if (run.body === undefined) return undefined
      const value = BigInt.asUintN(64, BigInt(run.body()))
      firing.kernel.memory.view.setBigUint64(resultAt, value, true)
    }
    const fexit = hookKey.trampoline(name, BPF_TRACE_FEXIT)
    firing.runAll(fexit, saved, size, options, run.outcomes)
    return firing.kernel.memory.view.getBigUint64(resultAt, true)
  }

  private returnProbes(
    name: string,
    registers: number,
    returned: bigint,
    fire: FireOptions,
    run: { outcomes: RunOutcome[]; sessions: readonly OpenSession[] },
  ): void {
    const { firing } = this
    firing.kernel.memory.view.setBigUint64(registers + PT_REGS.ax, returned, true)
    firing.runAll(
      hookKey.tracepoint("kretprobe", name),
      registers,
      PT_REGS.size,
      fire,
      run.outcomes,
    )
    for (const { attachment, cookieOffset } of run.sessions) {
      const session = { isReturn: true, cookieOffset }
      run.outcomes.push(firing.runOne(attachment, registers, PT_REGS.size, { ...fire, session }))
    }
  }

  /** `struct pt_regs` at the entry of a function. */
  registers(args: readonly bigint[], ip: bigint, writer: ObjectWriter): number {
    const regs = writer.allocate(PT_REGS.size)
    const { view } = this.firing.kernel.memory
    args.slice(0, FUNCTION_REGISTERS.length).forEach((arg, index) => {
      view.setBigUint64(regs + FUNCTION_REGISTERS[index], arg, true)
    })
    view.setBigUint64(regs + PT_REGS.ip, ip, true)
    return regs
  }

  /**
   * An LSM hook is asked: programs run in order until one says no, system-wide ones before those
   * of the task's cgroup. Returns 0 or the first verdict, a negative errno.
   *
   * @throws RangeError for a hook that the kernel's types do not have.
   */
  lsm(hook: string, fields: EventFields, options: EmitOptions = {}): number {
    const { firing } = this
    const proto = firing.prototypeOf(`bpf_lsm_${hook}`, "func")
    if (proto === undefined) throw new RangeError(`there is no LSM hook '${hook}'`)
    return this.run(`security_${hook}`, fields, options, () =>
      this.run(`bpf_lsm_${hook}`, fields, options, () => this.askLsm(hook, fields, options)),
    )
  }

  /** Whether a program would be asked about what the task does. */
  watchesLsm(hook: string, task: Task): boolean {
    return (
      this.firing.isHooked(hookKey.lsm(hook)) ||
      this.isHooked(`security_${hook}`) ||
      this.isHooked(`bpf_lsm_${hook}`) ||
      this.cgroupPrograms(hook, task.cgroupPath).length > 0
    )
  }

  private askLsm(hook: string, fields: EventFields, options: EmitOptions): number {
    const { firing } = this
    const system = firing.attachmentsAt(hookKey.lsm(hook))
    const task = options.task ?? firing.kernel.idleTask
    const ofCgroup = this.cgroupPrograms(hook, task.cgroupPath)
    if (system.length + ofCgroup.length === 0) return 0
    const params = firing.prototypeOf(`bpf_lsm_${hook}`, "func")?.params
    return firing.scoped((writer) => {
      const args = firing.encodeArguments(params, fields, writer, hook)
      const context = firing.argumentArray([...args, 0n], writer)
      const fire: FireOptions = { ...options, count: args.length }
      const size = 8 * (args.length + 1)
      for (const attachment of system) {
        const outcome = firing.runOne(attachment, context, size, fire)
        // A program that faulted has no verdict: Linux could not have loaded it.
        if (outcome.fault === null && outcome.low !== 0) return outcome.low
      }
      for (const attachment of ofCgroup) {
        const outcome = firing.runOne(attachment, context, size, fire)
        if (outcome.fault !== null) continue
        if (outcome.returnValue) return outcome.returnValue
        if ((outcome.low & 1) === 0) return EPERM
      }
      return 0
    })
  }

  /** Programs at the task's cgroup and at those above it, nearest first. */
  private cgroupPrograms(hook: string, path: string): Attachment[] {
    const found: Attachment[] = []
    for (let at = path; ; at = at.slice(0, Math.max(at.lastIndexOf("/"), 1))) {
      found.push(...this.firing.attachmentsAt(hookKey.lsmCgroup(at, hook)))
      if (at === "/" || at === "") return found
    }
  }
}

/** What a cgroup's program that returns 0 means. */
const EPERM = -1
