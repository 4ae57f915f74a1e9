/**
 * Which functions are entry points, and what their section names say about them. In a named
 * section every function that is not `static` is a program; `.text` holds subprograms, unless its
 * only function is all there is.
 */

import { ObjectError } from "../base/index.ts"
import type { Btf } from "../btf/index.ts"
import { BPF_PROG_FLAG, BPF_PROG_TYPE, matchSection } from "../spec/index.ts"
import type { FunctionTable, ObjectFunction } from "./functions.ts"
import { TAIL_SECTION } from "./legacy-maps.ts"
import type { Linker } from "./link.ts"
import type { ProgramDefinition } from "./model.ts"
import type { Warnings } from "./reading.ts"

const TEXT = ".text"
const EXCEPTION_CALLBACK = "exception_callback:"

/**
 * The linked programs, in file order.
 *
 * @throws ObjectError for two programs of one name; in strict mode, for a static function in a
 * named section and for a call that names no function.
 */
export function readPrograms(
  functions: FunctionTable,
  linker: Linker,
  options: { readonly btf: Btf | null; readonly strict: boolean; readonly warnings: Warnings },
): ProgramDefinition[] {
  const { strict, warnings } = options
  const programs: ProgramDefinition[] = []
  const names = new Set<string>()
  const tails = typeOfTails(functions)
  for (const fn of functions.all) {
    const { name, section } = fn
    if (!isEntry(fn, functions)) {
      if (strict && section.name !== TEXT)
        throw new ObjectError(
          `static function '${name}' is not in ${TEXT}, which strict mode demands`,
          { section: section.name, offset: 8 * fn.start },
        )
      continue
    }
    if (names.has(name))
      throw new ObjectError(`program '${name}' is defined twice`, { section: section.name })
    names.add(name)
    const linked = linker.link(fn, exceptionCallback(fn, functions, options.btf))
    if (strict && linked.unresolved.length > 0)
      throw new ObjectError(
        `program '${name}' refers to '${linked.unresolved[0].symbol}', which is not in the file`,
        { section: section.name },
      )
    programs.push({
      name,
      section: section.name,
      ...meaning(fn, tails, strict, warnings),
      ...linked,
    })
  }
  return programs
}

function isEntry(fn: ObjectFunction, functions: FunctionTable): boolean {
  if (!fn.exported) return false
  return fn.section.name !== TEXT || functions.all.length === 1
}

type Meaning = Pick<
  ProgramDefinition,
  "type" | "attachType" | "attachTarget" | "flags" | "autoload"
>

function meaning(
  fn: ObjectFunction,
  tailType: number,
  strict: boolean,
  warnings: Warnings,
): Meaning {
  const { name } = fn.section
  const match = matchSection(name, { strict })
  if (match !== null) {
    if (match.loose)
      warnings.add(`section '${name}': '${match.target}' has no meaning after '${match.name}'`)
    return {
      type: match.type,
      attachType: match.attachType,
      attachTarget: match.target,
      flags:
        (match.sleepable ? BPF_PROG_FLAG.BPF_F_SLEEPABLE : 0) |
        (match.frags ? BPF_PROG_FLAG.BPF_F_XDP_HAS_FRAGS : 0),
      autoload: match.autoload,
    }
  }
  const nothing = { attachType: 0, attachTarget: null, flags: 0, autoload: !name.startsWith("?") }
  if (TAIL_SECTION.test(name)) return { type: tailType, ...nothing }
  if (name !== TEXT)
    warnings.add(`program '${fn.name}': section '${name}' is unknown and gives it no type`)
  return { type: BPF_PROG_TYPE.BPF_PROG_TYPE_UNSPEC, ...nothing }
}

/** iproute2 loads the programs of `id/index` sections with the type of the one that calls them. */
function typeOfTails(functions: FunctionTable): number {
  for (const { section } of functions.all) {
    const match = matchSection(section.name)
    if (match !== null) return match.type
  }
  return BPF_PROG_TYPE.BPF_PROG_TYPE_SCHED_CLS
}

/** The function that a `exception_callback:name` tag of the program's BTF names. */
function exceptionCallback(
  fn: ObjectFunction,
  functions: FunctionTable,
  btf: Btf | null,
): ObjectFunction[] {
  const id = btf?.findByName(fn.name, "func")
  if (btf === null || id === undefined) return []
  const tag = btf.declTags(id).find((text) => text.startsWith(EXCEPTION_CALLBACK))
  if (tag === undefined) return []
  const name = tag.slice(EXCEPTION_CALLBACK.length)
  const callback = functions.all.find((one) => one.name === name)
  if (callback === undefined)
    throw new ObjectError(`exception callback '${name}' of '${fn.name}' is not in the file`, {
      section: fn.section.name,
    })
  return [callback]
}
