/**
 * System calls of the running Linux from JavaScript, through the optional package `koffi`. Nothing
 * outside this file knows which foreign function interface it is: another backend implements
 * {@link Native}.
 */

import { createRequire } from "node:module"
import { NotSupportedError } from "../base/index.ts"

/** What the rest of linux/ needs of a foreign function interface. */
export interface Native {
  /** A system call; the result, or a negative errno. */
  syscall(number: number, ...args: readonly (number | bigint)[]): number
  /** Like `syscall`, for results that are addresses. */
  syscallBig(number: number, ...args: readonly (number | bigint)[]): bigint
  /** The address of a byte string; it stays valid as long as the caller keeps the array. */
  addressOf(bytes: ArrayBufferView): bigint
  /** Mapped memory as an ArrayBuffer; touching it after munmap ends the process. */
  view(address: bigint, size: number): ArrayBuffer
}

interface SystemCallNumbers {
  readonly read: number
  readonly close: number
  readonly mmap: number
  readonly munmap: number
  readonly ioctl: number
  readonly socket: number
  readonly openat: number
  readonly perf_event_open: number
  readonly bpf: number
}

const NUMBERS: Readonly<Record<string, SystemCallNumbers>> = {
  x64: {
    read: 0,
    close: 3,
    mmap: 9,
    munmap: 11,
    ioctl: 16,
    socket: 41,
    openat: 257,
    perf_event_open: 298,
    bpf: 321,
  },
  arm64: {
    read: 63,
    close: 57,
    mmap: 222,
    munmap: 215,
    ioctl: 29,
    socket: 198,
    openat: 56,
    perf_event_open: 241,
    bpf: 280,
  },
}

type AnyFunction = (...args: (number | bigint)[]) => number | bigint

interface Koffi {
  load(path: string | null): { func(name: string, result: string, args: string[]): AnyFunction }
  address(view: ArrayBufferView): bigint | number
  view(address: bigint, size: number): ArrayBuffer
  errno(): number
}

let cached: { readonly native: Native; readonly numbers: SystemCallNumbers } | undefined

/**
 * The system call interface of this process.
 *
 * @throws NotSupportedError on another operating system or processor, or without `koffi`.
 */
export function loadNative(): { readonly native: Native; readonly numbers: SystemCallNumbers } {
  if (cached !== undefined) return cached
  const numbers = process.platform === "linux" ? NUMBERS[process.arch] : undefined
  if (numbers === undefined)
    throw new NotSupportedError(
      `the host kernel needs Linux on x64 or arm64; this is ${process.platform} on ${process.arch}`,
      { feature: "linux" },
    )
  let koffi: Koffi
  try {
    koffi = createRequire(import.meta.url)("koffi") as Koffi
  } catch (cause) {
    throw new NotSupportedError(
      "the host kernel needs the optional package koffi: npm install koffi",
      { feature: "koffi", cause },
    )
  }
  const words = new Array<string>(7).fill("int64_t")
  const call = koffi.load(null).func("syscall", "int64_t", words)
  const raw = (number: number, args: readonly (number | bigint)[]): number | bigint =>
    call(number, args[0] ?? 0, args[1] ?? 0, args[2] ?? 0, args[3] ?? 0, args[4] ?? 0, args[5] ?? 0)
  const native: Native = {
    syscall(number, ...args) {
      const result = raw(number, args)
      return Number(result) === -1 ? -koffi.errno() : Number(result)
    },
    syscallBig(number, ...args) {
      const result = raw(number, args)
      return Number(result) === -1 ? -BigInt(koffi.errno()) : BigInt(result)
    },
    addressOf: (bytes) => (bytes.byteLength === 0 ? 0n : BigInt(koffi.address(bytes))),
    view: (address, size) => koffi.view(address, size),
  }
  cached = { native, numbers }
  return cached
}
