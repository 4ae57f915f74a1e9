/**
 * Fills in what ld_imm64 instructions name: map descriptors, addresses of map values, kernel
 * symbols (linux v6.18 kernel/bpf/verifier.c resolve_pseudo_ldimm64, and the rewriting that
 * follows). The result is what engines run; functions stay symbolic, the engine resolves them.
 */

import { REGION_TAG } from "../../interpreter/index.ts"
import {
  BPF_LD_IMM64,
  BPF_PSEUDO_BTF_ID,
  BPF_PSEUDO_FUNC,
  BPF_PSEUDO_MAP_FD,
  BPF_PSEUDO_MAP_IDX,
  BPF_PSEUDO_MAP_IDX_VALUE,
  BPF_PSEUDO_MAP_VALUE,
  decodeInstruction,
  encodeInstruction,
  INSN_SIZE,
} from "../../isa/index.ts"
import { BPF_MAP_TYPE, ERRNO, MAX_USED_MAPS } from "../../spec/index.ts"
import type { KernelTables } from "../kernel-tables.ts"
import { ArenaMap } from "../maps/index.ts"
import type { BpfMap } from "../maps/map.ts"
import type { KernelObject } from "../objects/kernel-object.ts"

/** A refusal: the errno (positive) and the line that the verifier log says about it. */
export interface Refusal {
  readonly errno: number
  readonly message: string
  /** Slot at fault, when one is. */
  readonly slot?: number
}

export interface Resolved {
  readonly translated: Uint8Array
  /** Maps named, each once; the caller takes the references. */
  readonly maps: readonly KernelObject<"map">[]
}

export function isRefusal(result: object): result is Refusal {
  return "errno" in result
}

const MAP_SOURCES: readonly number[] = [
  BPF_PSEUDO_MAP_FD,
  BPF_PSEUDO_MAP_VALUE,
  BPF_PSEUDO_MAP_IDX,
  BPF_PSEUDO_MAP_IDX_VALUE,
]

export function resolveAddresses(
  tables: KernelTables,
  insns: Uint8Array,
  fdArray: readonly number[],
): Resolved | Refusal {
  const translated = insns.slice()
  const maps = new Set<KernelObject<"map">>()
  for (let slot = 0; slot < insns.length / INSN_SIZE; slot++) {
    const insn = decodeInstruction(insns, slot)
    if (insn.opcode !== BPF_LD_IMM64) continue
    // A missing second slot is the structural check's business.
    if ((slot + 2) * INSN_SIZE > insns.length) break
    const high = decodeInstruction(insns, slot + 1).imm
    if (MAP_SOURCES.includes(insn.src)) {
      const named = mapOperand(tables, slot, insn, high, fdArray)
      if ("errno" in named) return named
      maps.add(named.map)
      if (maps.size > MAX_USED_MAPS)
        return {
          errno: ERRNO.E2BIG,
          message: "The total number of maps per program has reached the limit of 64",
          slot,
        }
      patch(translated, slot, named.low, named.high)
    } else if (insn.src === BPF_PSEUDO_BTF_ID) {
      const address = kernelVariable(tables, insn.imm)
      if (address === undefined)
        return {
          errno: ERRNO.ENOENT,
          message: `ldimm64 insn specifies invalid btf_id ${insn.imm}.`,
          slot,
        }
      patch(
        translated,
        slot,
        Number(BigInt.asIntN(32, address)),
        Number(BigInt.asIntN(32, address >> 32n)),
      )
    } else if (insn.src !== 0 && insn.src !== BPF_PSEUDO_FUNC) {
      return { errno: ERRNO.EINVAL, message: "unrecognized bpf_ld_imm64 insn", slot }
    }
    slot++
  }
  return { translated, maps: [...maps] }
}

interface MapOperand {
  readonly map: KernelObject<"map">
  readonly low: number
  readonly high: number
}

function mapOperand(
  tables: KernelTables,
  slot: number,
  insn: { readonly src: number; readonly imm: number },
  second: number,
  fdArray: readonly number[],
): MapOperand | Refusal {
  const indexed = insn.src === BPF_PSEUDO_MAP_IDX || insn.src === BPF_PSEUDO_MAP_IDX_VALUE
  const valued = insn.src === BPF_PSEUDO_MAP_VALUE || insn.src === BPF_PSEUDO_MAP_IDX_VALUE
  if (indexed && fdArray.length === 0)
    return { errno: ERRNO.EPROTO, message: "fd_idx without fd_array is invalid", slot }
  const fd = indexed ? fdArray[insn.imm] : insn.imm
  if (!valued && second !== 0)
    return { errno: ERRNO.EINVAL, message: "unrecognized bpf_ld_imm64 insn", slot }
  const map = tables.fds.get(fd, "map")
  if (typeof map === "number")
    return { errno: -map, message: `fd ${fd} is not pointing to valid bpf_map`, slot }
  const { map: engine } = map.value
  if (!valued) return { map, low: engine.address, high: REGION_TAG | tables.descriptorRegion }
  const address = valueAddress(tables, engine, second >>> 0)
  if (address < 0)
    return {
      errno: -address,
      message: `invalid access to map value pointer, value_size=${engine.valueSize} off=${second >>> 0}`,
      slot,
    }
  return { map, low: address, high: REGION_TAG | engine.valueRegion }
}

/** Offset of byte `offset` of a one-element array's value (map_direct_value_addr), or an errno. */
function valueAddress(tables: KernelTables, map: BpfMap, offset: number): number {
  if (map instanceof ArenaMap) return map.byteAt(offset)
  if (map.type !== BPF_MAP_TYPE.BPF_MAP_TYPE_ARRAY || map.maxEntries !== 1) return -ERRNO.EINVAL
  if (offset >= map.valueSize) return -ERRNO.EINVAL
  return map.lookup(tables.zeroKey) + offset
}

/** The address of the kernel variable (or function) whose BTF id is `id`. */
function kernelVariable(tables: KernelTables, id: number): bigint | undefined {
  const { types } = tables.state
  if (id <= 0 || id >= types.typeCount) return undefined
  const type = types.type(id)
  if (type.kind !== "var" && type.kind !== "func") return undefined
  return tables.state.kernelSymbol(type.name)
}

function patch(program: Uint8Array, slot: number, low: number, high: number): void {
  const first = decodeInstruction(program, slot)
  encodeInstruction(program, slot, { ...first, src: 0, imm: low })
  const second = decodeInstruction(program, slot + 1)
  encodeInstruction(program, slot + 1, { ...second, imm: high })
}
