// Compiles test/seeds/programs/NAME.bpf.c to NAME.bpf.o, which are committed: the test that runs
// them needs no compiler. `node scripts/build-seeds.mjs [clang]`
import { spawnSync } from "node:child_process"
import { readdirSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

const root = join(dirname(fileURLToPath(import.meta.url)), "..")
const cwd = join(root, "test/seeds/programs")
const clang = process.argv[2] ?? process.env.CLANG ?? "clang"
let failed = false

for (const source of readdirSync(cwd).filter((name) => name.endsWith(".bpf.c"))) {
  const args = [
    ["-O2", "-g", "-Wall", "-target", "bpf", "-mcpu=v3", "-I../../../include"],
    // The same bytes wherever the checkout lies.
    ["-fdebug-compilation-dir=.", `-ffile-prefix-map=${root}/=`],
    ["-c", source, "-o", source.replace(/c$/, "o")],
  ].flat()
  const { status, error } = spawnSync(clang, args, { cwd, stdio: "inherit" })
  if (error) console.error(`${clang}: ${error.message}`)
  failed ||= status !== 0
}
process.exit(failed ? 1 : 0)
