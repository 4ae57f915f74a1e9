/** Notes: the events of the registers that a rejection is about, in words. */

import { BPF_ADD, BPF_ALU64, BPF_CALL, BPF_JMP, BPF_JMP32, BPF_X } from "../../isa/index.ts"
import {
  BASE_TYPE_MASK,
  PTR_MAYBE_NULL,
  PTR_TO_PACKET,
  PTR_TO_PACKET_END,
  SCALAR_VALUE,
} from "../state/register-types.ts"
import type { Note } from "./explanation.ts"
import type { Facts } from "./facts.ts"
import type { ProvenanceEvent } from "./provenance.ts"

const NOTES_MAX = 6

/** What led to the rejection, oldest first. */
export function notesFor(f: Facts): Note[] {
  const notes = new Map<number, string>()
  const register = f.register
  if (register >= 0) tell(f, f.events(register), notes)
  const add = register >= 0 ? f.variableAdd(register) : null
  if (add !== null) tellVariable(f, add.scalar, add.insn, notes)
  for (const reference of f.history.references)
    notes.set(
      reference.insn,
      reference.kind === "ptr"
        ? `${f.called(reference.insn) || "this"} acquires it here`
        : "the lock is taken here",
    )
  if (/return|R0/.test(f.message) && register < 0) tell(f, f.events(0), notes)
  if (notes.size === 0 && f.history.path.length > 1) tellLoop(f, notes)
  return [...notes]
    .filter(([insn]) => insn !== f.insn)
    .map(([insn, text]) => ({ place: f.place(insn), text }))
    .slice(-NOTES_MAX)
}

function tell(f: Facts, events: readonly ProvenanceEvent[], notes: Map<number, string>): void {
  events.forEach((event, index) => {
    const text = wordsFor(f, event, events[index - 1])
    if (text !== "") notes.set(event.insn, text)
  })
}

function wordsFor(f: Facts, event: ProvenanceEvent, before: ProvenanceEvent | undefined): string {
  const { kind, insn, register, value } = event
  const call = f.called(insn)
  const base = value.type & BASE_TYPE_MASK
  switch (kind) {
    case "born":
      if (insn === f.functionStart() && before === undefined && call === "" && register === 1)
        return ""
      if (call !== "")
        return value.type & PTR_MAYBE_NULL
          ? `${call} returns a pointer that may be NULL`
          : `${call} returns it: ${value.text}`
      if (value.type === PTR_TO_PACKET) return "points to the start of the packet"
      return `R${register} comes from here: ${value.text}`
    case "computed":
      if (base === PTR_TO_PACKET && value.mask !== 0n && before?.value.mask === 0n)
        return "a variable is added here: what was proven of the packet does not hold for the sum"
      if (before !== undefined && before.value.type !== SCALAR_VALUE && base === SCALAR_VALUE)
        return `this arithmetic turns the pointer (${before.value.text}) into a number`
      return ""
    case "filled":
      return `R${register} is loaded back from the stack here`
    case "copied":
      return ""
    case "bounds-proven":
      return value.a > 0 ? `${value.a} bytes of the packet are proven here` : ""
    case "invalidated":
      return base === SCALAR_VALUE && call !== "" && isPacketEvent(before)
        ? `${call} may move the packet: all packet pointers die here`
        : call !== ""
          ? `${call} ends the life of this pointer`
          : "stops being a pointer here"
    case "lost":
      return ""
    default:
      return refined(f, event, before)
  }
}

function isPacketEvent(event: ProvenanceEvent | undefined): boolean {
  const base = (event?.value.type ?? 0) & BASE_TYPE_MASK
  return base === PTR_TO_PACKET || base === PTR_TO_PACKET_END
}

/** What a comparison told of a value. */
function refined(f: Facts, event: ProvenanceEvent, before: ProvenanceEvent | undefined): string {
  const { insn, value } = event
  const opcode = f.code.opcode[insn]
  const family = opcode & 7
  if (family !== BPF_JMP && family !== BPF_JMP32) return ""
  if (before !== undefined && before.value.type & PTR_MAYBE_NULL && !(value.type & PTR_MAYBE_NULL))
    return "checked for NULL here"
  if (value.type !== SCALAR_VALUE) return ""
  const range = `${value.smin} to ${value.smax}`
  if (family === BPF_JMP32 && value.umax > 0xffffffffn)
    return "checked here as a 32-bit number only: the upper half stays unknown"
  if (value.smin < 0n && value.smin > -(1n << 62n)) return `checked here: ${range}, may be negative`
  if (value.smin < 0n) return "checked here as a signed number: may still be negative"
  if (value.smax - value.smin > 1n << 62n) return ""
  return `checked here: ${range}`
}

function tellVariable(f: Facts, scalar: number, insn: number, notes: Map<number, string>): void {
  const { opcode } = f.code
  if (opcode[insn] === (BPF_ALU64 | BPF_ADD | BPF_X))
    notes.set(insn, notes.get(insn) ?? "the variable is added to the pointer here")
  const events = f.events(scalar)
  if (events.every(({ insn: at }) => at <= insn)) tell(f, events, notes)
}

/** Where the most time went: the jump back that was processed most. */
function tellLoop(f: Facts, notes: Map<number, string>): void {
  if (!/loop|complex|too large/.test(f.message)) return
  const { visits } = f.history
  const { opcode, off, length } = f.code
  let best = -1
  for (let insn = 0; insn < length; insn++) {
    const jump = (opcode[insn] & 7) === BPF_JMP || (opcode[insn] & 7) === BPF_JMP32
    if (!jump || (opcode[insn] & 0xf0) === BPF_CALL || off[insn] >= 0) continue
    if (best < 0 || visits[insn] > visits[best]) best = insn
  }
  if (best >= 0)
    notes.set(best, `the loop goes back here: verified ${visits[best].toLocaleString("en")} times`)
}
