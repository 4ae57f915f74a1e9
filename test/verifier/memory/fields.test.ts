/** Every program of fields.bpf.c is verified by Linux and by us: same verdict and message. */

import { readFileSync } from "node:fs"
import { join } from "node:path"
import { expect, test } from "vitest"
import { describeWith, requirement, root } from "../../support/requirements.ts"
import { compareC } from "../calls/oracle.ts"

const file = join(root, "test/verifier/memory/programs/fields.bpf.c")

describeWith(
  [requirement.clang(), requirement.linux()],
  "special fields and types as Linux",
  () => {
    test.each(compareC(readFileSync(file, "utf8")))("$name", ({ linux, ours }) => {
      const verdict = ({ errno, message }: typeof ours) =>
        errno === 0 ? "accepted" : `${errno} ${message}`
      expect(verdict(ours)).toBe(verdict(linux))
    })
  },
)
