// Compiles bench/programs/*.c to .o files beside them, which are committed: the benchmarks run without a compiler.
// Short programs also get a variant whose body is called 64 times in a run: NAME_x.o. `… [clang]`
import { execFileSync } from "node:child_process"
import { readdirSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

const folder = join(dirname(fileURLToPath(import.meta.url)), "../bench/programs")
const clang = process.argv[2] ?? process.env.CLANG ?? "clang"
const flags = [
  "-O2",
  "-target",
  "bpf",
  "-mcpu=v3",
  "-fno-builtin",
  "-Wall",
  "-fno-ident",
  "-Wno-unused",
]
// BTF for the maps, without the paths of this machine.
const debug = ["-g", "-fdebug-compilation-dir=.", `-ffile-prefix-map=${folder}/=`]
const repeated = ["parse", "arrcnt", "pcpucnt", "fw", "flow", "lpm", "ringbuf"]

function compile(file, output, more) {
  // Run inside the folder, so that no path of this machine gets into the object.
  execFileSync(clang, [...flags, ...debug, ...more, "-c", file, "-o", output], {
    cwd: folder,
    stdio: "inherit",
  })
  execFileSync("llvm-strip", ["-g", output], { cwd: folder, stdio: "inherit" })
  console.log(output)
}

for (const file of readdirSync(folder).sort()) {
  if (!file.endsWith(".c")) continue
  const name = file.replace(/\.c$/, "")
  compile(file, `${name}.o`, [])
  if (repeated.includes(name)) compile(file, `${name}_x.o`, ["-DREP=64"])
}
