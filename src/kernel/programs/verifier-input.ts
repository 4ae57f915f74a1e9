/** What the verifier is told of a program that is being loaded, from the kernel's own tables. */

import type { Btf } from "../../btf/index.ts"
import {
  BPF_MAP_TYPE,
  ERRNO,
  GPL_COMPATIBLE_LICENSES,
  type ProgLoadAttr,
} from "../../spec/index.ts"
import type { VerifierInput, VerifierMap } from "../../verifier/index.ts"
import { helperImplementations, kfuncImplementations } from "../helpers/index.ts"
import type { KernelTables } from "../kernel-tables.ts"
import type { BpfMap } from "../maps/map.ts"
import type { MapEntry } from "../objects/kernel-object.ts"

/** A map, and the kernel object that holds it, are the same for as long as the map lives. */
const described = new WeakMap<BpfMap, VerifierMap>()

export function verifierInput(
  tables: KernelTables,
  attr: ProgLoadAttr,
  context: { readonly btf: Btf | null; readonly target: string | null },
): VerifierInput {
  const targetId = attr.attach_btf_id ?? 0
  return {
    name: attr.prog_name ?? "",
    insns: attr.insns,
    type: attr.prog_type,
    expectedAttachType: attr.expected_attach_type ?? 0,
    flags: attr.prog_flags ?? 0,
    gplCompatible: GPL_COMPATIBLE_LICENSES.includes(attr.license),
    btf: context.btf,
    funcInfo: attr.func_info ?? new Uint8Array(0),
    lineInfo: attr.line_info ?? new Uint8Array(0),
    target:
      context.target === null
        ? null
        : { name: context.target, btf: tables.state.types, btfId: targetId },
    kernelBtf: () => tables.state.types,
    map: (operand, index) => {
      const fd = index ? attr.fd_array?.[operand] : operand
      if (fd === undefined) return -ERRNO.EPROTO
      const object = tables.fds.get(fd, "map")
      return typeof object === "number" ? object : describe(tables, object.value.map, object.value)
    },
    implemented: (call) =>
      "helper" in call
        ? helperImplementations.has(call.helper)
        : kfuncImplementations.has(call.kfunc),
    logLevel: attr.log_level ?? 0,
    logLimit: attr.log_buf?.length,
  }
}

/** `entry` is absent for the template of the maps inside another, whose own object may be gone. */
function describe(tables: KernelTables, map: BpfMap, entry?: MapEntry): VerifierMap {
  const known = described.get(map)
  if (known !== undefined) return known
  const template = "inner" in map ? (map.inner as BpfMap | undefined) : undefined
  const made: VerifierMap = {
    id: map.id,
    name: map.name,
    type: map.type,
    keySize: map.keySize,
    valueSize: map.valueSize,
    maxEntries: map.maxEntries,
    flags: map.flags,
    mapExtra: map.mapExtra,
    get frozen() {
      return map.frozen
    },
    btf: entry?.btf?.value.btf ?? null,
    keyTypeId: entry?.keyTypeId ?? 0,
    valueTypeId: entry?.valueTypeId ?? 0,
    inner: template === undefined ? null : describe(tables, template),
    readConstant: (offset, size) => {
      if (map.type !== BPF_MAP_TYPE.BPF_MAP_TYPE_ARRAY || map.maxEntries !== 1) return null
      return tables.state.memory.read(map.lookup(tables.zeroKey) + offset, size)
    },
  }
  if (entry !== undefined) described.set(map, made)
  return made
}
