/**
 * The model is sound: at widths where all values can be tried, no result of an operation on values
 * that the operands contain is missing from what the model computes.
 */

import { describe, expect, test } from "vitest"
import { ALU, type Bits, Model, type Scalar } from "./model.ts"
import { generator } from "./programs.ts"
import { scalarAround } from "./support.ts"

const seed = Number(process.env.SKEP_SEED ?? Date.now() % 1_000_000)
const scale = Number(process.env.SKEP_FUZZ ?? 1)

function allBits(model: Model): Bits[] {
  const list: Bits[] = []
  for (let mask = 0n; mask <= model.all; mask++)
    for (let value = 0n; value <= model.all; value++)
      if ((value & mask) === 0n) list.push({ value, mask })
  return list
}

function values(model: Model, scalar: Scalar): bigint[] {
  const list: bigint[] = []
  for (let value = 0n; value <= model.all; value++)
    if (model.contains(scalar, value)) list.push(value)
  return list
}

describe("tristate numbers", () => {
  const model = new Model(4)
  const pairs = [
    ["add", (a: bigint, b: bigint) => a + b],
    ["sub", (a: bigint, b: bigint) => a - b],
    ["mul", (a: bigint, b: bigint) => a * b],
    ["and", (a: bigint, b: bigint) => a & b],
    ["or", (a: bigint, b: bigint) => a | b],
    ["xor", (a: bigint, b: bigint) => a ^ b],
  ] as const

  test.each(pairs)("%s contains every result, for all pairs of 4 bits", (name, of) => {
    const all = allBits(model)
    for (const a of all) {
      for (const b of all) {
        const result = model[`${name}Bits`](a, b)
        for (const x of model.members(a))
          for (const y of model.members(b))
            if (!model.has(result, of(x, y))) expect.fail(`${name} ${x} ${y} is not in the result`)
      }
    }
  })

  test("a range's bits contain the range, and shifts what they shift", () => {
    for (let low = 0n; low <= model.all; low++) {
      for (let high = low; high <= model.all; high++) {
        const bits = model.bitsOfRange(low, high)
        for (let value = low; value <= high; value++) expect(model.has(bits, value)).toBe(true)
      }
    }
    for (const bits of allBits(model))
      for (const op of [ALU.lsh, ALU.rsh, ALU.arsh])
        for (let by = 0n; by < 4n; by++)
          for (const value of model.members(bits)) {
            const shifted = model.shiftBits(bits, op, by)
            const x =
              op === ALU.lsh ? value << by : op === ALU.rsh ? value >> by : model.s(value) >> by
            expect(model.has(shifted, x)).toBe(true)
          }
  })
})

describe("scalars of 8 bits with a half of 4", () => {
  const model = new Model(8)

  test("no value is lost when the views learn from each other", () => {
    const random = generator(seed)
    for (let run = 0; run < 500 * scale; run++) {
      const scalar = scalarAround(model, random, BigInt(random() & 255))
      const before = values(model, scalar)
      const after = values(model, model.sync(model.copy(scalar)))
      const lost = before.filter((value) => !after.includes(value))
      expect(lost, `seed ${seed} run ${run}`).toEqual([])
    }
  })

  test.each(Object.entries(ALU))("%s contains every result", (name, op) => {
    const random = generator(seed + op)
    for (let run = 0; run < 30 * scale; run++) {
      const shift = op === ALU.lsh || op === ALU.rsh || op === ALU.arsh
      const a = model.sync(scalarAround(model, random, BigInt(random() & 255)))
      const b =
        shift || random() % 3 === 0
          ? model.constant(BigInt(shift ? random() % 8 : random() & 255))
          : model.sync(scalarAround(model, random, BigInt(random() & 255)))
      for (const wide of [true, false]) {
        const result = model.alu(a, b, op, wide)
        const [xs, ys] = [values(model, a), values(model, b)]
        for (const x of xs)
          for (const y of ys)
            if (!model.contains(result, model.concrete(x, y, op, wide)))
              expect.fail(`seed ${seed} run ${run}: ${name} ${x} ${y} wide ${wide}`)
      }
    }
  })
})
