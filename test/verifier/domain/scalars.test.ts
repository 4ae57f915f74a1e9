/**
 * The WebAssembly domain at 64 bits: equal to the model in every field, and sound for concrete
 * values drawn from the operands.
 */

import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { createDomain } from "../../../src/verifier/domain/domain.ts"
import { ALU, JUMP, Model } from "./model.ts"
import { generator } from "./programs.ts"
import { getScalar, randomNumber, scalarAround, scratch, setScalar } from "./support.ts"

const seed = Number(process.env.SKEP_SEED ?? Date.now() % 1_000_000)
const numRuns = 80 * Number(process.env.SKEP_FUZZ ?? 1)
const model = new Model(64)
const domain = createDomain()
const [a, b, c, e] = [0, 1, 2, 3].map(scratch)
const anySeed = fc.integer({ min: 0, max: 0x7fffffff })

function holdsAlways(property: (random: () => number) => void): void {
  fc.assert(
    fc.property(anySeed, (value) => property(generator(value))),
    { seed, numRuns },
  )
}

describe("a register's views", () => {
  test("learn from each other as the model's do, and keep every value", () => {
    holdsAlways((random) => {
      const value = randomNumber(random, 64)
      const scalar = scalarAround(model, random, value)
      setScalar(domain, a, scalar)
      domain.boundsSync(a)
      expect(getScalar(domain, a)).toEqual(model.sync(model.copy(scalar)))
      expect(model.contains(getScalar(domain, a), value)).toBe(true)
    })
  })

  test("are the model's too when they contradict each other", () => {
    holdsAlways((random) => {
      const scalar = scalarAround(model, random, randomNumber(random, 64))
      const other = scalarAround(model, random, randomNumber(random, 64))
      const mixed = { bits: scalar.bits, whole: other.whole, half: scalar.half }
      setScalar(domain, a, mixed)
      domain.boundsSync(a)
      expect(getScalar(domain, a)).toEqual(model.sync(model.copy(mixed)))
    })
  })
})

describe.each(Object.entries(ALU))("%s", (_name, op) => {
  test.each([1, 0])(
    "of registers (64-bit: %s) is the model's, and contains each result",
    (is64) => {
      holdsAlways((random) => {
        const shift = op === ALU.lsh || op === ALU.rsh || op === ALU.arsh
        const x = randomNumber(random, 64)
        const y = shift && random() % 8 !== 0 ? BigInt(random() % 64) : randomNumber(random, 64)
        const dst = model.sync(scalarAround(model, random, x))
        const constant = shift || random() % 3 === 0
        const src = constant ? model.constant(y) : model.sync(scalarAround(model, random, y))
        setScalar(domain, a, dst)
        setScalar(domain, b, src)
        domain.alu(a, b, op, is64, 0)
        const result = getScalar(domain, a)
        expect(result).toEqual(model.alu(dst, src, op, is64 === 1))
        const outOfRange = shift && y >= (is64 ? 64n : 32n)
        if (!outOfRange)
          expect(model.contains(result, model.concrete(x, y, op, is64 === 1))).toBe(true)
      })
    },
  )
})

describe("extensions", () => {
  test.each([1, 2, 4])("of the lower %s bytes contain what they give", (size) => {
    const bits = size * 8
    holdsAlways((random) => {
      const value = randomNumber(random, 64)
      const scalar = model.sync(scalarAround(model, random, value))
      setScalar(domain, a, scalar)
      domain.coerceToSize(a, size)
      expect(model.contains(getScalar(domain, a), BigInt.asUintN(bits, value))).toBe(true)
      setScalar(domain, a, scalar)
      domain.coerceSext(a, size)
      const wide = BigInt.asUintN(64, BigInt.asIntN(bits, value))
      expect(model.contains(getScalar(domain, a), wide)).toBe(true)
      if (size === 4) return
      setScalar(domain, a, scalar)
      domain.coerceSubregSext(a, size)
      domain.zext32(a)
      domain.boundsSync(a)
      const half = BigInt.asUintN(32, BigInt.asIntN(bits, value))
      expect(model.contains(getScalar(domain, a), half)).toBe(true)
    })
  })
})

describe("byte order", () => {
  test.each([16, 32, 64])("of the lower %s bits: kept or reversed", (bits) => {
    holdsAlways((random) => {
      const value = randomNumber(random, 64)
      const scalar = model.sync(scalarAround(model, random, value))
      const low = BigInt.asUintN(bits, value)
      const digits = low.toString(16).padStart(bits / 4, "0")
      const reversed = BigInt(`0x${digits.match(/../g)?.reverse().join("")}`)
      for (const [swap, wanted] of [
        [0, low],
        [1, reversed],
      ] as const) {
        setScalar(domain, a, scalar)
        domain.byteOrder(a, bits, swap)
        expect(model.contains(getScalar(domain, a), wanted)).toBe(true)
      }
    })
  })
})

describe.each(Object.entries(JUMP))("a jump if %s", (_name, op) => {
  test.each([0, 1])("(32-bit: %s) is decided rightly and refines each side soundly", (is32) => {
    const compared = is32 ? model.half : model
    holdsAlways((random) => {
      const x = randomNumber(random, 64)
      const y = random() % 4 === 0 ? x + BigInt(random() % 3) - 1n : randomNumber(random, 64)
      const dst = model.sync(scalarAround(model, random, x))
      const src =
        random() % 2 === 0 ? model.constant(y) : model.sync(scalarAround(model, random, model.u(y)))
      for (const [r, scalar] of [
        [a, dst],
        [b, src],
        [c, dst],
        [e, src],
      ] as const)
        setScalar(domain, r, scalar)
      const holds = compared.holds(x, y, op)
      const taken = domain.branchTaken(a, b, op, is32)
      if (taken >= 0) {
        expect(taken).toBe(holds ? 1 : 0)
        return
      }
      const insane = domain.branchRefine(a, b, c, e, op, is32)
      const [first, second, bit] = holds ? [a, b, 3] : [c, e, 12]
      expect(insane & bit).toBe(0)
      expect(model.contains(getScalar(domain, first), x)).toBe(true)
      expect(model.contains(getScalar(domain, second), model.u(y))).toBe(true)
    })
  })
})
