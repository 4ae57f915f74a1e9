/** The embedded kernel's BTF: its C declarations, compiled once per process. */

import { type Btf, BtfBuilder, parseDeclarations, readBtf } from "../../btf/index.ts"
import { EVENT_TYPES } from "./event-types.ts"
import { FILE_TYPES } from "./file-types.ts"
import { FUNCTION_TYPES } from "./function-types.ts"
import { KFUNC_TYPES } from "./kfunc-types.ts"
import { LSM_TYPES } from "./lsm-types.ts"
import { NETWORK_TYPES } from "./network-types.ts"
import { TASK_TYPES } from "./task-types.ts"

let built: Btf | undefined

/** The types of the embedded kernel. The same object for every kernel of the process. */
export function kernelTypes(): Btf {
  if (built === undefined) {
    const builder = new BtfBuilder()
    parseDeclarations(
      [
        TASK_TYPES,
        FILE_TYPES,
        NETWORK_TYPES,
        EVENT_TYPES,
        LSM_TYPES,
        KFUNC_TYPES,
        FUNCTION_TYPES,
      ].join("\n"),
      builder,
    )
    built = readBtf(builder.build())
  }
  return built
}

/** Functions of the embedded kernel by name, whatever types it was given. */
export function kernelFunctionNames(): string[] {
  const found = `${FUNCTION_TYPES}\n${LSM_TYPES}`.matchAll(/^\w[\w *]*?(\w+)\([^;{]*\);$/gm)
  return [...found].map((match) => match[1])
}
