/**
 * A program's tag: the first 8 bytes of the SHA-256 of its instructions, with what differs from
 * load to load (map descriptors) zeroed (linux v6.18 kernel/bpf/core.c bpf_prog_calc_tag).
 */

import {
  BPF_LD_IMM64,
  BPF_PSEUDO_MAP_FD,
  BPF_PSEUDO_MAP_VALUE,
  INSN_SIZE,
} from "../../isa/index.ts"
import { BPF_TAG_SIZE } from "../../spec/index.ts"
import { sha256 } from "./sha256.ts"

export function programTag(insns: Uint8Array): Uint8Array {
  const stable = insns.slice()
  for (let at = 0; at + 2 * INSN_SIZE <= stable.length; at += INSN_SIZE) {
    const source = stable[at + 1] >> 4
    if (stable[at] !== BPF_LD_IMM64) continue
    if (source === BPF_PSEUDO_MAP_FD || source === BPF_PSEUDO_MAP_VALUE) {
      stable.fill(0, at + 4, at + 8)
      stable.fill(0, at + 12, at + 16)
    }
    at += INSN_SIZE
  }
  return sha256(stable).subarray(0, BPF_TAG_SIZE)
}
