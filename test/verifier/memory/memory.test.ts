import { expect, it } from "vitest"
import { describeWith, requirement } from "../../support/requirements.ts"
import { compare } from "./oracle.ts"
import * as kernel from "./programs/kernel.ts"
import * as regions from "./programs/regions.ts"
import * as stack from "./programs/stack.ts"
import { essence, type Table } from "./programs/table.ts"

const tables: readonly Table[] = [
  ...Object.values(stack),
  ...Object.values(regions),
  ...Object.values(kernel),
]

for (const { title, cases, states } of tables)
  describeWith([requirement.linux()], `as Linux, ${title}`, () => {
    it.each(cases.map((test) => [test.name, test] as const))("%s", (_name, test) => {
      const { linux, ours } = compare(test)
      expect({ errno: ours.errno, message: ours.message }).toEqual({
        errno: linux.errno,
        message: linux.message,
      })
      if (states) expect(essence(ours.log)).toEqual(essence(linux.log))
    })
  })
