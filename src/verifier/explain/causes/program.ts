/** Causes about the program as a whole: its flow, its size, its stack, what it returns. */

import { appendExit, boundLoop, dropDead, guardRelocation, leaveOut } from "../fixes/program.ts"
import { clampReturn, fixOperand, initialiseRegister } from "../fixes/values.ts"
import type { Cause } from "./cause.ts"

export const PROGRAM_CAUSES: readonly Cause[] = [
  {
    code: "E4001",
    name: "loop-infinite",
    category: "complexity",
    pattern: /infinite loop detected/,
    title: () =>
      "the loop may never end: nothing that its condition reads changes from turn to turn",
    help: "Give the loop a bound that the verifier can see.",
    fixes: boundLoop,
  },
  {
    code: "E4002",
    name: "loop-unbounded",
    category: "complexity",
    pattern: /program is too large\. Processed|too complex/,
    when: (f) => hasLoop(f.code.opcode, f.code.off),
    title: () => "the verifier gave up after a million instructions: a loop has no small bound",
    help: "Bound the loop by a constant, use bpf_for() or bpf_loop() (verified once), or cond_break.",
    fixes: boundLoop,
  },
  {
    code: "E4003",
    name: "program-complex",
    category: "complexity",
    pattern: /program is too large|too complex/,
    title: () => "the program has too many paths for the verifier",
    help: "Move parts into global functions (verified once), turn unrolled loops into bpf_loop(), keep fewer variables alive across branches.",
    fixes: (f) => guardRelocation(f).slice(1),
  },
  {
    code: "E4004",
    name: "back-edge",
    category: "control flow",
    pattern: /back-edge/,
    title: () => "the program has a loop, which is not allowed here",
    help: "Loops need CAP_BPF and Linux 5.3; before, unroll them.",
    fixes: boundLoop,
  },
  {
    code: "E4101",
    name: "stack-combined",
    category: "stack",
    pattern: /combined stack size of (\d+) calls is (\d+)/,
    title: (_, [, calls, size]) =>
      `the ${calls} functions of a call chain need ${size} bytes of stack; there are 512`,
    help: "Move large variables into a per-CPU array of one element, or split the call chain.",
  },
  {
    code: "E4102",
    name: "stack-large",
    category: "stack",
    pattern: /stack size of subprog (\d+) is (\d+)|stack.*too large/i,
    title: (f) => `a function needs more than its 512 bytes of stack (${f.message})`,
    help: "Move large variables into a per-CPU array of one element.",
  },
  {
    code: "E4103",
    name: "call-depth",
    category: "stack",
    pattern: /call stack of (\d+) frames is too deep/,
    title: (_, [, frames]) => `calls are nested ${frames} deep; 8 frames are allowed`,
    help: "Inline some of the functions (static __always_inline).",
    fixes: leaveOut,
  },
  {
    code: "E4104",
    name: "recursion",
    category: "control flow",
    pattern: /recursive call from/,
    title: () => "a function calls itself, directly or through others",
    help: "Turn the recursion into a loop with a stack of its own in a map.",
    fixes: leaveOut,
  },
  {
    code: "E4105",
    name: "tail-call",
    category: "call",
    pattern: /tail_call/,
    title: () => "the tail call is not allowed here",
    help: "Tail calls do not go with large stacks in callers, locks, or held references.",
    fixes: leaveOut,
  },
  {
    code: "E4201",
    name: "return-range",
    category: "return value",
    pattern: /should have been in \[(-?\d+), (-?\d+)\]/,
    title: (_, [, min, max]) =>
      min === max
        ? `the program must return ${min} and may return something else`
        : `the program must return ${min} to ${max} and may return something else`,
    help: "What a program may return follows from where it is attached.",
    fixes: clampReturn,
  },
  {
    code: "E4202",
    name: "return-pointer",
    category: "return value",
    pattern:
      /is not a known value|R0 not a scalar|not a scalar value|return stack pointer|leaks addr as return/,
    title: () => "the program returns a pointer or nothing known",
    help: "Return a number.",
    fixes: initialiseRegister,
  },
  {
    code: "E4301",
    name: "division-by-zero",
    category: "encoding",
    pattern: /div by zero|division by zero/,
    title: () => "a division by the constant 0",
    help: "At run time a division by 0 gives 0; by a constant 0 it is refused.",
    fixes: fixOperand,
  },
  {
    code: "E4302",
    name: "shift-invalid",
    category: "encoding",
    pattern: /invalid shift (-?\d+)/,
    title: (_, [, count]) => `a shift by ${count}, which is not within the number of bits`,
    help: "Shift by 0 to 63, or 0 to 31 in 32 bits.",
    fixes: fixOperand,
  },
  {
    code: "E4303",
    name: "dead-code",
    category: "control flow",
    pattern: /unreachable insn (\d+)/,
    title: (_, [, insn]) => `instruction ${insn} can never be reached`,
    help: "Remove it; compilers leave none, hand-written assembly may.",
    fixes: dropDead,
  },
  {
    code: "E4304",
    name: "falls-off",
    category: "control flow",
    pattern: /last insn is not an exit or jmp|no exit|fall.?through/i,
    title: () => "the program or a function runs past its last instruction",
    help: "End it with a return.",
    fixes: appendExit,
  },
  {
    code: "E4305",
    name: "jump-outside",
    category: "control flow",
    pattern: /jump out of range|jump into the middle|invalid insn idx|invalid jump/,
    title: () => "a jump leaves the function, or lands inside a two-slot instruction",
    help: "Jumps stay within a function.",
    fixes: leaveOut,
  },
  {
    code: "E4306",
    name: "frame-pointer-written",
    category: "encoding",
    pattern: /frame pointer is read only/,
    title: () => "R10, the frame pointer, cannot be changed",
    help: "Copy it to another register first.",
    fixes: leaveOut,
  },
  {
    code: "E4307",
    name: "trap",
    category: "control flow",
    pattern: /__bpf_trap/,
    title: () => "the compiler found undefined behaviour and put a trap here",
    help: "Usually a variable that is read before it has a value: compile with -Wall.",
    fixes: guardRelocation,
  },
  {
    code: "E4308",
    name: "encoding",
    category: "encoding",
    pattern:
      /reserved fields|unknown opcode|invalid insn|invalid BPF_LD_IMM|unrecognized bpf_ld_imm64|uses invalid|R\d+ is invalid/,
    title: (f) => `the instruction is not a valid one: ${f.message}`,
    help: "The object is damaged, or made by a compiler for a newer instruction set.",
    fixes: leaveOut,
  },
  {
    code: "E4309",
    name: "map-unusable",
    category: "call",
    pattern:
      /bpf_map|map .* not|maps per program|direct value|fd \d+|tracing progs cannot use|can only use array/,
    title: (f) => `a map cannot be used like this: ${f.message}`,
    help: "See which types of maps the type of program may use.",
    fixes: leaveOut,
  },
]

function hasLoop(opcode: Uint8Array, off: Int16Array): boolean {
  for (let insn = 0; insn < opcode.length; insn++) {
    const family = opcode[insn] & 7
    const operation = opcode[insn] & 0xf0
    if ((family === 5 || family === 6) && operation !== 0x80 && operation !== 0x90)
      if (off[insn] < 0) return true
  }
  return false
}
