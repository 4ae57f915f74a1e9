// Builds dist/: the command line in lazy chunks, and the library entries. `--types` adds the .d.ts.
import { spawnSync } from "node:child_process"
import { rmSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { build } from "esbuild"

const root = join(dirname(fileURLToPath(import.meta.url)), "..")
process.chdir(root)
rmSync("dist", { recursive: true, force: true })

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

await Promise.all([
  build({
    ...common,
    entryPoints: ["src/cli/main.ts"],
    outdir: "dist/cli",
    banner: { js: "#!/usr/bin/env node" },
    // commander is CommonJS inside; bundled ESM has no require() of its own.
    inject: ["scripts/require-shim.mjs"],
  }),
  build({
    ...common,
    entryPoints: {
      index: "src/api/index.ts",
      embedded: "src/api/embedded.ts",
      linux: "src/api/linux.ts",
      testing: "src/api/testing.ts",
    },
    outdir: "dist/lib",
  }),
])

if (process.argv.includes("--types")) {
  const flags = ["-p", "tsconfig.build.json"]
  const { status } = spawnSync(process.execPath, ["scripts/tsc.mjs", ...flags], {
    stdio: "inherit",
  })
  process.exit(status ?? 1)
}
