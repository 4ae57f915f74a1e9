/**
 * The kernel's words for register types: what stands in states and in "type=… expected=…".
 *
 * Source: linux v6.18 kernel/bpf/log.c reg_type_str, dynptr_type_str, iter_type_str.
 */

import {
  BASE_TYPE_MASK,
  BPF_DYNPTR_TYPE_LOCAL,
  BPF_DYNPTR_TYPE_RINGBUF,
  BPF_DYNPTR_TYPE_SKB,
  BPF_DYNPTR_TYPE_SKB_META,
  BPF_DYNPTR_TYPE_XDP,
  MEM_PERCPU,
  MEM_RCU,
  MEM_RDONLY,
  MEM_RINGBUF,
  MEM_USER,
  PTR_MAYBE_NULL,
  PTR_TO_BTF_ID,
  PTR_TRUSTED,
  PTR_UNTRUSTED,
} from "../state/register-types.ts"

/** By base type, in the order of register-types.ts. */
const BASE_NAMES: readonly string[] = [
  "?",
  "scalar",
  "ctx",
  "map_ptr",
  "map_value",
  "map_key",
  "fp",
  "pkt_meta",
  "pkt",
  "pkt_end",
  "flow_keys",
  "sock",
  "sock_common",
  "tcp_sock",
  "tp_buffer",
  "xdp_sock",
  "ptr_",
  "mem",
  "arena",
  "buf",
  "func",
  "dynptr_ptr",
]

/** In the order in which the kernel writes them. */
const PREFIXES: readonly (readonly [flag: number, word: string])[] = [
  [MEM_RDONLY, "rdonly_"],
  [MEM_RINGBUF, "ringbuf_"],
  [MEM_USER, "user_"],
  [MEM_PERCPU, "percpu_"],
  [MEM_RCU, "rcu_"],
  [PTR_UNTRUSTED, "untrusted_"],
  [PTR_TRUSTED, "trusted_"],
]

const known = new Map<number, string>()

function spell(type: number): string {
  const base = type & BASE_TYPE_MASK
  let text = ""
  for (const [flag, word] of PREFIXES) if (type & flag) text += word
  text += BASE_NAMES[base]
  if (type & PTR_MAYBE_NULL) text += base === PTR_TO_BTF_ID ? "or_null_" : "_or_null"
  return text
}

/** `map_value_or_null`, `trusted_ptr_`, `fp`: a register type with its flags. */
export function registerTypeName(type: number): string {
  let text = known.get(type)
  if (text === undefined) {
    text = spell(type)
    known.set(type, text)
  }
  return text
}

const DYNPTR_NAMES: Readonly<Record<number, string>> = {
  [BPF_DYNPTR_TYPE_LOCAL]: "local",
  [BPF_DYNPTR_TYPE_RINGBUF]: "ringbuf",
  [BPF_DYNPTR_TYPE_SKB]: "skb",
  [BPF_DYNPTR_TYPE_XDP]: "xdp",
  [BPF_DYNPTR_TYPE_SKB_META]: "skb_meta",
}

/** `local`, `ringbuf`, `skb`…: a BPF_DYNPTR_TYPE_…; `<invalid>` for none. */
export function dynptrTypeName(type: number): string {
  return DYNPTR_NAMES[type] ?? "<invalid>"
}
