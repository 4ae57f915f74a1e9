/**
 * Which fields hold addresses. BTF knows integers; that one is an IPv4 address, or that a port is
 * big-endian, only its name and its typedefs tell. Only the presentation depends on these guesses.
 */

import type { Btf, BtfType } from "../../btf/index.ts"

const ADDRESS =
  /^(ip|ips|ipv?4|ipv?6|addr|address|saddr|daddr|src|dst|source|sources|dest|destination|destinations|remote|local|client|server|host|gateway|nexthop|blocklist|blacklist|allowlist|whitelist|blocked|banned)$/
const MAC = /^(mac|macs|hwaddr|lladdr|ethaddr|eth|smac|dmac)$/
/** Big-endian numbers that are no addresses. */
const NO_ADDRESS =
  /^(seq|ack|ackseq|flow|flowlbl|spi|vni|teid|mark|id|ident|len|length|magic|label|xid)$/

/** `src_ip` → `src`, `ip`; `srcIp` likewise. */
function words(name: string): string[] {
  return name
    .replace(/([a-z0-9])([A-Z])/g, "$1_$2")
    .toLowerCase()
    .split(/[_.]+/)
    .filter((word) => word !== "")
}

/** Whether a name speaks of IP addresses: `saddr`, `src_ip`, `blocklist`. */
export function isAddressName(name: string): boolean {
  const parts = words(name)
  if (parts.some((word) => NO_ADDRESS.test(word) || /port/.test(word))) return false
  return parts.some((word) => ADDRESS.test(word.replace(/[0-9]+$/, "")) || ADDRESS.test(word))
}

/** Whether a name speaks of link addresses: `src_mac`, `h_dest`. */
export function isMacName(name: string): boolean {
  return /^h_(source|dest)$/.test(name) || words(name).some((word) => MAC.test(word))
}

/** Whether a big-endian 32-bit number of this name is a number and no address. */
export function isNumberName(name: string): boolean {
  return words(name).some((word) => NO_ADDRESS.test(word))
}

/** Bits of a big-endian typedef (`__be16`, `__be32`, `in_addr_t`…) on the way to the type; or 0. */
export function bigEndianBits(btf: Btf, typeId: number): number {
  let type: BtfType = btf.type(typeId)
  // A chain of modifiers ends; BTF that is circular was refused when it was read or resolved.
  for (let depth = 0; depth < 32 && "type" in type; depth++) {
    if (type.kind === "typedef") {
      const found = /^_*be(16|32|64)(_t)?$/.exec(type.name)
      if (found !== null) return Number(found[1])
      if (type.name === "in_addr_t") return 32
      if (type.name === "in_port_t") return 16
    } else if (type.kind === "ptr" || type.kind === "array") return 0
    type = btf.type(type.type)
  }
  return 0
}
