/**
 * Programs that say what a verifier must answer: by decl tags on their functions,
 * `comment:test_expect_success`, `comment:test_expect_msg=N=text` and their like, which the
 * kernel's own tests are compiled with. Ours is asked, and Linux too where it can be: an
 * expectation that Linux itself does not meet was written for another version.
 *
 * A message may have regular expressions in it, between `{{` and `}}`; messages come in order.
 */

import type { LinuxKernel } from "../../../src/linux/index.ts"
import type { BpfObject } from "../../../src/object/index.ts"
import { BPF_PROG_FLAG } from "../../../src/spec/index.ts"
import { compareVerdicts, verifyObject } from "../../../src/tools/verify/index.ts"
import type { Verdict } from "../../../src/verifier/index.ts"
import { openObject, shortName } from "./objects.ts"

/** What one program's tags say, for one set of privileges. */
interface Expected {
  readonly privileged: boolean
  readonly success: boolean
  readonly messages: readonly string[]
}

interface Tags {
  readonly expected: readonly Expected[]
  readonly flags: number
  readonly logLevel: number
}

/** One expectation and whether it was met. */
export interface Held {
  readonly program: string
  readonly privileged: boolean
  readonly what: string
  readonly ours: boolean
  /** Null: Linux was not asked. */
  readonly linux: boolean | null
  /** What our log ends with, when it is not as expected. */
  readonly instead: string
}

/** Flags that the tests are loaded with when nothing else is said. */
const DEFAULT_FLAGS = BPF_PROG_FLAG.BPF_F_TEST_RND_HI32 | BPF_PROG_FLAG.BPF_F_TEST_STATE_FREQ

/** Asks about every program of an object that has such tags. */
export function holdExpectations(kernel: LinuxKernel, path: string): Held[] {
  const object = openObject(path)
  if (typeof object === "string") return []
  const held: Held[] = []
  for (const { name } of object.programs) {
    const tags = readTags(object, name)
    if (tags === null) continue
    for (const expected of tags.expected)
      held.push(...ask(kernel, object, { path: shortName(path), name, tags, expected }))
  }
  return held
}

function readTags(object: BpfObject, program: string): Tags | null {
  const id = object.btf?.findByName(program, "func")
  if (object.btf === null || id === undefined) return null
  const prefix = "comment:test_"
  const texts = object.btf
    .declTags(id)
    .filter((text) => text.startsWith(prefix))
    .map((text) => text.slice(prefix.length))
  const valuesOf = (name: string) =>
    texts.filter((text) => text.startsWith(`${name}=`)).map((text) => text.slice(name.length + 1))
  const architectures = valuesOf("arch")
  if (architectures.length > 0 && !architectures.includes("X86_64")) return null
  if (texts.includes("auxiliary")) return null
  return {
    expected: modes(texts, valuesOf),
    flags: flagsOf(valuesOf("prog_flags")),
    logLevel: Number(valuesOf("log_level")[0] ?? 1) | 1,
  }
}

function modes(texts: readonly string[], valuesOf: (name: string) => string[]): Expected[] {
  // Messages are numbered, and other tags may come between them.
  const messagesOf = (name: string) =>
    valuesOf(name)
      .map((text) => /^(\d+)=(.*)$/s.exec(text) ?? ["", "0", text])
      .sort((a, b) => Number(a[1]) - Number(b[1]))
      .map(([, , text]) => text)
  const expected: Expected[] = []
  const messages = messagesOf("expect_msg")
  const failure = texts.includes("expect_failure")
  if (failure || texts.includes("expect_success") || messages.length > 0)
    expected.push({ privileged: true, success: !failure, messages })
  const lesserFailure = texts.includes("expect_failure_unpriv")
  const lesserMessages = messagesOf("expect_msg_unpriv")
  if (lesserFailure || texts.includes("expect_success_unpriv") || lesserMessages.length > 0) {
    const stated = lesserFailure || texts.includes("expect_success_unpriv")
    expected.push({
      privileged: false,
      success: stated ? !lesserFailure : !failure,
      messages: lesserMessages.length > 0 || stated !== true ? lesserMessages : [],
    })
  }
  return expected
}

function flagsOf(names: readonly string[]): number {
  let flags: number = DEFAULT_FLAGS
  for (const name of names) {
    const bare = name.replace(/^!/, "")
    const bit = (BPF_PROG_FLAG as Readonly<Record<string, number>>)[bare] ?? Number(bare)
    flags = name.startsWith("!") ? flags & ~bit : flags | bit
  }
  return flags
}

interface Question {
  readonly path: string
  readonly name: string
  readonly tags: Tags
  readonly expected: Expected
}

function ask(kernel: LinuxKernel, object: BpfObject, question: Question): Held[] {
  const { name, tags, expected } = question
  const change = (attr: { prog_flags?: number }) => {
    attr.prog_flags = (attr.prog_flags ?? 0) | tags.flags
  }
  const logLevel = tags.logLevel
  if (expected.privileged) {
    const [answer] = compareVerdicts(kernel, object, { programs: [name], logLevel, change })
    if (answer === undefined) return []
    return compare(question, answer.ours, { errno: answer.errno, log: answer.log })
  }
  try {
    const [verified] = verifyObject(kernel, object, {
      programs: [name],
      logLevel,
      adjust: (input) => ({
        ...input,
        flags: input.flags | tags.flags,
        privileges: { bpf: false, perfmon: false },
      }),
    })
    return verified === undefined ? [] : compare(question, verified.verdict, null)
  } catch {
    // The object's maps or types do not load: no program of it is judged.
    return []
  }
}

function compare(
  { path, name, expected }: Question,
  ours: Verdict,
  linux: { readonly errno: number; readonly log: string } | null,
): Held[] {
  const common = { program: `${path} ${name}`, privileged: expected.privileged }
  const instead = ours.rejection === null ? "accepted" : ours.rejection.message
  const held: Held[] = [
    {
      ...common,
      what: expected.success ? "success" : "failure",
      ours: (ours.rejection === null) === expected.success,
      linux: linux === null ? null : (linux.errno === 0) === expected.success,
      instead,
    },
  ]
  const found = inOrder(ours.log, expected.messages)
  const theirs = linux === null ? null : inOrder(linux.log, expected.messages)
  expected.messages.forEach((message, index) => {
    held.push({
      ...common,
      what: `message «${message}»`,
      ours: found[index],
      linux: theirs === null ? null : theirs[index],
      instead,
    })
  })
  return held
}

/** Which messages stand in the log, each behind the one before it. */
function inOrder(log: string, messages: readonly string[]): boolean[] {
  let at = 0
  return messages.map((message) => {
    const pattern = message
      .split(/(\{\{.*?\}\})/)
      .map((part) =>
        part.startsWith("{{")
          ? part.slice(2, -2).replaceAll("[[:space:]]", "\\s")
          : part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"),
      )
      .join("")
    const match = new RegExp(pattern, "m").exec(log.slice(at))
    if (match === null) return false
    at += match.index + match[0].length
    return true
  })
}

/** Those that hold in Linux, or for which it was not asked, and not in ours. */
export function failing(held: readonly Held[]): Held[] {
  return held.filter(({ ours, linux }) => linux !== false && !ours)
}

/** One line about an expectation that does not hold. */
export function heldText({ program, privileged, what, instead }: Held): string {
  return `${program}${privileged ? "" : " (unprivileged)"}: expected ${what}; ${instead}`
}

/** The share of expectations that hold. */
export function expectationsText(all: readonly Held[], json: boolean): string {
  const outdated = all.filter(({ linux }) => linux === false)
  const current = all.filter(({ linux }) => linux !== false)
  const alike = outdated.filter(({ ours }) => !ours).length
  if (json)
    return JSON.stringify({
      all: all.length,
      current: current.length,
      outdated: outdated.length,
      failing: failing(all),
    })
  const share = (some: readonly Held[]) => {
    const holding = some.filter(({ ours }) => ours).length
    return `${holding} of ${some.length} (${((100 * holding) / Math.max(1, some.length)).toFixed(1)} %)`
  }
  return [
    `expectations that hold: ${share(current)}`,
    `  privileged: ${share(current.filter(({ privileged }) => privileged))}`,
    `  unprivileged: ${share(current.filter(({ privileged }) => !privileged))}`,
    `of another version (Linux does not meet them either): ${outdated.length}, ${alike} of them like Linux`,
  ].join("\n")
}
