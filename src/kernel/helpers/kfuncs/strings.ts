/**
 * Strings of unknown length, in memory that may not be there (linux v6.18 kernel/bpf/helpers.c
 * bpf_strcmp and its family): at most a page is looked at; -E2BIG beyond, -ERANGE for addresses
 * that are none, -EFAULT when reading fails, -ENOENT for what is not found.
 */

import { ERRNO } from "../../../spec/index.ts"
import { answersInt, type HelperMachine, isReadable, type KfuncTable } from "../support.ts"

/** XATTR_SIZE_MAX: bytes of a string that are looked at. */
const LENGTH_MAX = 65_536

interface Source {
  /** The byte at `index`, or a negative errno. */
  at(index: number): number
}

/** The string at register `n`; a null or otherwise impossible address gives -ERANGE. */
function source(machine: HelperMachine, n: number): Source | number {
  const low = machine.low(n)
  const high = machine.high(n)
  if (high >= 0) return -ERRNO.ERANGE
  const { space } = machine
  return {
    at: (index) =>
      isReadable(space, low + index, high, 1) ? space.u8[low + index] : -ERRNO.EFAULT,
  }
}

function lower(byte: number): number {
  return byte >= 0x41 && byte <= 0x5a ? byte + 32 : byte
}

/** int bpf_strcmp(s1, s2): -1, 0 or 1. */
function compares(ignoreCase: boolean) {
  return (machine: HelperMachine): number => {
    const one = source(machine, 1)
    const other = source(machine, 2)
    if (typeof one === "number") return one
    if (typeof other === "number") return other
    for (let i = 0; i < LENGTH_MAX; i++) {
      let a = one.at(i)
      let b = other.at(i)
      if (a < 0 || b < 0) return Math.min(a, b)
      if (ignoreCase) {
        a = lower(a)
        b = lower(b)
      }
      if (a !== b) return a < b ? -1 : 1
      if (a === 0) return 0
    }
    return -ERRNO.E2BIG
  }
}

/** int bpf_strnchr(s, count, c) and bpf_strchr(s, c), bpf_strchrnul(s, c): the index. */
function findCharacter(
  machine: HelperMachine,
  how: { count: number; character: number; orEnd: boolean },
): number {
  const text = source(machine, 1)
  if (typeof text === "number") return text
  const limit = Math.min(how.count, LENGTH_MAX)
  for (let i = 0; i < limit; i++) {
    const byte = text.at(i)
    if (byte < 0) return byte
    if (byte === how.character || (how.orEnd && byte === 0)) return i
    if (byte === 0) return -ERRNO.ENOENT
  }
  return limit === LENGTH_MAX ? -ERRNO.E2BIG : -ERRNO.ENOENT
}

function findLast(machine: HelperMachine): number {
  const text = source(machine, 1)
  if (typeof text === "number") return text
  const wanted = machine.low(2) & 0xff
  let last = -ERRNO.ENOENT
  for (let i = 0; i < LENGTH_MAX; i++) {
    const byte = text.at(i)
    if (byte < 0) return byte
    if (byte === wanted) last = i
    if (byte === 0) return last
  }
  return -ERRNO.E2BIG
}

/** int bpf_strlen(s), bpf_strnlen(s, count) */
function measure(machine: HelperMachine, count: number): number {
  const text = source(machine, 1)
  if (typeof text === "number") return text
  const limit = Math.min(count, LENGTH_MAX)
  for (let i = 0; i < limit; i++) {
    const byte = text.at(i)
    if (byte < 0) return byte
    if (byte === 0) return i
  }
  return limit === LENGTH_MAX ? -ERRNO.E2BIG : limit
}

/** int bpf_strspn(s, accept), bpf_strcspn(s, reject): length of the start that is (not) in the set. */
function spans(inside: boolean) {
  return (machine: HelperMachine): number => {
    const text = source(machine, 1)
    const set = source(machine, 2)
    if (typeof text === "number") return text
    if (typeof set === "number") return set
    for (let i = 0; i < LENGTH_MAX; i++) {
      const byte = text.at(i)
      if (byte < 0) return byte
      if (byte === 0) return i
      let found = false
      for (let j = 0; j < LENGTH_MAX && !found; j++) {
        const member = set.at(j)
        if (member < 0) return member
        if (member === 0) break
        found = member === byte
      }
      if (found !== inside) return i
    }
    return -ERRNO.E2BIG
  }
}

/** int bpf_strstr(s1, s2), bpf_strnstr(s1, s2, len): where s2 begins in s1. */
function findText(machine: HelperMachine, count: number): number {
  const text = source(machine, 1)
  const wanted = source(machine, 2)
  if (typeof text === "number") return text
  if (typeof wanted === "number") return wanted
  const limit = Math.min(count, LENGTH_MAX)
  for (let i = 0; i < LENGTH_MAX; i++) {
    for (let j = 0; ; j++) {
      const member = wanted.at(j)
      if (member < 0) return member
      if (member === 0) return i
      if (i + j >= limit) return limit === LENGTH_MAX ? -ERRNO.E2BIG : -ERRNO.ENOENT
      const byte = text.at(i + j)
      if (byte < 0) return byte
      if (byte === 0) return -ERRNO.ENOENT
      if (byte !== member) break
    }
  }
  return -ERRNO.E2BIG
}

export const stringKfuncs: KfuncTable = {
  bpf_strcmp: answersInt(compares(false)),
  bpf_strcasecmp: answersInt(compares(true)),
  bpf_strchr: answersInt((machine) =>
    findCharacter(machine, { count: LENGTH_MAX, character: machine.low(2) & 0xff, orEnd: false }),
  ),
  bpf_strchrnul: answersInt((machine) =>
    findCharacter(machine, { count: LENGTH_MAX, character: machine.low(2) & 0xff, orEnd: true }),
  ),
  bpf_strnchr: answersInt((machine) =>
    findCharacter(machine, {
      count: machine.number(2),
      character: machine.low(3) & 0xff,
      orEnd: false,
    }),
  ),
  bpf_strrchr: answersInt(findLast),
  bpf_strlen: answersInt((machine) => measure(machine, LENGTH_MAX)),
  bpf_strnlen: answersInt((machine) => measure(machine, machine.number(2))),
  bpf_strspn: answersInt(spans(true)),
  bpf_strcspn: answersInt(spans(false)),
  bpf_strstr: answersInt((machine) => findText(machine, LENGTH_MAX)),
  bpf_strnstr: answersInt((machine) => findText(machine, machine.number(3))),
}
