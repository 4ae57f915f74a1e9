/**
 * BTF_LOAD on the running kernel, as the oracle of what is valid BTF: the raw syscall through koffi,
 * independent of our own layer for Linux.
 */

import { createRequire } from "node:module"
import type { Requirement } from "../support/requirements.ts"

const SYS_BPF = process.arch === "x64" ? 321 : 280
const SYS_CLOSE = process.arch === "x64" ? 3 : 57
const BTF_LOAD = 18

interface Koffi {
  load(path: null): {
    func(name: string, result: string, args: string[]): (...a: unknown[]) => bigint
  }
  address(buffer: Uint8Array): bigint
  errno(): number
}

let syscall: ((...args: unknown[]) => bigint) | null = null
let koffi: Koffi | null = null

function open(): boolean {
  if (process.platform !== "linux") return false
  try {
    koffi = createRequire(import.meta.url)("koffi") as Koffi
  } catch {
    return false
  }
  const i64 = "int64_t"
  syscall = koffi.load(null).func("syscall", i64, [i64, i64, i64, i64, i64, i64, i64])
  return true
}

/** Loads BTF; gives 0 and closes it again, or the errno and the end of the kernel's log. */
export function loadBtf(bytes: Uint8Array): { errno: number; log: string } {
  const log = new Uint8Array(1 << 16)
  const attributes = new Uint8Array(40)
  const view = new DataView(attributes.buffer)
  view.setBigUint64(0, koffi!.address(bytes), true)
  view.setBigUint64(8, koffi!.address(log), true)
  view.setUint32(16, bytes.length, true)
  view.setUint32(20, log.length, true)
  view.setUint32(24, 1, true)
  const fd = Number(
    syscall!(SYS_BPF, BTF_LOAD, koffi!.address(attributes), attributes.length, 0, 0, 0),
  )
  const errno = fd < 0 ? koffi!.errno() : 0
  if (fd >= 0) syscall!(SYS_CLOSE, fd, 0, 0, 0, 0, 0)
  const text = new TextDecoder().decode(log.subarray(0, log.indexOf(0)))
  return { errno, log: text.trim().split("\n").slice(-2).join(" | ") }
}

/** `struct { int x; }` is loadable by anyone who may load BTF at all. */
function probe(): boolean {
  const words = [0x1eb9f, 24, 0, 16, 16, 5, 1, 0x01000000, 4, 0x01000020]
  const bytes = new Uint8Array(4 * words.length + 5)
  const view = new DataView(bytes.buffer)
  words.forEach((word, index) => {
    view.setUint32(4 * index, word, true)
  })
  bytes.set([0, 0x69, 0x6e, 0x74, 0], 4 * words.length)
  return open() && loadBtf(bytes).errno === 0
}

/** A Linux that lets us load BTF. */
export const linuxBtf: Requirement = {
  name: "linux",
  available: probe(),
  reason: "BTF_LOAD is not possible here (no Linux, no koffi or no privilege)",
}
