// Compiles examples/*/NAME.bpf.c and the programs that both kernels run (test/kernels/programs) to
// NAME.bpf.o, which are committed: running them needs no compiler. `node scripts/build-examples.mjs [clang]`
import { spawnSync } from "node:child_process"
import { readdirSync } from "node:fs"
import { dirname, join, relative } from "node:path"
import { fileURLToPath } from "node:url"

const root = join(dirname(fileURLToPath(import.meta.url)), "..")
const clang = process.argv[2] ?? process.env.CLANG ?? "clang"
let failed = false

const folders = [
  ...readdirSync(join(root, "examples"), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => join(root, "examples", entry.name)),
  join(root, "test/kernels/programs"),
  join(root, "test/kernels/sockets"),
]
for (const cwd of folders) {
  for (const source of readdirSync(cwd).filter((name) => name.endsWith(".bpf.c"))) {
    const args = [
      [
        "-O2",
        "-g",
        "-Wall",
        "-Wno-unused-function",
        "-target",
        "bpf",
        "-mcpu=v3",
        `-I${relative(cwd, join(root, "include"))}`,
      ],
      // The same bytes wherever the checkout lies.
      ["-fdebug-compilation-dir=.", `-ffile-prefix-map=${root}/=`],
      ["-c", source, "-o", source.replace(/c$/, "o")],
    ].flat()
    const { status, error } = spawnSync(clang, args, { cwd, stdio: "inherit" })
    if (error) console.error(`${clang}: ${error.message}`)
    failed ||= status !== 0
  }
}
process.exit(failed ? 1 : 0)
