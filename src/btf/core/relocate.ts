/**
 * CO-RE: compile once, run everywhere. A relocation names a field, type or enumerator of the
 * program's own types; this finds its counterpart in the types of the kernel that the program is
 * about to run on, and corrects the instruction.
 *
 * Candidates are the target's types of the same kind and the same name, flavours (`___x`) aside.
 * Those that have what is asked must agree on the answer, else the relocation is ambiguous. If none
 * has it, questions for existence (and type sizes) are answered with 0, and any other instruction
 * is poisoned, so that the verifier refuses it only where it can be reached. The behaviour, also in
 * its details, is that of libbpf 1.8 (relo_core.c).
 */

import { ObjectError, RelocationError } from "../../base/index.ts"
import { INSN_SIZE } from "../../isa/index.ts"
import type { Btf } from "../btf.ts"
import type { CoreRelocation } from "../ext.ts"
import { essentialName } from "../name-index.ts"
import { Budget } from "./compatible.ts"
import { BPF_CORE_TYPE_ID_LOCAL, coreKindName } from "./kinds.ts"
import { matchSpec } from "./match.ts"
import { PatchProblem, patchInstruction, poisonInstruction } from "./patch.ts"
import { type CoreSpec, formatSpec, parseSpec, SpecProblem, sameKind, specName } from "./spec.ts"
import { type CoreValue, coreValue } from "./value.ts"

/** A type of a target that may be the local one's counterpart. */
export interface CoreCandidate {
  readonly btf: Btf
  readonly id: number
}

/**
 * Candidates by local type, for all relocations of one object against the same targets. Using one
 * matters for more than speed: a candidate that lacks a field which others have is out for the
 * relocations that follow, as in libbpf.
 */
export type CoreCache = Map<number, readonly CoreCandidate[]>

/** One relocation to apply. */
export interface CoreRequest {
  /** Changed in place. */
  readonly program: Uint8Array
  /** Index of the instruction, in 8-byte slots. */
  readonly slot: number
  readonly relocation: CoreRelocation
  /** The types that the relocation refers to. */
  readonly local: Btf
  /** The kernel's types, then (consulted only if those have no candidate) its modules'. */
  readonly targets: readonly Btf[]
  /** For messages. */
  readonly programName: string
  readonly cache?: CoreCache
}

/** What became of the instruction. */
export type CoreResult =
  | {
      readonly status: "patched"
      /** 64 bits, unsigned. */
      readonly value: bigint
      /** The type that was found; `null` if none was (and the answer is 0) or none was needed. */
      readonly target: CoreCandidate | null
    }
  | {
      readonly status: "poisoned"
      /** One sentence. */
      readonly reason: string
      /** What was not found, as libbpf's log spells it. */
      readonly spec: string
    }

/**
 * Applies one relocation.
 *
 * @throws RelocationError if it is malformed, ambiguous, or its instruction cannot hold the value.
 */
export function relocateCore(request: CoreRequest): CoreResult {
  const { local, relocation, program, slot } = request
  const problem = (message: string, candidates: readonly string[] = [], cause?: unknown) => {
    const what = nameOf(request)
    const kind = coreKindName(relocation.kind)
    return new RelocationError(
      `program '${request.programName}', instruction ${slot}: ${kind} of ${what}: ${message}`,
      { program: request.programName, instruction: slot, kind, local: what, candidates, cause },
    )
  }
  try {
    if (slot < 0 || (slot + 1) * INSN_SIZE > program.length)
      throw new PatchProblem(`the program has ${program.length / INSN_SIZE} instructions`)
    const spec = parseSpec(local, relocation)
    const place = { program, slot, littleEndian: local.littleEndian }
    if (relocation.kind === BPF_CORE_TYPE_ID_LOCAL) {
      const value = { value: BigInt(spec.root), exact: false, fieldSize: 0, fieldType: null }
      patchInstruction(place, value, value)
      return { status: "patched", value: value.value, target: null }
    }
    if (local.type(spec.root).name === "")
      throw new SpecProblem("an anonymous type cannot be found in another kernel")
    const outcome = agree(request, spec, problem)
    const localValue = coreValue(spec, relocation.kind)
    if (outcome.value === "absent" || localValue === "absent") {
      poisonInstruction(place)
      const reason = `${specName(spec)} is not in the target's types`
      return { status: "poisoned", reason, spec: formatSpec(spec) }
    }
    const poisoned = patchInstruction(place, localValue, outcome.value)
    if (poisoned !== null) return { status: "poisoned", reason: poisoned, spec: formatSpec(spec) }
    return { status: "patched", value: outcome.value.value, target: outcome.target }
  } catch (error) {
    if (
      error instanceof SpecProblem ||
      error instanceof PatchProblem ||
      error instanceof ObjectError
    )
      throw problem(error.message, [], error)
    throw error
  }
}

/** The local spec's name, or as much of it as can be read. */
function nameOf({ local, relocation }: CoreRequest): string {
  try {
    return specName(parseSpec(local, relocation))
  } catch {
    return `type ${relocation.type}, access '${relocation.access}'`
  }
}

/** The one answer of all candidates that have what is asked. */
function agree(
  request: CoreRequest,
  spec: CoreSpec,
  problem: (message: string, candidates: readonly string[]) => Error,
): { value: CoreValue | "absent"; target: CoreCandidate | null } {
  const { cache } = request
  const { kind } = request.relocation
  const candidates = cache?.get(spec.root) ?? findCoreCandidates(spec, request.targets)
  const budget = new Budget()
  const matching: { candidate: CoreCandidate; found: CoreSpec; value: CoreValue | "absent" }[] = []
  for (const candidate of candidates) {
    const found = matchSpec(spec, candidate.btf, candidate.id, budget)
    if (found !== null) matching.push({ candidate, found, value: coreValue(found, kind) })
  }
  const [first, ...others] = matching
  if (first === undefined) {
    cache?.set(spec.root, candidates)
    return { value: coreValue(null, kind), target: null }
  }
  const names = matching.map(({ found }) => formatSpec(found))
  for (const other of others) {
    if (other.found.bitOffset !== first.found.bitOffset)
      throw problem(
        `candidates disagree: at bit ${first.found.bitOffset} or ${other.found.bitOffset}`,
        names,
      )
    if (numberOf(other.value) !== numberOf(first.value))
      throw problem(
        `candidates disagree: ${numberOf(first.value)} or ${numberOf(other.value)}`,
        names,
      )
  }
  cache?.set(
    spec.root,
    matching.map(({ candidate }) => candidate),
  )
  return { value: first.value, target: first.candidate }
}

function numberOf(value: CoreValue | "absent"): bigint | "absent" {
  return value === "absent" ? value : value.value
}

/** Candidates in the first target; if it has none, those in all others. */
export function findCoreCandidates(
  spec: CoreSpec,
  targets: readonly Btf[],
): readonly CoreCandidate[] {
  const local = spec.btf.type(spec.root)
  const name = essentialName(local.name)
  const within = (btf: Btf) =>
    btf
      .findFlavours(name)
      // A module's BTF repeats its base, which was searched already.
      .filter((id) => btf.base === null || !targets.includes(btf.base) || id >= btf.firstId)
      .filter((id) => sameKind(local, btf.type(id)))
      .map((id) => ({ btf, id }))
  const [kernel, ...modules] = targets
  const found = kernel === undefined ? [] : within(kernel)
  return found.length > 0 ? found : modules.flatMap(within)
}
