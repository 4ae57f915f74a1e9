/**
 * Offsets of context fields by name, taken from the one table of context layouts
 * ({@link CONTEXTS}), for the code that fills and reads contexts in linear memory.
 */

import { CONTEXTS } from "../../spec/index.ts"

function offsetsOf(name: string): Readonly<Record<string, number>> {
  return Object.fromEntries(CONTEXTS[name].fields.map((field) => [field.name, field.offset]))
}

/** Byte offsets of the fields of `struct __sk_buff`. */
export const SKB: Readonly<Record<string, number>> = offsetsOf("__sk_buff")
/** Byte offsets of the fields of `struct xdp_md`. */
export const XDP_MD: Readonly<Record<string, number>> = offsetsOf("xdp_md")
/** Byte offsets of the fields of `struct bpf_sock`. */
export const BPF_SOCK: Readonly<Record<string, number>> = offsetsOf("bpf_sock")

/** sizeof(struct __sk_buff). */
export const SKB_CONTEXT_BYTES: number = CONTEXTS.__sk_buff.sizeBytes
/** sizeof(struct xdp_md). */
export const XDP_CONTEXT_BYTES: number = CONTEXTS.xdp_md.sizeBytes
/** sizeof(struct bpf_sock). */
export const SOCK_BYTES: number = CONTEXTS.bpf_sock.sizeBytes
