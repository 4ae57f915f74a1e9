/**
 * The objects that both kernels run: the examples, the benchmark programs, and one small program
 * for each map type and group of helpers (programs/). One table drives `npm run compare` and the
 * test.
 */

import { spawnSync } from "node:child_process"
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { MapHandle, MapOfMaps, RawMap } from "../../src/api/index.ts"
import { requirement, root, shared } from "../support/requirements.ts"

export type LiveMaps = Readonly<Record<string, MapHandle>>

export interface ComparedObject {
  readonly name: string
  /** The ELF object, compiled when it is asked for. */
  readonly bytes: () => Uint8Array
  /** Fills maps before the first run; the same on both kernels. */
  readonly setup?: (maps: LiveMaps) => void
  /** Fields whose values are times or addresses: left out of the comparison of maps. */
  readonly ignore?: readonly string[]
  /** Why it cannot be compared, if it cannot. */
  readonly skip?: string
  /** Bytes of context for programs that are not given packets, one run each. */
  readonly contexts?: readonly Uint8Array[]
}

const u32 = (value: number): Uint8Array => new Uint8Array(new Uint32Array([value]).buffer)

function raw(maps: LiveMaps, name: string): RawMap {
  return maps[name].raw
}

/** What some programs need, by name. */
const EXTRAS: Readonly<Record<string, Partial<ComparedObject>>> = {
  firewall: {
    setup(maps) {
      // 10.77.0.19 and 10.77.0.11 of the captures.
      for (const last of [19, 11])
        raw(maps, "blocklist").set(new Uint8Array([10, 77, 0, last]), new Uint8Array(8))
    },
  },
  "lpm-blocklist": {
    setup(maps) {
      const rule = (verdict: number): Uint8Array => new Uint8Array([verdict, 0, 0, 0, 0, 0, 0, 0])
      const prefix = (length: number, ...address: number[]): Uint8Array =>
        new Uint8Array([length, 0, 0, 0, ...address])
      raw(maps, "ipv4_rules").set(prefix(8, 10, 0, 0, 0), rule(1))
      raw(maps, "ipv4_rules").set(prefix(32, 10, 77, 0, 2), rule(0))
      raw(maps, "ipv6_rules").set(prefix(10, 0xfe, 0x80, ...new Array<number>(14).fill(0)), rule(1))
    },
  },
  "port-drop": {
    setup(maps) {
      for (const [port, protocol] of [
        [53, 17],
        [80, 6],
        [5060, 17],
      ])
        raw(maps, "closed_ports").set(
          new Uint8Array([port & 255, port >> 8, protocol, 0]),
          new Uint8Array(8),
        )
    },
  },
  "rate-limit": { skip: "its verdicts depend on time, which is virtual on one kernel" },
  "flow-stats": { ignore: ["first_ns", "last_ns"] },
  "hash-of-maps": {
    setup(maps) {
      const outer = maps["outer"] as MapOfMaps<MapHandle>
      outer.set(u32(0), maps["ip"])
      outer.set(u32(1), maps["arp"])
    },
  },
  "lpm-trie": {
    setup(maps) {
      raw(maps, "routes").set(new Uint8Array([8, 0, 0, 0, 10, 0, 0, 0]), u32(1))
      raw(maps, "routes").set(new Uint8Array([24, 0, 0, 0, 192, 168, 1, 0]), u32(2))
      raw(maps, "routes").set(new Uint8Array([0, 0, 0, 0, 0, 0, 0, 0]), u32(3))
    },
  },
  "raw-tracepoint": { contexts: words([1n, 2n], [0xffff_ffff_ffffn, 5n], [0n, 0n]) },
  syscall: { contexts: words([0x0000_0002_0000_0003n, 0n], [0xffff_ffff_ffff_ffffn, 9n]) },
  strings: { contexts: words([0n]) },
  tail: { setup: fillJumps },
  fw: {
    setup(maps) {
      raw(maps, "blocklist").set(new Uint8Array([10, 77, 0, 19]), new Uint8Array(8))
    },
  },
  ringbuf_bench: { ignore: ["ts", "time"] },
}

/** The tail-call benchmark jumps to itself. */
function fillJumps(): void {}

function words(...all: readonly (readonly bigint[])[]): Uint8Array[] {
  return all.map((values) => new Uint8Array(new BigUint64Array(values).buffer))
}

function committed(folder: string, suffix: string): ComparedObject[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder)
    .filter((file) => file.endsWith(suffix))
    .sort()
    .map((file) => {
      const name = file.slice(0, -suffix.length)
      return { name, bytes: () => readFileSync(join(folder, file)), ...EXTRAS[name] }
    })
}

/** Examples that packets drive, each in a folder of its name. */
function examples(): ComparedObject[] {
  return readdirSync(join(root, "examples"), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort()
    .flatMap((folder) => committed(join(root, "examples", folder), ".bpf.o"))
}

/** The benchmark programs beside the checkout, compiled now. */
function benchmarks(): ComparedObject[] {
  const folder = join(shared, "bench/programs")
  if (!existsSync(folder) || !requirement.clang().available) return []
  return readdirSync(folder)
    .filter((file) => file.endsWith(".c"))
    .sort()
    .map((file) => {
      const name = file.replace(/\.c$/, "")
      return {
        name: `bench/${name}`,
        bytes: () => compile(join(folder, file)),
        ...EXTRAS[name === "ringbuf" ? "ringbuf_bench" : name === "tail" ? "tail" : ""],
        ...(name === "fw" ? EXTRAS["fw"] : {}),
      }
    })
}

function compile(source: string): Uint8Array {
  const folder = mkdtempSync(join(tmpdir(), "skep-compare-"))
  try {
    const out = join(folder, "out.o")
    const args = ["-O2", "-g", "-target", "bpf", "-mcpu=v3", "-c", source, "-o", out]
    const { status, stderr } = spawnSync("clang", args, { encoding: "utf8" })
    if (status !== 0) throw new Error(`clang ${source}: ${stderr}`)
    return readFileSync(out)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** Everything that is compared. */
export function comparedObjects(): ComparedObject[] {
  return [
    ...examples(),
    ...benchmarks(),
    ...committed(join(root, "test/kernels/programs"), ".bpf.o"),
  ]
}
