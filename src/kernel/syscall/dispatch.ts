/**
 * From a command's name to the function that answers it. Commands that the embedded kernel does
 * not have answer as a Linux without that feature does.
 */

import { type CommandName, type Commands, ERRNO } from "../../spec/index.ts"
import type { KernelTables } from "../kernel-tables.ts"
import { progLoad } from "../programs/load.ts"
import { testRun } from "../testrun/index.ts"
import { iterCreate } from "../tracing.ts"
import { progAttach, progDetach, progQuery } from "./attach.ts"
import { objGetInfoByFd } from "./info.ts"
import { linkCreate, linkDetach, linkUpdate, rawTracepointOpen } from "./links.ts"
import * as maps from "./maps.ts"
import {
  btfLoad,
  enableStats,
  getFdById,
  getNextId,
  objGet,
  objPin,
  progBindMap,
} from "./objects.ts"

type Handlers = { [C in CommandName]: (tables: KernelTables, attr: Commands[C]) => number }

const HANDLERS: Handlers = {
  MAP_CREATE: maps.mapCreate,
  MAP_LOOKUP_ELEM: maps.mapLookupElem,
  MAP_UPDATE_ELEM: maps.mapUpdateElem,
  MAP_DELETE_ELEM: maps.mapDeleteElem,
  MAP_GET_NEXT_KEY: maps.mapGetNextKey,
  MAP_LOOKUP_AND_DELETE_ELEM: maps.mapLookupAndDeleteElem,
  MAP_FREEZE: maps.mapFreeze,
  MAP_LOOKUP_BATCH: (tables, attr) => maps.mapBatch(tables, attr, "lookup"),
  MAP_LOOKUP_AND_DELETE_BATCH: (tables, attr) => maps.mapBatch(tables, attr, "lookupAndDelete"),
  MAP_UPDATE_BATCH: (tables, attr) => maps.mapBatch(tables, attr, "update"),
  MAP_DELETE_BATCH: (tables, attr) => maps.mapBatch(tables, attr, "delete"),
  PROG_LOAD: progLoad,
  PROG_ATTACH: progAttach,
  PROG_DETACH: progDetach,
  PROG_QUERY: progQuery,
  PROG_TEST_RUN(tables, attr) {
    const program = tables.fds.get(attr.prog_fd, "program")
    return typeof program === "number" ? program : testRun(tables.state, program.value, attr)
  },
  PROG_BIND_MAP: progBindMap,
  OBJ_PIN: objPin,
  OBJ_GET: objGet,
  OBJ_GET_INFO_BY_FD: objGetInfoByFd,
  PROG_GET_NEXT_ID: (tables, attr) => getNextId(tables.programs, attr),
  MAP_GET_NEXT_ID: (tables, attr) => getNextId(tables.maps, attr),
  BTF_GET_NEXT_ID: (tables, attr) => getNextId(tables.btfs, attr),
  LINK_GET_NEXT_ID: (tables, attr) => getNextId(tables.links, attr),
  PROG_GET_FD_BY_ID: (tables, attr) => getFdById(tables, tables.programs, attr),
  MAP_GET_FD_BY_ID: (tables, attr) => getFdById(tables, tables.maps, attr),
  BTF_GET_FD_BY_ID: (tables, attr) => getFdById(tables, tables.btfs, attr),
  LINK_GET_FD_BY_ID: (tables, attr) => getFdById(tables, tables.links, attr),
  BTF_LOAD: btfLoad,
  LINK_CREATE: linkCreate,
  LINK_UPDATE: linkUpdate,
  LINK_DETACH: linkDetach,
  RAW_TRACEPOINT_OPEN: rawTracepointOpen,
  ENABLE_STATS: enableStats,
  ITER_CREATE: iterCreate,
  // A Linux without perf events, tokens and program streams says:
  TASK_FD_QUERY: () => -ERRNO.ENOENT,
  TOKEN_CREATE: () => -ERRNO.EOPNOTSUPP,
  PROG_STREAM_READ_BY_FD: () => -ERRNO.EINVAL,
}

/** One bpf(2) command; a file descriptor or 0, or a negative errno. */
export function dispatch<C extends CommandName>(
  tables: KernelTables,
  command: C,
  attr: Commands[C],
): number {
  const handler = HANDLERS[command] as ((t: KernelTables, a: Commands[C]) => number) | undefined
  return handler === undefined ? -ERRNO.EINVAL : handler(tables, attr)
}
