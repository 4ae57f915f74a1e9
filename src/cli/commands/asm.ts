/** `skep asm`: assembler text to instructions. */

import type { Command } from "commander"
import { formatHex } from "../../base/index.ts"
import { assemble, INSN_SIZE, validateProgram } from "../../isa/index.ts"
import { helperByName } from "../../spec/index.ts"
import type { Context } from "../context.ts"
import { CliError } from "../errors.ts"
import { naming } from "../input.ts"

interface Options {
  readonly out?: string
  readonly hex?: boolean
  readonly c?: boolean
  readonly json?: boolean
  readonly bigEndian?: boolean
  readonly check: boolean
}

export function register(program: Command, context: Context): void {
  program
    .command("asm")
    .summary("assemble text to eBPF instructions")
    .description(
      "Assembles the kernel's notation (r0 = 2), LLVM's, or the mnemonics of bpf_conformance to eBPF instructions.",
    )
    .argument("<file>", "assembler text, or - for standard input")
    .option("-o, --out <file>", "write the instructions, 8 bytes each, to a file")
    .option("--hex", "print one instruction a line as hex (the default without --out)")
    .option("--c", "print an array of struct bpf_insn for C")
    .option("--json", "print labels, source lines and bytes as JSON")
    .option("--big-endian", "big-endian instructions")
    .option("--no-check", "accept what is no well-formed program")
    .addHelpText(
      "after",
      "\nExamples:\n  $ skep asm drop.s -o drop.bin\n  $ echo 'r0 = 1; exit' | skep asm -",
    )
    .action((file: string, options: Options) => run(context, file, options))
}

function run(context: Context, file: string, options: Options): void {
  const text = naming(file, () => new TextDecoder().decode(context.read(file)))
  const littleEndian = !options.bigEndian
  const assembly = assemble(text, {
    file: file === "-" ? "input" : file,
    littleEndian,
    helperId: (name) => helperByName(name)?.id,
  })
  if (options.check) {
    const problem = validateProgram(assembly.bytes, { littleEndian })
    if (problem !== null)
      throw new CliError(
        `${file}:${assembly.lines[problem.slot] ?? "?"}: instruction ${problem.slot}: ${problem.message}`,
        { hint: "--no-check assembles it all the same" },
      )
  }
  if (options.out !== undefined) context.write(options.out, assembly.bytes)
  if (options.json)
    context.printJson({
      instructions: assembly.bytes.length / INSN_SIZE,
      labels: Object.fromEntries(assembly.labels),
      lines: assembly.lines,
      bytes: assembly.bytes,
    })
  else if (options.c) context.print(cArray(assembly.bytes, littleEndian))
  else if (options.hex || options.out === undefined)
    for (let at = 0; at < assembly.bytes.length; at += INSN_SIZE)
      context.print(formatHex(assembly.bytes.subarray(at, at + INSN_SIZE), " "))
}

function cArray(bytes: Uint8Array, littleEndian: boolean): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const lines: string[] = []
  for (let at = 0; at < bytes.length; at += INSN_SIZE) {
    const registers = bytes[at + 1]
    const [dst, src] = littleEndian
      ? [registers & 15, registers >> 4]
      : [registers >> 4, registers & 15]
    lines.push(
      `\t{ .code = 0x${bytes[at].toString(16).padStart(2, "0")}, .dst_reg = ${dst}, .src_reg = ${src}, ` +
        `.off = ${view.getInt16(at + 2, littleEndian)}, .imm = ${view.getInt32(at + 4, littleEndian)} },`,
    )
  }
  return `static const struct bpf_insn program[] = {\n${lines.join("\n")}\n};`
}
