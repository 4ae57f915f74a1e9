/** The fields of dissected headers by name and as text, for tables and for comparing frames. */

import { formatHex } from "../base/index.ts"
import type { Header } from "./header.ts"
import { tcpFlagNames } from "./protocol.ts"

export interface FieldText {
  /** Within its header: `tos`. */
  readonly name: string
  readonly text: string
}

/** Fields that people read in hex, with their digits. */
const HEX_DIGITS: Readonly<Record<string, number>> = {
  "ethernet.type": 4,
  "cooked.type": 4,
  "vlan.tpid": 4,
  "vlan.type": 4,
  "arp.protocolType": 4,
  "ipv4.tos": 2,
  "ipv4.id": 4,
  "ipv4.checksum": 4,
  "ipv6.trafficClass": 2,
  "ipv6.flowLabel": 5,
  "tcp.checksum": 4,
  "udp.checksum": 4,
  "icmp.checksum": 4,
  "icmp.rest": 8,
  "icmpv6.checksum": 4,
  "icmpv6.rest": 8,
  "gre.flags": 4,
  "gre.type": 4,
  "gre.key": 8,
  "vxlan.type": 4,
  "geneve.type": 4,
}

/** Not fields of the wire but of the dissection; `length` is one where a header can grow. */
const PLACE = ["kind", "offset", "length"]

/** All fields of a header, in the order of its type, with the header's length last. */
export function headerFields(header: Header): FieldText[] {
  const fields: FieldText[] = []
  for (const [name, value] of Object.entries(header)) {
    if (PLACE.includes(name) || value === null) continue
    fields.push({ name, text: fieldText(`${header.kind}.${name}`, value) })
  }
  fields.push({ name: "headerLength", text: String(header.length) })
  return fields
}

function fieldText(field: string, value: number | string | boolean | Uint8Array): string {
  if (value instanceof Uint8Array) return value.length === 0 ? "none" : formatHex(value)
  if (typeof value !== "number") return String(value)
  if (field === "tcp.flags") return tcpFlagNames(value).join(",") || "none"
  const digits = HEX_DIGITS[field]
  return digits === undefined ? String(value) : `0x${value.toString(16).padStart(digits, "0")}`
}
