// Builds dist/: the command line in lazy chunks, and the library entries. `--types` adds the .d.ts.
import { spawnSync } from "node:child_process"
import { chmodSync, readFileSync, renameSync, rmSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { build } from "esbuild"

const root = join(dirname(fileURLToPath(import.meta.url)), "..")
process.chdir(root)
const { version } = JSON.parse(readFileSync("package.json", "utf8"))

// Built aside and moved into place: whoever runs dist/ meanwhile has the old or the new one whole.
const fresh = `dist.${process.pid}.tmp`
rmSync(fresh, { recursive: true, force: true })

const common = {
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "node",
  target: "node20.19",
  minifySyntax: true,
  external: ["koffi"],
  logLevel: "warning",
}

try {
  await Promise.all([
    build({
      ...common,
      entryPoints: ["src/cli/main.ts"],
      outdir: `${fresh}/cli`,
      define: { SKEP_VERSION: JSON.stringify(version) },
      // White space too: start-up time is reading and parsing. Names stay, for stack traces.
      minifyWhitespace: true,
      // commander is CommonJS inside; bundled ESM has no require() of its own.
      banner: {
        js: 'import { createRequire as createRequire_ } from "node:module"\nconst require = createRequire_(import.meta.url)',
      },
    }),
    build({
      ...common,
      entryPoints: {
        index: "src/api/index.ts",
        embedded: "src/api/embedded.ts",
        linux: "src/api/linux.ts",
        node: "src/tools/node-events/index.ts",
        testing: "src/api/testing.ts",
      },
      outdir: `${fresh}/lib`,
    }),
  ])
  chmodSync(`${fresh}/cli/main.js`, 0o755)
  rmSync("dist", { recursive: true, force: true })
  renameSync(fresh, "dist")
} finally {
  rmSync(fresh, { recursive: true, force: true })
}

if (process.argv.includes("--types")) {
  const flags = ["-p", "tsconfig.build.json"]
  const { status } = spawnSync(process.execPath, ["scripts/tsc.mjs", ...flags], {
    stdio: "inherit",
  })
  process.exit(status ?? 1)
}
