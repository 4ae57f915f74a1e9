/** Headers that programs of routes put before packets (linux v6.18 net/core/lwt_bpf.c bpf_lwt_push_ip_encap). */

import { internetChecksum } from "../../packet/index.ts"
import { BPF_PROG_TYPE, ERRNO } from "../../spec/index.ts"
import type { SkBuffer } from "../contexts/index.ts"
import { ETH_P_IP, ETH_P_IPV6 } from "../net/wire.ts"
import { onSkb } from "./packet.ts"
import type { HelperMachine, HelperTable } from "./support.ts"

const BPF_LWT_ENCAP_IP = 2
const LWT_BPF_MAX_HEADROOM = 256
const IP4_HEADER_BYTES = 20
const IP6_HEADER_BYTES = 40

/** long bpf_lwt_push_encap(skb, type, hdr, len): segment routing is not there. */
function pushEncap(machine: HelperMachine, skb: SkBuffer): number | undefined {
  const length = machine.low(4) >>> 0
  const source = machine.checkRead(3, length)
  if (source < 0) return undefined
  if (machine.low(2) !== BPF_LWT_ENCAP_IP) return -ERRNO.EINVAL
  if (length < IP4_HEADER_BYTES || length > LWT_BPF_MAX_HEADROOM) return -ERRNO.EINVAL
  const header = machine.space.u8.slice(source, source + length)
  const version = header[0] >> 4
  if (version === 4) {
    if (length < (header[0] & 15) * 4) return -ERRNO.EINVAL
  } else if (version !== 6 || length < IP6_HEADER_BYTES) return -ERRNO.EINVAL
  const ingress = machine.environment.program.type === BPF_PROG_TYPE.BPF_PROG_TYPE_LWT_IN
  if (!skb.reserve(length + (ingress ? 0 : 32), 0)) return -ERRNO.ENOMEM
  skb.data -= length
  skb.dataMeta = Math.min(skb.dataMeta, skb.data)
  skb.networkHeader = skb.data
  skb.encapsulation = true
  if (version === 4 && header[10] === 0 && header[11] === 0) {
    const checksum = internetChecksum(header.subarray(0, (header[0] & 15) * 4))
    header.set([checksum >> 8, checksum & 255], 10)
  }
  machine.space.u8.set(header, skb.data)
  skb.protocol = version === 4 ? ETH_P_IP : ETH_P_IPV6
  skb.set("hash", 0)
  skb.l4Hash = false
  skb.syncContext()
  return 0
}

export const lwtHelpers: HelperTable = { lwt_push_encap: onSkb(pushEncap) }
