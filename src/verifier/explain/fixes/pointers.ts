/** Repairs of accesses through pointers: null checks, packet bounds, reloads, probe reads. */

import { BPF_LDX, BPF_MEM } from "../../../isa/index.ts"
import { BPF_PROG_TYPE } from "../../../spec/index.ts"
import { code, type Edit } from "../edit.ts"
import type { Facts } from "../facts.ts"
import { byEdits, CALLER_SAVED, type Candidate, preserving, unless } from "./candidate.ts"

/** Checks a pointer where it was made, or before it is used. */
export function nullChecks(f: Facts): Candidate[] {
  const register = f.register
  if (register < 0) return []
  const name = f.variable(f.insn, "ptr")
  const events = f.events(register)
  const born = [...events].reverse().find(({ kind }) => kind === "born")
  const list: Candidate[] = []
  if (born !== undefined && f.called(born.insn) !== "") {
    const variable = f.variable(born.insn, name)
    list.push(
      byEdits(
        f,
        {
          title: `check \`${variable}\` for NULL after the call`,
          edit: `if (!${variable}) ${f.leave.text}`,
          where: "after",
          insn: born.insn,
        },
        () => [{ at: born.insn + 1, code: unless(f, "r0 != 0") }],
      ),
    )
  }
  list.push(
    byEdits(
      f,
      {
        title: `check \`${name}\` for NULL before it is used`,
        edit: `if (!${name}) ${f.leave.text}`,
        where: "before",
        insn: f.insn,
      },
      () => [{ at: f.insn, code: unless(f, `r${register} != 0`) }],
    ),
  )
  return list
}

interface PacketFields {
  readonly data: number
  readonly end: number
  readonly size: "u32" | "u64"
}

/** Where a context keeps its packet. */
export function packetFields(type: number): PacketFields {
  const T = BPF_PROG_TYPE
  if (type === T.BPF_PROG_TYPE_XDP) return { data: 0, end: 4, size: "u32" }
  if (type === T.BPF_PROG_TYPE_SK_MSG || type === T.BPF_PROG_TYPE_SK_REUSEPORT)
    return { data: 0, end: 8, size: "u64" }
  return { data: 76, end: 80, size: "u32" }
}

const SIZES = ["u32", "u16", "u8", "u64"]
const BYTES = [4, 2, 1, 8]
/** Size of a load or store, as C type and bytes. */
export function accessSize(opcode: number): readonly [type: string, bytes: number] {
  const size = (opcode >> 3) & 3
  return [SIZES[size], BYTES[size]]
}

function addressRegister(f: Facts): number {
  const { opcode, dst, src } = f.code
  return (opcode[f.insn] & 7) === BPF_LDX ? src[f.insn] : dst[f.insn]
}

/** The context, kept on the stack for a repair that needs it. */
function keepContext(f: Facts): Edit {
  return { at: f.functionStart(), code: code(`*(u64 *)(r10 ${f.spare(0)}) = r1`), enter: "fall" }
}

/** End of the furthest access through a register from the rejected one on, until it changes. */
export function furthest(f: Facts, pointer: number, from: number = f.insn): number {
  const { opcode, dst, src, off, length } = f.code
  let bytes = 0
  for (let insn = from; insn < length && insn < from + 64; insn++) {
    const family = opcode[insn] & 7
    const address = family === BPF_LDX ? src[insn] : dst[insn]
    const access = family === BPF_LDX || family === 2 || family === 3
    if (access && address === pointer)
      bytes = Math.max(bytes, off[insn] + accessSize(opcode[insn])[1])
    if (!access && family !== 5 && family !== 6 && dst[insn] === pointer) break
    if (family === BPF_LDX && dst[insn] === pointer) break
  }
  return bytes
}

/** Compares with the end of the packet before the access, also after a variable offset. */
export function packetChecks(f: Facts): Candidate[] {
  const pointer = f.register >= 0 ? f.register : addressRegister(f)
  const { opcode } = f.code
  const access = (opcode[f.insn] & 7) !== 5
  const given = f.rejection.details.size
  const bytes = access ? furthest(f, pointer) : Math.max(given ?? 0, 1)
  const name = f.variable(f.insn, "ptr")
  const fields = packetFields(f.input.type)
  const scratch = f.free(f.insn).filter((n) => n !== pointer)
  if (scratch.length < 2) scratch.push(...[6, 7, 8, 9].filter((n) => n !== pointer))
  const [end, limit] = scratch
  const check = (extra: string): Edit => ({
    at: f.insn,
    code: code(
      `${extra}
r${end} = *(u64 *)(r10 ${f.spare(0)})
r${end} = *(${fields.size} *)(r${end} + ${fields.end})
r${limit} = r${pointer}
r${limit} += ${bytes}
if r${limit} <= r${end} goto +2
r0 = ${f.leave.value}
exit`,
    ),
  })
  const add = f.variableAdd(pointer)
  const list = [
    byEdits(
      f,
      {
        title: `check that the ${bytes} bytes are inside the packet`,
        edit: `if ((void *)${name} + ${bytes} > data_end) ${f.leave.text}`,
        where: "before",
        insn: f.insn,
      },
      () => [keepContext(f), check("")],
    ),
  ]
  if (add !== null)
    list.push(
      byEdits(
        f,
        {
          title: "bound the variable offset, and check the end of the packet after adding it",
          edit: `if (offset > 0x3fff || (void *)${name} + ${bytes} > data_end) ${f.leave.text}`,
          where: "before",
          insn: add.insn,
        },
        () => [
          keepContext(f),
          { at: add.insn, code: unless(f, `r${add.scalar} <= 0x3fff`) },
          check(""),
        ],
      ),
    )
  return list
}

/** After the packet may have moved: its pointer made and checked anew. */
export function packetReload(f: Facts): Candidate[] {
  const pointer = f.register >= 0 ? f.register : addressRegister(f)
  const events = f.events(pointer)
  const died = events.findLastIndex(({ kind }) => kind === "invalidated")
  if (died < 1) return []
  const old = events[died - 1].value
  const [, size] = accessSize(f.code.opcode[f.insn])
  const bytes = Math.max(old.a, old.offset + f.code.off[f.insn] + size)
  const fields = packetFields(f.input.type)
  const [end, limit] = f.free(f.insn).filter((n) => n !== pointer)
  if (limit === undefined) return []
  const call = f.called(events[died].insn)
  const name = f.variable(f.insn, "ptr")
  const reload = byEdits(
    f,
    {
      title: `load and check the packet's pointers again after ${call}`,
      edit: `data = (void *)(long)ctx->data; data_end = (void *)(long)ctx->data_end;\nif (data + ${bytes} > data_end) ${f.leave.text}\n${name} = data${old.offset === 0 ? "" : ` + ${old.offset}`};`,
      where: "before",
      insn: f.insn,
    },
    () => [
      keepContext(f),
      {
        at: f.insn,
        code: code(
          `r${end} = *(u64 *)(r10 ${f.spare(0)})
r${pointer} = *(${fields.size} *)(r${end} + ${fields.data})
r${end} = *(${fields.size} *)(r${end} + ${fields.end})
r${limit} = r${pointer}
r${limit} += ${bytes}
if r${limit} <= r${end} goto +2
r0 = ${f.leave.value}
exit
r${pointer} += ${old.offset}`,
        ),
      },
    ],
  )
  return [reload]
}

/** A pointer of the kernel's or of a process, that only helpers may read through. */
export function probeRead(f: Facts): Candidate[] {
  const { opcode, src, dst, off } = f.code
  const at = f.insn
  if ((opcode[at] & 7) !== BPF_LDX || (opcode[at] & 0xe0) !== BPF_MEM) return []
  const [type, bytes] = accessSize(opcode[at])
  const user = /user|__user/.test(f.source(at))
  const helper = user ? 112 : 113
  const read = (): readonly Edit[] => [
    {
      at,
      remove: 1,
      code: [
        ...preserving(
          f,
          at,
          CALLER_SAVED.filter((n) => n !== dst[at] || n === src[at]),
          1,
          `r3 = r${src[at]}
r3 += ${off[at]}
r2 = ${bytes}
r1 = r10
r1 += ${f.spare(0)}
call ${helper}`,
        ),
        ...code(`r${dst[at]} = *(${type} *)(r10 ${f.spare(0)})`),
      ],
    },
  ]
  const expression = /(\w+)->([\w.[\]]+)/.exec(f.source(at))
  const edit =
    expression === null
      ? `bpf_probe_read_kernel(&value, ${bytes}, ptr + ${off[at]});`
      : `BPF_CORE_READ(${expression[1]}, ${expression[2].replace(/\[.*/, "")})`
  return [
    byEdits(
      f,
      { title: "read it with bpf_probe_read_kernel()", edit, where: "replace", insn: at },
      read,
    ),
  ]
}

/** A pointer that is a number on one of the paths that meet here: that path leaves. */
export function guardMerged(f: Facts): Candidate[] {
  const name = f.variable(f.insn, "ptr")
  return [
    byEdits(
      f,
      {
        title: "leave on the path where the pointer is none",
        edit: `if ((long)${name} <= 0xfff) ${f.leave.text}   /* or do the access in each branch */`,
        where: "before",
        insn: f.insn,
      },
      () => [{ at: f.insn, code: unless(f, `r${f.register} > 0xfff`) }],
    ),
  ]
}

/** A context pointer that was moved: the offset goes into the access itself. */
export function foldOffset(f: Facts): Candidate[] {
  const { opcode, src, dst, off } = f.code
  const at = f.insn
  const pointer = addressRegister(f)
  const value = f.value(pointer)
  if (value === undefined || (opcode[at] & 7) === 5) return []
  const moved = { ...f.code.instruction(at), off: off[at] + value.offset }
  const overwritten = (opcode[at] & 7) === BPF_LDX && dst[at] === src[at]
  return [
    byEdits(
      f,
      {
        title: "access the field at its offset from the context itself",
        edit: "use the field's name (`ctx->field`), or keep the compiler from moving `ctx`: barrier_var(ctx)",
        where: "replace",
        insn: at,
      },
      () => [
        {
          at,
          remove: 1,
          code: [
            ...code(`r${pointer} += ${-value.offset}`),
            moved,
            ...(overwritten ? [] : code(`r${pointer} += ${value.offset}`)),
          ],
        },
      ],
    ),
  ]
}
