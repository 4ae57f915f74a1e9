/**
 * `npm run compare`: every object of the table on both kernels, 240 packets each. Prints a line an
 * object and closes with `objects N, packets N, differences 0`. `-- NAME…` compares only those.
 */

import { embeddedKernel } from "../../src/api/embedded.ts"
import { linuxKernel } from "../../src/api/linux.ts"
import { pinToCpu } from "../../src/linux/index.ts"
import { requirement } from "../support/requirements.ts"
import { compareListed } from "./compare-listed.ts"
import { comparedObjects } from "./objects.ts"
import { ethernetFrames } from "./packets.ts"

const PACKETS = 240

const linux = requirement.linux()
if (!linux.available) {
  console.log(`skipped: ${linux.reason}`)
  process.exit(0)
}
pinToCpu(0)
const wanted = process.argv.slice(2)
const host = linuxKernel()
const packets = ethernetFrames(PACKETS)
let objects = 0
let runs = 0
let differences = 0
for (const compared of comparedObjects()) {
  if (wanted.length > 0 && !wanted.includes(compared.name)) continue
  const guest = embeddedKernel({ cpus: host.cpus })
  const result = compareListed([guest, host], compared, packets)
  guest.close()
  if (result.skipped !== null) {
    console.log(`${compared.name}: skipped: ${result.skipped}`)
    continue
  }
  objects++
  runs += result.runs
  differences += result.differenceCount
  console.log(
    `${compared.name}: ${result.runs} runs (${result.refused} refused alike), ${result.differenceCount} differences`,
  )
  for (const difference of result.differences.slice(0, 8)) console.log(`  ${difference}`)
}
console.log(`objects ${objects}, packets ${runs}, differences ${differences}`)
process.exit(differences === 0 ? 0 : 1)
