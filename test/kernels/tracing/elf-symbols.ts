/** File offsets of the functions that a shared library exports: what a uprobe is set on. */

import { readFileSync } from "node:fs"

const PT_LOAD = 1
const SHT_DYNSYM = 11

/** Offsets by name; 64-bit little-endian ELF only. */
export function exportedFunctions(path: string): Map<string, bigint> {
  const bytes = readFileSync(path)
  const sections = Number(bytes.readBigUInt64LE(40))
  const segments = Number(bytes.readBigUInt64LE(32))
  const loads: { address: bigint; offset: bigint; size: bigint }[] = []
  for (let i = 0; i < bytes.readUInt16LE(56); i++) {
    const at = segments + 56 * i
    if (bytes.readUInt32LE(at) !== PT_LOAD) continue
    loads.push({
      offset: bytes.readBigUInt64LE(at + 8),
      address: bytes.readBigUInt64LE(at + 16),
      size: bytes.readBigUInt64LE(at + 32),
    })
  }
  const found = new Map<string, bigint>()
  for (let i = 0; i < bytes.readUInt16LE(60); i++) {
    const at = sections + 64 * i
    if (bytes.readUInt32LE(at + 4) !== SHT_DYNSYM) continue
    const strings = Number(bytes.readBigUInt64LE(sections + 64 * bytes.readUInt32LE(at + 40) + 24))
    const start = Number(bytes.readBigUInt64LE(at + 24))
    const size = Number(bytes.readBigUInt64LE(at + 32))
    for (let symbol = start; symbol < start + size; symbol += 24) {
      const name = strings + bytes.readUInt32LE(symbol)
      const address = bytes.readBigUInt64LE(symbol + 8)
      const load = loads.find((one) => address >= one.address && address < one.address + one.size)
      if (address === 0n || load === undefined) continue
      const text = bytes.toString("latin1", name, bytes.indexOf(0, name))
      found.set(text, address - load.address + load.offset)
    }
  }
  return found
}

/** The C library of this process. */
export function libcPath(): string | undefined {
  return readFileSync("/proc/self/maps", "utf8").match(/\S+\/libc[.-][\w.-]+$/m)?.[0]
}
