/**
 * A rejected program, its explanation, and what Linux says of the program and of each repair:
 * repairs are loaded with the very attributes of the original.
 */

import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { assemble } from "../../../src/isa/index.ts"
import { loadObject } from "../../../src/loader/index.ts"
import { type BpfObject, readObject } from "../../../src/object/index.ts"
import {
  BPF_PROG_TYPE,
  ERRNO,
  type KernelInterface,
  type ProgLoadAttr,
} from "../../../src/spec/index.ts"
import { ObservingKernel } from "../../../src/tools/verify/index.ts"
import {
  type Explained,
  type ExplainOptions,
  explain,
} from "../../../src/verifier/explain/index.ts"
import type { VerifierInput } from "../../../src/verifier/index.ts"
import type { AssemblyCase } from "./cases.ts"

export interface Outcome {
  readonly program: string
  readonly explained: Explained | null
  /** Linux's errno for the program (positive, 0 accepted), and for each repair. */
  readonly errno: number
  readonly repairs: readonly number[]
  readonly repairLogs: readonly string[]
}

export function openPrograms(name: string): BpfObject {
  const path = fileURLToPath(new URL(`./programs/${name}.bpf.o`, import.meta.url))
  return readObject(new Uint8Array(readFileSync(path)), { name: path })
}

/** Explains one program of an object; `kernel` (Linux) is asked about it and its repairs. */
export function explainOn(
  kernel: KernelInterface,
  object: BpfObject,
  program: string,
  options: ExplainOptions = {},
): Outcome {
  let outcome: Outcome | null = null
  const observing = new ObservingKernel(kernel, {
    program: (input, attr) => {
      if (input.name !== program.slice(0, 15)) return undefined
      outcome = judge(kernel, { program, input, attr }, options)
      return -ERRNO.ECANCELED
    },
  })
  try {
    loadObject(observing.kernel, object, { programs: [program], log: "off" }).close()
  } catch (error) {
    if (outcome === null) throw error
  }
  if (outcome === null) throw new Error(`${program} was not loaded`)
  return outcome
}

function load(
  kernel: KernelInterface,
  input: VerifierInput,
  attr: ProgLoadAttr,
): { errno: number; log: string } {
  const buffer = new Uint8Array(1 << 20)
  const result = kernel.bpf("PROG_LOAD", {
    ...attr,
    insns: input.insns,
    func_info: attr.func_info === undefined ? undefined : input.funcInfo,
    line_info: attr.line_info === undefined ? undefined : input.lineInfo,
    prog_flags: input.flags,
    license: input.gplCompatible ? "GPL" : attr.license,
    log_level: 1,
    log_buf: buffer,
  })
  if (result >= 0) kernel.close(result)
  const end = buffer.indexOf(0)
  return {
    errno: result < 0 ? -result : 0,
    log: result < 0 ? new TextDecoder().decode(buffer.subarray(0, end)) : "",
  }
}

/** As {@link explainOn}, for a program in assembly. */
export function explainAssembly(
  kernel: KernelInterface,
  name: string,
  given: AssemblyCase,
  options: ExplainOptions = {},
): Outcome {
  let outcome: Outcome | null = null
  const observing = new ObservingKernel(kernel, {
    program: (input, attr) => {
      outcome = judge(kernel, { program: name, input, attr }, options)
      return -ERRNO.ECANCELED
    },
  })
  observing.kernel.bpf("PROG_LOAD", {
    prog_type: given.type ?? BPF_PROG_TYPE.BPF_PROG_TYPE_XDP,
    expected_attach_type: given.attach ?? 0,
    insns: assemble(given.text).bytes,
    license: "GPL",
    prog_name: name,
  })
  if (outcome === null) throw new Error(`${name} was not loaded`)
  return outcome
}

function judge(
  kernel: KernelInterface,
  given: { program: string; input: VerifierInput; attr: ProgLoadAttr },
  options: ExplainOptions,
): Outcome {
  const { program, input, attr } = given
  const explained = explain(input, options)
  const loads = (explained?.repaired ?? []).map((repaired) => load(kernel, repaired, attr))
  return {
    program,
    explained,
    errno: load(kernel, input, attr).errno,
    repairs: loads.map(({ errno }) => errno),
    repairLogs: loads.map(({ log }) => log),
  }
}
