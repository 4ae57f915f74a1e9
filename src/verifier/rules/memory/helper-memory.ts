/** Memory that a call reads or writes: arguments of helpers, kfuncs and global functions. */

import type { Verifier } from "../../verifier.ts"

/** What the checks of one call's arguments tell each other; Linux: bpf_call_arg_meta. */
export interface MemoryMeta {
  /** The memory need not be initialised: the call fills it (MEM_UNINIT). */
  rawMode: boolean
  /** The helper may be given packet pointers. */
  packetAccess: boolean
  /** In raw mode: bytes and register of stack memory that the call will fill. */
  accessSize: number
  regno: number
  /** Largest size that the size argument may have. */
  maxSize: bigint
}

/** Linux: check_helper_mem_access. `size` bytes at register `regno` are read, or written. */
export function checkHelperMemory(
  _v: Verifier,
  _regno: number,
  _size: number,
  _write: boolean,
  _zeroAllowed: boolean,
  _meta: MemoryMeta | null,
): void {
  throw new Error("not yet")
}

/** Linux: check_mem_size_reg. Register `sizeRegno` is the size of the memory at `regno`. */
export function checkMemorySizePair(
  _v: Verifier,
  _regno: number,
  _sizeRegno: number,
  _write: boolean,
  _zeroAllowed: boolean,
  _meta: MemoryMeta | null,
): void {
  throw new Error("not yet")
}

/** Linux: check_mem_reg. `size` bytes at `regno` may be read and written; NULL if it may be. */
export function checkMemoryRegister(_v: Verifier, _regno: number, _size: number): void {
  throw new Error("not yet")
}

/** Linux: check_kfunc_mem_size_reg. Both read and write, zero allowed. */
export function checkKfuncMemorySizePair(_v: Verifier, _regno: number, _sizeRegno: number): void {
  throw new Error("not yet")
}

/** Linux: check_stack_range_initialized. `write`: the call may also write there. */
export function checkStackRangeInitialised(
  _v: Verifier,
  _regno: number,
  _off: number,
  _size: number,
  _zeroAllowed: boolean,
  _write: boolean,
  _meta: MemoryMeta | null,
): void {
  throw new Error("not yet")
}

/** Linux: check_map_access(…, ACCESS_HELPER) for a pointer into a map's value. */
export function checkMapAccess(
  _v: Verifier,
  _regno: number,
  _off: number,
  _size: number,
  _zeroAllowed: boolean,
  _helper: boolean,
): void {
  throw new Error("not yet")
}
