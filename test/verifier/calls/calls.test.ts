/**
 * Calls that a compiler does not write: registers nobody set, numbers of no function, programs
 * without a licence. Linux says what happens.
 */

import { expect, test } from "vitest"
import { BPF_MAP_TYPE, BPF_PROG_TYPE as PT } from "../../../src/spec/index.ts"
import { describeWith, requirement } from "../../support/requirements.ts"
import { type AssemblyOptions, compareAssembly } from "./oracle.ts"

const hash = {
  map_type: BPF_MAP_TYPE.BPF_MAP_TYPE_HASH,
  key_size: 4,
  value_size: 8,
  max_entries: 4,
}
const tc: AssemblyOptions = { type: PT.BPF_PROG_TYPE_SCHED_CLS }

const cases: readonly [name: string, text: string, options?: AssemblyOptions][] = [
  ["an argument that nobody set", "call 28\nr0 = 0\nexit"],
  ["an argument that an earlier call used up", "call 5\nr0 = r1\nexit"],
  ["a result of a helper that gives none", "r0 = r1\ncall 200\nexit"],
  ["helper 0", "call 0\nexit"],
  ["a negative helper", "call -1\nexit"],
  ["a helper that is not free software", "r1 = 0\nr2 = 0\ncall 35\nr0 = 0\nexit", { license: "x" }],
  ["a helper of tracing in a socket filter", "call 35\nr0 = 0\nexit"],
  ["a call that leaves R6 alone", "r6 = 7\ncall 5\nr0 = r6\nexit"],
  [
    "a kfunc without a licence",
    "call kfunc_bpf_rcu_read_lock\nr0 = 0\nexit",
    { ...tc, license: "x" },
  ],
  ["a number of no kfunc", "call kfunc_1\nr0 = 0\nexit", tc],
  ["a number of no type", "call kfunc_100000000\nr0 = 0\nexit", tc],
  ["a negative kfunc", "call kfunc_minus_5\nr0 = 0\nexit", tc],
  ["a function of the kernel that is no kfunc", "call kfunc_schedule\nr0 = 0\nexit", tc],
  ["a kfunc nobody resolved", "call kfunc_0\nr0 = 0\nexit", tc],
  ["a kfunc nobody resolved in dead code", "r0 = 0\nif r0 == 0 goto +1\ncall kfunc_0\nexit", tc],
  ["the map of a lookup is no number", "r1 = 0\nr2 = r10\nr2 += -4\ncall 1\nr0 = 0\nexit"],
  [
    "a key that was not written",
    "r1 = map[hash] ll\nr2 = r10\nr2 += -4\ncall 1\nr0 = 0\nexit",
    { maps: { hash } },
  ],
  [
    "a key above the stack",
    "r1 = map[hash] ll\nr2 = r10\nr2 += -2\ncall 1\nr0 = 0\nexit",
    { maps: { hash } },
  ],
  [
    "a key below the stack",
    "r1 = map[hash] ll\nr2 = r10\nr2 += -516\ncall 1\nr0 = 0\nexit",
    { maps: { hash } },
  ],
  [
    "a map that was moved",
    "r1 = map[hash] ll\nr1 += 4\nr2 = r10\nr2 += -4\n*(u32 *)(r2 + 0) = 0\ncall 1\nr0 = 0\nexit",
    { maps: { hash } },
  ],
  [
    "a context that was moved",
    "r1 += 4\nr2 = 0\nr3 = r10\nr3 += -8\nr4 = 8\ncall 26\nr0 = 0\nexit",
    tc,
  ],
  ["a size of zero", "r2 = 0\nr3 = r10\nr3 += -8\nr4 = 0\ncall 26\nr0 = 0\nexit", tc],
  [
    "memory that a helper filled",
    "r2 = 0\nr3 = r10\nr3 += -8\nr4 = 8\ncall 26\nr0 = *(u64 *)(r10 - 8)\nexit",
    tc,
  ],
  [
    "a spilled pointer that a helper overwrote",
    "r6 = r10\n*(u64 *)(r10 - 8) = r6\nr2 = 0\nr3 = r10\nr3 += -8\nr4 = 8\ncall 26\nr6 = *(u64 *)(r10 - 8)\nr0 = *(u64 *)(r6 - 8)\nexit",
    tc,
  ],
  ["a subprogram that does not return a number", "call f\nexit\nf: r0 = r10\nexit", tc],
  ["a subprogram that returns nothing", "call f\nexit\nf: r1 = 1\nexit", tc],
  ["arguments of a call are gone after it", "call f\nr0 = r1\nexit\nf: r0 = 0\nexit", tc],
  ["a subprogram sees no saved registers", "r6 = 1\ncall f\nexit\nf: r0 = r6\nexit", tc],
  [
    "a subprogram keeps saved registers",
    "r6 = 1\ncall f\nr0 = r6\nexit\nf: r6 = 2\nr0 = 0\nexit",
    tc,
  ],
  [
    "a subprogram writes its caller's stack",
    "r1 = r10\ncall f\nr0 = *(u64 *)(r10 - 8)\nexit\nf: *(u64 *)(r1 - 8) = 3\nr0 = 0\nexit",
    tc,
  ],
  ["a program returns a pointer", "r0 = r1\nexit", { type: PT.BPF_PROG_TYPE_SOCK_OPS }],
  ["a program returns nothing", "exit", { type: PT.BPF_PROG_TYPE_SOCK_OPS }],
]

describeWith([requirement.linux()], "calls in assembly have Linux's verdicts", () => {
  test.each(cases)("%s", (_name, text, options) => {
    const { linux, ours } = compareAssembly(text, options)
    const verdict = ({ errno, message }: typeof ours) =>
      errno === 0 ? "accepted" : `${errno} ${message}`
    expect(verdict(ours)).toBe(verdict(linux))
  })
})
