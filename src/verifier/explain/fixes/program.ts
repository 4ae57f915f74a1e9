/** Repairs of the program as a whole: loops, calls, sections, licences, dead code. */

import {
  BPF_CALL,
  BPF_EXIT,
  BPF_JA,
  BPF_JCOND,
  BPF_JMP,
  BPF_JMP32,
  BPF_LDX,
  type Instruction,
} from "../../../isa/index.ts"
import { BPF_PROG_FLAG, HELPERS } from "../../../spec/index.ts"
import { code, type Edit } from "../edit.ts"
import type { Facts } from "../facts.ts"
import { byEdits, type Candidate } from "./candidate.ts"
import { accessSize } from "./pointers.ts"

const MAY_GOTO: Instruction = { opcode: BPF_JMP | BPF_JCOND, dst: 0, src: 0, off: 0, imm: 0 }

/** Ends loops after a fixed (large) number of turns. */
export function boundLoop(f: Facts): Candidate[] {
  const back = backEdges(f)
  const list: Candidate[] = []
  for (const insn of back.slice(0, 6))
    for (const leave of ["next", "exit"] as const)
      list.push(
        byEdits(
          f,
          {
            title: "end the loop after a bounded number of turns",
            edit: "cond_break;   /* or bpf_for(i, 0, MAX) { … }, or `for (i = 0; i < MAX && …; i++)` */",
            where: "before",
            insn,
          },
          () => [leave === "next" ? leaveTo(f, insn) : leaveFunction(f, insn)],
        ),
      )
  return list
}

function leaveTo(f: Facts, insn: number): Edit {
  const last = insn + 1 >= f.code.length
  return {
    at: insn,
    code: [MAY_GOTO],
    exits: last ? [] : [{ index: 0, target: insn + 1 }],
  }
}

function leaveFunction(f: Facts, insn: number): Edit {
  return {
    at: insn,
    code: [{ ...MAY_GOTO, off: 1 }, ...code("goto +2"), ...code(`r0 = ${f.leave.value}\nexit`)],
  }
}

/** Backward jumps, the most processed first. */
function backEdges(f: Facts): number[] {
  const { opcode, off, imm, length } = f.code
  const { visits } = f.history
  const list: number[] = []
  for (let insn = 0; insn < length; insn++) {
    const family = opcode[insn] & 7
    const operation = opcode[insn] & 0xf0
    if (family !== BPF_JMP && family !== BPF_JMP32) continue
    if (operation === BPF_CALL || operation === BPF_EXIT) continue
    const distance = family === BPF_JMP32 && operation === BPF_JA ? imm[insn] : off[insn]
    if (distance < 0) list.push(insn)
  }
  return list.sort((a, b) => visits[b] - visits[a])
}

/** "GPL" as the licence. */
export function declareGpl(f: Facts): Candidate[] {
  return [
    {
      title: "declare a licence that is compatible with the GPL",
      edit: 'char LICENSE[] SEC("license") = "GPL";',
      where: "program",
      insn: f.insn,
      apply: () => ({ ...f.input, gplCompatible: true }),
    },
  ]
}

export function makeSleepable(f: Facts): Candidate[] {
  return [
    {
      title: "make the program sleepable",
      edit: 'SEC("….s/…")   /* fentry.s, fexit.s, lsm.s, uprobe.s, iter.s */',
      where: "program",
      insn: f.insn,
      apply: () => ({ ...f.input, flags: f.input.flags | BPF_PROG_FLAG.BPF_F_SLEEPABLE }),
    },
  ]
}

/** Helpers that do the same for another kind of program. */
const EQUIVALENT: Readonly<Record<number, readonly number[]>> = {
  26: [189],
  9: [190],
  189: [26, 68],
  190: [9],
  25: [111],
  4: [113, 112],
  45: [115, 114],
  44: [65],
  65: [44],
  12: [],
}

export function otherHelper(f: Facts): Candidate[] {
  const id = f.code.imm[f.insn]
  return (EQUIVALENT[id] ?? []).map((other) =>
    byEdits(
      f,
      {
        title: `use bpf_${HELPERS[other]?.name}(), which does the same here`,
        edit: f
          .source(f.insn)
          .trim()
          .replace(`bpf_${HELPERS[id]?.name}`, `bpf_${HELPERS[other]?.name}`),
        where: "replace",
        insn: f.insn,
      },
      () => [{ at: f.insn, remove: 1, code: code(`call ${other}`) }],
    ),
  )
}

/** Takes a call (or another instruction) out; its result is 0. */
export function leaveOut(f: Facts): Candidate[] {
  const what = f.called(f.insn)
  return [
    byEdits(
      f,
      {
        title: what === "" ? "leave it out" : `leave the call of ${what} out`,
        edit: `/* ${f.source(f.insn).trim()} */`,
        where: "replace",
        insn: f.insn,
      },
      () => [{ at: f.insn, remove: 1, code: what === "" ? code("goto +0") : code("r0 = 0") }],
    ),
  ]
}

/** A guard that the loader decides: what the kernel does not have is not reached. */
export function guardRelocation(f: Facts): Candidate[] {
  return [
    byEdits(
      f,
      {
        title: "use the field or type only where the kernel has it",
        edit: "if (bpf_core_field_exists(…)) { … }",
        where: "before",
        insn: f.insn,
      },
      () => [{ at: f.insn, code: code(`r0 = ${f.leave.value}\nexit`) }],
    ),
    // What nothing leads to is refused as well: an edge that is never taken keeps it.
    byEdits(
      f,
      {
        title: "use the field or type only where the kernel has it",
        edit: "if (bpf_core_field_exists(…)) { … }",
        where: "before",
        insn: f.insn,
      },
      () => [
        {
          at: f.insn,
          code: code(`r0 = ${f.leave.value}\nif r0 == ${f.leave.value + 1} goto +1\nexit`),
        },
      ],
    ),
  ]
}

/** Reads the whole field that lies there, instead of something across fields. */
export function contextField(f: Facts): Candidate[] {
  const { opcode, off } = f.code
  const at = f.insn
  if ((opcode[at] & 7) !== BPF_LDX) return []
  const [type] = accessSize(opcode[at])
  const words = (size: string, offset: number) => ({
    title: `read the ${size === "u64" ? "64" : "32"}-bit field at offset ${offset}`,
    edit: `*(__${size} *)((void *)ctx + ${offset})   /* or by its name */`,
    where: "replace" as const,
    insn: at,
  })
  const base = f.code.instruction(at)
  const list: Candidate[] = []
  for (const [size, bits, align] of [
    ["u32", 0x61, 4],
    ["u64", 0x79, 8],
  ] as const) {
    const offset = off[at] & -align
    if (size === type && offset === off[at]) continue
    list.push(
      byEdits(f, words(size, offset), () => [
        { at, remove: 1, code: [{ ...base, opcode: bits, off: offset }] },
      ]),
    )
  }
  return list
}

/** Leaves a store out that the hook does not allow. */
export function dropStore(f: Facts): Candidate[] {
  if ((f.code.opcode[f.insn] & 6) !== 2) return []
  return [
    byEdits(
      f,
      {
        title: "leave the assignment out",
        edit: `/* ${f.source(f.insn).trim()} */`,
        where: "replace",
        insn: f.insn,
      },
      () => [{ at: f.insn, remove: 1, code: code("goto +0") }],
    ),
  ]
}

/** Makes a map's value as large as it is used. */
export function largerValue(f: Facts): Candidate[] {
  const pointer = f.value(f.register)
  const used = f.map(f.register)
  if (pointer === undefined || used === undefined) return []
  const [, bytes] = accessSize(f.code.opcode[f.insn])
  const need = Math.ceil((pointer.offset + f.code.off[f.insn] + bytes) / 8) * 8
  const size = used.valueSize
  if (need <= size) return []
  return [
    {
      title: `make the map's value at least ${need} bytes`,
      edit: `__uint(value_size, ${need});   /* or a larger __type(value, …) */`,
      where: "program",
      insn: f.insn,
      apply: () => ({
        ...f.input,
        map: (operand, index) => {
          const map = f.input.map(operand, index)
          return typeof map === "number" || map.valueSize !== size
            ? map
            : { ...map, valueSize: need, btf: null, keyTypeId: 0, valueTypeId: 0 }
        },
      }),
    },
  ]
}

/** Ends a program that runs past its last instruction. */
export function appendExit(f: Facts): Candidate[] {
  return [
    byEdits(
      f,
      {
        title: "end the program with a return",
        edit: f.leave.text,
        where: "after",
        insn: f.code.length - 1,
      },
      () => [{ at: f.code.length, code: code(`r0 = ${f.leave.value}\nexit`) }],
    ),
  ]
}

/** Takes out instructions that nothing reaches, from the one named on. */
export function dropDead(f: Facts): Candidate[] {
  const { opcode, length } = f.code
  const first = Number(/unreachable insn (\d+)/.exec(f.message)?.[1] ?? f.insn)
  let end = first
  while (end < length && opcode[end] !== 0x95) end++
  const list: Candidate[] = []
  for (const count of [1, end - first + 1])
    if (first + count <= length)
      list.push(
        byEdits(
          f,
          {
            title: "remove the code that nothing reaches",
            edit: `/* ${f.source(first).trim()} */`,
            where: "replace",
            insn: first,
          },
          () => [{ at: first, remove: count }],
        ),
      )
  return list
}
