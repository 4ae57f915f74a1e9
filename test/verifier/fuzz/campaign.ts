/** Which program a seed stands for. */

import { generate } from "./generate.ts"
import { mutate } from "./mutate.ts"
import { Random } from "./random.ts"
import type { FuzzProgram } from "./world.ts"

/** Share of damaged programs, of 100. */
const MUTATED = 30

export function programOf(seed: number): FuzzProgram {
  const random = new Random(seed)
  const damaged = random.chance(MUTATED)
  const program = generate(random)
  return damaged ? mutate(program, random) : program
}
