/**
 * What the verifier is told: the program, its types, the maps it names, and the kernel it is for.
 * The verifier knows Linux only through this and `spec/`.
 */

import type { Btf } from "../btf/index.ts"

/** A map as the verifier needs to know it. */
export interface VerifierMap {
  readonly id: number
  readonly name: string
  /** enum bpf_map_type. */
  readonly type: number
  readonly keySize: number
  readonly valueSize: number
  readonly maxEntries: number
  /** BPF_F_… of MAP_CREATE. */
  readonly flags: number
  readonly mapExtra: bigint
  /** MAP_FREEZE was called: with BPF_F_RDONLY_PROG the contents are constants. */
  readonly frozen: boolean
  /** Types of key and value, where the map has them. */
  readonly btf: Btf | null
  readonly keyTypeId: number
  readonly valueTypeId: number
  /** Template of the maps inside a map of maps. */
  readonly inner: VerifierMap | null
  /** Owner of a prog array: its programs' type and whether they are JITed; null while empty. */
  readonly owner?: { readonly programType: number } | null
  /** `size` bytes at `offset` of the value of a frozen, read-only array of one element. */
  readConstant?(offset: number, size: number): Uint8Array | null
}

/** The function, tracepoint or hook of the kernel that a program is loaded for. */
export interface AttachTarget {
  /** `file_open` for LSM, `sched_switch` for tp_btf, the function's name otherwise. */
  readonly name: string
  /** The BTF that has it, and its id there (func, or typedef btf_trace_…). */
  readonly btf: Btf
  readonly btfId: number
}

/** What the loading process may do; everything by default. */
export interface Privileges {
  /** CAP_BPF: without it, loads are unprivileged. */
  readonly bpf: boolean
  /** CAP_PERFMON: pointer leaks and speculation are allowed. */
  readonly perfmon: boolean
}

export interface VerifierInput {
  readonly name: string
  /** As PROG_LOAD gets them: map fds in ld_imm64 and all. Little-endian. */
  readonly insns: Uint8Array
  /** enum bpf_prog_type, enum bpf_attach_type. */
  readonly type: number
  readonly expectedAttachType: number
  /** BPF_F_SLEEPABLE, BPF_F_STRICT_ALIGNMENT, BPF_F_ANY_ALIGNMENT, BPF_F_TEST_STATE_FREQ… */
  readonly flags: number
  readonly gplCompatible: boolean
  /** The program's own BTF, and PROG_LOAD's func_info and line_info (may be empty). */
  readonly btf: Btf | null
  readonly funcInfo: Uint8Array
  readonly lineInfo: Uint8Array
  readonly target: AttachTarget | null
  /** The kernel's types; made when first asked for. */
  readonly kernelBtf: () => Btf
  /** The map behind a descriptor, or a negative errno; `index`: the operand indexes fd_array. */
  readonly map: (operand: number, index: boolean) => VerifierMap | number
  /** Whether the kernel has a helper (by id) or kfunc (by name) implemented; all by default. */
  readonly implemented?: (call: { helper: number } | { kfunc: string }) => boolean
  readonly privileges?: Privileges
  /** Possible CPUs (nr_cpu_ids): bounds bpf_get_smp_processor_id(). 1 by default. */
  readonly cpuCount?: number
  /** BPF_LOG_LEVEL1 (1), LEVEL2 (2), STATS (4); 0 for none. */
  readonly logLevel: number
  /** Characters of log after which the oldest are dropped; 16 MiB by default. */
  readonly logLimit?: number
  /** Record where registers come from, for explanations; costs time. False by default. */
  readonly provenance?: boolean
}
