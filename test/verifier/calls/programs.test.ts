/**
 * Every program of programs/ is verified by Linux and by us: same verdict, same errno, same last
 * message. Set SKEP_LOGS to compare whole logs too.
 */

import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { expect, test } from "vitest"
import { describeWith, requirement, root } from "../../support/requirements.ts"
import { comparable, compareC } from "./oracle.ts"

const directory = join(root, "test/verifier/calls/programs")

describeWith([requirement.clang(), requirement.linux()], "verdicts on calls equal Linux's", () => {
  for (const file of readdirSync(directory)) {
    const compared = compareC(readFileSync(join(directory, file), "utf8"))
    test.each(compared)(`${file}: $name`, ({ linux, ours }) => {
      const verdict = ({ errno, message }: typeof ours) =>
        errno === 0 ? "accepted" : `${errno} ${message}`
      expect(verdict(ours)).toBe(verdict(linux))
      if (process.env.SKEP_LOGS) expect(comparable(ours.log)).toBe(comparable(linux.log))
    })
  }
})
