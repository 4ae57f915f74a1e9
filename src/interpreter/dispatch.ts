/**
 * The dispatch loop: every instruction that needs nothing but the registers, and every load and
 * store that stays in the region accessed last. All else leaves the switch by `break` and is done
 * by `step` (step.ts), after which the loop takes up whatever that changed.
 *
 * An instruction is 8 words of `words` (code.ts): operation, dst, src, off or target. Operands are
 * indices into `r` of the low half; `r[d + 1]` is the high half. Immediates lie in `r` behind the
 * registers, so there is one case for both forms of an operation. Case labels are the opcode bytes
 * of the register forms, or the OP_ codes of code.ts above 0xff, as literals.
 *
 * RFC 9669 §4 and §5; linux v6.18 kernel/bpf/core.c ___bpf_prog_run.
 */

import type { State } from "./state.ts"
import { type StepHost, step } from "./step.ts"
import { divide64, multiplyHigh, swap32 } from "./wide.ts"

/**
 * Runs from word `pc` of `state.code` until the frame `state.bottom` exits, a fault is raised, or
 * the budget is used up (a fault as well).
 */
export function dispatch<E>(state: State<E>, start: number, host: StepHost<E>): void {
  const { hits } = state
  let r = state.registers
  let words = state.code.words
  let u8 = state.space.u8
  let view = state.space.view
  let left = state.left
  let pc = start
  for (;;) {
    if (--left < 0) {
      if (!state.refill(pc)) return
      left = state.left - 1
    }
    const d = words[pc + 1]
    switch (words[pc]) {
      // ---- ALU64 ----
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
      case 0x3f: {
        // div
        const s = words[pc + 2]
        divide64(r, d, r[s], r[s + 1], false)
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
      case 0x4f: {
        // or
        const s = words[pc + 2]
        r[d] |= r[s]
        r[d + 1] |= r[s + 1]
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
      case 0xaf: {
        // xor
        const s = words[pc + 2]
        r[d] ^= r[s]
        r[d + 1] ^= r[s + 1]
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
        const s = words[pc + 2]
        r[d] = r[s]
        r[d + 1] = r[s + 1]
        pc += 8
        pc += 8
        continue
      }
      // ---- ALU: the upper half becomes 0 ----
      case 0x0c: {
        // add32
        r[d] += r[words[pc + 2]]
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
      case 0x4c: {
        // or32
        r[d] |= r[words[pc + 2]]
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
      case 0xac: {
        // xor32
        r[d] ^= r[words[pc + 2]]
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
      case 0x6c: {
        // lsh32
        r[d] <<= r[words[pc + 2]]
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
        const offset = (at - hits[1]) | 0
        if (r[s + 1] !== hits[0] || offset < 0 || offset > hits[2] - 4) break
        r[d] = view.getInt32(at, true)
        r[d + 1] = 0
        pc += 8
        continue
      }
      case 0x69: {
        // ldxh
        const s = words[pc + 2]
        const at = (r[s] + words[pc + 3]) | 0
        const offset = (at - hits[1]) | 0
        if (r[s + 1] !== hits[0] || offset < 0 || offset > hits[2] - 2) break
        r[d] = view.getUint16(at, true)
        r[d + 1] = 0
        pc += 8
        continue
      }
      case 0x71: {
        // ldxb
        const s = words[pc + 2]
        const at = (r[s] + words[pc + 3]) | 0
        const offset = (at - hits[1]) | 0
        if (r[s + 1] !== hits[0] || offset < 0 || offset > hits[2] - 1) break
        r[d] = u8[at]
        r[d + 1] = 0
        pc += 8
        continue
      }
      case 0x79: {
        // ldxdw
        const s = words[pc + 2]
        const at = (r[s] + words[pc + 3]) | 0
        const offset = (at - hits[1]) | 0
        if (r[s + 1] !== hits[0] || offset < 0 || offset > hits[2] - 8) break
        r[d] = view.getInt32(at, true)
        r[d + 1] = view.getInt32(at + 4, true)
        pc += 8
        continue
      }
      case 0x81: {
        // ldxsw
        const s = words[pc + 2]
        const at = (r[s] + words[pc + 3]) | 0
        const offset = (at - hits[1]) | 0
        if (r[s + 1] !== hits[0] || offset < 0 || offset > hits[2] - 4) break
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
        const offset = (at - hits[1]) | 0
        if (r[s + 1] !== hits[0] || offset < 0 || offset > hits[2] - 2) break
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
        const offset = (at - hits[1]) | 0
        if (r[s + 1] !== hits[0] || offset < 0 || offset > hits[2] - 1) break
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
        const offset = (at - hits[4]) | 0
        if (r[d + 1] !== hits[3] || offset < 0 || offset > hits[5] - 4) break
        view.setInt32(at, r[words[pc + 2]], true)
        pc += 8
        continue
      }
      case 0x6b: {
        // stxh
        const at = (r[d] + words[pc + 3]) | 0
        const offset = (at - hits[4]) | 0
        if (r[d + 1] !== hits[3] || offset < 0 || offset > hits[5] - 2) break
        view.setInt16(at, r[words[pc + 2]], true)
        pc += 8
        continue
      }
      case 0x73: {
        // stxb
        const at = (r[d] + words[pc + 3]) | 0
        const offset = (at - hits[4]) | 0
        if (r[d + 1] !== hits[3] || offset < 0 || offset > hits[5] - 1) break
        u8[at] = r[words[pc + 2]]
        pc += 8
        continue
      }
      case 0x7b: {
        // stxdw
        const at = (r[d] + words[pc + 3]) | 0
        const offset = (at - hits[4]) | 0
        if (r[d + 1] !== hits[3] || offset < 0 || offset > hits[5] - 8) break
        view.setInt32(at, r[words[pc + 2]], true)
        view.setInt32(at + 4, r[words[pc + 2] + 1], true)
        pc += 8
        continue
      }
      // ---- jumps ----
      case 0x110: {
        // call of a function of this program
        const target = words[pc + 3]
        state.left = left
        state.at(pc)
        if (!state.enter(target, pc + 8)) return
        pc = target
        continue
      }
      case 0x95: {
        // exit
        state.left = left
        if (state.depth === state.bottom) return
        pc = state.leave()
        r = state.registers
        words = state.code.words
        continue
      }
      case 0x05: {
        // ja, gotol
        pc = words[pc + 3]
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
    pc = step(state, pc, host)
    if (pc < 0) return
    left = state.left
    r = state.registers
    words = state.code.words
    u8 = state.space.u8
    view = state.space.view
  }
}
