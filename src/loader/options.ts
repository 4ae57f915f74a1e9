/** What loading takes and gives. */

import type { Btf } from "../btf/index.ts"
import type { MapDefinition, ProgramDefinition } from "../object/index.ts"
import type { Fd } from "../spec/index.ts"

/** When the kernel's verifier log is asked for. */
export type LogMode =
  /** Only after a rejection (one more PROG_LOAD then). */
  | "error"
  /** Also when the program is accepted. */
  | "always"
  /** Always, and with the state of the registers at every instruction. */
  | "states"
  | "off"

/** Where a program of type EXT, or one that traces another program, attaches. */
export interface ProgramTarget {
  /** The program to replace a function of, or to trace. */
  readonly progFd: Fd
  /** The function; the one of the section name unless given. */
  readonly function?: string
}

export interface LoadOptions {
  /**
   * Load only these programs and the maps that they need (with the programs in their slots); else
   * every program whose section does not begin with `?`, and every map.
   */
  readonly programs?: readonly string[]
  /** Maps to use instead of creating them, by name. They stay the caller's to close. */
  readonly maps?: Readonly<Record<string, Fd>>
  /** Types to relocate CO-RE accesses to, instead of the kernel's own. */
  readonly btf?: Btf
  /** Values of kconfig externs, before those of the kernel: `{ CONFIG_HZ: 1000, CONFIG_BPF: "y" }`. */
  readonly kconfig?: Readonly<Record<string, string | number | bigint | boolean>>
  /** Directory of pinned maps; `/sys/fs/bpf` unless given. */
  readonly pinPath?: string
  /** `"error"` unless given. */
  readonly log?: LogMode
  /** Bytes of the first log buffer; it grows until the whole log fits. 64 KiB unless given. */
  readonly verifierLogBytes?: number
  /** For programs that attach to other programs, by name. */
  readonly targets?: Readonly<Record<string, ProgramTarget>>
  /** Network device that XDP or tc programs are bound to (BPF_F_XDP_DEV_BOUND_ONLY). */
  readonly ifindex?: number
}

/** A map that programs of the object use. */
export interface LoadedMap {
  readonly fd: Fd
  /** As created: sizes that depend on the kernel (CPUs, pages) are filled in. */
  readonly definition: MapDefinition
  /** It was there before: given by the caller or found pinned. */
  readonly reused: boolean
}

export interface LoadedProgram {
  readonly fd: Fd
  readonly definition: ProgramDefinition
  /** The verifier's log, one entry per line; empty unless asked for. */
  readonly log: readonly string[]
}

/** Everything that loading created. */
export interface LoadedObject {
  readonly maps: ReadonlyMap<string, LoadedMap>
  readonly programs: ReadonlyMap<string, LoadedProgram>
  /** The object's types in the kernel, or `null` if it has none that the kernel takes. */
  readonly btfFd: Fd | null
  readonly warnings: readonly string[]
  /** Closes every descriptor that loading created. Pins, links and other references stay. */
  close(): void
}
