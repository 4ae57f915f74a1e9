/** The embedded kernel's BTF: its C declarations, compiled once per process. */

import { type Btf, BtfBuilder, parseDeclarations, readBtf } from "../../btf/index.ts"
import { EVENT_TYPES } from "./event-types.ts"
import { FILE_TYPES } from "./file-types.ts"
import { FUNCTION_TYPES } from "./function-types.ts"
import { KFUNC_TYPES } from "./kfunc-types.ts"
import { LSM_TYPES } from "./lsm-types.ts"
import { NETWORK_TYPES } from "./network-types.ts"
import { TASK_TYPES } from "./task-types.ts"

/** Integers have the names that the kernel's compiler gives them. */
const INTEGER_NAMES: Readonly<Record<string, string>> = {
  short: "short int",
  "unsigned short": "short unsigned int",
  long: "long int",
  "unsigned long": "long unsigned int",
  "long long": "long long int",
  "unsigned long long": "long long unsigned int",
}

class KernelBuilder extends BtfBuilder {
  override int(name: string, size: number, encoding?: "signed" | "bool" | "char"): number {
    return super.int(INTEGER_NAMES[name] ?? name, size, encoding)
  }
}

let built: Btf | undefined

/** The types of the embedded kernel. The same object for every kernel of the process. */
export function kernelTypes(): Btf {
  if (built === undefined) {
    const builder = new KernelBuilder()
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
