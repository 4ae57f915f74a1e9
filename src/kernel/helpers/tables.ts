/**
 * Every helper and kfunc that the embedded kernel has. What is not here is refused when a program
 * that calls it is loaded.
 */

import { helperByName } from "../../spec/index.ts"
import { controlHelpers } from "./control.ts"
import { cpuHelpers } from "./cpu.ts"
import { mapHelpers } from "./maps.ts"
import { printHelpers } from "./print.ts"
import type { Helper, HelperTable, KfuncTable } from "./support.ts"
import { timeHelpers } from "./time.ts"

const helperTables: readonly HelperTable[] = [
  mapHelpers,
  timeHelpers,
  cpuHelpers,
  controlHelpers,
  printHelpers,
]

const kfuncTables: readonly KfuncTable[] = []

function byId(tables: readonly HelperTable[]): Map<number, Helper> {
  const all = new Map<number, Helper>()
  for (const table of tables)
    for (const [name, helper] of Object.entries(table)) {
      const id = helperByName(name)?.id
      if (id === undefined) throw new Error(`no helper of Linux is called ${name}`)
      all.set(id, helper)
    }
  return all
}

/** Helpers by id: the immediate of the call instruction. */
export const helperImplementations: ReadonlyMap<number, Helper> = byId(helperTables)

/** kfuncs by name. */
export const kfuncImplementations: ReadonlyMap<string, Helper> = new Map(
  kfuncTables.flatMap((table) => Object.entries(table)),
)
