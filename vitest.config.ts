import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"

const api = (name: string): string =>
  fileURLToPath(new URL(`./src/api/${name}.ts`, import.meta.url))

export default defineConfig({
  resolve: {
    // Examples import the package as its users do (package.json "exports"; tsconfig.json "paths").
    alias: [
      { find: /^skep$/, replacement: api("index") },
      {
        find: /^skep\/node$/,
        replacement: fileURLToPath(new URL("./src/tools/node-events/index.ts", import.meta.url)),
      },
      { find: /^skep\/(embedded|linux|testing)$/, replacement: api("$1") },
    ],
  },
  test: {
    include: ["test/**/*.test.ts", "examples/**/*.test.ts"],
    isolate: false,
    testTimeout: 60_000,
    reporters: process.env.CI ? ["default"] : ["dot"],
  },
})
