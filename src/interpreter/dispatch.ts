/**
 * The dispatch loop: every instruction that needs nothing but the registers, and every load and
 * store that stays in the region accessed last. All else leaves the switch by `break` and is done
 * by `step` (step.ts), after which the loop takes up whatever that changed.
 *
 * An instruction is 8 words of `words` (code.ts): operation, dst, src, off or target, imm, high
 * half of imm. Register operands are indices of low halves; `r[d + 1]` is the high half. Case
 * labels are opcode bytes, or the OP_ codes of code.ts above 0xff, as literals.
 *
 * RFC 9669 §4 and §5; linux v6.18 kernel/bpf/core.c ___bpf_prog_run.
 */

import type { State } from "./state.ts"
import { divide64, multiplyHigh, swap32 } from "./wide.ts"

/** Does the instruction at word `pc`; returns the word to go on at, or -1 when the dispatch ends. */
export type Step<E> = (state: State<E>, pc: number) => number

/**
 * Runs from word `pc` of `state.code` until the frame `state.bottom` exits, a fault is raised, or
 * the budget `state.left` is used up (a fault as well).
 */
export function dispatch<E>(state: State<E>, start: number, step: Step<E>): void {
  const r = state.registers
  let words = state.code.words
  let u8 = state.space.u8
  let view = state.space.view
  let left = state.left
  let { readTag, readStart, readSize, writeTag, writeStart, writeSize } = state
  const { stackTag } = state
  let pc = start
  for (;;) {
    if (--left < 0) {
      if (!state.refill(pc)) return
      left = state.left - 1
    }
    const d = words[pc + 1]
    switch (words[pc]) {
      // ---- ALU64 ----
      case 0x07: {
        // add imm
        const imm = words[pc + 4]
        const low = (r[d] + imm) | 0
        r[d + 1] += words[pc + 5] + (low >>> 0 < imm >>> 0 ? 1 : 0)
        r[d] = low
        pc += 8
        continue
      }
      case 0x0f: {
        // add
        const s = words[pc + 2]
        const b = r[s]
        const low = (r[d] + b) | 0
        r[d + 1] += r[s + 1] + (low >>> 0 < b >>> 0 ? 1 : 0)
        r[d] = low
        pc += 8
        continue
      }
      case 0x17: {
        // sub imm
        const imm = words[pc + 4]
        const a = r[d]
        r[d + 1] -= words[pc + 5] + (a >>> 0 < imm >>> 0 ? 1 : 0)
        r[d] = a - imm
        pc += 8
        continue
      }
      case 0x1f: {
        // sub
        const s = words[pc + 2]
        const a = r[d]
        const b = r[s]
        r[d + 1] -= r[s + 1] + (a >>> 0 < b >>> 0 ? 1 : 0)
        r[d] = a - b
        pc += 8
        continue
      }
      case 0x27: {
        // mul imm
        const imm = words[pc + 4]
        const a = r[d]
        r[d + 1] = multiplyHigh(a, imm) + Math.imul(a, words[pc + 5]) + Math.imul(r[d + 1], imm)
        r[d] = Math.imul(a, imm)
        pc += 8
        continue
      }
      case 0x2f: {
        // mul
        const s = words[pc + 2]
        const a = r[d]
        const b = r[s]
        r[d + 1] = multiplyHigh(a, b) + Math.imul(a, r[s + 1]) + Math.imul(r[d + 1], b)
        r[d] = Math.imul(a, b)
        pc += 8
        continue
      }
      case 0x37: {
        // div imm
        divide64(r, d, words[pc + 4], words[pc + 5], false)
        pc += 8
        continue
      }
      case 0x3f: {
        // div
        const s = words[pc + 2]
        divide64(r, d, r[s], r[s + 1], false)
        pc += 8
        continue
      }
      case 0x97: {
        // mod imm
        divide64(r, d, words[pc + 4], words[pc + 5], true)
        pc += 8
        continue
      }
      case 0x9f: {
        // mod
        const s = words[pc + 2]
        divide64(r, d, r[s], r[s + 1], true)
        pc += 8
        continue
      }
      case 0x47: {
        // or imm
        r[d] |= words[pc + 4]
        r[d + 1] |= words[pc + 5]
        pc += 8
        continue
      }
      case 0x4f: {
        // or
        const s = words[pc + 2]
        r[d] |= r[s]
        r[d + 1] |= r[s + 1]
        pc += 8
        continue
      }
      case 0x57: {
        // and imm
        r[d] &= words[pc + 4]
        r[d + 1] &= words[pc + 5]
        pc += 8
        continue
      }
      case 0x5f: {
        // and
        const s = words[pc + 2]
        r[d] &= r[s]
        r[d + 1] &= r[s + 1]
        pc += 8
        continue
      }
      case 0xa7: {
        // xor imm
        r[d] ^= words[pc + 4]
        r[d + 1] ^= words[pc + 5]
        pc += 8
        continue
      }
      case 0xaf: {
        // xor
        const s = words[pc + 2]
        r[d] ^= r[s]
        r[d + 1] ^= r[s + 1]
        pc += 8
        continue
      }
      case 0x67: {
        // lsh imm
        const k = words[pc + 4] & 63
        if (k >= 32) {
          r[d + 1] = r[d] << (k - 32)
          r[d] = 0
        } else if (k > 0) {
          r[d + 1] = (r[d + 1] << k) | (r[d] >>> (32 - k))
          r[d] <<= k
        }
        pc += 8
        continue
      }
      case 0x6f: {
        // lsh
        const k = r[words[pc + 2]] & 63
        if (k >= 32) {
          r[d + 1] = r[d] << (k - 32)
          r[d] = 0
        } else if (k > 0) {
          r[d + 1] = (r[d + 1] << k) | (r[d] >>> (32 - k))
          r[d] <<= k
        }
        pc += 8
        continue
      }
      case 0x77: {
        // rsh imm
        const k = words[pc + 4] & 63
        const high = r[d + 1]
        if (k >= 32) {
          r[d] = high >>> (k - 32)
          r[d + 1] = 0
        } else if (k > 0) {
          r[d] = (r[d] >>> k) | (high << (32 - k))
          r[d + 1] = high >>> k
        }
        pc += 8
        continue
      }
      case 0x7f: {
        // rsh
        const k = r[words[pc + 2]] & 63
        const high = r[d + 1]
        if (k >= 32) {
          r[d] = high >>> (k - 32)
          r[d + 1] = 0
        } else if (k > 0) {
          r[d] = (r[d] >>> k) | (high << (32 - k))
          r[d + 1] = high >>> k
        }
        pc += 8
        continue
      }
      case 0xc7: {
        // arsh imm
        const k = words[pc + 4] & 63
        const high = r[d + 1]
        if (k >= 32) {
          r[d] = high >> (k - 32)
          r[d + 1] = high >> 31
        } else if (k > 0) {
          r[d] = (r[d] >>> k) | (high << (32 - k))
          r[d + 1] = high >> k
        }
        pc += 8
        continue
      }
      case 0xcf: {
        // arsh
        const k = r[words[pc + 2]] & 63
        const high = r[d + 1]
        if (k >= 32) {
          r[d] = high >> (k - 32)
          r[d + 1] = high >> 31
        } else if (k > 0) {
          r[d] = (r[d] >>> k) | (high << (32 - k))
          r[d + 1] = high >> k
        }
        pc += 8
        continue
      }
      case 0x87: {
        // neg
        const a = r[d]
        r[d + 1] = ~r[d + 1] + (a === 0 ? 1 : 0)
        r[d] = -a
        pc += 8
        continue
      }
      case 0xb7: {
        // mov imm
        r[d] = words[pc + 4]
        r[d + 1] = words[pc + 5]
        pc += 8
        continue
      }
      case 0xbf: {
        // mov
        const s = words[pc + 2]
        r[d] = r[s]
        r[d + 1] = r[s + 1]
        pc += 8
        continue
      }
      case 0x18: {
        // ld_imm64, two slots
        r[d] = words[pc + 4]
        r[d + 1] = words[pc + 5]
        pc += 8
        pc += 8
        continue
      }
      // ---- ALU: the upper half becomes 0 ----
      case 0x04: {
        // add32 imm
        r[d] += words[pc + 4]
        r[d + 1] = 0
        pc += 8
        continue
      }
      case 0x0c: {
        // add32
        r[d] += r[words[pc + 2]]
        r[d + 1] = 0
        pc += 8
        continue
      }
      case 0x14: {
        // sub32 imm
        r[d] -= words[pc + 4]
        r[d + 1] = 0
        pc += 8
        continue
      }
      case 0x1c: {
        // sub32
        r[d] -= r[words[pc + 2]]
        r[d + 1] = 0
        pc += 8
        continue
      }
      case 0x44: {
        // or32 imm
        r[d] |= words[pc + 4]
        r[d + 1] = 0
        pc += 8
        continue
      }
      case 0x4c: {
        // or32
        r[d] |= r[words[pc + 2]]
        r[d + 1] = 0
        pc += 8
        continue
      }
      case 0x54: {
        // and32 imm
        r[d] &= words[pc + 4]
        r[d + 1] = 0
        pc += 8
        continue
      }
      case 0x5c: {
        // and32
        r[d] &= r[words[pc + 2]]
        r[d + 1] = 0
        pc += 8
        continue
      }
      case 0xa4: {
        // xor32 imm
        r[d] ^= words[pc + 4]
        r[d + 1] = 0
        pc += 8
        continue
      }
      case 0xac: {
        // xor32
        r[d] ^= r[words[pc + 2]]
        r[d + 1] = 0
        pc += 8
        continue
      }
      case 0x24: {
        // mul32 imm
        r[d] = Math.imul(r[d], words[pc + 4])
        r[d + 1] = 0
        pc += 8
        continue
      }
      case 0x2c: {
        // mul32
        r[d] = Math.imul(r[d], r[words[pc + 2]])
        r[d + 1] = 0
        pc += 8
        continue
      }
      case 0x34: {
        // div32 imm
        const b = words[pc + 4] >>> 0
        r[d] = b === 0 ? 0 : (r[d] >>> 0) / b
        r[d + 1] = 0
        pc += 8
        continue
      }
      case 0x94: {
        // mod32 imm
        const b = words[pc + 4] >>> 0
        if (b !== 0) r[d] = (r[d] >>> 0) % b
        r[d + 1] = 0
        pc += 8
        continue
      }
      case 0x3c: {
        // div32
        const b = r[words[pc + 2]] >>> 0
        r[d] = b === 0 ? 0 : (r[d] >>> 0) / b
        r[d + 1] = 0
        pc += 8
        continue
      }
      case 0x9c: {
        // mod32
        const b = r[words[pc + 2]] >>> 0
        if (b !== 0) r[d] = (r[d] >>> 0) % b
        r[d + 1] = 0
        pc += 8
        continue
      }
      case 0x64: {
        // lsh32 imm
        r[d] <<= words[pc + 4]
        r[d + 1] = 0
        pc += 8
        continue
      }
      case 0x6c: {
        // lsh32
        r[d] <<= r[words[pc + 2]]
        r[d + 1] = 0
        pc += 8
        continue
      }
      case 0x74: {
        // rsh32 imm
        r[d] >>>= words[pc + 4]
        r[d + 1] = 0
        pc += 8
        continue
      }
      case 0x7c: {
        // rsh32
        r[d] >>>= r[words[pc + 2]]
        r[d + 1] = 0
        pc += 8
        continue
      }
      case 0xc4: {
        // arsh32 imm
        r[d] >>= words[pc + 4]
        r[d + 1] = 0
        pc += 8
        continue
      }
      case 0xcc: {
        // arsh32
        r[d] >>= r[words[pc + 2]]
        r[d + 1] = 0
        pc += 8
        continue
      }
      case 0x84: {
        // neg32
        r[d] = -r[d]
        r[d + 1] = 0
        pc += 8
        continue
      }
      case 0xb4: {
        // mov32 imm
        r[d] = words[pc + 4]
        r[d + 1] = 0
        pc += 8
        continue
      }
      case 0xbc: {
        // mov32
        r[d] = r[words[pc + 2]]
        r[d + 1] = 0
        pc += 8
        continue
      }
      // ---- sign extension and byte order ----
      case 0x101: {
        // movsx8 32
        r[d] = (r[words[pc + 2]] << 24) >> 24
        r[d + 1] = 0
        pc += 8
        continue
      }
      case 0x102: {
        // movsx16 32
        r[d] = (r[words[pc + 2]] << 16) >> 16
        r[d + 1] = 0
        pc += 8
        continue
      }
      case 0x103: {
        // movsx8 64
        const low = (r[words[pc + 2]] << 24) >> 24
        r[d] = low
        r[d + 1] = low >> 31
        pc += 8
        continue
      }
      case 0x104: {
        // movsx16 64
        const low = (r[words[pc + 2]] << 16) >> 16
        r[d] = low
        r[d + 1] = low >> 31
        pc += 8
        continue
      }
      case 0x105: {
        // movsx32 64
        const low = r[words[pc + 2]]
        r[d] = low
        r[d + 1] = low >> 31
        pc += 8
        continue
      }
      case 0x106: {
        // le16
        r[d] &= 0xffff
        r[d + 1] = 0
        pc += 8
        continue
      }
      case 0x107: {
        // le32
        r[d + 1] = 0
        pc += 8
        continue
      }
      case 0x108: {
        // le64

        pc += 8
        continue
      }
      case 0x109: {
        // swap16
        const low = r[d]
        r[d] = ((low & 0xff) << 8) | ((low >>> 8) & 0xff)
        r[d + 1] = 0
        pc += 8
        continue
      }
      case 0x10a: {
        // swap32
        r[d] = swap32(r[d])
        r[d + 1] = 0
        pc += 8
        continue
      }
      case 0x10b: {
        // swap64
        const low = r[d]
        r[d] = swap32(r[d + 1])
        r[d + 1] = swap32(low)
        pc += 8
        continue
      }
      // ---- loads ----
      case 0x61: {
        // ldxw
        const s = words[pc + 2]
        const at = (r[s] + words[pc + 3]) | 0
        const offset = (at - readStart) | 0
        if (r[s + 1] !== readTag || offset < 0 || offset > readSize - 4) break
        r[d] = view.getInt32(at, true)
        r[d + 1] = 0
        pc += 8
        continue
      }
      case 0x69: {
        // ldxh
        const s = words[pc + 2]
        const at = (r[s] + words[pc + 3]) | 0
        const offset = (at - readStart) | 0
        if (r[s + 1] !== readTag || offset < 0 || offset > readSize - 2) break
        r[d] = view.getUint16(at, true)
        r[d + 1] = 0
        pc += 8
        continue
      }
      case 0x71: {
        // ldxb
        const s = words[pc + 2]
        const at = (r[s] + words[pc + 3]) | 0
        const offset = (at - readStart) | 0
        if (r[s + 1] !== readTag || offset < 0 || offset > readSize - 1) break
        r[d] = u8[at]
        r[d + 1] = 0
        pc += 8
        continue
      }
      case 0x79: {
        // ldxdw
        const s = words[pc + 2]
        const at = (r[s] + words[pc + 3]) | 0
        const offset = (at - readStart) | 0
        if (r[s + 1] !== readTag || offset < 0 || offset > readSize - 8) break
        r[d] = view.getInt32(at, true)
        r[d + 1] = view.getInt32(at + 4, true)
        pc += 8
        continue
      }
      case 0x81: {
        // ldxsw
        const s = words[pc + 2]
        const at = (r[s] + words[pc + 3]) | 0
        const offset = (at - readStart) | 0
        if (r[s + 1] !== readTag || offset < 0 || offset > readSize - 4) break
        const low = view.getInt32(at, true)
        r[d] = low
        r[d + 1] = low >> 31
        pc += 8
        continue
      }
      case 0x89: {
        // ldxsh
        const s = words[pc + 2]
        const at = (r[s] + words[pc + 3]) | 0
        const offset = (at - readStart) | 0
        if (r[s + 1] !== readTag || offset < 0 || offset > readSize - 2) break
        const low = view.getInt16(at, true)
        r[d] = low
        r[d + 1] = low >> 31
        pc += 8
        continue
      }
      case 0x91: {
        // ldxsb
        const s = words[pc + 2]
        const at = (r[s] + words[pc + 3]) | 0
        const offset = (at - readStart) | 0
        if (r[s + 1] !== readTag || offset < 0 || offset > readSize - 1) break
        const low = (u8[at] << 24) >> 24
        r[d] = low
        r[d + 1] = low >> 31
        pc += 8
        continue
      }
      // ---- stores ----
      case 0x63: {
        // stxw
        const at = (r[d] + words[pc + 3]) | 0
        const offset = (at - writeStart) | 0
        if (r[d + 1] !== writeTag || offset < 0 || offset > writeSize - 4) break
        view.setInt32(at, r[words[pc + 2]], true)
        pc += 8
        continue
      }
      case 0x6b: {
        // stxh
        const at = (r[d] + words[pc + 3]) | 0
        const offset = (at - writeStart) | 0
        if (r[d + 1] !== writeTag || offset < 0 || offset > writeSize - 2) break
        view.setInt16(at, r[words[pc + 2]], true)
        pc += 8
        continue
      }
      case 0x73: {
        // stxb
        const at = (r[d] + words[pc + 3]) | 0
        const offset = (at - writeStart) | 0
        if (r[d + 1] !== writeTag || offset < 0 || offset > writeSize - 1) break
        u8[at] = r[words[pc + 2]]
        pc += 8
        continue
      }
      case 0x7b: {
        // stxdw
        const at = (r[d] + words[pc + 3]) | 0
        const offset = (at - writeStart) | 0
        if (r[d + 1] !== writeTag || offset < 0 || offset > writeSize - 8) break
        view.setInt32(at, r[words[pc + 2]], true)
        view.setInt32(at + 4, r[words[pc + 2] + 1], true)
        pc += 8
        continue
      }
      case 0x62: {
        // stw
        const at = (r[d] + words[pc + 3]) | 0
        const offset = (at - writeStart) | 0
        if (r[d + 1] !== writeTag || offset < 0 || offset > writeSize - 4) break
        view.setInt32(at, words[pc + 4], true)
        pc += 8
        continue
      }
      case 0x6a: {
        // sth
        const at = (r[d] + words[pc + 3]) | 0
        const offset = (at - writeStart) | 0
        if (r[d + 1] !== writeTag || offset < 0 || offset > writeSize - 2) break
        view.setInt16(at, words[pc + 4], true)
        pc += 8
        continue
      }
      case 0x72: {
        // stb
        const at = (r[d] + words[pc + 3]) | 0
        const offset = (at - writeStart) | 0
        if (r[d + 1] !== writeTag || offset < 0 || offset > writeSize - 1) break
        u8[at] = words[pc + 4]
        pc += 8
        continue
      }
      case 0x7a: {
        // stdw
        const at = (r[d] + words[pc + 3]) | 0
        const offset = (at - writeStart) | 0
        if (r[d + 1] !== writeTag || offset < 0 || offset > writeSize - 8) break
        view.setInt32(at, words[pc + 4], true)
        view.setInt32(at + 4, words[pc + 5], true)
        pc += 8
        continue
      }
      // ---- jumps ----
      case 0x114: {
        // call of a function of this program
        const target = words[pc + 3]
        state.left = left
        state.at(pc)
        if (!state.enter(target, pc + 8)) return
        if (readTag === stackTag) readSize = 0
        if (writeTag === stackTag) writeSize = 0
        pc = target
        continue
      }
      case 0x95: {
        // exit
        state.left = left
        if (state.depth === state.bottom) return
        pc = state.leave()
        words = state.code.words
        if (readTag === stackTag) readSize = 0
        if (writeTag === stackTag) writeSize = 0
        continue
      }
      case 0x05: {
        // ja, gotol
        pc = words[pc + 3]
        continue
      }
      case 0x15: {
        // jeq imm
        pc = r[d] === words[pc + 4] && r[d + 1] === words[pc + 5] ? words[pc + 3] : pc + 8
        continue
      }
      case 0x16: {
        // jeq32 imm
        pc = r[d] === words[pc + 4] ? words[pc + 3] : pc + 8
        continue
      }
      case 0x1d: {
        // jeq
        const s = words[pc + 2]
        pc = r[d] === r[s] && r[d + 1] === r[s + 1] ? words[pc + 3] : pc + 8
        continue
      }
      case 0x1e: {
        // jeq32
        pc = r[d] === r[words[pc + 2]] ? words[pc + 3] : pc + 8
        continue
      }
      case 0x55: {
        // jne imm
        pc = r[d] !== words[pc + 4] || r[d + 1] !== words[pc + 5] ? words[pc + 3] : pc + 8
        continue
      }
      case 0x56: {
        // jne32 imm
        pc = r[d] !== words[pc + 4] ? words[pc + 3] : pc + 8
        continue
      }
      case 0x5d: {
        // jne
        const s = words[pc + 2]
        pc = r[d] !== r[s] || r[d + 1] !== r[s + 1] ? words[pc + 3] : pc + 8
        continue
      }
      case 0x5e: {
        // jne32
        pc = r[d] !== r[words[pc + 2]] ? words[pc + 3] : pc + 8
        continue
      }
      case 0x45: {
        // jset imm
        pc = ((r[d] & words[pc + 4]) | (r[d + 1] & words[pc + 5])) !== 0 ? words[pc + 3] : pc + 8
        continue
      }
      case 0x46: {
        // jset32 imm
        pc = (r[d] & words[pc + 4]) !== 0 ? words[pc + 3] : pc + 8
        continue
      }
      case 0x4d: {
        // jset
        const s = words[pc + 2]
        pc = ((r[d] & r[s]) | (r[d + 1] & r[s + 1])) !== 0 ? words[pc + 3] : pc + 8
        continue
      }
      case 0x4e: {
        // jset32
        pc = (r[d] & r[words[pc + 2]]) !== 0 ? words[pc + 3] : pc + 8
        continue
      }
      case 0x25: {
        // jgt imm
        const a = r[d + 1]
        const b = words[pc + 5]
        const taken = a === b ? r[d] >>> 0 > words[pc + 4] >>> 0 : a >>> 0 > b >>> 0
        pc = taken ? words[pc + 3] : pc + 8
        continue
      }
      case 0x26: {
        // jgt32 imm
        pc = r[d] >>> 0 > words[pc + 4] >>> 0 ? words[pc + 3] : pc + 8
        continue
      }
      case 0x2d: {
        // jgt
        const s = words[pc + 2]
        const a = r[d + 1]
        const b = r[s + 1]
        const taken = a === b ? r[d] >>> 0 > r[s] >>> 0 : a >>> 0 > b >>> 0
        pc = taken ? words[pc + 3] : pc + 8
        continue
      }
      case 0x2e: {
        // jgt32
        pc = r[d] >>> 0 > r[words[pc + 2]] >>> 0 ? words[pc + 3] : pc + 8
        continue
      }
      case 0x35: {
        // jge imm
        const a = r[d + 1]
        const b = words[pc + 5]
        const taken = a === b ? r[d] >>> 0 >= words[pc + 4] >>> 0 : a >>> 0 >= b >>> 0
        pc = taken ? words[pc + 3] : pc + 8
        continue
      }
      case 0x36: {
        // jge32 imm
        pc = r[d] >>> 0 >= words[pc + 4] >>> 0 ? words[pc + 3] : pc + 8
        continue
      }
      case 0x3d: {
        // jge
        const s = words[pc + 2]
        const a = r[d + 1]
        const b = r[s + 1]
        const taken = a === b ? r[d] >>> 0 >= r[s] >>> 0 : a >>> 0 >= b >>> 0
        pc = taken ? words[pc + 3] : pc + 8
        continue
      }
      case 0x3e: {
        // jge32
        pc = r[d] >>> 0 >= r[words[pc + 2]] >>> 0 ? words[pc + 3] : pc + 8
        continue
      }
      case 0xa5: {
        // jlt imm
        const a = r[d + 1]
        const b = words[pc + 5]
        const taken = a === b ? r[d] >>> 0 < words[pc + 4] >>> 0 : a >>> 0 < b >>> 0
        pc = taken ? words[pc + 3] : pc + 8
        continue
      }
      case 0xa6: {
        // jlt32 imm
        pc = r[d] >>> 0 < words[pc + 4] >>> 0 ? words[pc + 3] : pc + 8
        continue
      }
      case 0xad: {
        // jlt
        const s = words[pc + 2]
        const a = r[d + 1]
        const b = r[s + 1]
        const taken = a === b ? r[d] >>> 0 < r[s] >>> 0 : a >>> 0 < b >>> 0
        pc = taken ? words[pc + 3] : pc + 8
        continue
      }
      case 0xae: {
        // jlt32
        pc = r[d] >>> 0 < r[words[pc + 2]] >>> 0 ? words[pc + 3] : pc + 8
        continue
      }
      case 0xb5: {
        // jle imm
        const a = r[d + 1]
        const b = words[pc + 5]
        const taken = a === b ? r[d] >>> 0 <= words[pc + 4] >>> 0 : a >>> 0 <= b >>> 0
        pc = taken ? words[pc + 3] : pc + 8
        continue
      }
      case 0xb6: {
        // jle32 imm
        pc = r[d] >>> 0 <= words[pc + 4] >>> 0 ? words[pc + 3] : pc + 8
        continue
      }
      case 0xbd: {
        // jle
        const s = words[pc + 2]
        const a = r[d + 1]
        const b = r[s + 1]
        const taken = a === b ? r[d] >>> 0 <= r[s] >>> 0 : a >>> 0 <= b >>> 0
        pc = taken ? words[pc + 3] : pc + 8
        continue
      }
      case 0xbe: {
        // jle32
        pc = r[d] >>> 0 <= r[words[pc + 2]] >>> 0 ? words[pc + 3] : pc + 8
        continue
      }
      case 0x65: {
        // jsgt imm
        const a = r[d + 1]
        const b = words[pc + 5]
        const taken = a === b ? r[d] >>> 0 > words[pc + 4] >>> 0 : a > b
        pc = taken ? words[pc + 3] : pc + 8
        continue
      }
      case 0x66: {
        // jsgt32 imm
        pc = r[d] > words[pc + 4] ? words[pc + 3] : pc + 8
        continue
      }
      case 0x6d: {
        // jsgt
        const s = words[pc + 2]
        const a = r[d + 1]
        const b = r[s + 1]
        const taken = a === b ? r[d] >>> 0 > r[s] >>> 0 : a > b
        pc = taken ? words[pc + 3] : pc + 8
        continue
      }
      case 0x6e: {
        // jsgt32
        pc = r[d] > r[words[pc + 2]] ? words[pc + 3] : pc + 8
        continue
      }
      case 0x75: {
        // jsge imm
        const a = r[d + 1]
        const b = words[pc + 5]
        const taken = a === b ? r[d] >>> 0 >= words[pc + 4] >>> 0 : a >= b
        pc = taken ? words[pc + 3] : pc + 8
        continue
      }
      case 0x76: {
        // jsge32 imm
        pc = r[d] >= words[pc + 4] ? words[pc + 3] : pc + 8
        continue
      }
      case 0x7d: {
        // jsge
        const s = words[pc + 2]
        const a = r[d + 1]
        const b = r[s + 1]
        const taken = a === b ? r[d] >>> 0 >= r[s] >>> 0 : a >= b
        pc = taken ? words[pc + 3] : pc + 8
        continue
      }
      case 0x7e: {
        // jsge32
        pc = r[d] >= r[words[pc + 2]] ? words[pc + 3] : pc + 8
        continue
      }
      case 0xc5: {
        // jslt imm
        const a = r[d + 1]
        const b = words[pc + 5]
        const taken = a === b ? r[d] >>> 0 < words[pc + 4] >>> 0 : a < b
        pc = taken ? words[pc + 3] : pc + 8
        continue
      }
      case 0xc6: {
        // jslt32 imm
        pc = r[d] < words[pc + 4] ? words[pc + 3] : pc + 8
        continue
      }
      case 0xcd: {
        // jslt
        const s = words[pc + 2]
        const a = r[d + 1]
        const b = r[s + 1]
        const taken = a === b ? r[d] >>> 0 < r[s] >>> 0 : a < b
        pc = taken ? words[pc + 3] : pc + 8
        continue
      }
      case 0xce: {
        // jslt32
        pc = r[d] < r[words[pc + 2]] ? words[pc + 3] : pc + 8
        continue
      }
      case 0xd5: {
        // jsle imm
        const a = r[d + 1]
        const b = words[pc + 5]
        const taken = a === b ? r[d] >>> 0 <= words[pc + 4] >>> 0 : a <= b
        pc = taken ? words[pc + 3] : pc + 8
        continue
      }
      case 0xd6: {
        // jsle32 imm
        pc = r[d] <= words[pc + 4] ? words[pc + 3] : pc + 8
        continue
      }
      case 0xdd: {
        // jsle
        const s = words[pc + 2]
        const a = r[d + 1]
        const b = r[s + 1]
        const taken = a === b ? r[d] >>> 0 <= r[s] >>> 0 : a <= b
        pc = taken ? words[pc + 3] : pc + 8
        continue
      }
      case 0xde: {
        // jsle32
        pc = r[d] <= r[words[pc + 2]] ? words[pc + 3] : pc + 8
        continue
      }
    }
    state.left = left
    pc = step(state, pc)
    if (pc < 0) return
    left = state.left
    words = state.code.words
    u8 = state.space.u8
    view = state.space.view
    readTag = state.readTag
    readStart = state.readStart
    readSize = state.readSize
    writeTag = state.writeTag
    writeStart = state.writeStart
    writeSize = state.writeSize
  }
}
