// Runs TypeScript 7 (the native compiler); the package named `typescript` is version 6, for tools that need its API.
import { spawnSync } from "node:child_process"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"

const root = dirname(createRequire(import.meta.url).resolve("typescript-7/package.json"))
const { status } = spawnSync(process.execPath, [join(root, "bin/tsc"), ...process.argv.slice(2)], {
  stdio: "inherit",
})
process.exit(status ?? 1)
