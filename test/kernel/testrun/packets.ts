/** Frames and contexts for test runs. */

import { bytes } from "./sides.ts"

const ETH = "020000000001 020000000002"
const IPV4 = "45000054 00010000 4011aaaa c0a80001 c0a80002"
const UDP = "04d20035 0040bbbb"
const PAYLOAD = Array.from({ length: 56 }, (_, i) => i.toString(16).padStart(2, "0")).join("")

/** Ethernet, IPv4 (20 bytes), UDP, 56 bytes of payload. */
export const udp4: Uint8Array = bytes(`${ETH} 0800 ${IPV4} ${UDP} ${PAYLOAD}`)
/** Ethernet, IPv6, UDP, payload. */
export const udp6: Uint8Array = bytes(
  `${ETH} 86dd 60000000 00401140 20010db8000000000000000000000001 20010db8000000000000000000000002 ${UDP} ${PAYLOAD}`,
)
/** The same with a VLAN tag. */
export const tagged: Uint8Array = bytes(`${ETH} 8100 6064 0800 ${IPV4} ${UDP} ${PAYLOAD}`)
export const doubleTagged: Uint8Array = bytes(
  `${ETH} 88a8 0064 8100 00c8 0800 ${IPV4} ${UDP} ${PAYLOAD}`,
)
export const arp: Uint8Array = bytes(
  `ffffffffffff 020000000002 0806 00010800060400010200000000020a0000010000000000000a000002`,
)
/** 802.3 with a length instead of a type: LLC, and Novell's raw form. */
export const llc: Uint8Array = bytes(`0180c2000000 020000000002 0026 424203 ${PAYLOAD}`)
export const novell: Uint8Array = bytes(`020000000001 020000000002 0026 ffff ${PAYLOAD}`)

/** A context of `size` bytes with 32-bit (or given) fields set. */
export function context(
  size: number,
  fields: readonly (readonly [offset: number, value: number | bigint])[],
): Uint8Array {
  const data = new Uint8Array(size)
  const view = new DataView(data.buffer)
  for (const [offset, value] of fields)
    if (typeof value === "bigint") view.setBigUint64(offset, value, true)
    else view.setUint32(offset, value, true)
  return data
}

/** A frame of a given length: Ethernet, an unknown type, counted bytes. */
export function frame(length: number): Uint8Array {
  const data = new Uint8Array(length)
  for (let i = 0; i < length; i++) data[i] = i & 0xff
  data.set(bytes(`${ETH} 88b5`).subarray(0, length))
  return data
}
