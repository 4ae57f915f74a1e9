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
  /** Times are the least of so many loads, 1 by default, where more than `repeatAbove` instructions are processed. */
  readonly repeat?: number
  readonly repeatAbove?: number
  readonly programs?: readonly string[]
  /** Changes what we are asked: another kernel, other privileges. */
  readonly adjust?: (input: VerifierInput) => VerifierInput
  /** Changes what both are asked, before the program is loaded: flags. */
  readonly change?: (attr: ProgLoadAttr) => void
}

/** The same program, its log and its times from the kernel. */
interface Loaded {
  readonly result: number
  readonly text: string
  readonly microseconds: number
}

const LOG_BYTES = 16 << 20
/** Without the state of every instruction, a log is a few lines. */
const SHORT_LOG_BYTES = 1 << 20

/** Verifies the programs of an object by both; programs that never reach the verifier are left out. */
export function compareVerdicts(
  kernel: KernelInterface,
  object: BpfObject,
  options: AgreementOptions = {},
): Answer[] {
  const answers: Answer[] = []
  const names = options.programs ?? object.programs.map(({ name }) => name)
  const log = new Uint8Array((options.logLevel ?? 0) & 3 ? LOG_BYTES : SHORT_LOG_BYTES)
  for (const name of names) {
    let input: VerifierInput | null = null
    let loaded: Loaded | null = null
    const observing = new ObservingKernel(kernel, {
      change: (attr) => {
        options.change?.(attr)
        if (attr.prog_name !== kernelProgramName(name)) return
        attr.log_level = (options.logLevel ?? 0) | 4
        attr.log_buf = log
      },
      program: (given) => {
        if (given.name === kernelProgramName(name)) input = given
        return undefined
      },
      result: (attr, code) => {
        if (attr.log_buf === log) loaded = loadAgain(kernel, attr, code, options)
      },
    })
    try {
      loadObject(observing.kernel, object, { programs: [name], log: "off" }).close()
    } catch {
      // What the kernel said is in `loaded`.
    }
    if (input !== null && loaded !== null) answers.push(answer(name, input, loaded, options))
  }
  return answers
}

/** BPF_OBJ_NAME_LEN - 1 bytes of it. */
function kernelProgramName(name: string): string {
  return name.slice(0, 15)
}

function logText(log: Uint8Array): string {
  const end = log.indexOf(0)
  return new TextDecoder().decode(log.subarray(0, Math.max(0, end)))
}

/** Loads what was just loaded some more times, for its time. */
function loadAgain(
  kernel: KernelInterface,
  attr: ProgLoadAttr,
  result: number,
  options: AgreementOptions,
): Loaded {
  const text = logText(attr.log_buf ?? new Uint8Array(0))
  let microseconds = timeIn(text)
  if (countIn(text) <= (options.repeatAbove ?? 0)) return { result, text, microseconds }
  for (let turn = 1; turn < (options.repeat ?? 1); turn++) {
    const fd = kernel.bpf("PROG_LOAD", attr)
    if (fd >= 0) kernel.close(fd)
    const time = timeIn(logText(attr.log_buf ?? new Uint8Array(0)))
    if (time > 0) microseconds = Math.min(microseconds, time)
  }
  return { result, text, microseconds }
}

function countIn(log: string): number {
  return Number(/processed (\d+) insns/.exec(log)?.[1] ?? 0)
}

function timeIn(log: string): number {
  return Number(/verification time (\d+) usec/.exec(log)?.[1] ?? 0)
}

function answer(
  program: string,
  given: VerifierInput,
  linux: Loaded,
  options: AgreementOptions,
): Answer {
  const input = { ...(options.adjust?.(given) ?? given), logLevel: (options.logLevel ?? 0) | 4 }
  let ours = verify(input)
  let best = ours.milliseconds
  const large = ours.statistics.insnsProcessed > (options.repeatAbove ?? 0)
  for (let turn = 1; large && turn < (options.repeat ?? 1); turn++) {
    ours = verify(input)
    best = Math.min(best, ours.milliseconds)
  }
  return {
    program,
    ours,
    errno: linux.result < 0 ? -linux.result : 0,
    log: linux.text,
    processed: [ours.statistics.insnsProcessed, countIn(linux.text)],
    microseconds: [best * 1000, linux.microseconds],
  }
}

/** The last line of a log that is not statistics. */
export function lastMessage(log: string): string {
  const lines = log.trimEnd().split("\n")
  const statistics =
    /^(processed \d+ insns|verification time|stack depth|\(\d+\) (frame \d|live stack))/
  return (
    lines
      .filter((line) => !statistics.test(line))
      .at(-1)
      // A message without a newline has the statistics behind it.
      ?.replace(/(verification time \d+ usec|processed \d+ insns.*)$/, "") ?? ""
  )
}

/** How two answers compare; "not judged": the kernel refused for what it is, not for the program. */
export type Judgement =
  | "equal"
  | "unsound accept"
  | "false reject"
  | "other errno"
  | "other message"
  | "not judged"

/** Why the running kernel cannot judge a program that another kernel of its version would. */
function unjudged({ errno, log, ours }: Answer): string | null {
  if (errno === 0) return null
  const message = lastMessage(log)
  if (errno === 1 && message === "") return "EPERM without a message"
  const missing = /^(unknown func|program of this type cannot use helper) (bpf_\w+)#/.exec(message)
  if (missing !== null && ours.rejection?.message !== message)
    return `no ${missing[2]} in this kernel`
  const symbol = /^ldimm64 failed to find the address for kernel symbol '(.*)'/.exec(message)
  if (symbol !== null) return `no symbol ${symbol[1]} in this kernel`
  if (log === "") return `${errnoName(-errno)} without a log`
  return null
}

/** Compares both answers; with the reason where the kernel cannot judge. */
export function judge(answer: Answer): { readonly is: Judgement; readonly reason: string } {
  const { ours, errno, log } = answer
  const mine = ours.rejection?.errno ?? 0
  const reason = unjudged(answer)
  if (reason !== null && mine !== errno) return { is: "not judged", reason }
  if ((mine === 0) !== (errno === 0))
    return { is: mine === 0 ? "unsound accept" : "false reject", reason: "" }
  if (mine !== errno) return { is: "other errno", reason: "" }
  const same = mine === 0 || lastMessage(ours.log) === lastMessage(log)
  return { is: same ? "equal" : "other message", reason: "" }
}

/** One line about an answer. */
export function answerText({ program, ours, errno, log, processed, microseconds }: Answer): string {
  const verdict = (code: number) => (code === 0 ? "accepted" : errnoName(-code))
  const mine = ours.rejection?.errno ?? 0
  const equal = mine === errno ? "=" : "DIFFERS"
  const messages = [
    mine === 0 ? "" : lastMessage(ours.log) || (ours.rejection?.message ?? ""),
    errno === 0 ? "" : lastMessage(log),
  ]
  return [
    equal,
    program,
    `ours ${verdict(mine)}, linux ${verdict(errno)}`,
    `insns ${processed[0]}/${processed[1]}`,
    `${microseconds[0].toFixed(0)}/${microseconds[1]} µs`,
    ...(messages[0] === messages[1] ? messages.slice(0, 1) : messages.map((one) => `«${one}»`)),
  ].join("  ")
}
