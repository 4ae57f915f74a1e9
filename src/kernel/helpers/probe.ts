/**
 * Reading memory that may not be there: a fault gives an errno and a destination of zeros (linux
 * v6.18 kernel/trace/bpf_trace.c bpf_probe_read_*, mm/maccess.c).
 *
 * The kernel forms refuse addresses of user space (and anything below it, such as NULL) with
 * -ERANGE before they try, as copy_from_kernel_nofault_allowed does; the user forms find nothing
 * in the kernel's half. The old forms without either in their name look at the address.
 */

import { REGION_TAG } from "../../interpreter/index.ts"
import { ERRNO } from "../../spec/index.ts"
import { answers, type HelperMachine, type HelperTable, isReadable } from "./support.ts"

type Half = "kernel" | "user" | "either"

/** High half of the first address of the kernel's half, and of the last of user space's. */
const KERNEL_HALF = 0xffff_8000
const USER_HALF = 0x0000_7fff

/** 0 when the half of the address space may be tried, or the errno. */
function refusal(machine: HelperMachine, n: number, half: Half): number {
  const { userRegion } = machine.environment.kernel
  const high = machine.high(n)
  const inUser = high === (REGION_TAG | userRegion)
  if (half === "user") return inUser ? 0 : -ERRNO.EFAULT
  // Small numbers are the start of user space, where nothing is mapped.
  const isKernel = high >>> 0 >= KERNEL_HALF
  if (half === "kernel") return inUser || !isKernel ? -ERRNO.ERANGE : 0
  return isKernel || high >>> 0 <= USER_HALF ? 0 : -ERRNO.ERANGE
}

/** Copies a number of bytes. */
function reads(half: Half) {
  return (machine: HelperMachine): number | undefined => {
    const size = machine.low(2) >>> 0
    const target = machine.checkWrite(1, size)
    if (target < 0) return undefined
    if (size === 0) return 0
    const { space } = machine
    const low = machine.low(3)
    let result = refusal(machine, 3, half)
    if (result === 0 && !isReadable(space, low, machine.high(3), size)) result = -ERRNO.EFAULT
    if (result < 0) space.u8.fill(0, target, target + size)
    else space.u8.copyWithin(target, low, low + size)
    return result
  }
}

/** Copies up to and including a zero; returns the bytes copied, the last of them always zero. */
function readsString(half: Half) {
  return (machine: HelperMachine): number | undefined => {
    const size = machine.low(2) >>> 0
    const target = machine.checkWrite(1, size)
    if (target < 0) return undefined
    if (size === 0) return 0
    const { space } = machine
    const low = machine.low(3)
    const high = machine.high(3)
    let result = refusal(machine, 3, half)
    for (let i = 0; result === 0; i++) {
      if (i === size - 1) {
        space.u8[target + i] = 0
        // A string that fills the buffer is cut; the kernel has still looked at its last byte.
        return isReadable(space, low + i, high, 1) ? size : fail(machine, target, size)
      }
      if (!isReadable(space, low + i, high, 1)) {
        result = -ERRNO.EFAULT
        break
      }
      const byte = space.u8[low + i]
      space.u8[target + i] = byte
      if (byte === 0) return i + 1
    }
    space.u8.fill(0, target, target + size)
    return result
  }
}

function fail(machine: HelperMachine, target: number, size: number): number {
  machine.space.u8.fill(0, target, target + size)
  return -ERRNO.EFAULT
}

/** long bpf_copy_from_user_task(dst, size, user_ptr, tsk, flags) */
function copyFromUserTask(machine: HelperMachine): number | undefined {
  if (machine.low(5) !== 0 || machine.high(5) !== 0) return -ERRNO.EINVAL
  return reads("user")(machine)
}

/** long bpf_probe_write_user(dst, src, len): kernel threads have no user memory to write to. */
function writeUser(machine: HelperMachine): number | undefined {
  const size = machine.low(3) >>> 0
  const source = machine.checkRead(2, size)
  if (source < 0) return undefined
  if (machine.environment.task.pid === 0) return -ERRNO.EPERM
  const { space } = machine
  if (refusal(machine, 1, "user") < 0) return -ERRNO.EPERM
  if (!isReadable(space, machine.low(1), machine.high(1), size)) return -ERRNO.EFAULT
  space.u8.copyWithin(machine.low(1), source, source + size)
  return 0
}

export const probeHelpers: HelperTable = {
  probe_read: answers(reads("either")),
  probe_read_kernel: answers(reads("kernel")),
  probe_read_user: answers(reads("user")),
  probe_read_str: answers(readsString("either")),
  probe_read_kernel_str: answers(readsString("kernel")),
  probe_read_user_str: answers(readsString("user")),
  copy_from_user: answers(reads("user")),
  copy_from_user_task: answers(copyFromUserTask),
  probe_write_user: answers(writeUser),
}
