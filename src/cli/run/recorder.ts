/**
 * Counts what programs answer, and keeps their faults. On the embedded kernel every run is seen,
 * whoever caused it; on Linux only the test runs that are told here.
 */

import type { EmbeddedKernel, RunOutcome } from "../../api/embedded.ts"
import type { BpfObject, Collection, Program } from "../../api/index.ts"
import { disassembleInstruction } from "../../isa/index.ts"
import type { ProgramDefinition } from "../../object/index.ts"
import { BPF_PROG_TYPE, errnoName, HELPERS, verdictName } from "../../spec/index.ts"

type Fault = NonNullable<RunOutcome["fault"]>

/** A place in a C source, from line information. */
export interface SourceLine {
  readonly file: string
  readonly line: number
  readonly column: number
  readonly text: string
}

/** One way in which a program went wrong, however often. */
export interface FaultReport {
  readonly program: string
  /** The one that was called: another one than `program` after a tail call. */
  readonly entry: string
  readonly kind: Fault["kind"]
  readonly message: string
  /** Slot of the instruction. */
  readonly instruction: number
  /** The instruction as text; null when the slot is not one of the object's. */
  readonly text: string | null
  readonly address: bigint | null
  readonly source: SourceLine | null
  count: number
  /** Number (from 1) of the first frame or event that did it; 0 before any. */
  readonly firstInput: number
}

/** Runs of one program. */
export interface ProgramTally {
  readonly name: string
  readonly type: number
  runs: number
  /** Instructions of all runs. */
  instructions: number
  /** How often each r0 (signed 32 bits) came; faults are not among them. */
  readonly returned: Map<number, number>
  faults: number
}

export class Recorder {
  /** Number of the input that is being worked on, from 1. */
  input = 0
  readonly tallies: Map<string, ProgramTally> = new Map()
  readonly faults: FaultReport[] = []
  private readonly object: BpfObject
  private readonly byId = new Map<number, ProgramTally>()
  private readonly faultsByPlace = new Map<string, FaultReport>()

  constructor(object: BpfObject, collection: Collection) {
    this.object = object
    const programs = collection.programs as Readonly<Record<string, Program>>
    for (const program of Object.values(programs)) {
      const tally: ProgramTally = {
        name: program.name,
        type: program.programType,
        runs: 0,
        instructions: 0,
        returned: new Map(),
        faults: 0,
      }
      this.tallies.set(program.name, tally)
      this.byId.set(program.id, tally)
    }
  }

  /** Counts every run on an embedded kernel from now on. */
  watch(kernel: EmbeddedKernel): void {
    kernel.observeRuns(({ program, outcome }) => {
      const tally = this.byId.get(program.id)
      if (tally === undefined) return
      tally.runs++
      tally.instructions += outcome.steps
      if (outcome.fault !== null) this.addFault(tally, outcome.fault)
      else tally.returned.set(outcome.low, (tally.returned.get(outcome.low) ?? 0) + 1)
    })
  }

  /** Counts a test run that nothing else has seen. */
  add(program: string, returned: number, times: number): void {
    const tally = this.tallies.get(program)
    if (tally === undefined) return
    tally.runs += times
    tally.returned.set(returned | 0, (tally.returned.get(returned | 0) ?? 0) + times)
  }

  private addFault(tally: ProgramTally, fault: Fault): void {
    tally.faults++
    const key = `${fault.program}:${fault.slot}:${fault.message}`
    const known = this.faultsByPlace.get(key)
    if (known !== undefined) {
      known.count++
      return
    }
    // The kernel knows the first 15 characters of the name.
    const definition =
      this.object.programs.find(({ name }) => name === fault.program) ??
      this.object.programs.find(({ name }) => name.slice(0, 15) === fault.program)
    const report: FaultReport = {
      program: definition?.name ?? fault.program,
      entry: tally.name,
      kind: fault.kind,
      message: fault.message,
      instruction: fault.slot,
      text: definition === undefined ? null : instructionText(definition, fault.slot),
      address: fault.address ?? null,
      source: definition === undefined ? null : sourceLine(this.object, definition, fault.slot),
      count: 1,
      firstInput: this.input,
    }
    this.faultsByPlace.set(key, report)
    this.faults.push(report)
  }
}

function instructionText(definition: ProgramDefinition, slot: number): string | null {
  if (slot < 0 || (slot + 1) * 8 > definition.instructions.length) return null
  return disassembleInstruction(definition.instructions, slot, {
    helperName: (id) => (HELPERS[id] === undefined ? undefined : `bpf_${HELPERS[id].name}`),
  })
}

/** The C line that an instruction comes from; null without line information. */
export function sourceLine(
  object: BpfObject,
  definition: ProgramDefinition,
  slot: number,
): SourceLine | null {
  const { btf } = object
  if (btf === null) return null
  let found: ProgramDefinition["lineInfo"][number] | undefined
  for (const line of definition.lineInfo) {
    if (line.insnOffset > slot) break
    found = line
  }
  if (found === undefined) return null
  return {
    file: btf.string(found.fileNameOffset),
    line: found.lineColumn >>> 10,
    column: found.lineColumn & 0x3ff,
    text: btf.string(found.lineOffset).trim(),
  }
}

/** What a return value (signed 32 bits) means for a program type: `XDP_DROP`, `-EPERM`, `42`. */
export function verdictLabel(programType: number, value: number): string {
  const name = verdictName(programType, value)
  if (name !== undefined) return name
  if (programType === BPF_PROG_TYPE.BPF_PROG_TYPE_SOCKET_FILTER)
    return value === 0 ? "drop" : value === -1 ? "keep all" : `keep ${value >>> 0} bytes`
  if (programType === BPF_PROG_TYPE.BPF_PROG_TYPE_LSM)
    return value === 0 ? "allow" : value < 0 ? `-${errnoName(-value)}` : String(value)
  return String(value)
}
