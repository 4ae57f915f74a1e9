/**
 * Helpers of the BTF tests: compile C with the machine's compilers, take sections out of the object
 * without our own ELF reader, and seeded random numbers.
 */

import { spawnSync } from "node:child_process"
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Requirement } from "../support/requirements.ts"

/** The running kernel's BTF. */
export const vmlinuxPath = "/sys/kernel/btf/vmlinux"

export const vmlinux: Requirement = {
  name: "vmlinux",
  available: existsSync(vmlinuxPath),
  reason: `${vmlinuxPath} is not there`,
}

/** Runs `body` with a new folder that is deleted afterwards. */
export function inFolder<T>(body: (folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), "skep-btf-"))
  try {
    return body(folder)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** Runs a command, which must succeed, and returns what it prints. */
export function run(command: string, args: readonly string[], input?: string): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    encoding: "utf8",
    input,
    maxBuffer: 1 << 28,
  })
  if (error !== undefined) throw error
  if (status !== 0) throw new Error(`${command} ${args.join(" ")}: ${stderr}`)
  return stdout
}

/** The object that clang makes of C text for eBPF. */
export function compileBpf(text: string, flags: readonly string[] = []): Uint8Array {
  return inFolder((folder) => {
    const source = join(folder, "input.c")
    const object = join(folder, "input.o")
    writeFileSync(source, text)
    const target = flags.some((flag) => flag.startsWith("--target")) ? [] : ["--target=bpf"]
    run("clang", [
      ...target,
      "-g",
      "-O2",
      "-fno-crash-diagnostics",
      ...flags,
      "-c",
      source,
      "-o",
      object,
    ])
    return new Uint8Array(readFileSync(object))
  })
}

/** What a natively compiled C program prints. */
export function runC(text: string): string {
  return inFolder((folder) => {
    const source = join(folder, "input.c")
    const program = join(folder, "input")
    writeFileSync(source, text)
    run("clang", ["-w", "-O1", source, "-o", program])
    return run(program, [])
  })
}

/** The bytes of a section of a 64-bit ELF file of either byte order. */
export function elfSection(elf: Uint8Array, name: string): Uint8Array {
  const view = new DataView(elf.buffer, elf.byteOffset, elf.byteLength)
  const little = elf[5] === 1
  const headers = Number(view.getBigUint64(0x28, little))
  const size = view.getUint16(0x3a, little)
  const count = view.getUint16(0x3c, little)
  const place = (index: number): [number, number, number] => {
    const at = headers + index * size
    return [
      view.getUint32(at, little),
      Number(view.getBigUint64(at + 0x18, little)),
      Number(view.getBigUint64(at + 0x20, little)),
    ]
  }
  const [, names] = place(view.getUint16(0x3e, little))
  for (let index = 0; index < count; index++) {
    const [nameOffset, offset, length] = place(index)
    const end = elf.indexOf(0, names + nameOffset)
    if (new TextDecoder().decode(elf.subarray(names + nameOffset, end)) === name)
      return elf.subarray(offset, offset + length)
  }
  throw new Error(`no section ${name}`)
}

/** Repetitions of a random test: `small` unless SKEP_FUZZ multiplies it. */
export function rounds(small: number): number {
  return Math.ceil(small * Number(process.env.SKEP_FUZZ ?? 1))
}

/** A seed for a random test: SKEP_SEED, or a new one. The test prints it when it fails. */
export function newSeed(): number {
  return Number(process.env.SKEP_SEED ?? Math.floor(Math.random() * 2 ** 32))
}

/** Numbers from 0 to 2³²-1 by the xorshift of Marsaglia; the same for the same seed. */
export class Random {
  private state: number

  constructor(seed: number) {
    this.state = seed >>> 0 || 1
    for (let i = 0; i < 8; i++) this.next()
  }

  next(): number {
    let x = this.state
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    this.state = x >>> 0
    return this.state
  }

  /** 0 to `limit - 1`. */
  below(limit: number): number {
    return this.next() % limit
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]
  }

  /** A bigint of 64 bits, small and extreme values more often than chance. */
  u64(): bigint {
    const value = (BigInt(this.next()) << 32n) | BigInt(this.next())
    switch (this.below(4)) {
      case 0:
        return value >> BigInt(this.below(64))
      case 1:
        return this.pick([0n, 1n, (1n << 63n) - 1n, 1n << 63n, (1n << 64n) - 1n])
      default:
        return value
    }
  }
}
