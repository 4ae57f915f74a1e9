/** Runs a table of programs through both verifiers, one test each. */

import { expect, it } from "vitest"
import { describeWith, requirement } from "../../support/requirements.ts"
import { type Case, compare } from "./oracle.ts"

/** Lines that Linux writes and we do not: analysis before, stack liveness during. */
const OTHERS = [
  /^func#/,
  /^Live regs before insn/,
  /^\s+\d+: [.\d]{11} /,
  /^\(\d+\) frame \d/,
  /^\(\d+\) live stack/,
  /^mark_precise: /,
  /^verification time/,
  /^stack depth/,
  /^processed \d+ insns/,
]

/** What both logs say of the states and the reasons. */
export function essence(log: string): string[] {
  return log
    .trimEnd()
    .split("\n")
    .filter((line) => !OTHERS.some((other) => other.test(line)))
}

/** Verdict, errno and message must be Linux's; with `states`, every line of the log as well. */
export function agree(
  title: string,
  cases: readonly Case[],
  options: { readonly states?: boolean } = {},
): void {
  describeWith(requirement.linux, title, () => {
    it.each(cases.map((test) => [test.name, test] as const))("%s", (_name, test) => {
      const { linux, ours } = compare(test)
      expect({ errno: ours.errno, message: ours.message }).toEqual({
        errno: linux.errno,
        message: linux.message,
      })
      if (options.states) expect(essence(ours.log)).toEqual(essence(linux.log))
    })
  })
}
