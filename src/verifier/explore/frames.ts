/**
 * Addresses of frames, registers and stack slots, of the current state and of saved ones.
 *
 * Invariant: a saved state's block is as it was when it was saved, except for marks (precise) and
 * what cleaning removed: frames never grow in it.
 */

import type { Domain } from "../domain/domain.ts"
import {
  CURRENT_BASE,
  FRAME_REGS,
  FRAME_SLOTS,
  FRAME_STACK,
  FRAME_STRIDE,
  REG_SIZE,
  SLOT_SIZE,
  SLOT_TYPES,
} from "../state/layout.ts"
import { STACK_SPILL } from "../state/register-types.ts"
import type { State } from "../state/state.ts"

/** Address of frame `n` of a state. */
export function frameOf(domain: Domain, state: State, n: number): number {
  return state.block === 0 ? CURRENT_BASE + n * FRAME_STRIDE : domain.blockFrame(state.block, n)
}

/** Address of register `n` of the frame at `frame`. */
export function registerAt(frame: number, n: number): number {
  return frame + FRAME_REGS + n * REG_SIZE
}

/** Address of slot `spi` of the frame at `frame`: its spilled register. */
export function slotAt(frame: number, spi: number): number {
  return frame + FRAME_STACK + spi * SLOT_SIZE
}

/** Slots in use of the frame at `frame`. */
export function slotCount(domain: Domain, frame: number): number {
  return domain.i32[(frame + FRAME_SLOTS) >> 2]
}

/** The last of a slot's eight types: STACK_SPILL exactly when a register is spilled there. */
export function slotKind(domain: Domain, slot: number): number {
  return domain.u8[slot + SLOT_TYPES + 7]
}

export function isSpilled(domain: Domain, slot: number): boolean {
  return domain.u8[slot + SLOT_TYPES + 7] === STACK_SPILL
}

/** Calls back with every register (R0 to R10) and every spilled one of all frames of a state. */
export function forEachRegisterOf(
  domain: Domain,
  state: State,
  visit: (reg: number) => void,
): void {
  for (let n = 0; n < state.frames; n++) {
    const frame = frameOf(domain, state, n)
    for (let index = 0; index <= 10; index++) visit(registerAt(frame, index))
    const slots = slotCount(domain, frame)
    for (let spi = 0; spi < slots; spi++) {
      const slot = slotAt(frame, spi)
      if (isSpilled(domain, slot)) visit(slot)
    }
  }
}
