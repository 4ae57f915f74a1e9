/**
 * The two verifiers on the same programs: every program of an object is loaded into the running
 * kernel, and verified by us with the same attributes; verdict, errno, message, instruction counts
 * and times are put side by side.
 */

import { loadObject } from "../../loader/index.ts"
import type { BpfObject } from "../../object/index.ts"
import { errnoName, type KernelInterface, type ProgLoadAttr } from "../../spec/index.ts"
import { type Verdict, type VerifierInput, verify } from "../../verifier/index.ts"
import { ObservingKernel } from "./observing-kernel.ts"

/** Both answers for one program. */
export interface Answer {
  readonly program: string
  readonly ours: Verdict
  /** 0, or the kernel's positive errno, and its log. */
  readonly errno: number
  readonly log: string
  /** Instructions that each processed. */
  readonly processed: readonly [ours: number, linux: number]
  /** Microseconds that each says it took. */
  readonly microseconds: readonly [ours: number, linux: number]
}

export interface AgreementOptions {
  /** Of both logs; 4 (statistics) is always added. */
  readonly logLevel?: number
  /** Times are the least of so many loads. */
  readonly repeat?: number
  readonly programs?: readonly string[]
  /** Changes what we are asked: another kernel, other privileges. */
  readonly adjust?: (input: VerifierInput) => VerifierInput
}

const LOG_BYTES = 16 << 20

/** Verifies the programs of an object by both; programs that never reach the verifier are left out. */
export function compareVerdicts(
  kernel: KernelInterface,
  object: BpfObject,
  options: AgreementOptions = {},
): Answer[] {
  const answers: Answer[] = []
  const names = options.programs ?? object.programs.map(({ name }) => name)
  for (const name of names) {
    let input: VerifierInput | null = null
    let result = 0
    let text = ""
    const log = new Uint8Array(LOG_BYTES)
    const observing = new ObservingKernel(kernel, {
      program: (given, attr) => {
        if (given.name !== kernelProgramName(name)) return undefined
        input = given
        attr.log_level = (options.logLevel ?? 0) | 4
        attr.log_buf = log
        return undefined
      },
      result: (attr: ProgLoadAttr, code: number) => {
        if (attr.log_buf !== log) return
        result = code
        text = new TextDecoder().decode(log.subarray(0, Math.max(0, log.indexOf(0))))
      },
    })
    try {
      loadObject(observing.kernel, object, { programs: [name], log: "off" }).close()
    } catch {
      // What the kernel said is in `result`.
    }
    if (input !== null) answers.push(answer(name, input, { result, text }, options))
  }
  return answers
}

/** BPF_OBJ_NAME_LEN - 1 bytes of it. */
function kernelProgramName(name: string): string {
  return name.slice(0, 15)
}

function answer(
  program: string,
  given: VerifierInput,
  linux: { readonly result: number; readonly text: string },
  options: AgreementOptions,
): Answer {
  const input = { ...(options.adjust?.(given) ?? given), logLevel: (options.logLevel ?? 0) | 4 }
  let ours = verify(input)
  let best = ours.milliseconds
  for (let turn = 1; turn < (options.repeat ?? 1); turn++) {
    ours = verify(input)
    best = Math.min(best, ours.milliseconds)
  }
  const processed = Number(/processed (\d+) insns/.exec(linux.text)?.[1] ?? 0)
  const time = Number(/verification time (\d+) usec/.exec(linux.text)?.[1] ?? 0)
  return {
    program,
    ours,
    errno: linux.result < 0 ? -linux.result : 0,
    log: linux.text,
    processed: [ours.statistics.insnsProcessed, processed],
    microseconds: [best * 1000, time],
  }
}

/** The last line of a log that is not statistics. */
export function lastMessage(log: string): string {
  const lines = log.trimEnd().split("\n")
  const statistics = /^(processed \d+ insns|verification time|stack depth)/
  return lines.filter((line) => !statistics.test(line)).at(-1) ?? ""
}

/** One line about an answer. */
export function answerText({ program, ours, errno, log, processed, microseconds }: Answer): string {
  const verdict = (code: number) => (code === 0 ? "accepted" : errnoName(-code))
  const mine = ours.rejection?.errno ?? 0
  const equal = mine === errno ? "=" : "DIFFERS"
  const messages = [ours.rejection?.message ?? "", errno === 0 ? "" : lastMessage(log)]
  return [
    equal,
    program,
    `ours ${verdict(mine)}, linux ${verdict(errno)}`,
    `insns ${processed[0]}/${processed[1]}`,
    `${microseconds[0].toFixed(0)}/${microseconds[1]} µs`,
    ...(messages[0] === messages[1] ? messages.slice(0, 1) : messages.map((one) => `«${one}»`)),
  ].join("  ")
}
