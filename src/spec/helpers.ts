/**
 * The helper functions of Linux, by id and by name.
 *
 * Source: linux v6.18 include/uapi/linux/bpf.h enum bpf_func_id.
 */

import { HELPER_NAMES } from "./helper-names.ts"

export interface Helper {
  /** The immediate of the call instruction. */
  readonly id: number
  /** Without `bpf_`: "map_lookup_elem". */
  readonly name: string
}

/** Every helper; index is the id. Entry 0 (`unspec`) is no helper. */
export const HELPERS: readonly Helper[] = HELPER_NAMES.map((name, id) => ({ id, name }))

const byName = new Map<string, Helper>(HELPERS.slice(1).map((helper) => [helper.name, helper]))

/** A helper by its name, with or without `bpf_`; `undefined` for a name of none. */
export function helperByName(name: string): Helper | undefined {
  return byName.get(name.startsWith("bpf_") ? name.slice(4) : name)
}
