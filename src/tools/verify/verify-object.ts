/** Our verdict on every program of an object, without another verifier's. */

import { loadObject } from "../../loader/index.ts"
import type { BpfObject } from "../../object/index.ts"
import { ERRNO, type KernelInterface } from "../../spec/index.ts"
import { type Verdict, type VerifierInput, verify } from "../../verifier/index.ts"
import { ObservingKernel } from "./observing-kernel.ts"

export interface Verified {
  readonly program: string
  readonly verdict: Verdict
}

export interface VerifyObjectOptions {
  readonly logLevel?: number
  readonly programs?: readonly string[]
  /** Changes what is asked: another kernel, other privileges. */
  readonly adjust?: (input: VerifierInput) => VerifierInput
}

/**
 * Verifies the programs of an object. `kernel` provides maps and types; no program reaches it.
 *
 * @throws whatever loading throws for the object itself (RelocationError, ObjectError, BpfError).
 */
export function verifyObject(
  kernel: KernelInterface,
  object: BpfObject,
  options: VerifyObjectOptions = {},
): Verified[] {
  const results: Verified[] = []
  const names = options.programs ?? object.programs.map(({ name }) => name)
  for (const name of names) {
    let verdict: Verdict | null = null
    const observing = new ObservingKernel(kernel, {
      program: (given) => {
        const input = options.adjust?.(given) ?? given
        verdict ??= verify({ ...input, logLevel: options.logLevel ?? 0 })
        return -ERRNO.ECANCELED
      },
    })
    try {
      loadObject(observing.kernel, object, { programs: [name], log: "off" }).close()
    } catch (error) {
      if (verdict === null) throw error
    }
    if (verdict !== null) results.push({ program: name, verdict })
  }
  return results
}
