/**
 * Symbols and USDT probes of virtual executables, and the functions in them being called: uprobes,
 * uretprobes, sessions and USDT probes fire (linux kernel/events/uprobes.c, kernel/trace/bpf_trace.c).
 */

import type { RunOutcome } from "../environment.ts"
import type { EmitOptions, Firing } from "../events/index.ts"
import { FUNCTION_REGISTERS, PT_REGS } from "../events/index.ts"
import { hookKey } from "../hooks/hooks.ts"
import type { Attachment } from "../hooks/link.ts"

/** What an executable has that programs can be attached to; offsets in bytes from its start. */
export interface ExecutableOptions {
  /** Offsets of functions by name; those given as a list are laid out one after the other. */
  readonly symbols?: Readonly<Record<string, number>> | readonly string[]
  /** USDT probes as `provider:name`. */
  readonly usdt?: readonly string[]
  /** Other spellings of probes, by the one that is listed. */
  readonly usdtAliases?: Readonly<Record<string, string>>
}

interface Executable {
  readonly symbols: Map<string, bigint>
  readonly usdt: Map<string, bigint>
}

const TEXT_OFFSET = 0x1000
const SYMBOL_BYTES = 0x40
const LOAD_ADDRESS = 0x5555_5555_4000n

export class Executables {
  private readonly firing: Firing
  private readonly byPath = new Map<string, Executable>()

  constructor(firing: Firing) {
    this.firing = firing
  }

  /** Says what an executable (or library) has; what was said before stays. */
  define(path: string, options: ExecutableOptions): void {
    const executable = this.byPath.get(path) ?? { symbols: new Map(), usdt: new Map() }
    this.byPath.set(path, executable)
    const named = options.symbols ?? {}
    const next = (): bigint =>
      BigInt(TEXT_OFFSET + SYMBOL_BYTES * (executable.symbols.size + executable.usdt.size))
    if (Array.isArray(named)) {
      for (const name of named as readonly string[])
        if (!executable.symbols.has(name)) executable.symbols.set(name, next())
    } else
      for (const [name, offset] of Object.entries(named))
        executable.symbols.set(name, BigInt(offset))
    for (const probe of options.usdt ?? [])
      if (!executable.usdt.has(probe)) executable.usdt.set(probe, next())
    for (const [alias, probe] of Object.entries(options.usdtAliases ?? {})) {
      const offset = executable.usdt.get(probe)
      if (offset !== undefined) executable.usdt.set(alias, offset)
    }
  }

  has(path: string): boolean {
    return this.byPath.has(path)
  }

  /** Offset of a function in a file, or undefined. */
  symbol(path: string, name: string): bigint | undefined {
    return this.byPath.get(path)?.symbols.get(name)
  }

  /** Offset of a USDT probe in a file, or undefined. */
  usdt(path: string, provider: string, name: string): bigint | undefined {
    return this.byPath.get(path)?.usdt.get(`${provider}:${name}`)
  }

  /** The function that covers an offset, for stack traces. */
  symbolAt(path: string, offset: bigint): { name: string; offset: number } | undefined {
    for (const [name, start] of this.byPath.get(path)?.symbols ?? [])
      if (offset >= start && offset < start + BigInt(SYMBOL_BYTES))
        return { name, offset: Number(offset - start) }
    return undefined
  }

  /** Whether anything watches a place. */
  isHooked(path: string, offset: bigint): boolean {
    return KINDS.some((kind) => this.firing.isHooked(hookKey.uprobe(kind, path, offset)))
  }

  /**
   * A place in an executable is passed with arguments in the registers of the calling convention;
   * with `body`, it is a function that returns. Gives what the programs did and what was returned.
   */
  call(
    path: string,
    offset: bigint,
    args: readonly bigint[],
    options: EmitOptions,
    body?: () => number | bigint,
  ): { outcomes: readonly RunOutcome[]; returned: bigint } {
    const { firing } = this
    const outcomes: RunOutcome[] = []
    if (!this.isHooked(path, offset)) return { outcomes, returned: BigInt(body?.() ?? 0) }
    return firing.scoped((writer) => {
      const regs = writer.allocate(PT_REGS.size)
      const functionIp = LOAD_ADDRESS + offset
      const view = (): DataView => firing.kernel.memory.view
      args.slice(0, FUNCTION_REGISTERS.length).forEach((arg, index) => {
        view().setBigUint64(regs + FUNCTION_REGISTERS[index], BigInt.asUintN(64, arg), true)
      })
      view().setBigUint64(regs + PT_REGS.ip, functionIp, true)
      const fire = { ...options, functionIp }
      const at = (kind: string): string => hookKey.uprobe(kind, path, offset)
      firing.runAll(at("uprobe"), regs, PT_REGS.size, fire, outcomes)
      const open: { attachment: Attachment; cookieOffset: number }[] = []
      for (const attachment of firing.attachmentsAt(at("uprobe_session"))) {
        const cookieOffset = writer.allocate(8)
        const session = { isReturn: false, cookieOffset }
        const outcome = firing.runOne(attachment, regs, PT_REGS.size, { ...fire, session })
        outcomes.push(outcome)
        if (outcome.low === 0) open.push({ attachment, cookieOffset })
      }
      if (body === undefined) return { outcomes, returned: 0n }
      const returned = BigInt(body())
      view().setBigUint64(regs + PT_REGS.ax, BigInt.asUintN(64, returned), true)
      firing.runAll(at("uretprobe"), regs, PT_REGS.size, fire, outcomes)
      for (const { attachment, cookieOffset } of open) {
        const session = { isReturn: true, cookieOffset }
        outcomes.push(firing.runOne(attachment, regs, PT_REGS.size, { ...fire, session }))
      }
      return { outcomes, returned }
    })
  }
}

const KINDS: readonly string[] = ["uprobe", "uretprobe", "uprobe_session"]
