/** Every function that is implemented can be named: by a helper's id, or in the kernel's own types. */

import { expect, test } from "vitest"
import { helperImplementations, kfuncImplementations } from "../../../src/kernel/helpers/index.ts"
import { kernelTypes } from "../../../src/kernel/types/index.ts"
import { HELPERS } from "../../../src/spec/index.ts"

test("every kernel function that is implemented is in the kernel's own types", () => {
  const types = kernelTypes()
  const unknown = [...kfuncImplementations.keys()].filter(
    (name) => types.findByName(name, "func") === undefined,
  )
  expect(unknown).toEqual([])
})

test("helpers are known by ids that Linux has", () => {
  for (const id of helperImplementations.keys()) expect(HELPERS[id]?.id).toBe(id)
})
