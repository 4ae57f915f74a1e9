/**
 * Assembler text for helper programs. R6 holds the context, R9 points to the value of the array map
 * `out` (64 slots of 8 bytes) in which programs leave what is to be compared.
 */

import type { MapSpec, ProgramSpec, RunSpec } from "../testrun/sides.ts"

export interface HelperCase {
  readonly name: string
  readonly program: ProgramSpec
  readonly input: RunSpec
}

export const OUT: MapSpec = { type: "BPF_MAP_TYPE_ARRAY", key: 4, value: 512, entries: 1 }

/** Stores the bytes of `text` and a zero at r10 + `at`. */
export function string(at: number, text: string): string {
  return [...text, "\0"]
    .map((character, i) => `*(u8 *)(r10 ${signed(at + i)}) = ${character.charCodeAt(0)}`)
    .join("\n")
}

/** Stores 32-bit words at r10 + `at`. */
export function words(at: number, ...values: readonly number[]): string {
  return values.map((value, i) => `*(u32 *)(r10 ${signed(at + 4 * i)}) = ${value | 0}`).join("\n")
}

/** Stores 64-bit words (sign-extended 32-bit constants) at r10 + `at`. */
export function quads(at: number, ...values: readonly number[]): string {
  return values.map((value, i) => `*(u64 *)(r10 ${signed(at + 8 * i)}) = ${value | 0}`).join("\n")
}

/** `rN = r10 + at`. */
export function frame(register: string, at: number): string {
  return `${register} = r10; ${register} += ${at}`
}

/** Leaves a register in a slot of `out`. */
export function save(slot: number, register = "r0"): string {
  return `*(u64 *)(r9 + ${8 * slot}) = ${register}`
}

/** Leaves `bytes` bytes (a multiple of 8) of the stack at r10 + `at` in `out` from `slot` on. */
export function saveStack(slot: number, at: number, bytes: number): string {
  const lines: string[] = []
  for (let i = 0; i < bytes; i += 8)
    lines.push(`r2 = *(u64 *)(r10 ${signed(at + i)})`, save(slot + i / 8, "r2"))
  return lines.join("\n")
}

/** Loads constants into argument registers and calls a helper. */
export function call(helper: string, ...args: readonly (string | number)[]): string {
  const moves = args.flatMap((arg, i) => (arg === `r${i + 1}` ? [] : [`r${i + 1} = ${arg}`]))
  return [...moves, `call bpf_${helper}`].join("\n")
}

function signed(offset: number): string {
  return offset < 0 ? `- ${-offset}` : `+ ${offset}`
}

/** A whole program: prologue, body, exit with r0 (set it last). */
export function program(
  type: ProgramSpec["type"],
  body: string,
  options: Partial<Omit<ProgramSpec, "type" | "text">> = {},
): ProgramSpec {
  return {
    type,
    ...options,
    maps: { out: OUT, ...options.maps },
    text: `r6 = r1\nr9 = map[out][0]\n${body}\nexit`,
  }
}
