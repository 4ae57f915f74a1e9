/** docs/support.md is what its script writes, and every test that it names exists. */

import { existsSync } from "node:fs"
import { join } from "node:path"
import { expect, test } from "vitest"
import { supportPage } from "../../scripts/generate-support.ts"
import { root } from "../support/requirements.ts"
import { readPage } from "./pages.ts"

test("the support page is up to date (node --import tsx scripts/generate-support.ts)", async () => {
  const committed = readPage("docs/support.md").split("\n")
  const fresh = (await supportPage()).split("\n")
  const stale = fresh.filter((line) => !committed.includes(line)).slice(0, 10)
  expect(stale).toEqual([])
  expect(committed.length).toBe(fresh.length)
})

test("every test that the support page gives as evidence exists", () => {
  const named = [...readPage("docs/support.md").matchAll(/\[([\w./-]+\.test\.ts)\]/g)]
  const missing = [...new Set(named.map((match) => match[1]))].filter(
    (path) => !existsSync(join(root, path)),
  )
  expect(named.length).toBeGreaterThan(100)
  expect(missing).toEqual([])
})
