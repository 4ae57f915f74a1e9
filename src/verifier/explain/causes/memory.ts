/** Causes about pointers and the memory behind them. */

import { BPF_ALU, BPF_ALU64, BPF_MOV, BPF_OR, BPF_X } from "../../../isa/index.ts"
import {
  PTR_MAYBE_NULL,
  PTR_TO_PACKET,
  PTR_TO_PACKET_END,
  PTR_TO_PACKET_META,
  SCALAR_VALUE,
} from "../../state/register-types.ts"
import type { Facts } from "../facts.ts"
import {
  accessSize,
  foldOffset,
  guardMerged,
  nullChecks,
  packetChecks,
  packetReload,
  probeRead,
} from "../fixes/pointers.ts"
import { contextField, dropStore, largerValue } from "../fixes/program.ts"
import { releaseLater } from "../fixes/resources.ts"
import { byBytes, clampIndex, initialiseRegister, zeroStack } from "../fixes/values.ts"
import type { Cause } from "./cause.ts"

const quoted = (f: Facts, fallback: string): string => `\`${f.variable(f.insn, fallback)}\``

/** Whether the pointer was a packet pointer once, and is none now. */
function wasPacket(f: Facts): boolean {
  return f
    .events(f.register)
    .some(({ value: { type } }) =>
      [PTR_TO_PACKET, PTR_TO_PACKET_END, PTR_TO_PACKET_META].includes(type),
    )
}

function invalidatedByCall(f: Facts): boolean {
  return f.events(f.register).some(({ kind }) => kind === "invalidated")
}

/** A pointer went into an operation that leaves a number: clang merged two of them. */
function isMerged(f: Facts): boolean {
  const { opcode } = f.code
  const events = f.events(f.register)
  const [first] = events
  // NULL, of a path that the source does not have.
  if (first?.kind === "born" && first.value.mask === 0n && first.value.umax === 0n) return true
  return events.some(({ insn, kind }, index) => {
    if (kind !== "computed") return false
    const before = events[index - 1]?.value.type
    const operation = opcode[insn] & 0xf0
    const alu = (opcode[insn] & 7) === BPF_ALU64
    return alu && (operation === BPF_OR || (before !== undefined && before !== SCALAR_VALUE))
  })
}

function isTruncated(f: Facts): boolean {
  const { opcode } = f.code
  const events = f.events(f.register)
  return events.some(({ insn, value }, index) => {
    if (value.type !== SCALAR_VALUE || (opcode[insn] & 7) !== BPF_ALU) return false
    // A 32-bit move leaves no trace of what it moved but the register itself.
    const moved =
      (opcode[insn] & 0xf8) === (BPF_MOV | BPF_X) ? f.value(f.code.src[insn]) : undefined
    const before = moved ?? events[index - 1]?.value
    return before !== undefined && before.type !== SCALAR_VALUE
  })
}

function packetBytes(f: Facts): number {
  const value = f.value(f.register)
  return value === undefined ? 0 : value.a
}

export const MEMORY_CAUSES: readonly Cause[] = [
  {
    code: "E2001",
    name: "null-check-missing",
    category: "null pointer",
    pattern: /invalid mem access '(\w*map_value_or_null|map_value_or_null)'/,
    title: (f) => `${quoted(f, "the value")} may be NULL: the map may not have the key`,
    label: () => "used without a check for NULL",
    help: "bpf_map_lookup_elem() returns NULL when there is no such key; also for arrays, as far as the verifier can know.",
    fixes: nullChecks,
  },
  {
    code: "E2002",
    name: "null-check-missing-pointer",
    category: "null pointer",
    pattern: /invalid mem access '(\w*_or_null)'/,
    title: (f, [, type]) => `${quoted(f, "the pointer")} may be NULL (${type})`,
    label: () => "used without a check for NULL",
    help: "A pointer that a call, a field or a caller may leave NULL must be compared with NULL before it is used.",
    fixes: nullChecks,
  },
  {
    code: "E2003",
    name: "null-arithmetic",
    category: "null pointer",
    pattern: /pointer arithmetic on (\w*_or_null) prohibited/,
    title: (f) => `${quoted(f, "the pointer")} is moved before it is checked for NULL`,
    label: () => "NULL plus an offset would no longer be NULL",
    help: "Check the pointer first; the compiler may have moved the addition before the check.",
    fixes: nullChecks,
  },
  {
    code: "E2004",
    name: "null-argument",
    category: "null pointer",
    pattern: /Possibly NULL pointer passed to|type=(\w*_or_null) expected=/,
    title: (f) => `a pointer that may be NULL is given to ${f.called(f.insn) || "the call"}`,
    label: () => "may be NULL here",
    help: "This argument must not be NULL: compare the pointer with NULL before the call.",
    fixes: nullChecks,
  },
  {
    code: "E2101",
    name: "packet-bounds-missing",
    category: "bounds",
    pattern: /invalid access to packet|offset is outside of the packet/,
    when: (f) => packetBytes(f) === 0 && (f.value(f.register)?.mask ?? 0n) === 0n,
    title: () => "the packet is read without a check that it is long enough",
    label: (f) => `${accessSize(f.code.opcode[f.insn])[1]} bytes, none of them proven`,
    help: "Compare the pointer plus the size with data_end, and leave the program when it is beyond.",
    fixes: packetChecks,
  },
  {
    code: "E2103",
    name: "packet-variable-offset",
    category: "bounds",
    pattern: /invalid access to packet|offset is outside of the packet/,
    when: (f) => (f.value(f.register)?.mask ?? 0n) !== 0n,
    title: (f) =>
      `${quoted(f, "the pointer")} was moved by a variable, and not compared with data_end since`,
    label: () => "no byte is proven behind a variable offset",
    help: "A check made before adding a variable says nothing of the sum: bound the variable (a few kB), add it, then compare with data_end.",
    fixes: packetChecks,
  },
  {
    code: "E2102",
    name: "packet-bounds-short",
    category: "bounds",
    pattern: /invalid access to packet|offset is outside of the packet/,
    title: (f) => `only ${packetBytes(f)} bytes of the packet were checked, and more are used`,
    label: (f) => {
      const value = f.value(f.register)
      const [, size] = accessSize(f.code.opcode[f.insn])
      const first = (value?.offset ?? 0) + f.code.off[f.insn]
      return `bytes ${first} to ${first + size - 1} of the packet`
    },
    help: "Extend the check, or add one for what is read here.",
    fixes: packetChecks,
  },
  {
    code: "E2104",
    name: "packet-pointer-stale",
    category: "pointer",
    pattern: /invalid mem access 'scalar'/,
    when: (f) => wasPacket(f) && invalidatedByCall(f),
    title: (f) => `${quoted(f, "a packet pointer")} is used after the packet may have moved`,
    label: () => "an old packet pointer: now only a number",
    help: "Helpers that change a packet may reallocate it. Load data and data_end again after the call, and check again.",
    fixes: packetReload,
  },
  {
    code: "E2109",
    name: "used-after-release",
    category: "reference",
    pattern: /invalid mem access 'scalar'/,
    when: (f) => invalidatedByCall(f),
    title: (f) => `${quoted(f, "the object")} is used after it was given back`,
    label: () => "no longer a pointer",
    help: "After its release (submit, discard, release, drop) an object may be gone: use it before.",
    fixes: (f) => [...releaseLater(f), ...dropStore(f)],
  },
  {
    code: "E2105",
    name: "pointer-merged",
    category: "pointer",
    pattern: /invalid mem access 'scalar'/,
    when: isMerged,
    title: () => "two pointers were combined with arithmetic, and the result is only a number",
    label: () => "made by arithmetic on pointers",
    help: "The compiler merged two branches into one access. Keep them apart: do the access in each branch, or put barrier_var() between.",
    fixes: (f) => [...guardMerged(f), ...probeRead(f)],
  },
  {
    code: "E2106",
    name: "pointer-truncated",
    category: "pointer",
    pattern: /invalid mem access 'scalar'/,
    when: isTruncated,
    title: () => "a pointer went through 32-bit arithmetic and lost its upper half",
    help: "Keep pointers in 64-bit variables (void *, __u64, long).",
    fixes: probeRead,
  },
  {
    code: "E2107",
    name: "kernel-pointer-dereferenced",
    category: "pointer",
    pattern: /invalid mem access 'scalar'/,
    title: (f) =>
      `${quoted(f, "the address")} is not a pointer that the verifier knows: it is a number`,
    label: () => "dereferenced directly",
    help: "Addresses that come from registers, arguments or structs are numbers to the verifier. Read through them with bpf_probe_read_kernel(), bpf_probe_read_user() or BPF_CORE_READ().",
    fixes: probeRead,
  },
  {
    code: "E2108",
    name: "untyped-access",
    category: "pointer",
    pattern: /invalid mem access '(\w+)'/,
    title: (f, [, type]) =>
      `${quoted(f, "the pointer")} (${type}) cannot be read or written directly`,
    help: "Only contexts, packets, map values, the stack and typed pointers can be accessed.",
    fixes: (f) => [...probeRead(f), ...dropStore(f)],
  },
  {
    code: "E2110",
    name: "index-signed",
    category: "bounds",
    pattern:
      /min value is negative, either use unsigned index|with unbounded min value is not allowed|value -\d+ makes .* pointer be out of bounds/,
    title: () => "the index may be negative: it was compared as a signed number, or not at all",
    label: () => "a negative index points before the object",
    help: "Make the variable unsigned, or check that it is not below 0 as well.",
    fixes: clampIndex,
  },
  {
    code: "E2111",
    name: "index-unbounded",
    category: "bounds",
    pattern: /unbounded memory access, make sure to bounds check/,
    title: () => "the index has no upper bound",
    label: () => "may be beyond the end of the object",
    help: "Compare the index with the number of elements, as an unsigned number, on the same variable that is used.",
    fixes: clampIndex,
  },
  {
    code: "E2112",
    name: "value-out-of-bounds",
    category: "bounds",
    pattern:
      /invalid access to map (value|key)|(max|min) value is outside of the allowed memory range|invalid access to memory/,
    title: (f) => {
      const map = f.map(f.register)
      return map === undefined
        ? "the access goes beyond the end of the object"
        : `the access goes beyond the ${map.valueSize} bytes of a value of map \`${map.name}\``
    },
    help: "Check the index against the number of elements (not of bytes), and that the object is as large as the code thinks.",
    fixes: (f) => [...clampIndex(f), ...largerValue(f)],
  },
  {
    code: "E2113",
    name: "stack-variable-offset",
    category: "bounds",
    pattern: /variable-offset (read|write)?.*stack|variable offset stack|unbounded variable-offset/,
    title: () => "an array on the stack is indexed with a variable that is not bounded",
    help: "Bound the index below the array's size, as an unsigned number.",
    fixes: clampIndex,
  },
  {
    code: "E2201",
    name: "stack-uninitialised",
    category: "initialisation",
    pattern: /invalid (indirect )?read from stack|invalid read from stack/,
    title: (f) => {
      const at = f.called(f.insn)
      return at === ""
        ? "memory of the stack is read before it is written"
        : `${at} would read bytes of the stack that were never written`
    },
    label: () => "not initialised on this path (padding counts)",
    help: "Initialise the whole variable: `= {}` leaves padding out, __builtin_memset() does not.",
    fixes: zeroStack,
  },
  {
    code: "E2202",
    name: "stack-out-of-bounds",
    category: "bounds",
    pattern: /invalid (write to|read from|stack) ?.*stack|invalid stack|off=.* size=.*stack/,
    title: () => "the stack is accessed outside of the function's variables",
    help: "A function has 512 bytes of stack, below its frame pointer.",
    fixes: (f) => [...clampIndex(f), ...dropStore(f)],
  },
  {
    code: "E2203",
    name: "register-uninitialised",
    category: "initialisation",
    pattern: /R(\d+) !read_ok/,
    when: (f) => f.code.opcode[f.insn] === 0x95,
    title: () => "the program ends without a return value",
    help: "Return a value on every path.",
    fixes: initialiseRegister,
  },
  {
    code: "E2204",
    name: "register-clobbered",
    category: "initialisation",
    pattern: /R([1-5]) !read_ok/,
    when: (f) => f.history.path.some((insn) => f.called(insn) !== ""),
    title: (_, [, n]) => `R${n} is used after a call, which does not preserve it`,
    help: "Calls leave nothing in R1 to R5: keep what is needed in R6 to R9 or on the stack.",
    fixes: initialiseRegister,
  },
  {
    code: "E2205",
    name: "variable-uninitialised",
    category: "initialisation",
    pattern: /R(\d+) !read_ok/,
    title: (_, [, n]) => `a variable (R${n}) is used before it has a value`,
    help: "Give the variable a value on every path.",
    fixes: initialiseRegister,
  },
  {
    code: "E2301",
    name: "context-offset",
    category: "context",
    pattern: /invalid bpf_context access off=(-?\d+) size=(\d+)/,
    when: (f) => (f.code.opcode[f.insn] & 7) === 1,
    title: (_, [, off, size]) => `the context has no field of ${size} bytes at offset ${off}`,
    help: "Fields are read whole, or in parts that lie within them, at their alignment; some are not there for every type of program.",
    fixes: contextField,
  },
  {
    code: "E2302",
    name: "context-read-only",
    category: "context",
    pattern: /invalid bpf_context access off=(-?\d+) size=(\d+)/,
    title: (_, [, off]) => `the context's field at offset ${off} cannot be written here`,
    help: "Only some fields of a context can be written, and by some types of program.",
    fixes: dropStore,
  },
  {
    code: "E2303",
    name: "context-modified",
    category: "context",
    pattern: /dereference of modified (\w+) ptr|variable (\w+) access var_off/,
    when: (f) => (f.value(f.register)?.mask ?? 0n) === 0n,
    title: (_, [, what]) =>
      `the ${what === "ctx" ? "context" : what} pointer was moved before the access`,
    help: "Fields are accessed at constant offsets from the context pointer itself: the compiler must not compute their address first.",
    fixes: foldOffset,
  },
  {
    code: "E2304",
    name: "context-variable",
    category: "context",
    pattern: /variable (\w+) access var_off|dereference of modified/,
    title: () => "the context is indexed with a variable",
    help: "Use a switch over constant indexes, or copy the context to the stack first.",
    fixes: dropStore,
  },
  {
    code: "E2305",
    name: "read-only-memory",
    category: "permission",
    pattern:
      /cannot write into|write into map forbidden|only read (is|from)|read-only|write to change key|may write into memory|does not allow writes to packet/,
    title: () => "the memory can only be read here",
    help: "Copy it to the stack and change the copy, or use the map or the field that is meant for writing.",
    fixes: dropStore,
  },
  {
    code: "E2306",
    name: "misaligned",
    category: "memory",
    pattern: /misaligned/,
    title: (f) =>
      `${accessSize(f.code.opcode[f.insn])[1]} bytes are accessed at an address that is not aligned`,
    help: "Align the member, or access it byte by byte (a packed struct makes the compiler do so).",
    fixes: byBytes,
  },
  {
    code: "E2307",
    name: "pointer-arithmetic",
    category: "pointer",
    pattern:
      /pointer arithmetic|bitwise operator|pointer prohibited|subtract pointer|subtraction from|pointer offset|be out of bounds|math between|partial copy of pointer|sign-extension part of pointer/,
    title: () => "this arithmetic is not allowed on a pointer",
    help: "To a pointer, numbers may be added and subtracted, within its object, in 64 bits; anything else must be done on numbers first.",
    fixes: (f) => [...clampIndex(f), ...nullChecks(f).filter(() => isMaybeNull(f))],
  },
  {
    code: "E2308",
    name: "pointer-leak",
    category: "permission",
    pattern: /leaks addr|leaking pointer|pointer comparison prohibited|corrupt spilled pointer/,
    title: () => "a kernel address would become visible to the program's reader",
    help: "Pointers cannot be stored where user space reads them (map values, packets), nor returned, by programs without CAP_PERFMON.",
    fixes: dropStore,
  },
  {
    code: "E2309",
    name: "special-field",
    category: "memory",
    pattern:
      /cannot be accessed directly|cannot be accessed indirectly|access is disallowed|kptr|direct access to/,
    title: () => "the value has a field (lock, timer, kptr, list…) that only its helpers may touch",
    help: "Access the members around it one by one; do not copy or clear the whole value.",
    fixes: dropStore,
  },
  {
    code: "E2310",
    name: "mixed-pointers",
    category: "pointer",
    pattern: /same insn cannot be used with different pointers/,
    title: () => "one instruction is reached with different kinds of pointer",
    help: 'The compiler merged two accesses that look alike. Put `asm volatile("" ::: "memory")` or barrier_var() into one of the branches.',
    fixes: dropStore,
  },
]

function isMaybeNull(f: Facts): boolean {
  return ((f.value(f.register)?.type ?? 0) & PTR_MAYBE_NULL) !== 0
}
