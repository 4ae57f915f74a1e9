// Compiles test/verifier/explain/programs/*.c: `node scripts/build-explain-programs.mjs [clang]`.
// Line information stays (explanations name lines); DWARF does not.

import { spawnSync } from "node:child_process"
import { readdirSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

const root = join(dirname(fileURLToPath(import.meta.url)), "..")
const folder = join(root, "test/verifier/explain/programs")
const compiler = process.argv[2] ?? "clang"
const flags = ["-target", "bpf", "-mcpu=v3", "-O2", "-g", "-w", "-D__TARGET_ARCH_x86"]

for (const source of readdirSync(folder).filter((name) => name.endsWith(".c"))) {
  const out = source.replace(/\.c$/, ".o")
  run(compiler, [
    ...flags,
    "-fdebug-compilation-dir=.",
    "-I",
    join(root, "include"),
    "-c",
    source,
    "-o",
    out,
  ])
  run("llvm-strip", ["-g", out])
}

function run(command, args) {
  const { status, error } = spawnSync(command, args, { cwd: folder, stdio: "inherit" })
  if (error !== undefined) throw error
  if (status !== 0) throw new Error(`${command} ${args.join(" ")} failed`)
}
