/** The options of `skep run` after they have been read and checked. */

import type { EventRequest } from "./events.ts"

export type RunMode = "device" | "test-run"

export interface RunOptions {
  readonly file: string
  readonly compiler: string | undefined
  readonly kernel: "embedded" | "linux"
  readonly mode: RunMode
  /** For tc programs and frames: which way they go through the device; null: as the sections say. */
  readonly direction: "ingress" | "egress" | null
  readonly pcap: string | undefined
  readonly out: string | undefined
  readonly packets: readonly Uint8Array[]
  readonly events: readonly EventRequest[]
  readonly context: Uint8Array | undefined
  /** Empty: all. */
  readonly programs: readonly string[]
  /** Words of the command line, by global. */
  readonly globals: ReadonlyMap<string, string>
  /** Files by map. */
  readonly maps: ReadonlyMap<string, string>
  /** More devices than eth0. */
  readonly devices: readonly string[]
  readonly repeat: number
  readonly cpus: number
  readonly seed: number
  /** Records of event streams to show, map by map. */
  readonly eventsShown: number
  /** Entries of a map to show as text. */
  readonly entriesShown: number
  /** C types of the records of rings, by map. */
  readonly recordTypes: ReadonlyMap<string, string>
  readonly perCpu: boolean
  readonly json: boolean
}
