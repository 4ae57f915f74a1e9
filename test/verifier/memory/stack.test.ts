import { agree } from "./agree.ts"
import type { Case } from "./oracle.ts"

/** Statements after which the program returns 0. */
function body(name: string, text: string, rest: Partial<Case> = {}): Case {
  return { name, text: `${text}\n r0 = 0\n exit`, ...rest }
}

agree(
  "stack at fixed offsets",
  [
    body("a context is spilled and comes back", "*(u64 *)(r10 - 8) = r1; r2 = *(u64 *)(r10 - 8)"),
    body("half of a context may not be spilled", "*(u32 *)(r10 - 8) = r1"),
    body("a spilled pointer may not be read in part", "*(u64 *)(r10 - 8) = r1; r2 = *(u32 *)(r10 - 8)"),
    body("a spilled pointer may be overwritten in part", "*(u64 *)(r10 - 8) = r1; *(u8 *)(r10 - 8) = 1; r2 = *(u64 *)(r10 - 8)"),
    body("zero immediates are spills of zero", "*(u64 *)(r10 - 8) = 0; r2 = *(u64 *)(r10 - 8)"),
    body("an immediate is known when read back", "*(u64 *)(r10 - 8) = 42; r2 = *(u64 *)(r10 - 8)"),
    body("a negative immediate", "*(u64 *)(r10 - 8) = -42; r2 = *(u64 *)(r10 - 8)"),
    body("a 32-bit immediate spill", "*(u32 *)(r10 - 8) = 7; r2 = *(u32 *)(r10 - 8); r3 = *(u64 *)(r10 - 8)"),
    body("upper half of an immediate spill", "*(u64 *)(r10 - 8) = 7; r2 = *(u32 *)(r10 - 4)"),
    body("single bytes of zeros", "*(u64 *)(r10 - 8) = 0; r2 = *(u8 *)(r10 - 5)"),
    body("unaligned zeros are zero bytes", "*(u32 *)(r10 - 4) = 0; r2 = *(u32 *)(r10 - 4)"),
    body("unaligned register zero", "r3 = 0; *(u16 *)(r10 - 2) = r3; r2 = *(u8 *)(r10 - 1)"),
    body("bytes of one's own are unknown", "*(u8 *)(r10 - 1) = 5; r2 = *(u8 *)(r10 - 1)"),
    body("uninitialised stack may be read by root", "r2 = *(u64 *)(r10 - 8)"),
    body("below the stack", "r2 = *(u64 *)(r10 - 520)"),
    body("above the stack", "r2 = *(u64 *)(r10 + 0)"),
    body("across the top of the stack", "r2 = r10; r2 += -4; r3 = *(u64 *)(r2 + 0)"),
    body("misaligned in the stack", "*(u64 *)(r10 - 9) = 1"),
    body("misaligned word", "*(u32 *)(r10 - 6) = 1"),
    body("a store below the stack", "*(u64 *)(r10 - 520) = 1"),
    body("a store above the stack", "*(u64 *)(r10 + 8) = 1"),
    body("a store at the end of the stack", "*(u64 *)(r10 - 512) = 1"),
    body("a scalar that fits a word is spilled with its id", "r2 = *(u32 *)(r1 + 0); *(u32 *)(r10 - 8) = r2; r3 = *(u32 *)(r10 - 8)"),
    body("a wide scalar spilled as word loses its id", "r2 = *(u32 *)(r1 + 0); r2 <<= 4; *(u32 *)(r10 - 8) = r2; r3 = *(u32 *)(r10 - 8)"),
    body("a word of a spilled scalar", "r2 = *(u32 *)(r1 + 0); *(u64 *)(r10 - 8) = r2; r3 = *(u32 *)(r10 - 8)"),
    body("a byte of a spilled scalar", "r2 = *(u32 *)(r1 + 0); *(u64 *)(r10 - 8) = r2; r3 = *(u8 *)(r10 - 8)"),
    body("a half of a spilled small scalar", "r2 = *(u8 *)(r1 + 0); r2 &= 7; *(u64 *)(r10 - 8) = r2; r3 = *(u16 *)(r10 - 8)", { type: 1 }),
    body("another byte of a spilled scalar", "r2 = *(u32 *)(r1 + 0); *(u64 *)(r10 - 8) = r2; r3 = *(u8 *)(r10 - 7)"),
    body("the wrong half of a spilled scalar", "r2 = *(u32 *)(r1 + 0); *(u64 *)(r10 - 8) = r2; r3 = *(u32 *)(r10 - 4)"),
    body("a signed half of a spill", "r2 = *(u32 *)(r1 + 0); *(u64 *)(r10 - 8) = r2; r3 = *(s16 *)(r10 - 8)"),
    body("a signed word of a spilled constant", "*(u64 *)(r10 - 8) = -5; r3 = *(s32 *)(r10 - 8); r4 = *(u32 *)(r10 - 8)"),
    body("a copy and its spill share an id", "r2 = *(u32 *)(r1 + 0); r3 = r2; *(u64 *)(r10 - 8) = r3; if r2 > 9 goto l; r4 = *(u64 *)(r10 - 8)\nl:"),
    body("a word spill shares an id", "r2 = *(u32 *)(r1 + 0); *(u32 *)(r10 - 8) = r2; if r2 > 9 goto l; r4 = *(u32 *)(r10 - 8)\nl:"),
    body("two words in a slot", "*(u32 *)(r10 - 8) = 1; *(u32 *)(r10 - 4) = 2; r2 = *(u64 *)(r10 - 8); r3 = *(u32 *)(r10 - 8)"),
    body("a word spill after misc", "r2 = *(u32 *)(r1 + 0); *(u8 *)(r10 - 1) = 3; *(u32 *)(r10 - 8) = r2; r3 = *(u64 *)(r10 - 8)"),
    body("a word spill after zeros", "*(u32 *)(r10 - 4) = 0; r2 = *(u32 *)(r1 + 0); *(u32 *)(r10 - 8) = r2; r3 = *(u32 *)(r10 - 4)"),
    body("a pointer to the stack on the stack", "*(u64 *)(r10 - 16) = r10; r2 = *(u64 *)(r10 - 16); *(u32 *)(r2 - 4) = 1"),
    body("atomic add to a spilled scalar", "*(u64 *)(r10 - 8) = 1; r2 = 1; lock *(u64 *)(r10 - 8) += r2; r3 = *(u64 *)(r10 - 8)"),
    body("atomic add to a spilled pointer", "*(u64 *)(r10 - 8) = r1; r2 = 1; lock *(u64 *)(r10 - 8) += r2; r3 = *(u64 *)(r10 - 8)"),
    body("atomic fetch from the stack", "*(u64 *)(r10 - 8) = 1; r2 = 1; r2 = atomic_fetch_add((u64 *)(r10 - 8), r2); r3 = r2"),
    body("atomic exchange of words", "*(u32 *)(r10 - 8) = 1; r2 = 1; w2 = xchg32_32(r10 - 8, w2)"),
  ],
  { states: true },
)

const variable = "r2 = *(u32 *)(r1 + 0); r2 &= 4; r2 -= 8; r2 += r10;"

agree(
  "stack at variable offsets",
  [
    body("a read of what was written", `*(u64 *)(r10 - 8) = 0; ${variable} r3 = *(u32 *)(r2 + 0)`),
    body("a read of uninitialised bytes", `${variable} r3 = *(u32 *)(r2 + 0)`),
    body("a write", `${variable} *(u32 *)(r2 + 0) = 1; r3 = *(u32 *)(r10 - 8)`),
    body("a write of zero over zeros", `r4 = 0; *(u32 *)(r10 - 4) = r4; *(u32 *)(r10 - 8) = r4; ${variable} *(u32 *)(r2 + 0) = 0; r3 = *(u64 *)(r10 - 8)`),
    body("a write over a spilled pointer", `*(u64 *)(r10 - 8) = r10; ${variable} *(u32 *)(r2 + 0) = 1; r3 = *(u64 *)(r10 - 8)`),
    body("a read over a spilled pointer", `*(u64 *)(r10 - 8) = r10; ${variable} r3 = *(u32 *)(r2 + 0)`),
    body("an unbounded offset", "r2 = *(u32 *)(r1 + 0); r2 += r10; r3 = *(u8 *)(r2 + 0)"),
    body("a large offset", "r2 = *(u32 *)(r1 + 0); r2 <<= 10; r2 += r10; r3 = *(u8 *)(r2 + 0)"),
    body("an offset beyond the top", "r2 = *(u32 *)(r1 + 0); r2 &= 7; r2 += r10; r3 = *(u8 *)(r2 - 4)"),
    body("an offset below the bottom", "r2 = *(u32 *)(r1 + 0); r2 &= 7; r2 += -520; r2 += r10; r3 = *(u8 *)(r2 + 0)"),
    body("a misaligned variable offset", "r2 = *(u32 *)(r1 + 0); r2 &= 7; r2 -= 16; r2 += r10; r3 = *(u32 *)(r2 + 0)"),
    body("an atomic at a variable offset", `*(u64 *)(r10 - 8) = 0; ${variable} r3 = 1; lock *(u32 *)(r2 + 0) += r3`),
    body("subtraction from the frame pointer", "r2 = *(u32 *)(r1 + 0); r3 = r10; r3 -= r2"),
    body("subtraction of a constant from the frame pointer", "r3 = r10; r3 -= 8"),
  ],
  { states: true },
)
