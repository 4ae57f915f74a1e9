/** `skep gen`: files that are generated from objects. */

import { basename } from "node:path"
import type { Command } from "commander"
import { generateTypes } from "../../tools/gen-types/index.ts"
import type { Context } from "../context.ts"
import { loadObject, naming } from "../input.ts"
import { CC_OPTION } from "../options.ts"

interface Options {
  readonly out?: string
  readonly name?: string
  readonly import: string
  readonly cc?: string
  readonly json?: boolean
}

export function register(program: Command, context: Context): void {
  const gen = program
    .command("gen")
    .summary("generate TypeScript types for an object")
    .description("Generates files from objects.")
  gen
    .command("types")
    .description(
      "Writes a TypeScript module for an object: types of keys, values, records and globals, codecs for them, and a function that reads the object with these types.",
    )
    .argument("<file>", "object (.o) or C source (.c)")
    .option("-o, --out <file>", "write the module to a file; without it, to standard output")
    .option("--name <name>", "name of the schema; from the file name unless given")
    .option("--import <module>", "module to import skep from", "skep")
    .option(...CC_OPTION)
    .option("--json", "print { file, name, source } as JSON")
    .addHelpText(
      "after",
      `
Example:
  $ skep gen types firewall.bpf.o -o firewall.bpf.ts

  import { readFileSync } from "node:fs"
  import { embeddedKernel } from "skep/embedded"
  import { parseFirewall } from "./firewall.bpf.ts"

  const object = parseFirewall(readFileSync("firewall.bpf.o"))
  using loaded = await embeddedKernel().load(object)
  loaded.maps.blocklist.set(0x070064c6, 0n)   // checked by the compiler`,
    )
    .action((file: string, options: Options) => run(context, file, options))
}

async function run(context: Context, file: string, options: Options): Promise<void> {
  const object = await loadObject(context, file, options.cc)
  const called = basename(file)
  const name = options.name ?? called.replace(/(\.bpf)?\.[co]$/, "")
  const source = naming(file, () =>
    generateTypes(object, { file: called, name, importFrom: options.import }),
  )
  if (object.btf === null)
    context.warn(`${file}: it has no BTF (compile with -g), so all keys and values are bytes`)
  if (options.json) context.printJson({ file: called, name, source })
  if (options.out !== undefined) {
    const { out } = options
    naming(out, () => context.write(out, source))
  } else if (!options.json) context.io.stdout.write(source)
}
