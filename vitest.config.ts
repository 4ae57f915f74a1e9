import { defineConfig } from "vitest/config"

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts", "examples/**/*.test.ts"],
    isolate: false,
    testTimeout: 60_000,
    reporters: process.env.CI ? ["default"] : ["dot"],
  },
})
