// Compiles src/wasm/ (AssemblyScript) into modules of base64 text, which are committed: a checkout
// runs without a compiler, and a bundle needs no file beside it. `--check` says whether the
// committed modules are those that the sources give.
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import asc from "assemblyscript/asc"

const root = join(dirname(fileURLToPath(import.meta.url)), "..")
process.chdir(root)

/**
 * Source folder → the module of the code that uses it. Each imports its memory as env.memory; with
 * `threads` the memory is shared, and NAME-shared.ts is compiled in the place of NAME.ts.
 */
export const modules = [
  { source: "src/wasm/verifier/index.ts", output: "src/verifier/domain/domain.wasm.ts" },
  { source: "src/wasm/maps/index.ts", output: "src/kernel/maps/engines.wasm.ts" },
  {
    source: "src/wasm/maps/index.ts",
    output: "src/kernel/maps/engines-shared.wasm.ts",
    threads: true,
  },
]

const flags = [
  "--runtime",
  "stub",
  "--importMemory",
  "--noExportMemory",
  "--optimizeLevel",
  "3",
  "--shrinkLevel",
  "0",
  "--converge",
  "--noAssert",
  "--enable",
  "bulk-memory,sign-extension,mutable-globals,nontrapping-f2i",
]

/** A shared memory has a maximum: 2 GiB, of which its creator may use less. */
const threadFlags = ["--sharedMemory", "--maximumMemory", "32768", "--enable", "threads"]

/** The text of the generated module. Throws with the compiler's messages. */
export async function compile({ source, threads = false }) {
  const { error, stdout, stderr, binary } = await compileToBytes(source, threads)
  if (error) throw new Error(`${source}: ${error.message}\n${stdout}${stderr}`)
  const text = Buffer.from(binary).toString("base64")
  return `// Generated from ${dirname(source)}/ by scripts/build-wasm.mjs; do not edit.\n// biome-ignore format: one line of data\nexport const WASM_BASE64: string =\n  "${text}"\n`
}

async function compileToBytes(source, threads) {
  let binary
  const all = threads ? [...flags, ...threadFlags] : flags
  const result = await asc.main([source, "--outFile", "out.wasm", ...all], {
    readFile: (name) => {
      try {
        // Imports name their file with its extension, to which the compiler adds one; and a line
        // `// @inline` before a function stands for a decorator, which plain TypeScript has not.
        const file = name.replace(/\.ts\.ts$/, ".ts")
        const shared = file.replace(/\.ts$/, "-shared.ts")
        const text = readFileSync(threads && existsSync(shared) ? shared : file, "utf8")
        return text.replace(/^\/\/ @inline$/gm, "@inline")
      } catch {
        return null
      }
    },
    writeFile: (_name, contents) => {
      binary = contents
    },
    listFiles: () => [],
  })
  return {
    error: result.error,
    stdout: result.stdout.toString(),
    stderr: result.stderr.toString(),
    binary,
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const check = process.argv.includes("--check")
  const only = process.argv.slice(2).find((argument) => !argument.startsWith("-"))
  for (const module of modules) {
    if (only !== undefined && !module.source.includes(`/${only}/`)) continue
    const text = await compile(module)
    if (!check) writeFileSync(module.output, text)
    else if (readFileSync(module.output, "utf8") !== text) {
      console.error(`${module.output} is not what its source gives: run npm run build:wasm`)
      process.exitCode = 1
    }
    console.log(`${module.output}: ${text.length} characters`)
  }
}
