/**
 * A packet in linear memory, with head and tail room, and the metadata that Linux keeps in
 * `xdp_buff` or `sk_buff` around it. `[data, dataEnd)` is the packet; `[dataMeta, data)` is XDP
 * metadata. The packet region of the address space always spans `[dataMeta, dataEnd)`.
 */

export interface PacketBuffer {
  readonly kind: "xdp" | "skb"
  /** First byte of the allocation, and its end. */
  readonly hardStart: number
  readonly hardEnd: number
  dataMeta: number
  data: number
  dataEnd: number
  /** Region whose bounds follow `dataMeta` and `dataEnd`. */
  readonly region: number
  /** Writes the pointers (and `len`) back into the program's context after they changed. */
  syncContext(): void
}
