/**
 * Run without CAP_PERFMON: prints the programs on which the two verifiers differ, as JSON. What
 * Linux refuses for want of the capability is left out.
 */

import { compare } from "./oracle.ts"
import * as regions from "./programs/regions.ts"
import * as stack from "./programs/stack.ts"
import { essence } from "./programs/table.ts"

const EPERM = 1
const differences: unknown[] = []
let count = 0
for (const { title, cases } of [...Object.values(stack), ...Object.values(regions)])
  for (const test of cases) {
    const { linux, ours } = compare({ ...test, perfmon: false })
    if (linux.errno === EPERM) continue
    count++
    const said = ({ errno, message, log }: typeof ours): string[] =>
      errno === 0 ? essence(log) : [`${errno} ${message}`]
    if (said(ours).join("\n") !== said(linux).join("\n"))
      differences.push({ title, name: test.name, linux: said(linux), ours: said(ours) })
  }
process.stdout.write(JSON.stringify({ count, differences }))
