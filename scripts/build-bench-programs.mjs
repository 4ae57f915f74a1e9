// Compiles bench/programs/*.c to .o files beside them, which are committed: the benchmarks run without a compiler.
import { execFileSync } from "node:child_process"
import { readdirSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

const folder = join(dirname(fileURLToPath(import.meta.url)), "../bench/programs")
const flags = ["-O2", "-target", "bpf", "-mcpu=v3", "-fno-builtin", "-Wall", "-fno-ident"]

for (const file of readdirSync(folder).sort()) {
  if (!file.endsWith(".c")) continue
  const object = file.replace(/\.c$/, ".o")
  // Run inside the folder, so that no path of this machine gets into the object.
  execFileSync("clang", [...flags, "-c", file, "-o", object], { cwd: folder, stdio: "inherit" })
  console.log(object)
}
