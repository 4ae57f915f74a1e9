/**
 * The decoded form of a program: what {@link prepare} makes and the dispatch loop runs.
 *
 * Each slot takes {@link WORDS} words of one Int32Array, so a program counter is a word index and
 * the slot of an instruction is `pc / 8`. The second slot of `ld_imm64`, and one extra slot after
 * the end, hold {@link OP_INVALID}.
 *
 * Immediate operands are constants, kept behind the registers in the same array: an instruction
 * with an immediate becomes its register form, whose source is the constant. An operation is the
 * opcode byte of that form where that says everything; where `off` or `imm` choose between
 * operations, it is one of the OP_ codes above 0xff. The loop repeats these numbers as literals,
 * because only literals make a jump table.
 */

import type { Executable, HelperFunction } from "./machine.ts"

/** Words of a decoded instruction. */
export const WORDS = 8
/** log2 of it. */
export const WORDS_SHIFT = 3
/** Words of r0 to r10, before the constants. */
export const REGISTER_WORDS = 22

// What the words are.
export const WORD_OP = 0
/** Operands: indices of low halves, `2 * n` for register n, from 22 on for constants. */
export const WORD_DST = 1
export const WORD_SRC = 2
/** Displacement of an access, or the program counter that a jump or local call goes to. */
export const WORD_OFF = 3
/** The immediate where it is no operand: atomics, packet loads. */
export const WORD_IMM = 4
/** For calls of helpers, the index in `Code.helpers`. */
export const WORD_HELPER = 5
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
export const OP_SDIV32 = 0x10c
export const OP_SMOD32 = 0x10d
export const OP_SDIV64 = 0x10e
export const OP_SMOD64 = 0x10f
export const OP_CALL_LOCAL = 0x110
export const OP_CALL_REGISTER = 0x111
export const OP_MAY_GOTO = 0x112
export const OP_CAST_ADDRESS = 0x113
/** Read-modify-write with 32 and 64 bits; `imm` has the operation. */
export const OP_ATOMIC32 = 0x114
export const OP_ATOMIC64 = 0x115
/** Load-acquire and store-release of any size; WORD_WIRE has the size. */
export const OP_LOAD_ACQUIRE = 0x116
export const OP_STORE_RELEASE = 0x117

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
  /** Pairs of words, low half first, that lie behind the registers while the program runs. */
  readonly constants: Int32Array
  readonly helpers: readonly HelperFunction<E>[]
  readonly resolveCall: ResolveCall<E>
  /** High half of the addresses of the program's arena; 0 when it has none. */
  readonly arenaTag: number

  constructor(parts: {
    readonly name: string
    readonly words: Int32Array
    readonly constants: Int32Array
    readonly helpers: readonly HelperFunction<E>[]
    readonly resolveCall: ResolveCall<E>
    readonly arenaTag: number
  }) {
    this.name = parts.name
    this.length = parts.words.length / WORDS - 1
    this.words = parts.words
    this.constants = parts.constants
    this.helpers = parts.helpers
    this.resolveCall = parts.resolveCall
    this.arenaTag = parts.arenaTag
  }
}
