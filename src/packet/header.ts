/**
 * What a dissected frame consists of: typed headers with their place in the frame. Numbers are
 * as the wire has them, in host order; addresses are text; lengths are in bytes even where the
 * wire counts words.
 */

/** Where a header lies. */
interface Placed {
  /** Of its first byte in the frame. */
  readonly offset: number
  /** Bytes of the header itself, options included. */
  readonly length: number
}

export interface EthernetHeader extends Placed {
  readonly kind: "ethernet"
  readonly dst: string
  readonly src: string
  /** An EtherType, or (below 0x600) the length of an IEEE 802.3 frame. */
  readonly type: number
}

/** A pseudo link header of a capture: Linux "cooked" (versions 1 and 2), BSD loopback. */
export interface CookedHeader extends Placed {
  readonly kind: "cooked"
  /** EtherType; BSD address families are translated. */
  readonly type: number
  /** 0 to us, 1 broadcast, 2 multicast, 3 to another host, 4 from us; `null` for BSD loopback. */
  readonly packetType: number | null
}

export interface VlanHeader extends Placed {
  readonly kind: "vlan"
  /** The EtherType that announced the tag: 0x8100 or 0x88a8. */
  readonly tpid: number
  readonly id: number
  readonly priority: number
  readonly dropEligible: boolean
  readonly type: number
}

export interface ArpHeader extends Placed {
  readonly kind: "arp"
  readonly hardwareType: number
  readonly protocolType: number
  readonly operation: number
  /** The four addresses are `null` when they are not of Ethernet and IPv4. */
  readonly senderMac: string | null
  readonly senderIp: string | null
  readonly targetMac: string | null
  readonly targetIp: string | null
}

export interface Ipv4Header extends Placed {
  readonly kind: "ipv4"
  readonly tos: number
  readonly totalLength: number
  readonly id: number
  readonly dontFragment: boolean
  readonly moreFragments: boolean
  readonly fragmentOffset: number
  readonly ttl: number
  readonly protocol: number
  readonly checksum: number
  readonly src: string
  readonly dst: string
  readonly options: Uint8Array
}

export interface Ipv6Header extends Placed {
  readonly kind: "ipv6"
  readonly trafficClass: number
  readonly flowLabel: number
  readonly payloadLength: number
  readonly nextHeader: number
  readonly hopLimit: number
  readonly src: string
  readonly dst: string
}

/** A hop-by-hop, routing, destination options, mobility or authentication header. */
export interface Ipv6ExtensionHeader extends Placed {
  readonly kind: "ipv6-extension"
  /** Its protocol number. */
  readonly type: number
  readonly nextHeader: number
  /** All after the first two bytes. */
  readonly data: Uint8Array
}

export interface Ipv6FragmentHeader extends Placed {
  readonly kind: "ipv6-fragment"
  readonly nextHeader: number
  readonly fragmentOffset: number
  readonly moreFragments: boolean
  readonly id: number
}

export interface TcpHeader extends Placed {
  readonly kind: "tcp"
  readonly srcPort: number
  readonly dstPort: number
  readonly seq: number
  readonly ack: number
  /** The eight bits of TCP_FLAGS. */
  readonly flags: number
  readonly window: number
  readonly checksum: number
  readonly urgentPointer: number
  readonly options: Uint8Array
}

export interface UdpHeader extends Placed {
  readonly kind: "udp"
  readonly srcPort: number
  readonly dstPort: number
  /** Of header and payload, as the header says. */
  readonly datagramLength: number
  readonly checksum: number
}

export interface IcmpHeader extends Placed {
  readonly kind: "icmp" | "icmpv6"
  readonly type: number
  readonly code: number
  readonly checksum: number
  /** The second 32-bit word: identifier and sequence number of an echo. */
  readonly rest: number
}

export interface GreHeader extends Placed {
  readonly kind: "gre"
  readonly flags: number
  readonly type: number
  readonly key: number | null
}

/** VXLAN or Geneve, recognised by the UDP port. */
export interface OverlayHeader extends Placed {
  readonly kind: "vxlan" | "geneve"
  readonly vni: number
  readonly type: number
}

export type Header =
  | EthernetHeader
  | CookedHeader
  | VlanHeader
  | ArpHeader
  | Ipv4Header
  | Ipv6Header
  | Ipv6ExtensionHeader
  | Ipv6FragmentHeader
  | TcpHeader
  | UdpHeader
  | IcmpHeader
  | GreHeader
  | OverlayHeader

export type HeaderKind = Header["kind"]

/** Something that is not as it should be; dissection goes on as far as it can. */
export interface Problem {
  /** `truncated`: the frame ends too early. `malformed`: a field says what cannot be. */
  readonly kind: "truncated" | "malformed"
  /** The header at fault. */
  readonly header: HeaderKind
  readonly offset: number
  /** One clause: `an ipv4 header has 20 bytes, 7 are there`. */
  readonly message: string
}

/** A frame taken apart. */
export interface Dissection {
  /** From the outside in. Empty when even the link header is cut, or its type is not known. */
  readonly headers: readonly Header[]
  /** Where what follows the last header begins. */
  readonly payloadOffset: number
  /** Bytes of it that are there, without padding that IP does not count. */
  readonly payloadLength: number
  readonly problems: readonly Problem[]
}
