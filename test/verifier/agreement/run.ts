/**
 * `npm run agreement`: the programs of every object of the repository, and of the objects given as
 * arguments, verified by us and by the running kernel. Prints a line for each difference and
 * closes with the figures; status 1 after an unsound accept or a false reject.
 *
 *   -- PATHS…                 these objects only
 *   -- --json                 the figures as JSON
 *   -- --repeat N             times are the least of N loads (5)
 *   -- --expectations PATHS…  what the objects' `comment:test_…` tags expect, by our verifier
 */

import { createLinuxKernel, type LinuxKernel } from "../../../src/linux/index.ts"
import { compareVerdicts } from "../../../src/tools/verify/index.ts"
import { requirement } from "../../support/requirements.ts"
import { expectationsText, failing, type Held, heldText, holdExpectations } from "./expectations.ts"
import { openObject, repositoryObjects, shortName } from "./objects.ts"
import { figuresText, Summary, TIMED_ABOVE } from "./summary.ts"

interface Options {
  readonly paths: readonly string[]
  readonly json: boolean
  readonly repeat: number
  readonly expectations: boolean
}

function parseOptions(args: readonly string[]): Options {
  const paths: string[] = []
  let repeat = 5
  for (let index = 0; index < args.length; index++) {
    if (args[index] === "--repeat") repeat = Number(args[++index])
    else if (!args[index].startsWith("--")) paths.push(args[index])
  }
  return {
    paths,
    repeat,
    json: args.includes("--json"),
    expectations: args.includes("--expectations"),
  }
}

function agreement(kernel: LinuxKernel, options: Options): number {
  const summary = new Summary()
  const paths = options.paths.length > 0 ? options.paths : repositoryObjects()
  for (const path of paths) {
    const object = openObject(path)
    if (typeof object === "string") {
      if (!options.json) console.log(`unreadable: ${shortName(path)}: ${object}`)
      continue
    }
    const limits = { repeat: options.repeat, repeatAbove: TIMED_ABOVE }
    for (const { name } of object.programs) {
      try {
        for (const answer of compareVerdicts(kernel, object, { ...limits, programs: [name] })) {
          const line = summary.add(shortName(path), answer)
          if (line !== null && !options.json) console.log(line)
        }
      } catch (problem) {
        console.log(`crash: ${shortName(path)} ${name}: ${(problem as Error).stack}`)
        process.exitCode = 1
      }
    }
  }
  const figures = summary.figures()
  const { differences } = summary
  console.log(options.json ? JSON.stringify({ ...figures, differences }) : figuresText(figures))
  return figures.unsoundAccepts + figures.falseRejects
}

function expectations(kernel: LinuxKernel, options: Options): void {
  const all: Held[] = []
  for (const path of options.paths) {
    const held = holdExpectations(kernel, path)
    all.push(...held)
    if (!options.json) for (const one of failing(held)) console.log(heldText(one))
  }
  console.log(expectationsText(all, options.json))
}

const linux = requirement.linux()
if (!linux.available) {
  console.log(`skipped: ${linux.reason}`)
  process.exit(0)
}
const options = parseOptions(process.argv.slice(2))
const kernel = createLinuxKernel()
if (options.expectations) {
  expectations(kernel, options)
} else if (agreement(kernel, options) > 0) process.exitCode = 1
