/**
 * The state of one frame as the log shows it: ` R0=scalar() R10=fp0 fp-8=mmmmmmmm refs=2`.
 *
 * Source: linux v6.18 Documentation/bpf/verifier.rst ("Register live-ness", "Understanding eBPF
 * verifier messages"); the format is what a running kernel prints.
 */

import type { Explorer } from "../explore/explorer.ts"
import { frameOf, registerAt, slotAt, slotCount } from "../explore/frames.ts"
import {
  FRAME_FLAGS,
  FRAME_FRAMENO,
  FRAME_IN_ASYNC_CALLBACK,
  FRAME_IN_CALLBACK_FN,
  SLOT_SIZE,
  SLOT_TYPES,
} from "../state/layout.ts"
import {
  BPF_DYNPTR_TYPE_LOCAL,
  BPF_DYNPTR_TYPE_RINGBUF,
  BPF_DYNPTR_TYPE_SKB,
  BPF_DYNPTR_TYPE_SKB_META,
  BPF_DYNPTR_TYPE_XDP,
  BPF_ITER_STATE_ACTIVE,
  BPF_ITER_STATE_DRAINED,
  BPF_ITER_STATE_INVALID,
  NOT_INIT,
  STACK_DYNPTR,
  STACK_INVALID,
  STACK_ITER,
  STACK_SPILL,
} from "../state/register-types.ts"
import { aOf, bOf, cOf, idOf, refObjIdOf, typeOf } from "../state/registers.ts"
import type { State } from "../state/state.ts"
import { printRegister } from "./register.ts"

/** STACK_INVALID to STACK_IRQ_FLAG. */
const SLOT_LETTERS = "?rm0dif"

const DYNPTR_NAMES: Readonly<Record<number, string>> = {
  [BPF_DYNPTR_TYPE_LOCAL]: "local",
  [BPF_DYNPTR_TYPE_RINGBUF]: "ringbuf",
  [BPF_DYNPTR_TYPE_SKB]: "skb",
  [BPF_DYNPTR_TYPE_XDP]: "xdp",
  [BPF_DYNPTR_TYPE_SKB_META]: "skb_meta",
}

const ITERATOR_STATES: Readonly<Record<number, string>> = {
  [BPF_ITER_STATE_INVALID]: "<invalid>",
  [BPF_ITER_STATE_ACTIVE]: "active",
  [BPF_ITER_STATE_DRAINED]: "drained",
}

/** Frame `n` of a state and a newline; `all`, or only what was marked as changed. */
export function stateLine(x: Explorer, state: State, n: number, all: boolean): string {
  const d = x.domain
  const frame = frameOf(d, state, n)
  const frameNumber = d.i32[(frame + FRAME_FRAMENO) >> 2]
  let text = frameNumber > 0 ? ` frame${frameNumber}:` : ""
  for (let index = 0; index <= 10; index++) {
    const reg = registerAt(frame, index)
    if (typeOf(d, reg) === NOT_INIT) continue
    if (!all && (x.scratchedRegisters & (1 << index)) === 0) continue
    text += ` R${index}=${printRegister(x, reg, frameNumber)}`
  }
  const slots = slotCount(d, frame)
  for (let spi = 0; spi < slots; spi++) {
    if (!all && !x.isSlotScratched(spi)) continue
    text += slotText(x, frame, spi, frameNumber)
  }
  if (state.refs.length > 0) text += ` refs=${state.refs.map(({ id }) => id).join(",")}`
  const flags = d.i32[(frame + FRAME_FLAGS) >> 2]
  if (flags & FRAME_IN_CALLBACK_FN) text += " cb"
  if (flags & FRAME_IN_ASYNC_CALLBACK) text += " async_cb"
  if (!all) x.forgetScratched()
  return `${text}\n`
}

function slotText(x: Explorer, frame: number, spi: number, frameNumber: number): string {
  const d = x.domain
  const slot = slotAt(frame, spi)
  const types = d.u8.subarray(slot + SLOT_TYPES, slot + SLOT_TYPES + 8)
  if (types.every((type) => type === STACK_INVALID)) return ""
  const place = (-spi - 1) * 8
  const letters = Array.from(types, (type) => SLOT_LETTERS[type])
  switch (types[7]) {
    case STACK_SPILL: {
      // Bytes above a spill of less than 8 bytes.
      const above = types.indexOf(STACK_SPILL)
      return ` fp${place}=${letters.slice(0, above).join("")}${printRegister(x, slot, frameNumber)}`
    }
    case STACK_DYNPTR: {
      // Met at the second slot, printed for the first, the next one.
      if (bOf(d, slot) !== 0) return ""
      const main = slot + SLOT_SIZE
      const extra = [
        idOf(d, main) !== 0 ? `id=${idOf(d, main)}` : "",
        refObjIdOf(d, main) !== 0 ? `ref_id=${refObjIdOf(d, main)}` : "",
        // Linux keeps "first slot" where other memory has the id of its dynptr.
        `dynptr_id=${bOf(d, main)}`,
      ].filter((part) => part !== "")
      const name = DYNPTR_NAMES[aOf(d, main)] ?? "<invalid>"
      return ` fp${place - 8}=dynptr_${name}(${extra.join(",")})`
    }
    case STACK_ITER: {
      if (refObjIdOf(d, slot) === 0) return ""
      const state = ITERATOR_STATES[cOf(d, slot) & 3] ?? "<unknown>"
      const name = x.btfs[bOf(d, slot)]?.type(aOf(d, slot)).name.replace(/^bpf_iter_/, "") ?? ""
      return ` fp${place}=iter_${name}(ref_id=${refObjIdOf(d, slot)},state=${state},depth=${cOf(d, slot) >>> 2})`
    }
    default:
      return ` fp${place}=${letters.join("")}`
  }
}
