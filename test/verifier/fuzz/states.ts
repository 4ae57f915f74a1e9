/**
 * The states that the verifier explored, instruction by instruction, and whether the registers of
 * a running program lie within one of them: scalars by bits and all bounds, pointers by kind,
 * null-ness and, on the stack, in the context and in the packet, by offset.
 */

import type { Explorer } from "../../../src/verifier/explore/explorer.ts"
import type { Verdict, VerifierInput } from "../../../src/verifier/index.ts"
import { verify } from "../../../src/verifier/index.ts"
import {
  FRAME_CALLSITE,
  FRAME_REGS,
  REG_A,
  REG_FRAMENO,
  REG_MASK,
  REG_OFF,
  REG_S32_MAX,
  REG_S32_MIN,
  REG_SIZE,
  REG_SMAX,
  REG_SMIN,
  REG_TYPE,
  REG_U32_MAX,
  REG_U32_MIN,
  REG_UMAX,
  REG_UMIN,
  REG_VALUE,
} from "../../../src/verifier/state/layout.ts"
import {
  BASE_TYPE_MASK,
  NOT_INIT,
  PTR_MAYBE_NULL,
  PTR_TO_CTX,
  PTR_TO_PACKET,
  PTR_TO_STACK,
  SCALAR_VALUE,
} from "../../../src/verifier/state/register-types.ts"

const REGISTERS = 10
const BYTES = REGISTERS * REG_SIZE

/** Where a program is when it runs: what addresses are relative to. */
export interface Place {
  /** Call sites of its frames, outermost first, as {@link callKey} writes them. */
  readonly key: string
  /** r10 of each frame. */
  readonly frames: readonly bigint[]
  readonly context: bigint
  readonly data: bigint
  readonly dataEnd: bigint
}

/** Explored states of one program. */
export class ExploredStates {
  readonly verdict: Verdict
  private readonly byInsn = new Map<string, DataView[]>()
  private live: Uint16Array = new Uint16Array(0)

  constructor(input: VerifierInput) {
    this.verdict = verify(input, (x, insn) => this.note(x, insn))
  }

  private note(x: Explorer, insn: number): void {
    this.live = x.code.live
    const { domain, state } = x
    const callsites: number[] = []
    for (let n = 1; n < state.frames; n++)
      callsites.push(domain.i32[(x.frame(n) + FRAME_CALLSITE) >> 2])
    const key = callKey(insn, callsites)
    const start = x.currentFrame() + FRAME_REGS
    const copy = domain.u8.slice(start, start + BYTES)
    const kept = this.byInsn.get(key)
    if (kept === undefined) this.byInsn.set(key, [new DataView(copy.buffer)])
    else kept.push(new DataView(copy.buffer))
  }

  /**
   * Null when all live registers are within one explored state, otherwise what is outside of the
   * last one.
   */
  outside(insn: number, place: Place, registers: Int32Array): string | null {
    const states = this.byInsn.get(place.key)
    if (states === undefined) return `instruction ${insn} was never explored (${place.key})`
    let reason = ""
    for (const state of states) {
      const found = this.outsideOf(state, insn, place, registers)
      if (found === null) return null
      reason = found
    }
    return `instruction ${insn}: ${reason}; ${states.length} states (${place.key})`
  }

  private outsideOf(
    state: DataView,
    insn: number,
    place: Place,
    registers: Int32Array,
  ): string | null {
    const live = this.live[insn]
    for (let n = 0; n < REGISTERS; n++) {
      if ((live & (1 << n)) === 0) continue
      const value = (BigInt(registers[2 * n + 1] >>> 0) << 32n) | BigInt(registers[2 * n] >>> 0)
      const found = outsideRegister(state, n * REG_SIZE, value, place)
      if (found !== null) return `r${n} = 0x${value.toString(16)}: ${found}`
    }
    return null
  }
}

export function callKey(insn: number, callsites: readonly number[]): string {
  return `${callsites.join(",")}@${insn}`
}

function outsideRegister(state: DataView, at: number, value: bigint, place: Place): string | null {
  const type = state.getInt32(at + REG_TYPE, true)
  const base = type & BASE_TYPE_MASK
  if (base === NOT_INIT) return null
  if (base === SCALAR_VALUE) return outsideScalar(state, at, value)
  if (value === 0n) return type & PTR_MAYBE_NULL ? null : `null, as pointer of type ${base}`
  const off = BigInt(state.getInt32(at + REG_OFF, true))
  const low = value & 0xffffffffn
  if (base === PTR_TO_CTX) return outsideOffset(state, at, low - place.context - off)
  if (base === PTR_TO_STACK) {
    const frame = place.frames[state.getInt32(at + REG_FRAMENO, true)]
    // A frame above a global function's is not one of its own states.
    return frame === undefined ? null : outsideOffset(state, at, low - frame - off)
  }
  if (base === PTR_TO_PACKET) {
    const range = BigInt(state.getInt32(at + REG_A, true))
    if (range > 0n && low - off + range > place.dataEnd)
      return `packet range ${range} from ${low - off - place.data} of ${place.dataEnd - place.data}`
    return outsideOffset(state, at, low - place.data - off)
  }
  return null
}

/** A distance from the pointer's base, beside its fixed offset; addresses have 32 bits of it. */
function outsideOffset(state: DataView, at: number, apart: bigint): string | null {
  const distance = BigInt.asIntN(32, apart)
  const bits = BigInt.asUintN(64, distance)
  const value = state.getBigUint64(at + REG_VALUE, true)
  const mask = state.getBigUint64(at + REG_MASK, true)
  if ((bits & ~mask) !== value) return `offset ${distance} is not (${hex(value)}; ${hex(mask)})`
  if (distance < state.getBigInt64(at + REG_SMIN, true)) return `offset ${distance} below smin`
  if (distance > state.getBigInt64(at + REG_SMAX, true)) return `offset ${distance} above smax`
  return null
}

function outsideScalar(state: DataView, at: number, value: bigint): string | null {
  const tnum = state.getBigUint64(at + REG_VALUE, true)
  const mask = state.getBigUint64(at + REG_MASK, true)
  if ((value & ~mask & 0xffffffffffffffffn) !== tnum) return `not (${hex(tnum)}; ${hex(mask)})`
  const signed = BigInt.asIntN(64, value)
  const low = Number(value & 0xffffffffn)
  const checks: [boolean, string][] = [
    [value < state.getBigUint64(at + REG_UMIN, true), "umin"],
    [value > state.getBigUint64(at + REG_UMAX, true), "umax"],
    [signed < state.getBigInt64(at + REG_SMIN, true), "smin"],
    [signed > state.getBigInt64(at + REG_SMAX, true), "smax"],
    [low < state.getUint32(at + REG_U32_MIN, true), "u32_min"],
    [low > state.getUint32(at + REG_U32_MAX, true), "u32_max"],
    [(low | 0) < state.getInt32(at + REG_S32_MIN, true), "s32_min"],
    [(low | 0) > state.getInt32(at + REG_S32_MAX, true), "s32_max"],
  ]
  const broken = checks.find(([outside]) => outside)
  return broken === undefined ? null : `beyond ${broken[1]}`
}

function hex(value: bigint): string {
  return `0x${value.toString(16)}`
}
