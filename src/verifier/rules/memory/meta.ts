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
