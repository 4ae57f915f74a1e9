/**
 * Helpers that write text: into the file of an iterator, and objects of kernel types into a buffer
 * (linux v6.18 kernel/trace/bpf_trace.c bpf_seq_printf, bpf_seq_write, bpf_snprintf_btf).
 */

import { ERRNO } from "../../spec/index.ts"
import type { SequenceFile } from "../environment.ts"
import { formatText, hashAddress } from "./format.ts"
import { arrayArgument, formatArgument, worldOf } from "./print.ts"
import {
  answers,
  faults,
  flagsArgument,
  type HelperMachine,
  type HelperTable,
  isReadable,
  writeText,
} from "./support.ts"
import { BTF_F, typeText } from "./type-text.ts"

/** sizeof(struct btf_ptr): pointer, type id, flags. */
const BTF_PTR_BYTES = 16
/** High half of the first address of the kernel. */
const KERNEL_HALF = 0xffff_8000
const BTF_F_ALL = BTF_F.COMPACT | BTF_F.NONAME | BTF_F.PTR_RAW | BTF_F.ZERO

function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0))
}

/** The file that register 1 points to; undefined after a fault. */
function sequenceArgument(machine: HelperMachine): SequenceFile | undefined {
  const { sequence } = machine.environment
  if (sequence !== null && machine.big(1) === sequence.address) return sequence
  return faults(machine, "argument 1 is no struct seq_file")
}

/** long bpf_seq_printf(m, fmt, fmt_size, data, data_len) */
function seqPrintf(machine: HelperMachine): number | undefined {
  const sequence = sequenceArgument(machine)
  if (sequence === undefined) return undefined
  const args = arrayArgument(machine, 4, machine.low(5) >>> 0)
  if (typeof args !== "object") return args
  const format = formatArgument(machine, 2, machine.low(3) >>> 0)
  if (typeof format !== "string") return format
  const text = formatText(worldOf(machine), format, args)
  if (typeof text === "number") return text
  return sequence.append(bytesOf(text)) ? 0 : -ERRNO.EOVERFLOW
}

/** long bpf_seq_write(m, data, len) */
function seqWrite(machine: HelperMachine): number | undefined {
  const sequence = sequenceArgument(machine)
  if (sequence === undefined) return undefined
  const size = machine.low(3) >>> 0
  const start = machine.checkRead(2, size)
  if (start < 0) return undefined
  return sequence.append(machine.space.u8.slice(start, start + size)) ? 0 : -ERRNO.EOVERFLOW
}

/** As `%p` prints it: NULL and error values as they are. */
function hashedPointer(address: bigint): string {
  const isPlain = address === 0n || BigInt.asIntN(64, address) >= -4095n
  const shown = isPlain && BigInt.asIntN(64, address) <= 0n ? address : hashAddress(address)
  return shown.toString(16).padStart(16, "0")
}

/** What a `struct btf_ptr` in register `n` stands for, a negative errno, or undefined after a fault. */
function objectText(
  machine: HelperMachine,
  n: number,
  size: number,
  flags: number,
): string | number | undefined {
  const start = machine.checkRead(n, size)
  if (start < 0) return undefined
  if (size !== BTF_PTR_BYTES || flags & ~BTF_F_ALL || flags < 0) return -ERRNO.EINVAL
  const { space, environment } = machine
  const { types } = environment.kernel
  const id = space.view.getUint32(start + 8, true)
  if (id === 0) return -ERRNO.EINVAL
  if (id >= types.typeCount) return -ERRNO.ENOENT
  const [low, high] = [space.view.getInt32(start, true), space.view.getInt32(start + 4, true)]
  const bytes = types.sizeOf(id)
  // copy_from_kernel_nofault says -ERANGE for what is no address of the kernel.
  if (high >>> 0 < KERNEL_HALF) return -ERRNO.ERANGE
  if (!isReadable(space, low, high, Math.max(bytes, 1))) return -ERRNO.EFAULT
  return typeText(types, space, id, low, { flags, hashedPointer })
}

/** long bpf_snprintf_btf(str, str_size, ptr, btf_ptr_size, flags): bytes of the whole text. */
function snprintfBtf(machine: HelperMachine): number | undefined {
  const size = machine.low(2) >>> 0
  const target = machine.checkWrite(1, size)
  if (target < 0) return undefined
  const text = objectText(machine, 3, machine.low(4) >>> 0, flagsArgument(machine, 5))
  if (typeof text !== "string") return text
  if (size > 0) writeText(machine.space, target, `${text.slice(0, size - 1)}\0`)
  return text.length
}

/** long bpf_seq_printf_btf(m, ptr, ptr_size, flags) */
function seqPrintfBtf(machine: HelperMachine): number | undefined {
  const sequence = sequenceArgument(machine)
  if (sequence === undefined) return undefined
  const text = objectText(machine, 2, machine.low(3) >>> 0, flagsArgument(machine, 4))
  if (typeof text !== "string") return text
  // Overflow is found when the file is read, not here.
  sequence.append(bytesOf(text))
  return 0
}

export const sequenceHelpers: HelperTable = {
  seq_printf: answers(seqPrintf),
  seq_write: answers(seqWrite),
  seq_printf_btf: answers(seqPrintfBtf),
  snprintf_btf: answers(snprintfBtf),
}
