/**
 * Alignment: the stack's always, because spills are tracked by slot; the rest where the program
 * or the instruction asks for it.
 *
 * Source: linux v6.18 kernel/bpf/verifier.c check_ptr_alignment.
 */

import { ERRNO } from "../../../spec/errno.ts"
import {
  PTR_TO_ARENA,
  PTR_TO_CTX,
  PTR_TO_FLOW_KEYS,
  PTR_TO_MAP_KEY,
  PTR_TO_MAP_VALUE,
  PTR_TO_PACKET,
  PTR_TO_PACKET_META,
  PTR_TO_SOCK_COMMON,
  PTR_TO_SOCKET,
  PTR_TO_STACK,
  PTR_TO_TCP_SOCK,
  PTR_TO_XDP_SOCK,
} from "../../state/register-types.ts"
import { offOf, typeOf } from "../../state/registers.ts"
import type { Verifier } from "../../verifier.ts"
import { variableText } from "./values.ts"

const NAMES: Readonly<Record<number, string>> = {
  [PTR_TO_FLOW_KEYS]: "flow keys ",
  [PTR_TO_MAP_KEY]: "key ",
  [PTR_TO_MAP_VALUE]: "value ",
  [PTR_TO_CTX]: "context ",
  [PTR_TO_STACK]: "stack ",
  [PTR_TO_SOCKET]: "sock ",
  [PTR_TO_SOCK_COMMON]: "sock_common ",
  [PTR_TO_TCP_SOCK]: "tcp_sock ",
  [PTR_TO_XDP_SOCK]: "xdp_sock ",
}

/** An Ethernet header is 14 bytes long, so packets start 2 bytes off (NET_IP_ALIGN). */
const IP_ALIGN = 2

/** `off`: the instruction's, without the pointer's fixed offset. */
export function checkAlignment(
  v: Verifier,
  regno: number,
  off: number,
  size: number,
  strict: boolean,
): void {
  if (size === 1) return
  const d = v.domain
  const reg = v.reg(regno)
  const type = typeOf(d, reg)
  if (!strict && !v.strictAlignment && type !== PTR_TO_STACK) return
  if (type === PTR_TO_ARENA) return
  if (type === PTR_TO_PACKET || type === PTR_TO_PACKET_META) {
    if (d.alignedTo(reg, off + IP_ALIGN, size) !== 0) return
    v.reject(
      ERRNO.EACCES,
      `misaligned packet access off ${IP_ALIGN}+${variableText(d, reg)}+${offOf(d, reg)}+${off} size ${size}`,
      { rule: "alignment", register: regno, offset: off, size },
    )
  }
  if (d.alignedTo(reg, off, size) !== 0) return
  v.reject(
    ERRNO.EACCES,
    `misaligned ${NAMES[type] ?? ""}access off ${variableText(d, reg)}+${offOf(d, reg)}+${off} size ${size}`,
    { rule: "alignment", register: regno, offset: off, size },
  )
}
