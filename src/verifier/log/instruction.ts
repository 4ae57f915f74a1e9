/** Instructions as the log shows them: `(85) call bpf_map_lookup_elem#1`. */

import { BPF_LD_IMM64 } from "../../isa/index.ts"
import { kernelNotation } from "../../isa/kernel-notation.ts"
import { HELPERS } from "../../spec/index.ts"
import type { Explorer } from "../explore/explorer.ts"

export function instructionText(x: Explorer, insn: number): string {
  const { code } = x
  const next = code.opcode[insn] === BPF_LD_IMM64 ? code.instruction(insn + 1) : undefined
  return kernelNotation(code.instruction(insn), next, {
    lossless: false,
    helperName: (id) =>
      HELPERS[id] === undefined || id <= 0 ? undefined : `bpf_${HELPERS[id].name}`,
    kfuncName: (id) => {
      const btf = x.input.kernelBtf()
      return id > 0 && id < btf.typeCount ? btf.type(id).name : undefined
    },
  })
}
