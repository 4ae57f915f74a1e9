/**
 * `npm run conformance [-- engine…]`: runs the conformance vectors (the 313 of bpf_conformance
 * when they lie beside the checkout, else our own) on each engine, and prints what failed and how
 * many passed.
 */

import { existsSync } from "node:fs"
import { type Engine, interpreterEngine, jitEngine, linuxEngine, runAll } from "./engines.ts"
import { ownVectors, readVectors, sharedVectors } from "./vectors.ts"

const engines: Record<string, () => Engine> = {
  interpreter: interpreterEngine,
  jit: () => jitEngine(false),
  "jit-checked": () => jitEngine(true),
  linux: linuxEngine,
}

function main(args: readonly string[]): number {
  const unknown = args.find((name) => !(name in engines))
  if (unknown !== undefined) {
    console.error(`there is no engine '${unknown}', only ${Object.keys(engines).join(", ")}`)
    return 2
  }
  // Linux refuses some vectors on purpose, so it runs only when asked for.
  const chosen = args.length > 0 ? args : Object.keys(engines).filter((name) => name !== "linux")
  const folder = existsSync(sharedVectors) ? sharedVectors : ownVectors
  const vectors = readVectors(folder)
  if (folder === ownVectors)
    console.log("the vectors of bpf_conformance are not here; our own are run")
  let status = 0
  for (const name of chosen) {
    const engine = engines[name]()
    if (engine.missing !== null) {
      console.log(`${name}: not here (${engine.missing})`)
      continue
    }
    const { passed, failed } = runAll(engine, vectors)
    for (const [vector, reason] of failed) console.log(`${name}: ${vector}: ${reason}`)
    console.log(`${name}: ${passed} passed, ${failed.length} failed`)
    if (failed.length > 0) status = 1
  }
  return status
}

process.exitCode = main(process.argv.slice(2))
