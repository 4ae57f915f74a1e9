/**
 * What an engine shares with the kernel around it: the memory, the registers, and how helpers are
 * called. The interpreter implements {@link Machine}; the embedded kernel provides the
 * {@link AddressSpace} and the helper functions.
 *
 * An eBPF address is a 64-bit value. Its low half is an offset into the one linear memory; its
 * high half is the tag of a region, `REGION_TAG | region index`, so every address says to which
 * region it belongs, and NULL, small integers and error values (-4095…-1) are never valid. An
 * access is legal when `[low, low + size)` lies inside the region's current bounds.
 */

/** High half of every valid address: this, or'ed with the region's index (up to 32,767). */
export const REGION_TAG: number = 0xffff8000 | 0
/** High half of a function address (BPF_PSEUDO_FUNC); the low half is the slot of its first instruction. */
export const FUNCTION_TAG: number = 0xffff4000 | 0

/** `flags` of a region. */
export const REGION_READ = 1
export const REGION_WRITE = 2
/**
 * A program context: some of its 32-bit fields hold packet addresses (`data`, `data_end`…), whose
 * high half {@link AddressSpace.contextTag} supplies when they are loaded with 32 bits.
 */
export const REGION_CONTEXT = 4
/**
 * Kernel objects that tracing programs read through BTF pointers: a load outside the bounds gives
 * 0 instead of a fault, as Linux's exception tables do.
 */
export const REGION_PROBE = 8

/**
 * Linear memory, of less than 2 GiB, and the regions in it. All arrays are indexed by region, and
 * are replaced when there are more. Regions keep 32 KiB away from both ends of the memory.
 */
export interface AddressSpace {
  readonly memory: WebAssembly.Memory
  /** Views of the whole memory; replaced when memory grows, so read them afresh after any call out. */
  u8: Uint8Array
  i32: Int32Array
  view: DataView
  /** First byte, end (exclusive), and REGION_ flags; a region of no bytes has start = end. */
  regionStart: Uint32Array
  regionEnd: Uint32Array
  regionFlags: Uint8Array
  /**
   * For a context region: the high half for a 32-bit load at byte `offset` of the context, or 0
   * when the field there is a plain integer.
   */
  contextTag(region: number, offset: number): number
}

/** Why a run ended early. */
export interface Fault {
  readonly kind:
    | "read"
    | "write"
    | "budget"
    | "instruction"
    | "call-depth"
    | "stack"
    | "helper"
    | "division"
  /** Slot of the instruction at fault, in the program that ran (after tail calls). */
  readonly slot: number
  readonly program: string
  /** One sentence. */
  readonly message: string
  /** The address of a memory fault. */
  readonly address?: bigint
  readonly size?: number
}

/**
 * A helper (or kfunc). It finds its arguments in `machine.registers` (r1 to r5) and leaves its
 * result in r0 with one of the `set…` methods; it may call back into the program.
 */
export type HelperFunction<E = unknown> = (machine: Machine<E>) => void

/** The engine's side of a call out of a program. One machine per virtual CPU and nesting level. */
export interface Machine<E = unknown> {
  readonly space: AddressSpace
  /**
   * rN, N up to 10: low half at `2 * N`, high half at `2 * N + 1`. What lies behind is the
   * engine's. Another array may take its place when another program is run.
   */
  readonly registers: Int32Array
  /** The kernel's environment of this run: program, context, packet, task, CPU. */
  readonly environment: E

  /** The low half of register `n`: an offset when it holds an address, an int when it is one. */
  low(n: number): number
  /** The high half. */
  high(n: number): number
  /** The whole register, unsigned. */
  big(n: number): bigint
  /** The register as an unsigned number, exact up to 2^53. */
  number(n: number): number

  /** r0 = a signed 32-bit integer (errno results, counts), sign-extended. */
  setResult(value: number): void
  setResult64(low: number, high: number): void
  setResultBig(value: bigint): void

  /**
   * Checks that `size` bytes at the address in register `n` may be read (or written); returns the
   * offset into linear memory, or -1 after raising a fault. A size of 0 is always legal.
   */
  checkRead(n: number, size: number): number
  checkWrite(n: number, size: number): number
  /** Ends the run with a fault of kind "helper". */
  fail(message: string): void

  /**
   * Calls the function of the running program that starts at `slot`, the low half of a function
   * address, with up to five arguments given as (low, high) pairs. Returns the low half of its r0,
   * or undefined if it faulted (then the helper returns at once). All registers are as before.
   */
  callback(
    slot: number,
    args: readonly (readonly [low: number, high: number])[],
  ): number | undefined

  /**
   * Once the helper returns, the current frame goes on in `program`, with the registers as they
   * are (bpf_tail_call). After 33 tail calls in a run it does nothing, and the caller goes on.
   */
  tailCall(program: Executable<E>): void
  /** Tail calls made in this run so far. */
  readonly tailCalls: number
}

/** A program prepared for execution: decoded, with its calls bound. */
export interface Executable<E = unknown> {
  readonly name: string
  /** Slots, for messages. */
  readonly length: number
  readonly "~environment"?: E
}
