/** `skep disasm`: the programs of an object (or raw instructions) as text, with their source. */

import type { Command } from "commander"
import { type DisassembledLine, disassemble, INSN_SIZE, printProgram } from "../../isa/index.ts"
import type { BpfObject as ObjectModel, ProgramDefinition } from "../../object/index.ts"
import { HELPERS } from "../../spec/index.ts"
import type { Context } from "../context.ts"
import { CliError } from "../errors.ts"
import { isElf, loadObject, naming } from "../input.ts"
import { CC_OPTION } from "../options.ts"

interface Options {
  readonly prog?: string
  readonly style: string
  readonly source?: boolean
  readonly cc?: string
  readonly json?: boolean
}

export function register(program: Command, context: Context): void {
  program
    .command("disasm")
    .summary("disassemble the programs of an object")
    .description(
      "Disassembles the programs of an object, linked as they would be loaded; a file that is no ELF object is taken as raw instructions.",
    )
    .argument("<file>", "object (.o), C source (.c), or raw instructions; - for standard input")
    .option("-p, --prog <name>", "only this program")
    .option(
      "--style <style>",
      "notation: kernel (bpftool, verifier log) or llvm (llvm-objdump)",
      "kernel",
    )
    .option("-s, --source", "show the source lines above their instructions")
    .option(...CC_OPTION)
    .option("--json", "print the instructions as JSON")
    .addHelpText(
      "after",
      "\nExamples:\n  $ skep disasm firewall.bpf.o --source\n  $ skep asm drop.s -o drop.bin && skep disasm drop.bin",
    )
    .action((file: string, options: Options) => run(context, file, options))
}

const helperName = (id: number): string | undefined =>
  HELPERS[id] === undefined || id === 0 ? undefined : `bpf_${HELPERS[id].name}`

async function run(context: Context, file: string, options: Options): Promise<void> {
  if (options.style !== "kernel" && options.style !== "llvm")
    throw new CliError(`--style: '${options.style}' is neither kernel nor llvm`, { exitCode: 2 })
  const style = options.style
  const bytes = file.endsWith(".c") ? null : naming(file, () => context.read(file))
  if (bytes !== null && !isElf(bytes)) {
    if (bytes.length === 0 || bytes.length % INSN_SIZE !== 0)
      throw new CliError(
        `${file}: ${bytes.length} bytes are no whole number of ${INSN_SIZE}-byte instructions, and no ELF object`,
      )
    if (options.json) context.printJson(disassemble(bytes, { style, helperName }))
    else context.print(printProgram(bytes, { style, helperName }))
    return
  }
  const { model } = await loadObject(context, file, options.cc)
  const programs = model.programs.filter(
    (one) => options.prog === undefined || one.name === options.prog,
  )
  if (programs.length === 0)
    throw new CliError(
      options.prog === undefined
        ? `${file}: there is no program in it`
        : `${file}: no program '${options.prog}' (there are ${model.programs.map((one) => one.name).join(", ")})`,
    )
  const listed = programs.map((one) => ({ program: one, lines: linesOf(model, one, style) }))
  if (options.json) {
    context.printJson(
      listed.map(({ program, lines }) => ({ name: program.name, section: program.section, lines })),
    )
    return
  }
  for (const { program, lines } of listed) {
    context.print(context.colors.bold(`${program.name} (${program.section}):`))
    context.print(annotate(context, model, program, lines, options.source ?? false))
  }
}

function linesOf(
  model: ObjectModel,
  program: ProgramDefinition,
  style: "kernel" | "llvm",
): DisassembledLine[] {
  return disassemble(program.instructions, { style, helperName, littleEndian: model.littleEndian })
}

/** Function names, what relocations name, and source lines, around the instructions. */
function annotate(
  context: Context,
  model: ObjectModel,
  program: ProgramDefinition,
  lines: readonly DisassembledLine[],
  source: boolean,
): string {
  const functions = new Map(program.subprograms.map((one) => [one.slot, one.name]))
  const sources = new Map(program.lineInfo.map((one) => [one.insnOffset, one.lineOffset]))
  const names = new Map(
    program.relocations.map((one) => [
      one.slot,
      one.kind === "map"
        ? one.map
        : one.kind === "map-value"
          ? `${one.map}+${one.offset}`
          : one.kind === "extern"
            ? one.extern
            : (functions.get(one.target) ?? ""),
    ]),
  )
  const text: string[] = []
  for (const line of lines) {
    const name = functions.get(line.slot)
    if (name !== undefined) text.push(context.colors.dim(`${name}:`))
    const offset = sources.get(line.slot)
    if (source && offset !== undefined && model.btf !== null)
      text.push(context.colors.green(`; ${model.btf.string(offset).trim()}`))
    const relocation = names.get(line.slot)
    const note = relocation === undefined ? "" : context.colors.cyan(`  ; ${relocation}`)
    text.push(`${String(line.slot).padStart(4)}: ${line.text}${note}`)
  }
  return text.join("\n")
}
