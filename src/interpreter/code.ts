/**
 * The decoded form of a program: what {@link prepare} makes and the dispatch loop runs.
 *
 * Each slot takes {@link WORDS} words of one Int32Array, so a program counter is a word index and
 * the slot of an instruction is `pc / 8`. The second slot of `ld_imm64`, and one extra slot after
 * the end, hold {@link OP_INVALID}. An operation is the wire's opcode byte where that says
 * everything; where `off` or `imm` choose between operations, it is one of the OP_ codes above
 * 0xff. The loop repeats these numbers as literals, because only literals make a jump table.
 */

import type { Executable, HelperFunction } from "./machine.ts"

/** Words of a decoded instruction. */
export const WORDS = 8
/** log2 of it. */
export const WORDS_SHIFT = 3

// What the words are.
export const WORD_OP = 0
/** Register numbers times two: indices of their low halves. */
export const WORD_DST = 1
export const WORD_SRC = 2
/** Displacement of an access, or the program counter that a jump or local call goes to. */
export const WORD_OFF = 3
export const WORD_IMM = 4
/** Upper half of a 64-bit immediate; for calls of helpers, the index in `Code.helpers`. */
export const WORD_HIGH = 5
/** At the first instruction of a function: bytes of its frame to clear; else -1 (no function). */
export const WORD_FRAME = 6
/** The opcode byte as the wire has it. */
export const WORD_WIRE = 7

/** Nothing that can be run: second halves, the slot after the end. */
export const OP_INVALID = 0x100
export const OP_MOVSX8_32 = 0x101
export const OP_MOVSX16_32 = 0x102
export const OP_MOVSX8_64 = 0x103
export const OP_MOVSX16_64 = 0x104
export const OP_MOVSX32_64 = 0x105
/** Keep the low 16 (32, 64) bits: conversion to little endian, which memory is. */
export const OP_LE16 = 0x106
export const OP_LE32 = 0x107
export const OP_LE64 = 0x108
/** Swap bytes: conversion to big endian, and bswap. */
export const OP_SWAP16 = 0x109
export const OP_SWAP32 = 0x10a
export const OP_SWAP64 = 0x10b
export const OP_SDIV32_K = 0x10c
export const OP_SDIV32_X = 0x10d
export const OP_SMOD32_K = 0x10e
export const OP_SMOD32_X = 0x10f
export const OP_SDIV64_K = 0x110
export const OP_SDIV64_X = 0x111
export const OP_SMOD64_K = 0x112
export const OP_SMOD64_X = 0x113
export const OP_CALL_LOCAL = 0x114
export const OP_CALL_REGISTER = 0x115
export const OP_MAY_GOTO = 0x116
export const OP_CAST_ADDRESS = 0x117
/** Read-modify-write with 32 and 64 bits; `imm` has the operation. */
export const OP_ATOMIC32 = 0x118
export const OP_ATOMIC64 = 0x119
/** Load-acquire and store-release of any size; WORD_WIRE has the size. */
export const OP_LOAD_ACQUIRE = 0x11a
export const OP_STORE_RELEASE = 0x11b

/** Finds the function behind a helper's id or a kfunc's BTF id; null when there is none. */
export type ResolveCall<E> = (
  kind: "helper" | "kfunc",
  imm: number,
  off: number,
) => HelperFunction<E> | null

/** A decoded program. */
export class Code<E> implements Executable<E> {
  readonly name: string
  readonly length: number
  readonly words: Int32Array
  readonly helpers: readonly HelperFunction<E>[]
  readonly resolveCall: ResolveCall<E>
  /** High half of the addresses of the program's arena; 0 when it has none. */
  readonly arenaTag: number

  constructor(
    name: string,
    words: Int32Array,
    helpers: readonly HelperFunction<E>[],
    resolveCall: ResolveCall<E>,
    arenaTag: number,
  ) {
    this.name = name
    this.length = words.length / WORDS - 1
    this.words = words
    this.helpers = helpers
    this.resolveCall = resolveCall
    this.arenaTag = arenaTag
  }
}
