/**
 * The programs of bench/programs as instructions: section `xdp` with `.text` (subprograms) behind
 * it, calls linked, and the places of map pointers. A reader of just these objects; the real one
 * is src/object.
 */

import { readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

const folder = join(dirname(fileURLToPath(import.meta.url)), "../programs")

/** In the order of the tables. */
export const programNames: readonly string[] = [
  "xorshift",
  "sieve",
  "csum",
  "fnv",
  "siphash",
  "memcpy",
  "calls",
  "parse",
]

export interface BenchProgram {
  readonly name: string
  readonly insns: Uint8Array
  /** Slots of `ld_imm64` instructions that want the address (or descriptor) of the one map. */
  readonly mapSlots: readonly number[]
}

interface Section {
  readonly name: string
  readonly type: number
  readonly info: number
  readonly bytes: Uint8Array
}

const SHT_REL = 9
const R_BPF_64_64 = 1
const R_BPF_64_32 = 10

/** Bytes of the one map's value (sieve's flags). */
export const MAP_VALUE_BYTES = 1024

function readSections(file: Uint8Array): Section[] {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  const table = Number(view.getBigUint64(40, true))
  const raw = Array.from({ length: view.getUint16(60, true) }, (_, index) => {
    const at = table + index * 64
    const offset = Number(view.getBigUint64(at + 24, true))
    const size = Number(view.getBigUint64(at + 32, true))
    return {
      name: view.getUint32(at, true),
      type: view.getUint32(at + 4, true),
      info: view.getUint32(at + 44, true),
      bytes: file.subarray(offset, offset + size),
    }
  })
  const names = raw[view.getUint16(62, true)].bytes
  const nameAt = (start: number) =>
    new TextDecoder().decode(names.subarray(start, names.indexOf(0, start)))
  return raw.map((section) => ({ ...section, name: nameAt(section.name) }))
}

/** Reads and links one program. */
export function readProgram(name: string): BenchProgram {
  const sections = readSections(new Uint8Array(readFileSync(join(folder, `${name}.o`))))
  const main = sections.findIndex((section) => section.name === "xdp")
  const text = sections.find((section) => section.name === ".text")?.bytes ?? new Uint8Array(0)
  const { bytes } = sections[main]
  const insns = new Uint8Array(bytes.length + text.length)
  insns.set(bytes)
  insns.set(text, bytes.length)
  const view = new DataView(insns.buffer)
  const mapSlots: number[] = []
  for (const section of sections) {
    if (section.type !== SHT_REL || section.info !== main) continue
    const relocations = new DataView(section.bytes.buffer, section.bytes.byteOffset)
    for (let at = 0; at < section.bytes.length; at += 16) {
      const offset = Number(relocations.getBigUint64(at, true))
      const type = relocations.getUint32(at + 8, true)
      if (type === R_BPF_64_64) mapSlots.push(offset / 8)
      else if (type === R_BPF_64_32) {
        // The addend is the target's slot in .text, minus one.
        const target = view.getInt32(offset + 4, true) + 1 + bytes.length / 8
        view.setInt32(offset + 4, target - offset / 8 - 1, true)
      }
    }
  }
  return { name, insns, mapSlots }
}

const HEADERS = [
  [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0],
  [0x45, 0, 5, 0xc8, 0x12, 0x34, 0x40, 0, 64, 6, 0, 0, 10, 1, 0, 10, 192, 168, 2, 7],
  [0x9c, 0x40, 1, 0xbb, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x50, 0x18, 0xff, 0xff],
].flat()

/** The packet that all programs get: Ethernet, IPv4, TCP and a byte pattern, 1494 bytes. */
export function benchPacket(): Uint8Array {
  const packet = new Uint8Array(1494).map((_, index) => index * 7 + (index >> 8))
  packet.fill(0, HEADERS.length, 64)
  packet.set(HEADERS)
  return packet
}
