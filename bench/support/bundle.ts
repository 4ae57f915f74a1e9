/**
 * Bundles a benchmark as the released code is bundled: what is measured should be what ships, and
 * V8 treats constants imported across unbundled modules less well.
 */

import { readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import { build, type Plugin } from "esbuild"

// Below node_modules, so that packages resolve from there.
const output = join(dirname(fileURLToPath(import.meta.url)), "../../node_modules/.cache/skep-bench")

/** Files go on finding what lies beside their sources. */
const keepPlaces: Plugin = {
  name: "keep-places",
  setup({ onLoad }) {
    onLoad({ filter: /\.ts$/ }, ({ path }) => {
      const place = JSON.stringify(pathToFileURL(path).href)
      const contents = readFileSync(path, "utf8").replaceAll("import.meta.url", place)
      return { contents, loader: "ts" }
    })
  },
}

/** Bundles the module at `path` (packages stay outside) and imports the result. */
export async function importBundled(path: string, name: string): Promise<unknown> {
  const outfile = join(output, `${name}.mjs`)
  await build({
    entryPoints: [path],
    outfile,
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node20",
    packages: "external",
    plugins: [keepPlaces],
    logLevel: "warning",
  })
  return import(`${pathToFileURL(outfile).href}?${Date.now()}`)
}
