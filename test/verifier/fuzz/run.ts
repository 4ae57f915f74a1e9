/**
 * `npm run fuzz:verifier -- --runs N --seed S [--seconds T] [--linux] [--sound]`: generated
 * programs, and damaged ones, until so many are done or so much time is over. `--linux`: our verdict beside the running kernel's; `--sound`: accepted programs run within
 * the states that were explored; both when neither is named. What differs is made small and printed.
 */

import { printProgram } from "../../../src/isa/index.ts"
import { programTypeName } from "../../../src/spec/index.ts"
import { requirement } from "../../support/requirements.ts"
import { LinuxOracle } from "./agree.ts"
import { programOf } from "./campaign.ts"
import { minimise } from "./minimise.ts"
import { Random } from "./random.ts"
import { SoundnessCheck } from "./sound.ts"
import type { FuzzProgram } from "./world.ts"

const PRINTED_MAX = 12

function option(name: string, otherwise: number): number {
  const at = process.argv.indexOf(name)
  return at < 0 ? otherwise : Number(process.argv[at + 1])
}

const runs = option("--runs", 2000)
const first = option("--seed", Date.now() % 1_000_000)
const deadline = performance.now() + option("--seconds", 1e9) * 1000
const only = ["--linux", "--sound"].filter((name) => process.argv.includes(name))
const withLinux = only.length === 0 || only.includes("--linux")
const withRuns = only.length === 0 || only.includes("--sound")
const linux = requirement.linux()
if (withLinux && !linux.available) console.log(`not asked: ${linux.reason}`)
const oracle = withLinux && linux.available ? new LinuxOracle() : null
const soundness = withRuns ? new SoundnessCheck() : null
const count = {
  accepted: 0,
  unsound: 0,
  falseRejects: 0,
  errno: 0,
  messages: 0,
  counts: 0,
  violations: 0,
  compared: 0,
  steps: 0,
}
const seen = new Map<string, number>()

/** Prints the first of each kind of trouble, made small. */
function report(
  kind: string,
  seed: number,
  program: FuzzProgram,
  same: (p: FuzzProgram) => string | null,
): void {
  const times = (seen.get(kind) ?? 0) + 1
  seen.set(kind, times)
  if (times > 1 || seen.size > PRINTED_MAX) return
  const small = minimise(program, (one) => same(one) === kind)
  console.log(`seed ${seed}: ${kind} (${programTypeName(small.type)})`)
  console.log(printProgram(small.insns))
}

function difference(program: FuzzProgram): string | null {
  if (oracle === null) return null
  const { errno, messages, agree, sameMessage, processed } = oracle.ask(program)
  if (agree && sameMessage) return processed[0] === processed[1] ? null : "other count"
  const what = agree
    ? "other message"
    : errno[0] === 0
      ? "unsound accept"
      : errno[1] === 0
        ? "false reject"
        : `errno ${errno[0]}, not ${errno[1]}`
  return `${what}: «${plain(messages[0])}», Linux «${plain(messages[1])}»`
}

/** Without numbers: the kind of a message. */
function plain(message: string): string {
  return message.replace(/-?\b(0x)?[0-9a-f]*\d[0-9a-f]*\b/g, "N").slice(0, 160)
}

function violation(program: FuzzProgram, seed: number): string | null {
  const found = soundness?.check(program, new Random(seed))
  if (found === undefined || found.violation === null) return null
  return `violation: ${plain(found.violation)}`
}

let done = 0
for (; done < runs && performance.now() < deadline; done++) {
  const seed = first + done
  const program = programOf(seed)
  if (oracle !== null) {
    const found = difference(program)
    if (found === "other count") count.counts++
    else if (found !== null) {
      if (found.startsWith("unsound")) count.unsound++
      else if (found.startsWith("false")) count.falseRejects++
      else if (found.startsWith("errno")) count.errno++
      else count.messages++
      report(found, seed, program, difference)
    }
  }
  if (soundness !== null) {
    const found = soundness.check(program, new Random(seed))
    if (found.accepted) count.accepted++
    if (found.compared) count.compared++
    count.steps += found.steps
    if (found.violation !== null) {
      count.violations++
      report(`violation: ${plain(found.violation)}`, seed, program, (one) => violation(one, seed))
    }
  }
}
console.log(`seeds ${first} to ${first + done - 1}`)
if (oracle !== null)
  console.log(
    `agreement: ${done} programs, ${count.unsound} unsound accepts, ${count.falseRejects} false rejects, ` +
      `${count.errno} other errnos, ${count.messages} other messages, ${count.counts} other counts`,
  )
if (soundness !== null)
  console.log(
    `soundness: ${count.accepted} accepted, ${count.compared} held against states, ` +
      `${count.steps} instructions run, ${count.violations} violations`,
  )
for (const [kind, times] of [...seen].sort((a, b) => b[1] - a[1])) console.log(`${times}  ${kind}`)
oracle?.close()
process.exit(count.unsound + count.falseRejects + count.violations === 0 ? 0 : 1)
