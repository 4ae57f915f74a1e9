/**
 * Helpers of syscall programs (linux v6.18 kernel/bpf/syscall.c, kernel/bpf/btf.c).
 */

import type { BtfKind } from "../../btf/index.ts"
import { ERRNO } from "../../spec/index.ts"
import {
  answers,
  flagsArgument,
  type HelperMachine,
  type HelperTable,
  stringArgument,
  textAt,
} from "./support.ts"

/** BTF_KIND_ numbers that a kernel type can be looked up by. */
const KINDS: Readonly<Record<number, BtfKind>> = {
  1: "int",
  4: "struct",
  5: "union",
  6: "enum",
  8: "typedef",
  12: "func",
  14: "var",
  15: "datasec",
  16: "float",
  19: "enum64",
}

/** long bpf_btf_find_by_name_kind(name, name_size, kind, flags): the id of a kernel type. */
function findType(machine: HelperMachine): number | undefined {
  const size = machine.low(2)
  const start = machine.checkRead(1, Math.max(size, 0))
  if (start < 0) return undefined
  if (flagsArgument(machine, 4) !== 0) return -ERRNO.EINVAL
  const name = textAt(machine.space, start, Math.max(size, 0))
  if (size <= 1 || name.length !== size - 1) return -ERRNO.EINVAL
  const kind = KINDS[machine.low(3)]
  if (kind === undefined) return -ERRNO.ENOENT
  return machine.environment.kernel.types.findByName(name, kind) ?? -ERRNO.ENOENT
}

/** long bpf_kallsyms_lookup_name(name, name_size, flags, res) */
function lookupSymbol(machine: HelperMachine): number | undefined {
  const size = machine.low(2)
  const target = machine.checkWrite(4, 8)
  if (target < 0) return undefined
  machine.space.view.setBigUint64(target, 0n, true)
  if (flagsArgument(machine, 3) !== 0) return -ERRNO.EINVAL
  const name = stringArgument(machine, 1)
  if (name === undefined) return undefined
  if (size <= 1 || name.length !== size - 1) return -ERRNO.EINVAL
  const address = machine.environment.kernel.kernelSymbol(name)
  if (address === undefined) return -ERRNO.ENOENT
  machine.space.view.setBigUint64(target, address, true)
  return 0
}

export const systemHelpers: HelperTable = {
  btf_find_by_name_kind: answers(findType),
  kallsyms_lookup_name: answers(lookupSymbol),
}
