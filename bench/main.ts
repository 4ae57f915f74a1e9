/**
 * `npm run bench -- [name…] [--json] [--list] [--quick]`: runs the benchmarks of this folder, or
 * those whose name contains one of the given words, one after another in this process.
 */

import { readdirSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { type Bench, formatTable, machineLine } from "./support/bench.ts"
import { importBundled } from "./support/bundle.ts"

const folder = dirname(fileURLToPath(import.meta.url))

async function discover(): Promise<Bench[]> {
  const found: Bench[] = []
  for (const file of readdirSync(folder).sort()) {
    if (!file.endsWith(".ts") || file === "main.ts") continue
    const name = file.slice(0, -3)
    const { bench } = (await importBundled(join(folder, file), name)) as { bench?: Bench }
    if (bench === undefined) throw new Error(`bench/${file} exports no \`bench\``)
    found.push(bench)
  }
  return found
}

async function main(args: readonly string[]): Promise<number> {
  const flags = args.filter((arg) => arg.startsWith("--"))
  const words = args.filter((arg) => !arg.startsWith("--"))
  const unknown = flags.find((flag) => !["--json", "--list", "--quick"].includes(flag))
  if (unknown !== undefined) {
    console.error(`unknown option ${unknown}; there are --json, --list and --quick`)
    return 2
  }
  const all = await discover()
  const chosen = all.filter(
    ({ name }) => words.length === 0 || words.some((word) => name.includes(word)),
  )
  if (chosen.length === 0) {
    console.error(`no benchmark is called ${words.join(" or ")}; try --list`)
    return 2
  }
  if (flags.includes("--list")) {
    for (const { name, question } of chosen) console.log(`${name.padEnd(16)}${question}`)
    return 0
  }
  const effort = flags.includes("--quick") ? 0.2 : 1
  const results: unknown[] = []
  if (!flags.includes("--json")) console.log(machineLine())
  for (const { name, question, run } of chosen) {
    const { rows, notes, geomean } = await run({ effort })
    if (flags.includes("--json")) {
      results.push({ name, question, machine: machineLine(), rows, geomean, notes: notes ?? [] })
      continue
    }
    console.log(`\n${name}: ${question}\n${formatTable(rows)}`)
    for (const note of notes ?? []) console.log(`  ${note}`)
  }
  if (flags.includes("--json")) console.log(JSON.stringify(results, null, 2))
  return 0
}

process.exitCode = await main(process.argv.slice(2))
