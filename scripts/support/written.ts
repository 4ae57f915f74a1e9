/**
 * The part of the support page that cannot be asked of the code: features that are spread over
 * many files. Each row names the test that proves it; test/docs checks that the file exists.
 */

/** Feature, embedded kernel, Linux (through skep), test. */
export type WrittenRow = readonly [feature: string, embedded: string, linux: string, test: string]

const KERNEL = "the kernel's own"

export const INSTRUCTION_SET: readonly WrittenRow[] = [
  [
    "ALU32 and ALU64, byte swaps, jumps, loads, stores (RFC 9669 base)",
    "yes",
    KERNEL,
    "test/interpreter/linux.test.ts",
  ],
  [
    "sdiv, smod, movsx, ldsx, bswap, gotol (cpu v4)",
    "yes",
    KERNEL,
    "test/interpreter/linux.test.ts",
  ],
  [
    "atomics with and without fetch, xchg, cmpxchg",
    "yes",
    KERNEL,
    "test/interpreter/linux.test.ts",
  ],
  ["load-acquire, store-release (Linux 6.15)", "yes", KERNEL, "test/interpreter/safety.test.ts"],
  [
    "may_goto",
    "yes: 8 Mi rounds a frame",
    `${KERNEL}: a time limit on x86-64`,
    "test/interpreter/machine.test.ts",
  ],
  [
    "addr_space_cast",
    "in the interpreter; there are no arena maps yet",
    KERNEL,
    "test/interpreter/machine.test.ts",
  ],
  ["bpf-to-bpf calls, 8 frames; callbacks", "yes", KERNEL, "test/interpreter/machine.test.ts"],
  [
    "callx",
    "in the interpreter; PROG_LOAD refuses it, as Linux does",
    "refused",
    "test/interpreter/safety.test.ts",
  ],
  ["LD_ABS, LD_IND", "yes", KERNEL, "test/interpreter/linux.test.ts"],
  [
    "ld_imm64 of maps, map values, functions, kernel variables",
    "yes; addresses of kernel variables cannot be read",
    KERNEL,
    "test/loader/commands.test.ts",
  ],
  [
    "vectors of bpf_conformance",
    "313 of 313",
    "300; the kernel refuses shifts by constants out of range (12) and callx",
    "test/conformance/conformance.test.ts",
  ],
  [
    "verification",
    "yes, with the verdicts of Linux 6.18; rules of fentry, LSM, struct_ops and ext were not checked against Linux",
    KERNEL,
    "test/verifier/agreement/agreement.test.ts",
  ],
  ["engine", "interpreter, and a JIT to WebAssembly", KERNEL, "test/jit/engines.test.ts"],
  [
    "assembler: kernel's, LLVM's and bpf_conformance's notation",
    "yes",
    "the same",
    "test/isa/assemble.test.ts",
  ],
  ["disassembler: kernel's and LLVM's notation", "yes", "the same", "test/isa/disassemble.test.ts"],
  [
    "classic BPF: read, check, interpret, translate",
    "yes",
    "translated to eBPF",
    "test/isa/classic/tcpdump.test.ts",
  ],
  [
    "big-endian programs",
    "read, shown, not loaded",
    "read, shown, not loaded",
    "test/loader/load.test.ts",
  ],
]

export const OBJECTS: readonly WrittenRow[] = [
  ["ELF64, little and big endian", "yes", "the same", "test/object/read.test.ts"],
  [
    "objects of clang 16, 19, 22; with and without BTF",
    "yes",
    "the same",
    "test/object/read.test.ts",
  ],
  ["objects linked by `bpftool gen object`", "yes", "the same", "test/object/libbpf.test.ts"],
  ["section names of libbpf 1.8", "yes", "the same", "test/spec/sections.test.ts"],
  [
    "BTF `.maps`: inner maps, static slots, pinning, typedefs, decl tags",
    "yes",
    "the same",
    "test/object/read.test.ts",
  ],
  ["legacy `maps` sections", "yes", "the same", "test/loader/load.test.ts"],
  ["iproute2 maps and tail sections", "yes", "the same", "test/loader/load.test.ts"],
  [
    "`.data`, `.bss`, `.rodata`, custom data sections",
    "yes",
    "the same",
    "test/loader/load.test.ts",
  ],
  ["initial values of globals, live globals", "yes", "the same", "test/object/edit.test.ts"],
  [
    "`.kconfig` externs",
    "options.kconfig, and a small default",
    "`/boot/config-*`, options.kconfig",
    "test/loader/load.test.ts",
  ],
  ["`.ksyms` externs: functions", "by BTF", "by BTF", "test/loader/commands.test.ts"],
  [
    "`.ksyms` externs: typeless",
    "an address that cannot be read",
    "`/proc/kallsyms`",
    "test/loader/load.test.ts",
  ],
  [
    "subprograms (static, global, any section), callbacks",
    "yes",
    "the same",
    "test/loader/load.test.ts",
  ],
  [
    "damaged and hostile files",
    "ObjectError, in bounded time",
    "the same",
    "test/object/fuzz.test.ts",
  ],
  ["BTF: read, split BTF, write, validate", "yes", "the same", "test/btf/btf.test.ts"],
  ["BTF as C (`bpftool btf dump`'s text)", "yes", "the same", "test/btf/printers/c.test.ts"],
  [
    "values from BTF: structs, unions, bit-fields, enums, flexible arrays",
    "yes",
    "the same",
    "test/btf/codecs.test.ts",
  ],
  ["pinning", "a virtual bpffs at /sys/fs/bpf", "bpffs", "test/loader/attach.test.ts"],
]

export const WORLD: readonly WrittenRow[] = [
  [
    "frames on virtual devices: pass, drop, tx, redirect, counters",
    "yes",
    "no: the devices are real",
    "test/kernel/net/vlan.test.ts",
  ],
  [
    "tracepoints, raw tracepoints, tp_btf by name and fields",
    "a list of events, and most system calls",
    "no: the events are real",
    "test/kernel/helpers/world.test.ts",
  ],
  [
    "tasks that make system calls on virtual files: tracepoints, functions and LSM hooks on the way, verdicts deny",
    "files, directories, exec, fork, exit, kill, mmap, mount",
    "no: the tasks are real",
    "test/kernels/tracing/syscalls.test.ts",
  ],
  [
    "what trampolines, overrides and LSM verdicts do",
    "as documented",
    "no",
    "test/kernel/world/hooks.test.ts",
  ],
  [
    "uprobes and USDT of virtual executables, sampling clocks, iterators",
    "yes",
    "no",
    "test/kernels/tracing/probes.test.ts",
  ],
  [
    "a scheduler and a disk whose events carry consistent times",
    "yes",
    "no",
    "test/kernel/world/processes.test.ts",
  ],
  ["scenarios recorded and replayed", "yes", "no", "test/kernel/world/recording.test.ts"],
  [
    "the Node process as a task: collections, HTTP, loop delay, file calls",
    "`nodeProcessEvents` of `skep/node`",
    "no",
    "test/tools/node-events/node-events.test.ts",
  ],
  ["virtual clock and timers", "yes", "no", "test/kernel/helpers/world.test.ts"],
  ["seeded random numbers, several CPUs", "yes", "no", "test/kernel/helpers/world.test.ts"],
  [
    "PROG_TEST_RUN with Linux's checks and errno",
    "yes",
    KERNEL,
    "test/kernel/testrun/testrun.test.ts",
  ],
  [
    "same return value, packet, context and maps on both",
    "yes",
    "yes",
    "test/kernels/compare.test.ts",
  ],
]
