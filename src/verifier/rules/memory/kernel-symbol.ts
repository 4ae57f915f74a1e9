/**
 * Variables and functions of the kernel that a program names by BTF id (ld_imm64 of
 * BPF_PSEUDO_BTF_ID; `extern … __ksym` in C).
 *
 * Source: linux v6.18 kernel/bpf/verifier.c check_pseudo_btf_id.
 */

import type { Btf } from "../../../btf/index.ts"
import { ERRNO } from "../../../spec/errno.ts"
import { MEM_PERCPU, MEM_RDONLY, PTR_TO_BTF_ID, PTR_TO_MEM } from "../../state/register-types.ts"
import { btfIndex } from "../../types/type-match.ts"
import type { Verifier } from "../../verifier.ts"

/** What the register becomes: layout.ts says what `a` and `b` are. */
export interface KernelSymbol {
  readonly type: number
  readonly a: number
  readonly b: number
}

const known = new WeakMap<Verifier, Map<number, KernelSymbol>>()

/** The symbol that the ld_imm64 at `insn` names. Throws a Rejection when there is none. */
export function kernelSymbolAt(v: Verifier, insn: number): KernelSymbol {
  let symbols = known.get(v)
  if (symbols === undefined) known.set(v, (symbols = new Map()))
  let symbol = symbols.get(insn)
  if (symbol === undefined) symbols.set(insn, (symbol = resolve(v, insn)))
  return symbol
}

function resolve(v: Verifier, insn: number): KernelSymbol {
  const id = v.code.imm[insn]
  const btf = v.btfs[0] ?? v.input.kernelBtf()
  const details = { rule: "kernel-symbol", subject: String(id) }
  if (id < 0 || id >= btf.typeCount)
    v.reject(ERRNO.ENOENT, `ldimm64 insn specifies invalid btf_id ${id}.`, details)
  const symbol = btf.type(id)
  if (symbol.kind === "func") return { type: PTR_TO_MEM | MEM_RDONLY, a: 0, b: 0 }
  if (symbol.kind !== "var")
    v.reject(ERRNO.EINVAL, `pseudo btf_id ${id} in ldimm64 isn't KIND_VAR or KIND_FUNC`, details)
  const type = symbol.type
  if (isPercpu(btf, id)) return { type: PTR_TO_BTF_ID | MEM_PERCPU, a: type, b: btfIndex(v, btf) }
  const resolved = btf.resolve(type)
  if (resolved.kind === "struct" || resolved.kind === "union")
    return { type: PTR_TO_BTF_ID, a: type, b: btfIndex(v, btf) }
  let size: number
  try {
    size = btf.sizeOf(type)
  } catch {
    v.reject(
      ERRNO.EINVAL,
      `ldimm64 unable to resolve the size of type '${resolved.name}': -22`,
      details,
    )
  }
  return { type: PTR_TO_MEM | MEM_RDONLY, a: size, b: 0 }
}

function isPercpu(btf: Btf, id: number): boolean {
  const section = btf.findByName(".data..percpu", "datasec")
  if (section === undefined) return false
  return btf.typeOf(section, "datasec").variables.some((variable) => variable.type === id)
}
