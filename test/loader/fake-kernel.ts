/**
 * A kernel of a few lines for loader tests: it records every command with a copy of its attributes,
 * hands out descriptors, remembers which are open, and refuses what the test says.
 */

import type { CommandName, Commands, Fd, KernelInterface } from "../../src/spec/index.ts"

export interface Call {
  readonly command: CommandName
  // biome-ignore lint/suspicious/noExplicitAny: tests look at the attributes of any command
  readonly attr: any
}

/** A negative errno to refuse a command with, or undefined to accept it. */
export type Refusal = (call: Call, index: number) => number | undefined

/** Commands that return a descriptor. */
const OPENING: ReadonlySet<CommandName> = new Set([
  "MAP_CREATE",
  "PROG_LOAD",
  "BTF_LOAD",
  "OBJ_GET",
  "LINK_CREATE",
  "RAW_TRACEPOINT_OPEN",
])

export class FakeKernel implements KernelInterface {
  readonly kind = "linux" as const
  readonly possibleCpus = 3
  readonly calls: Call[] = []
  readonly open: Set<Fd> = new Set()
  /** Commands of a test-made answer. */
  refuse: Refusal = () => undefined
  types: Uint8Array | null = null
  config: ReadonlyMap<string, string> = new Map()
  readonly symbols: Map<string, bigint> = new Map()
  private nextFd = 100

  bpf<C extends CommandName>(command: C, attr: Commands[C]): number {
    const call = { command, attr: { ...attr } }
    this.calls.push(call)
    const refused = this.refuse(call, this.calls.length - 1)
    if (refused !== undefined) {
      // What the refusal wrote into the attributes (out fields) is the caller's.
      Object.assign(attr, call.attr)
      return refused
    }
    // Nothing is pinned anywhere.
    if (command === "OBJ_GET") return -2
    return OPENING.has(command) ? this.opened() : 0
  }

  close(fd: Fd): void {
    if (!this.open.delete(fd)) throw new Error(`close of ${fd}, which is not open`)
  }

  /** The attributes of all commands of one kind, in order. */
  // biome-ignore lint/suspicious/noExplicitAny: see Call
  sent(command: CommandName): any[] {
    return this.calls.filter((call) => call.command === command).map((call) => call.attr)
  }

  opened(): Fd {
    const fd = this.nextFd++
    this.open.add(fd)
    return fd
  }

  vmlinuxBtf(): Uint8Array | null {
    return this.types
  }

  openRing(): number {
    return -95
  }

  openPerfRing(): number {
    return -95
  }

  watch(): () => void {
    return () => {}
  }

  interfaceIndex(): number {
    return 0
  }

  openCgroup(): Fd {
    return this.opened()
  }

  openTracepoint(_group: string, name: string): Fd {
    return name === "none" ? -2 : this.opened()
  }

  openKprobe(symbol: string): Fd {
    return symbol === "none" ? -2 : this.opened()
  }

  kernelSymbol(name: string): bigint | undefined {
    return this.symbols.get(name)
  }

  kernelConfig(): ReadonlyMap<string, string> {
    return this.config
  }

  versionCode(): number {
    return (6 << 16) | (18 << 8)
  }
}
