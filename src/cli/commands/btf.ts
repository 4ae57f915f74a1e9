/** `skep btf`: the types of an object, of a raw BTF file or of the running kernel. */

import { readFileSync } from "node:fs"
import type { Command } from "commander"
import { parseObject } from "../../api/index.ts"
import { type Btf, printC, printTypeScript, readBtf } from "../../btf/index.ts"
import type { Context } from "../context.ts"
import { CliError } from "../errors.ts"
import { isElf, naming, readObjectBytes } from "../input.ts"
import { CC_OPTION } from "../options.ts"

const VMLINUX = "/sys/kernel/btf/vmlinux"

interface Options {
  readonly format: string
  readonly cc?: string
  readonly json?: boolean
}

export function register(program: Command, context: Context): void {
  program
    .command("btf")
    .summary("print the types of an object or of the running kernel")
    .description(
      "Prints BTF types: of an object (a C source is compiled first), of a raw BTF file, or with the name vmlinux of the running kernel.",
    )
    .argument("<file>", "object (.o), C source (.c), raw BTF, or vmlinux")
    .argument("[type...]", "names of types; all of them when none is given")
    .option(
      "-f, --format <format>",
      "c (declarations), ts (TypeScript), or raw (one line a type)",
      "c",
    )
    .option(...CC_OPTION)
    .option("--json", "print the types as JSON, as decoded")
    .addHelpText(
      "after",
      "\nExamples:\n  $ skep btf firewall.bpf.o\n  $ skep btf vmlinux task_struct --format c",
    )
    .action((file: string, types: string[], options: Options) => run(context, file, types, options))
}

async function run(
  context: Context,
  file: string,
  names: readonly string[],
  options: Options,
): Promise<void> {
  if (!["c", "ts", "raw"].includes(options.format))
    throw new CliError(`--format: '${options.format}' is none of c, ts, raw`, { exitCode: 2 })
  const btf = await read(context, file, options.cc)
  const ids = names.flatMap((name) => {
    const found = btf.findAll(name)
    if (found.length === 0) throw new CliError(`${file}: there is no type '${name}'`)
    return found
  })
  const all = names.length === 0 ? everyId(btf) : ids
  if (options.json) context.printJson(all.map((id) => btf.type(id)))
  else if (options.format === "raw") for (const id of all) context.print(rawLine(btf, id))
  else if (options.format === "ts")
    context.print(printTypeScript(btf, sizedIds(btf, all)).trimEnd())
  else
    context.print((names.length === 0 ? printC(btf) : printC(btf, ids, { frame: false })).trimEnd())
}

async function read(context: Context, file: string, compiler: string | undefined): Promise<Btf> {
  if (file === "vmlinux") return naming(file, () => readBtf(readFileSync(VMLINUX)))
  const bytes = await readObjectBytes(context, file, compiler)
  return naming(file, () => {
    if (!isElf(bytes)) return readBtf(bytes)
    const { btf } = parseObject(bytes)
    if (btf === null) throw new CliError(`${file}: it has no BTF`, { hint: "compile with -g" })
    return btf
  })
}

function everyId(btf: Btf): number[] {
  return Array.from({ length: btf.typeCount - 1 }, (_, index) => index + 1)
}

/** Those that have values: structs, unions, enums and typedefs with a name. */
function sizedIds(btf: Btf, ids: readonly number[]): number[] {
  const kinds: readonly string[] = ["struct", "union", "enum", "enum64"]
  return ids.filter((id) => {
    const type = btf.type(id)
    return kinds.includes(type.kind) && type.name !== ""
  })
}

function rawLine(btf: Btf, id: number): string {
  const { kind, name, id: _, ...rest } = btf.type(id)
  const details = JSON.stringify(rest, (_key, value) =>
    typeof value === "bigint" ? value.toString() : value,
  )
  return `[${id}] ${kind.toUpperCase()} '${name}' ${details}`
}
