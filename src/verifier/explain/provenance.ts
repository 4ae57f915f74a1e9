/**
 * Where values come from: what changed each register, and the path that led to a rejection.
 *
 * A register carries the number of a node (REG_PROVENANCE), which moves with it through copies,
 * spills, fills and saved states. After each instruction the registers of the innermost frame are
 * compared with what their nodes say; where they differ, a node is added that names the
 * instruction and the node before it. Rules know nothing of this, and nothing is recorded unless
 * the input asks for it.
 *
 * Invariants: node 0 means "nothing recorded"; a node's `previous` and `other` have smaller
 * numbers; nodes are never changed. Recording stops silently at a limit.
 */

import {
  BPF_ALU,
  BPF_ALU64,
  BPF_ATOMIC,
  BPF_CALL,
  BPF_JMP,
  BPF_LDX,
  BPF_MOV,
  BPF_ST,
  BPF_STX,
  BPF_X,
} from "../../isa/index.ts"
import type { Explorer } from "../explore/explorer.ts"
import type { VerifierMap } from "../input.ts"
import { printRegister } from "../log/register.ts"
import {
  REG_A,
  REG_ID,
  REG_MASK,
  REG_OFF,
  REG_PRECISE,
  REG_PROVENANCE,
  REG_REF_OBJ_ID,
  REG_SIZE,
  REG_SMAX,
  REG_SMIN,
  REG_SUBREG_DEF,
  REG_TYPE,
  REG_U32_MAX,
  REG_UMAX,
  REG_UMIN,
  REGS_PER_FRAME,
  SCRATCH_BASE,
} from "../state/layout.ts"
import {
  BASE_TYPE_MASK,
  NOT_INIT,
  PTR_MAYBE_NULL,
  PTR_TO_PACKET,
  PTR_TO_PACKET_END,
  PTR_TO_PACKET_META,
  SCALAR_VALUE,
} from "../state/register-types.ts"
import type { Reference, State } from "../state/state.ts"

/** How a value came to be what it is. */
export type EventKind =
  | "born"
  | "copied"
  | "computed"
  | "filled"
  | "refined"
  | "bounds-proven"
  | "invalidated"
  | "lost"

/** One step in the life of a value. */
export interface ProvenanceEvent {
  readonly kind: EventKind
  readonly insn: number
  readonly register: number
  /** The value afterwards. */
  readonly value: ValueSnapshot
}

/** What the verifier knew of a register. */
export interface ValueSnapshot {
  /** In the kernel's notation. */
  readonly text: string
  /** Register type with flags (register-types.ts). */
  readonly type: number
  readonly offset: number
  readonly smin: bigint
  readonly smax: bigint
  readonly umin: bigint
  readonly umax: bigint
  readonly umax32: number
  /** Bits of a scalar, or of a pointer's variable offset, that are not known. */
  readonly mask: bigint
  /** Range of a packet pointer; index of a map; size of memory (layout.ts). */
  readonly a: number
}

/** What is left of a verification for its explanation. */
export interface History {
  /** Instructions from the program's start to the rejection, in order; cut at the front if long. */
  readonly path: readonly number[]
  /** By register of the innermost frame: its events, oldest first; the last says what it is. */
  readonly registers: readonly (readonly ProvenanceEvent[])[]
  readonly references: readonly Reference[]
  readonly activeLocks: number
  readonly frames: number
  /** Slots where subprograms start. */
  readonly starts: readonly number[]
  readonly stackDepths: readonly number[]
  /** Live registers before each instruction: bit n for Rn. */
  readonly live: Uint16Array
  /** How often each instruction was processed, over all paths. */
  readonly visits: Uint32Array
  readonly maps: readonly VerifierMap[]
}

const NODES_MAX = 1 << 17
const STEPS_MAX = 1 << 20
/** Events of one register that a history keeps, and steps of its path. */
const EVENTS_MAX = 48
const PATH_MAX = 1 << 16
/** A scratch register that no rule uses: old values are printed from there. */
const PRINT_SCRATCH = SCRATCH_BASE + 23 * REG_SIZE

interface Node {
  readonly kind: EventKind
  readonly insn: number
  readonly register: number
  readonly previous: number
  /** The register as it was, all its words. */
  readonly words: Int32Array
}

export class Recorder {
  private readonly nodes: (Node | null)[] = [null]
  private readonly stepInsn: Int32Array = new Int32Array(STEPS_MAX)
  private readonly stepParent: Int32Array = new Int32Array(STEPS_MAX)
  private readonly visits: Uint32Array
  /** Step 0 is the start. */
  private steps = 1
  private step = 0
  private readonly stepOf: Map<State, number> = new Map()
  private readonly before: Int32Array = new Int32Array(REGS_PER_FRAME)
  private branches = 0
  private frame = 0

  constructor(slots: number) {
    this.visits = new Uint32Array(slots)
  }

  /** A subprogram is explored from its entry, or a branch is taken up again. */
  pathBegins(x: Explorer): void {
    this.step = this.stepOf.get(x.state) ?? 0
    this.stepOf.delete(x.state)
    this.branches = x.branches.length
    this.frame = 0
    this.refresh(x, Math.max(x.previousInsn, 0), true)
    this.remember(x)
  }

  /** Before an instruction is processed. */
  instructionBegins(x: Explorer): void {
    this.visits[x.insn]++
    if (this.steps < STEPS_MAX) {
      this.stepInsn[this.steps] = x.insn
      this.stepParent[this.steps] = this.step
      this.step = this.steps++
    }
    this.remember(x)
  }

  /** After it, unless the program was rejected there. */
  instructionEnds(x: Explorer, insn: number): void {
    for (let index = this.branches; index < x.branches.length; index++)
      this.stepOf.set(x.branches[index].state, this.step)
    this.branches = x.branches.length
    if (this.frame !== x.state.frames) this.remember(x)
    this.refresh(x, insn)
  }

  private remember(x: Explorer): void {
    this.frame = x.state.frames
    for (let n = 0; n < REGS_PER_FRAME; n++)
      this.before[n] = x.domain.i32[(x.reg(n) + REG_PROVENANCE) >> 2]
  }

  private refresh(x: Explorer, insn: number, all = false): void {
    const { i32 } = x.domain
    const only = all ? -1 : onlyWritten(x, insn)
    for (let n = Math.max(only, 0); n < (only < 0 ? REGS_PER_FRAME : only + 1); n++) {
      const reg = x.reg(n)
      if (i32[(reg + REG_TYPE) >> 2] === NOT_INIT) continue
      const id = i32[(reg + REG_PROVENANCE) >> 2]
      const node = this.nodes[id]
      const same = node != null && sameValue(x, reg, node.words)
      const wrote = writes(x, insn, n)
      if (same && !(wrote && (id !== this.before[n] || node.insn !== insn))) continue
      if (this.nodes.length >= NODES_MAX) return
      const kind = this.kindOf(x, { insn, register: n, reg, id, wrote })
      const fresh = kind === "born" && (wrote || n === 10)
      i32[(reg + REG_PROVENANCE) >> 2] = this.nodes.length
      this.nodes.push({
        kind,
        insn,
        register: n,
        previous: fresh ? 0 : id === 0 || !this.nodes[id] ? this.before[n] : id,
        words: i32.slice(reg >> 2, (reg + REG_SIZE) >> 2),
      })
    }
  }

  private kindOf(
    x: Explorer,
    at: { insn: number; register: number; reg: number; id: number; wrote: boolean },
  ): EventKind {
    const { code, domain } = x
    const opcode = code.opcode[at.insn]
    const type = domain.i32[(at.reg + REG_TYPE) >> 2]
    const node = this.nodes[at.id]
    if (at.register === 10) return "born"
    if (at.wrote) {
      const operation = opcode & 7
      if (operation === BPF_ALU || operation === BPF_ALU64) {
        if ((opcode & 0xf0) !== BPF_MOV) return "computed"
        return opcode & BPF_X ? "copied" : "born"
      }
      if (operation === BPF_LDX && at.id !== this.before[at.register] && node) return "filled"
      return "born"
    }
    if (!node) return "born"
    const old = node.words[REG_TYPE >> 2]
    if (isPacket(old) && !isPacket(type)) return "invalidated"
    if (old !== SCALAR_VALUE && type === SCALAR_VALUE)
      return old & PTR_MAYBE_NULL ? "refined" : "invalidated"
    if (isPacket(type) && node.words[REG_A >> 2] !== domain.i32[(at.reg + REG_A) >> 2])
      return "bounds-proven"
    return (opcode & 7) === BPF_JMP && (opcode & 0xf0) === BPF_CALL ? "lost" : "refined"
  }

  /** What is needed for an explanation; the domain must still hold the state at the rejection. */
  history(x: Explorer): History {
    const frames = Math.max(x.state.frames, 1)
    const registers: ProvenanceEvent[][] = []
    for (let n = 0; n < REGS_PER_FRAME; n++)
      registers.push(this.chain(x, x.domain.i32[(x.reg(n) + REG_PROVENANCE) >> 2], x.reg(n)))
    const path: number[] = []
    for (let step = this.step; step > 0 && path.length < PATH_MAX; step = this.stepParent[step])
      path.push(this.stepInsn[step])
    return {
      path: path.reverse(),
      registers,
      references: x.state.refs,
      activeLocks: x.state.activeLocks,
      frames,
      starts: x.code.subprograms.map(({ start }) => start),
      stackDepths: x.code.subprograms.map(({ stackDepth }) => stackDepth),
      live: x.code.live,
      visits: this.visits,
      maps: x.maps.slice(),
    }
  }

  private chain(x: Explorer, id: number, reg: number): ProvenanceEvent[] {
    if (x.domain.i32[(reg + REG_TYPE) >> 2] === NOT_INIT && id === 0) return []
    const events: ProvenanceEvent[] = []
    for (let node = this.nodes[id]; node && events.length < EVENTS_MAX; ) {
      events.push({
        kind: node.kind,
        insn: node.insn,
        register: node.register,
        value: snapshot(x, node.words),
      })
      node = this.nodes[node.previous]
    }
    return events.reverse()
  }
}

function isPacket(type: number): boolean {
  const base = type & BASE_TYPE_MASK
  return base === PTR_TO_PACKET || base === PTR_TO_PACKET_META || base === PTR_TO_PACKET_END
}

/** Type, offset, tnum, bounds, and what `a` and `b` say are the same. */
function sameValue(x: Explorer, reg: number, words: Int32Array): boolean {
  const { i32 } = x.domain
  const first = reg >> 2
  for (let at = 0; at < REG_PRECISE >> 2; at++)
    if (i32[first + at] !== words[at] && !IGNORED.has(at)) return false
  return true
}

/** Ids and where the upper half was defined: not part of a value, as words of a register. */
const IGNORED: ReadonlySet<number> = new Set([
  REG_ID >> 2,
  REG_REF_OBJ_ID >> 2,
  REG_SUBREG_DEF >> 2,
])

/**
 * The one register that an instruction can change; -1 when it may be any (calls, jumps), and one
 * that never changes for stores.
 */
function onlyWritten(x: Explorer, insn: number): number {
  switch (x.code.opcode[insn] & 7) {
    case BPF_ALU:
    case BPF_ALU64:
    case BPF_LDX:
      return x.code.dst[insn]
    case BPF_ST:
    case BPF_STX:
      return (x.code.opcode[insn] & 0xe0) === BPF_ATOMIC ? -1 : 10
    default:
      return -1
  }
}

/** Whether an instruction writes register `n`. */
function writes(x: Explorer, insn: number, n: number): boolean {
  const opcode = x.code.opcode[insn]
  switch (opcode & 7) {
    case BPF_ALU:
    case BPF_ALU64:
    case BPF_LDX:
      return x.code.dst[insn] === n
    case 0:
      return n === (opcode === 0x18 ? x.code.dst[insn] : 0)
    case BPF_JMP:
      return (opcode & 0xf0) === BPF_CALL && n === 0
    default:
      return false
  }
}

function snapshot(x: Explorer, words: Int32Array): ValueSnapshot {
  x.domain.i32.set(words, PRINT_SCRATCH >> 2)
  const view = new DataView(words.buffer, words.byteOffset)
  const type = view.getInt32(REG_TYPE, true)
  let text = ""
  try {
    text = type === NOT_INIT ? "?" : printRegister(x, PRINT_SCRATCH, 0)
  } catch {
    // A type id that the BTF does not have: the kind of pointer is enough.
  }
  return {
    text,
    type,
    offset: view.getInt32(REG_OFF, true),
    smin: view.getBigInt64(REG_SMIN, true),
    smax: view.getBigInt64(REG_SMAX, true),
    umin: view.getBigUint64(REG_UMIN, true),
    umax: view.getBigUint64(REG_UMAX, true),
    umax32: view.getUint32(REG_U32_MAX, true),
    mask: view.getBigUint64(REG_MASK, true),
    a: view.getInt32(REG_A, true),
  }
}
