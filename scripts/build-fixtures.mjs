// Compiles the C sources of test/object/fixtures with every clang-N on PATH that the committed
// objects are named after, and strips their DWARF: `node scripts/build-fixtures.mjs`. Tests compile
// the same sources with the `clang` of the machine; the committed objects stand for the others.

import { spawnSync } from "node:child_process"
import { readdirSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

const root = join(dirname(fileURLToPath(import.meta.url)), "..")
const fixtures = join(root, "test/object/fixtures")
const versions = [16, 19, 22]

for (const version of versions) {
  const compiler = `clang-${version}`
  if (spawnSync(compiler, ["--version"], { stdio: "ignore" }).status !== 0) {
    console.warn(`${compiler} is not installed: its objects stay as they are`)
    continue
  }
  for (const source of readdirSync(fixtures).filter((name) => name.endsWith(".c"))) {
    const out = join(fixtures, source.replace(/\.c$/, `.clang${version}.o`))
    const compile = ["-target", "bpf", "-O2", "-g", "-w", "-I", join(root, "include")]
    // A relative name: the object must not say where it was built.
    run(compiler, [...compile, "-fdebug-compilation-dir=.", "-c", source, "-o", out])
    run(`llvm-strip-${version}`, ["-g", out])
    console.log(out.slice(root.length + 1))
  }
}

function run(command, args) {
  const { status, error } = spawnSync(command, args, { cwd: fixtures, stdio: "inherit" })
  if (error !== undefined) throw error
  if (status !== 0) throw new Error(`${command} ${args.join(" ")} failed`)
}
