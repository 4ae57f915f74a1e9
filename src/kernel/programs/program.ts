/**
 * A loaded program: what PROG_LOAD keeps, and what a run of it needs.
 */

import type { Executable } from "../../interpreter/index.ts"
import type { JitFacts } from "../../jit/index.ts"
import type { Environment } from "../environment.ts"
import type { BpfMap } from "../maps/map.ts"
import type { BtfObject } from "../objects/btf-object.ts"

/** The kernel object behind a program file descriptor. Instructions never change after loading. */
export interface Program {
  id: number
  /** At most 15 bytes, as given to PROG_LOAD; may be empty. */
  readonly name: string
  /** enum bpf_prog_type. */
  readonly type: number
  /** enum bpf_attach_type. */
  readonly expectedAttachType: number
  /** BPF_F_SLEEPABLE, BPF_F_XDP_HAS_FRAGS… */
  readonly flags: number
  readonly license: string
  readonly gplCompatible: boolean
  /** First 8 bytes of the SHA-256 of the instructions, map and BTF immediates zeroed. */
  readonly tag: Uint8Array
  /** As given, and as they run (map and BTF addresses filled in). */
  readonly insns: Uint8Array
  readonly translated: Uint8Array
  readonly executable: Executable<Environment>
  /** What the verifier found out; null or absent when none has accepted the program. */
  readonly facts?: JitFacts | null
  readonly maps: readonly BpfMap[]
  readonly btf: BtfObject | null
  readonly funcInfo: Uint8Array
  readonly lineInfo: Uint8Array
  /** BTF id (in the kernel's types) of the function, tracepoint or LSM hook it was loaded for. */
  readonly attachBtfId: number
  /** Its name: `sched_switch` for tp_btf, `file_open` for LSM; null when there is none. */
  readonly attachTarget: string | null
  /** Bytes of linear memory that arguments of a traced function take: `8 * arguments`. */
  readonly loadedAtNs: bigint
  /** Statistics, counted while BPF_ENABLE_STATS is on. */
  runCount: bigint
  runTimeNs: bigint
  recursionMisses: bigint
}
