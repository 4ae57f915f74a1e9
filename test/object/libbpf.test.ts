/**
 * Compares what `readObject` finds with what libbpf finds in the same files: a small C program
 * linked with the system's libbpf prints it.
 */

import { spawnSync } from "node:child_process"
import { existsSync, mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { expect, test } from "vitest"
import { formatHex } from "../../src/base/index.ts"
import { type BpfObject, type MapDefinition, readObject } from "../../src/object/index.ts"
import { describeWith, requirement } from "../support/requirements.ts"
import { type CorpusObject, compile, objectBytes, objectsOf } from "./corpus.ts"

/** Sections that came after the oldest libbpf that this test is run with (1.1). */
const LATER_SECTIONS: readonly string[] = ["tc/ingress"]

interface OracleMap {
  name: string
  type: number
  keySize: number
  valueSize: number
  maxEntries: number
  flags: number
  mapExtra: number
  numaNode: number
  keyTypeId: number
  valueTypeId: number
  pinned: boolean
  data: string
  inner: OracleMap | null
}

interface OracleProgram {
  name: string
  section: string
  type: number
  attachType: number
  autoload: boolean
  flags: number
  instructions: string
}

interface Oracle {
  openError?: number
  name: string
  kernelVersion: number
  maps: OracleMap[]
  programs: OracleProgram[]
  loadError: number
  linked: OracleProgram[]
}

const source = join(dirname(fileURLToPath(import.meta.url)), "oracle/libbpf-oracle.c")
const binary = buildOracle()

function buildOracle(): string | null {
  const out = join(mkdtempSync(join(tmpdir(), "skep-oracle-")), "oracle")
  const { status } = spawnSync("cc", ["-O1", source, "-lbpf", "-o", out], { stdio: "ignore" })
  return status === 0 && existsSync(out) ? out : null
}

const libbpf = {
  name: "libbpf",
  available: binary !== null,
  reason: "no C compiler with libbpf's headers and library",
}

function ask(path: string): Oracle {
  const { stdout } = spawnSync(binary ?? "", [path, "load"], { encoding: "utf8" })
  return JSON.parse(stdout) as Oracle
}

/** Little-endian objects: libbpf here reads no others. */
function objects(source: string): CorpusObject[] {
  if (!requirement.clang().available) return []
  return objectsOf(source).filter(({ path }) => read(path).littleEndian)
}

function read(path: string, strict = false): BpfObject {
  return readObject(objectBytes(path), { name: path, strict })
}

/** A map of ours in the oracle's words. */
function mapInOracleTerms(map: MapDefinition): OracleMap {
  return {
    name: map.name,
    type: map.type,
    keySize: map.keySize,
    valueSize: map.valueSize,
    maxEntries: map.maxEntries,
    flags: map.flags,
    mapExtra: Number(map.mapExtra),
    numaNode: map.numaNode,
    keyTypeId: map.keyTypeId,
    valueTypeId: map.valueTypeId,
    pinned: map.pinning === "by-name",
    // libbpf gives no content for a map that is not of a data section.
    data: map.data === null ? "" : formatHex(map.data),
    inner: map.inner === null ? null : mapInOracleTerms(map.inner),
  }
}

/**
 * Instructions with everything blanked that only loading fills in: the immediates of ld_imm64
 * (except for functions), calls of kfuncs, and the instructions that CO-RE rewrites.
 */
function layout(hex: string): string[] {
  const slots = hex.match(/.{16}/g) ?? []
  return slots.map((slot, index) => {
    const opcode = slot.slice(0, 2)
    if (opcode === "18") return slot[2] === "4" ? slot : `18 r${slot[3]}`
    if (opcode === "00" && slots[index - 1]?.startsWith("18")) return "second"
    return slot
  })
}

describeWith([requirement.clang(), libbpf], "libbpf and readObject agree", () => {
  test.each(["basic", "maps", "sections", "core", "externs"].flatMap(objects))(
    "on maps, data and programs of $label",
    ({ path }) => {
      const theirs = ask(path)
      const ours = read(path)
      expect(theirs.openError).toBeUndefined()
      expect(ours.kernelVersion || theirs.kernelVersion).toBe(theirs.kernelVersion)
      const maps = theirs.maps.map(({ internal, ...map }: OracleMap & { internal?: boolean }) => ({
        ...map,
        inner: map.inner && withoutInternal(map.inner),
      }))
      expect(ours.maps.map(mapInOracleTerms)).toEqual(maps)
      expect(ours.programs.map((program) => program.name)).toEqual(
        theirs.programs.filter(({ section }) => section !== ".text").map((program) => program.name),
      )
      for (const program of ours.programs) {
        const { type, attachType, autoload } = program
        const section = program.section.replace(/^\?/, "")
        const oracle = theirs.programs.find((one) => one.name === program.name)
        expect({ section: oracle?.section, autoload: oracle?.autoload }).toEqual({
          section,
          autoload,
        })
        if (LATER_SECTIONS.includes(section)) continue
        expect({ type: oracle?.type, attachType: oracle?.attachType }).toEqual({ type, attachType })
      }
    },
  )

  test.each(["basic", "sections"].flatMap(objects))(
    "on the layout of programs of $label",
    ({ path }) => {
      const theirs = ask(path)
      const ours = read(path)
      let compared = 0
      // libbpf gives flags their value when it loads.
      const flagsOf = new Map(theirs.linked.map((program) => [program.name, program.flags]))
      for (const linked of theirs.linked) {
        const program = ours.programs.find((one) => one.name === linked.name)
        if (program === undefined || !linked.autoload) continue
        const functions = new Map(
          program.relocations.flatMap((r) => (r.kind === "function" ? [[r.slot, r.target]] : [])),
        )
        const bytes = program.instructions.slice()
        const view = new DataView(bytes.buffer)
        for (const [slot, target] of functions) {
          bytes[8 * slot + 1] = (bytes[8 * slot + 1] & 15) | 0x40
          view.setInt32(8 * slot + 4, target - slot - 1, true)
        }
        expect(layout(formatHex(bytes)), program.name).toEqual(layout(linked.instructions))
        if (theirs.loadError === 0) expect(program.flags).toBe(flagsOf.get(program.name))
        compared++
      }
      expect(compared).toBeGreaterThan(1)
    },
  )
})

function withoutInternal(map: OracleMap & { internal?: boolean }): OracleMap {
  const { internal, ...rest } = map
  return rest
}

describeWith([requirement.clang(), libbpf], "What libbpf refuses, strict mode refuses", () => {
  test.each(["lenient", "legacy", "iproute2", "tags"])("%s.c", (name) => {
    const path = compile(`${name}.c`)
    expect(ask(path).openError).toBeGreaterThan(0)
    expect(() => read(path, true)).toThrow(/strict mode|is unknown/)
    expect(read(path).programs.length).toBeGreaterThan(0)
  })
})

describeWith(
  [requirement.clang(), requirement.bpftool(), libbpf],
  "Statically linked objects",
  () => {
    test("what `bpftool gen object` makes of two objects reads as libbpf reads it", () => {
      const out = join(mkdtempSync(join(tmpdir(), "skep-linked-")), "linked.bpf.o")
      const parts = [
        compile("basic.c"),
        compile("sections.c"),
        compile("core.c"),
        compile("externs.c"),
      ]
      const { status, stderr } = spawnSync("bpftool", ["gen", "object", out, ...parts], {
        encoding: "utf8",
      })
      expect(stderr).toBe("")
      expect(status).toBe(0)
      const theirs = ask(out)
      const ours = read(out)
      expect(ours.maps.map(mapInOracleTerms)).toEqual(theirs.maps.map(withoutInternal))
      expect(ours.programs.map((program) => program.name)).toEqual(
        theirs.programs.filter(({ section }) => section !== ".text").map((program) => program.name),
      )
      for (const program of ours.programs) {
        expect(program.unresolved).toEqual([])
        expect(program.funcInfo.map((info) => info.insnOffset)).toEqual(
          program.subprograms.map((fn) => fn.slot),
        )
      }
    })
  },
)
