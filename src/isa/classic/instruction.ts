/**
 * Classic BPF (cBPF): the filter language of tcpdump, SO_ATTACH_FILTER, seccomp and iptables.
 * An instruction is 8 bytes, `code:16 jt:8 jf:8 k:32` (struct sock_filter of
 * linux v6.18 include/uapi/linux/filter.h). The machine has an accumulator A, an index register
 * X and 16 words M[] of scratch memory, all 32 bits; jumps only go forward, so every program
 * ends. `code` shares its fields with eBPF opcodes (../opcode.ts).
 */

import { BPF_ABS, BPF_LD } from "../opcode.ts"

/** Bytes of a struct sock_filter. */
export const CLASSIC_INSN_SIZE = 8
/** Instructions that a classic program may have. */
export const BPF_MAXINSNS = 4096
/** Words of scratch memory. */
export const BPF_MEMWORDS = 16

/** `BPF_RET | BPF_A` returns the accumulator, `BPF_RET | BPF_K` the constant. */
export const BPF_A = 0x10
/** Operations of class BPF_MISC. */
export const BPF_TAX = 0x00
export const BPF_TXA = 0x80

/**
 * Offsets of `BPF_LD | BPF_ABS` with a meaning of their own, as the signed numbers that they are:
 * from SKF_AD_OFF on, data about the packet; from SKF_NET_OFF on, the network header; from
 * SKF_LL_OFF on, the link-layer header.
 */
export const SKF_AD_OFF = -0x1000
export const SKF_NET_OFF = -0x100000
export const SKF_LL_OFF = -0x200000

/** Added to SKF_AD_OFF: which datum about the packet. */
export const SKF_AD_PROTOCOL = 0
export const SKF_AD_PKTTYPE = 4
export const SKF_AD_IFINDEX = 8
export const SKF_AD_NLATTR = 12
export const SKF_AD_NLATTR_NEST = 16
export const SKF_AD_MARK = 20
export const SKF_AD_QUEUE = 24
export const SKF_AD_HATYPE = 28
export const SKF_AD_RXHASH = 32
export const SKF_AD_CPU = 36
/** Not a load: A ^= X, from before there was an instruction for it. */
export const SKF_AD_ALU_XOR_X = 40
export const SKF_AD_VLAN_TAG = 44
export const SKF_AD_VLAN_TAG_PRESENT = 48
export const SKF_AD_PAY_OFFSET = 52
export const SKF_AD_RANDOM = 56
export const SKF_AD_VLAN_TPID = 60
export const SKF_AD_MAX = 64

/** One instruction. All four are unsigned. */
export interface ClassicInstruction {
  readonly code: number
  /** Instructions to skip when a condition holds. */
  readonly jt: number
  /** Instructions to skip when it does not. */
  readonly jf: number
  readonly k: number
}

/** A whole filter. */
export type ClassicProgram = readonly ClassicInstruction[]

/**
 * Reads an array of struct sock_filter.
 *
 * @throws RangeError when the length is not a multiple of 8.
 */
export function decodeClassic(bytes: Uint8Array, littleEndian = true): ClassicInstruction[] {
  if (bytes.length % CLASSIC_INSN_SIZE !== 0)
    throw new RangeError(
      `a classic program has 8 bytes an instruction, ${bytes.length} is no multiple`,
    )
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const program: ClassicInstruction[] = []
  for (let at = 0; at < bytes.length; at += CLASSIC_INSN_SIZE)
    program.push({
      code: view.getUint16(at, littleEndian),
      jt: bytes[at + 2],
      jf: bytes[at + 3],
      k: view.getUint32(at + 4, littleEndian),
    })
  return program
}

/** Writes an array of struct sock_filter. Fields are cut to their widths. */
export function encodeClassic(program: ClassicProgram, littleEndian = true): Uint8Array {
  const bytes = new Uint8Array(program.length * CLASSIC_INSN_SIZE)
  const view = new DataView(bytes.buffer)
  program.forEach(({ code, jt, jf, k }, index) => {
    const at = index * CLASSIC_INSN_SIZE
    view.setUint16(at, code, littleEndian)
    bytes[at + 2] = jt
    bytes[at + 3] = jf
    view.setUint32(at + 4, k, littleEndian)
  })
  return bytes
}

/**
 * The SKF_AD_ number of an instruction that loads data about the packet; `undefined` when it
 * loads from the packet, or is no `BPF_LD | BPF_ABS`.
 */
export function ancillaryOf({ code, k }: ClassicInstruction): number | undefined {
  // All three sizes are the same load here.
  if ((code & ~0x18) !== (BPF_LD | BPF_ABS) || (code & 0x18) === 0x18) return undefined
  const number = (k | 0) - SKF_AD_OFF
  return number >= 0 && number < SKF_AD_MAX && number % 4 === 0 ? number : undefined
}
