/**
 * A minimal bpf(2) for tests that ask the running Linux, independent of skep's own host kernel:
 * `bpf(command, attr)` with the attribute bytes built by hand.
 */

import { createRequire } from "node:module"

type Syscall = (number: number, ...args: (number | bigint)[]) => number | bigint

interface Koffi {
  load(path: string | null): { func(name: string, result: string, args: string[]): Syscall }
  address(buffer: ArrayBufferView): bigint
  errno(): number
}

let loaded: { koffi: Koffi; syscall: Syscall } | null | undefined

function native(): { koffi: Koffi; syscall: Syscall } | null {
  if (loaded !== undefined) return loaded
  if (process.platform !== "linux" || (process.arch !== "x64" && process.arch !== "arm64"))
    return (loaded = null)
  try {
    const koffi = createRequire(import.meta.url)("koffi") as Koffi
    const words = new Array<string>(7).fill("int64_t")
    return (loaded = { koffi, syscall: koffi.load(null).func("syscall", "int64_t", words) })
  } catch {
    return (loaded = null)
  }
}

/** The address of a byte string, for a pointer field of an attribute. Keep the array alive. */
export function addressOf(bytes: Uint8Array): bigint {
  const api = native()
  if (api === null) throw new Error("no foreign function interface here")
  return bytes.byteLength === 0 ? 0n : BigInt(api.koffi.address(bytes))
}

/** Any system call, six arguments; a negative errno on failure. */
export function syscall(number: number, ...args: (number | bigint)[]): number {
  const api = native()
  if (api === null) return -38
  const full: (number | bigint)[] = [0, 0, 0, 0, 0, 0]
  args.forEach((arg, index) => {
    full[index] = arg
  })
  const result = Number(api.syscall(number, ...full))
  return result === -1 ? -api.koffi.errno() : result
}

const NR_BPF = process.arch === "arm64" ? 280 : 321
const NR_CLOSE = process.arch === "arm64" ? 57 : 3

/** One bpf(2) call on raw attribute bytes, which the kernel may write to; a negative errno on failure. */
export function bpf(command: number, attr: Uint8Array): number {
  return syscall(NR_BPF, command, addressOf(attr), attr.byteLength)
}

export function close(fd: number): void {
  if (fd >= 0) syscall(NR_CLOSE, fd)
}

/** A field of an attribute: `[offset, bytes, value]`. */
export type Field = readonly [offset: number, bytes: 4 | 8, value: number | bigint]

/** Attribute bytes with the given fields set, little-endian. */
export function attr(fields: readonly Field[], size = 168): Uint8Array {
  const bytes = new Uint8Array(size)
  const view = new DataView(bytes.buffer)
  for (const [offset, width, value] of fields) {
    if (width === 4) view.setUint32(offset, Number(value) >>> 0, true)
    else view.setBigUint64(offset, BigInt.asUintN(64, BigInt(value)), true)
  }
  return bytes
}

/** Loads a program with a verifier log; closes nothing. `fd` is negative when Linux refuses it. */
export function progLoad(
  type: number,
  insns: Uint8Array,
  options: {
    license?: string
    expectedAttachType?: number
    logLevel?: number
    flags?: number
  } = {},
): { fd: number; log: string } {
  const license = new TextEncoder().encode(`${options.license ?? "GPL"}\0`)
  const log = new Uint8Array(options.logLevel === 0 ? 0 : 1 << 20)
  const fd = bpf(
    5,
    attr([
      [0, 4, type],
      [4, 4, insns.length / 8],
      [8, 8, addressOf(insns)],
      [16, 8, addressOf(license)],
      [24, 4, log.length ? (options.logLevel ?? 1) : 0],
      [28, 4, log.length],
      [32, 8, log.length ? addressOf(log) : 0n],
      [44, 4, options.flags ?? 0],
      [68, 4, options.expectedAttachType ?? 0],
    ]),
  )
  const end = log.indexOf(0)
  return { fd, log: new TextDecoder().decode(log.subarray(0, end < 0 ? log.length : end)) }
}

/** 0 when Linux lets us load the smallest socket filter, else the errno. */
export function trialLoad(): number {
  // r0 = 0; exit
  const insns = new Uint8Array([0xb7, 0, 0, 0, 0, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0])
  if (native() === null) return 38
  const { fd } = progLoad(1, insns, { logLevel: 0 })
  close(fd)
  return fd < 0 ? -fd : 0
}
