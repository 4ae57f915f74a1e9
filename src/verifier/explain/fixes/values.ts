/** Repairs of values: clamps of indexes and sizes, initial values, ranges of what is returned. */

import { BPF_ALU, BPF_ALU64, BPF_LDX } from "../../../isa/index.ts"
import { code } from "../edit.ts"
import type { Facts } from "../facts.ts"
import { byEdits, type Candidate, unless } from "./candidate.ts"
import { accessSize, furthest } from "./pointers.ts"

/** The largest 2^n - 1 that is not above `limit`. */
function maskBelow(limit: number): number {
  return 2 ** Math.floor(Math.log2(limit + 1)) - 1
}

/** The word that a source line has in brackets: an index. */
function indexName(f: Facts, insn: number): string {
  const text = f.source(insn)
  return /\[([^\]]+)\]/.exec(text)?.[1] ?? "index"
}

/** Bounds the variable that was added to a pointer into memory of known size. */
export function clampIndex(f: Facts): Candidate[] {
  const { opcode, off, src, dst } = f.code
  const isAdd = (opcode[f.insn] & 7) === BPF_ALU64
  const pointer = isAdd
    ? dst[f.insn]
    : (opcode[f.insn] & 7) === BPF_LDX
      ? src[f.insn]
      : (opcode[f.insn] & 7) === 5
        ? f.register
        : dst[f.insn]
  const add = isAdd
    ? { insn: f.insn, pointer: dst[f.insn], scalar: src[f.insn] }
    : f.variableAdd(pointer)
  if (add === null || add.pointer === undefined) return []
  const width = isAdd ? 8 : accessSize(opcode[f.insn])[1]
  const scale = f.scale(add.scalar, add.insn)
  const room = isAdd ? roomBefore(f, add.pointer) : roomBefore(f, pointer)
  if (room <= 0) return []
  const isPointer = (n: number): boolean => (f.value(n)?.type ?? 1) !== 1
  // `rS += rP` is as good as `rP += rS`; the scalar is the one that was none before.
  const scalar =
    isAdd && isPointer(add.scalar) && !isPointer(add.pointer) ? add.pointer : add.scalar
  const reach = isAdd ? furthest(f, add.pointer, f.insn + 1) : 0
  const limit = room - (isAdd ? Math.max(reach, scale) : off[f.insn] + width)
  if (limit < 0) return []
  const name = indexName(f, f.insn)
  const count = Math.floor(limit / scale) + 1
  const mask = maskBelow(limit)
  const list = [
    byEdits(
      f,
      {
        title: `leave when \`${name}\` is ${count} or more, compared as an unsigned number`,
        edit: `if ((__u64)${name} >= ${count}) ${f.leave.text}`,
        where: "before",
        insn: add.insn,
      },
      () => [{ at: add.insn, code: unless(f, `r${scalar} <= ${limit}`) }],
    ),
    byEdits(
      f,
      {
        title: "keep the index in range with a mask",
        edit: `${name} &= ${Math.max(maskBelow(count - 1), 0)};`,
        where: "before",
        insn: add.insn,
      },
      () => [{ at: add.insn, code: code(`r${scalar} &= ${mask}`) }],
    ),
  ]
  return list
}

/** Room of the object that a pointer goes into, without its variable part. */
function roomBefore(f: Facts, pointer: number): number {
  const room = f.room(pointer)
  if (room > 0) return room
  const events = f.events(pointer)
  for (const { value } of [...events].reverse()) {
    const match = /^fp(?:\[\d+\])?(-\d+)/.exec(value.text)
    if (match !== null) return -Number(match[1])
  }
  return room
}

/** Bounds the size that a helper is given. */
export function clampSize(f: Facts): Candidate[] {
  const size = f.register
  if (size < 1) return []
  const memory = f.rejection.details.argument ?? size - 1
  const known = f.room(memory)
  const room = known > 0 ? known : 4096
  const name = sizeName(f, size)
  const clamp = unless(f, `r${size} <= ${room}`)
  const mask = maskBelow(room)
  return [
    byEdits(
      f,
      {
        title: `leave when \`${name}\` is more than the ${room} bytes that there are`,
        edit: `if ((__u64)${name} > ${room}) ${f.leave.text}`,
        where: "before",
        insn: f.insn,
      },
      () => [{ at: f.insn, code: clamp }],
    ),
    byEdits(
      f,
      {
        title: `leave when \`${name}\` is 0 or more than ${room}`,
        edit: `if (${name} == 0 || (__u64)${name} > ${room}) ${f.leave.text}`,
        where: "before",
        insn: f.insn,
      },
      () => [{ at: f.insn, code: [...unless(f, `r${size} != 0`), ...clamp] }],
    ),
    byEdits(
      f,
      {
        title: `keep \`${name}\` below ${mask + 1} with a mask`,
        edit: `${name} &= ${mask};`,
        where: "before",
        insn: f.insn,
      },
      () => [{ at: f.insn, code: code(`r${size} &= ${mask}`) }],
    ),
  ]
}

/** The argument of a call on its line, by position. */
function sizeName(f: Facts, register: number): string {
  const inside = /bpf_\w+\((.*)\)/.exec(f.source(f.insn))?.[1] ?? ""
  const argument = inside.split(",")[register - 1]?.trim()
  return argument !== undefined && /^\w+$/.test(argument) ? argument : "size"
}

/** Gives stack memory its first value at the start of the function. */
export function zeroStack(f: Facts): Candidate[] {
  const numbers = /off (-?\d+)(?:\+(-?\d+))? size (\d+)/.exec(f.message)
  const at = f.functionStart()
  const depth = -f.spare(0) - 8
  const offset = numbers === null ? -depth : Number(numbers[1])
  const size = numbers === null ? depth : Number(numbers[3])
  const clear = (from: number, to: number): string =>
    Array.from(
      { length: Math.max(0, Math.ceil((to - from) / 8)) },
      (_, index) => `*(u64 *)(r10 ${from + index * 8}) = 0`,
    ).join("\n")
  const words = {
    edit: "give the variable an initial value: `= {}`, or __builtin_memset(&variable, 0, sizeof(variable))",
    where: "declaration" as const,
    insn: f.insn,
  }
  const list: Candidate[] = []
  if (size > 0)
    list.push(
      byEdits(f, { title: `zero the ${size} bytes first`, ...words }, () => [
        { at, code: code(clear(Math.floor(offset / 8) * 8, offset + size)), enter: "fall" },
      ]),
    )
  list.push(
    byEdits(f, { title: "zero the function's variables first", ...words }, () => [
      { at, code: code(clear(-depth, 0)), enter: "fall" },
    ]),
  )
  return list
}

/** Gives a register a value where it has none. */
export function initialiseRegister(f: Facts): Candidate[] {
  const register = f.register
  if (register < 0 || register > 9) return []
  const exits = f.code.opcode[f.insn] === 0x95
  const value = exits ? f.leave.value : 0
  const words = {
    edit: exits ? f.leave.text : "give the variable a value on every path that leads here",
    where: exits ? ("before" as const) : ("declaration" as const),
    insn: f.insn,
  }
  const set = code(`r${register} = ${value}`)
  return [
    byEdits(f, { title: "set it at the start of the function", ...words }, () => [
      { at: f.functionStart(), code: set, enter: "fall" },
    ]),
    byEdits(f, { title: exits ? "return a value" : "set it before it is read", ...words }, () => [
      { at: f.insn, code: set },
    ]),
  ]
}

/** Keeps R0 in the range that the hook allows. */
export function clampReturn(f: Facts): Candidate[] {
  const range = /should have been in \[(-?\d+), (-?\d+)\]/.exec(f.message)
  if (range === null) return []
  const min = Number(range[1])
  const max = Number(range[2])
  const upper = `if r0 s<= ${max} goto +1\nr0 = ${max}`
  const lower = `if r0 s>= ${min} goto +1\nr0 = ${min}`
  const sign = min < 0 ? "r0 <<= 32\nr0 s>>= 32\n" : "w0 = w0\n"
  const words = { where: "before" as const, insn: f.insn }
  return [
    byEdits(
      f,
      {
        title: `return only ${min} to ${max}`,
        edit: `if (ret < ${min} || ret > ${max}) ret = ${max};`,
        ...words,
      },
      () => [{ at: f.insn, code: code(`${sign}${upper}\n${lower}`) }],
    ),
    byEdits(
      f,
      { title: `return ${min === max ? min : max}`, edit: `return ${max};`, ...words },
      () => [{ at: f.insn, code: code(`r0 = ${max}`) }],
    ),
  ]
}

/** A shift by more bits than there are, or a division by the constant 0. */
export function fixOperand(f: Facts): Candidate[] {
  const { opcode, imm } = f.code
  const instruction = f.code.instruction(f.insn)
  const bits = (opcode[f.insn] & 7) === BPF_ALU ? 32 : 64
  const shift = /shift/.test(f.message)
  return [
    byEdits(
      f,
      {
        title: shift ? `shift by less than ${bits} bits` : "divide by something that is not 0",
        edit: shift ? `shift by ${imm[f.insn] & (bits - 1)}` : "if (divisor == 0) ...",
        where: "replace",
        insn: f.insn,
      },
      () => [
        {
          at: f.insn,
          remove: 1,
          code: [{ ...instruction, imm: shift ? imm[f.insn] & (bits - 1) : 1 }],
        },
      ],
    ),
  ]
}

/** A misaligned load or store, made of bytes. */
export function byBytes(f: Facts): Candidate[] {
  const { opcode, dst, src, off } = f.code
  const at = f.insn
  const family = opcode[at] & 7
  const [, bytes] = accessSize(opcode[at])
  const words = {
    title: "access it in pieces that are aligned",
    edit: "align the member, or copy it with __builtin_memcpy() (declare the struct __attribute__((packed)))",
    where: "replace" as const,
    insn: at,
  }
  const free = f.free(at).filter((n) => n !== src[at] && n !== dst[at])
  const [a, b] = free
  if (b === undefined || (family !== BPF_LDX && family !== 3)) return []
  const lines: string[] = []
  for (let index = 0; index < bytes; index++) {
    const place = off[at] + index
    if (family === BPF_LDX)
      lines.push(
        `r${b} = *(u8 *)(r${src[at]} ${place < 0 ? place : `+${place}`})`,
        `r${b} <<= ${8 * index}`,
        index === 0 ? `r${a} = r${b}` : `r${a} |= r${b}`,
      )
    else
      lines.push(
        `r${a} = r${src[at]}`,
        `r${a} >>= ${8 * index}`,
        `*(u8 *)(r${dst[at]} ${place < 0 ? place : `+${place}`}) = r${a}`,
      )
  }
  if (family === BPF_LDX) lines.push(`r${dst[at]} = r${a}`)
  return [byEdits(f, words, () => [{ at, remove: 1, code: code(lines.join("\n")) }])]
}
