/**
 * Every helper and kfunc that the embedded kernel has. What is not here is refused when a program
 * that calls it is loaded.
 */

import { helperByName } from "../../spec/index.ts"
import { controlHelpers } from "./control.ts"
import { cpuHelpers } from "./cpu.ts"
import { dynptrHelpers } from "./dynptr.ts"
import { fibHelpers } from "./fib.ts"
import { arenaKfuncs } from "./kfuncs/arena.ts"
import { dynptrKfuncs } from "./kfuncs/dynptrs.ts"
import { iteratorKfuncs } from "./kfuncs/iterators.ts"
import { stringKfuncs } from "./kfuncs/strings.ts"
import { taskKfuncs } from "./kfuncs/tasks.ts"
import { xdpKfuncs } from "./kfuncs/xdp.ts"
import { lwtHelpers } from "./lwt.ts"
import { mapHelpers } from "./maps.ts"
import { printHelpers } from "./print.ts"
import { probeHelpers } from "./probe.ts"
import { redirectHelpers } from "./redirect.ts"
import { ringHelpers } from "./rings.ts"
import { sequenceHelpers } from "./sequences.ts"
import { skbByteHelpers } from "./skb-bytes.ts"
import { skbMetaHelpers } from "./skb-meta.ts"
import { skbRoomHelpers } from "./skb-room.ts"
import { socketControlHelpers } from "./socket-control.ts"
import { socketMapHelpers } from "./socket-maps.ts"
import { socketHelpers } from "./sockets.ts"
import { stackHelpers } from "./stack.ts"
import { storageHelpers } from "./storage.ts"
import { stringHelpers } from "./strings.ts"
import type { Helper, HelperTable, KfuncTable } from "./support.ts"
import { syncookieHelpers } from "./syncookies.ts"
import { sysctlHelpers } from "./sysctl.ts"
import { systemHelpers } from "./system.ts"
import { systemCallHelpers } from "./system-call.ts"
import { taskHelpers } from "./tasks.ts"
import { timeHelpers } from "./time.ts"
import { timerHelpers } from "./timers.ts"
import { tracingHelpers } from "./tracing.ts"
import { xdpHelpers } from "./xdp.ts"

const helperTables: readonly HelperTable[] = [
  mapHelpers,
  timeHelpers,
  cpuHelpers,
  controlHelpers,
  printHelpers,
  taskHelpers,
  probeHelpers,
  stringHelpers,
  ringHelpers,
  dynptrHelpers,
  xdpHelpers,
  skbByteHelpers,
  skbRoomHelpers,
  skbMetaHelpers,
  redirectHelpers,
  fibHelpers,
  lwtHelpers,
  socketHelpers,
  socketControlHelpers,
  socketMapHelpers,
  syncookieHelpers,
  sysctlHelpers,
  stackHelpers,
  tracingHelpers,
  timerHelpers,
  systemHelpers,
  storageHelpers,
  sequenceHelpers,
  systemCallHelpers,
]

const kfuncTables: readonly KfuncTable[] = [
  arenaKfuncs,
  dynptrKfuncs,
  iteratorKfuncs,
  taskKfuncs,
  stringKfuncs,
  xdpKfuncs,
]

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
