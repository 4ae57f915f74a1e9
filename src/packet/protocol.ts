/**
 * Numbers that frames and capture files carry: link types, EtherTypes, IP protocols, TCP flags.
 * Kernel spelling where the kernel has a name (linux v6.18 include/uapi/linux/if_ether.h, in.h,
 * in6.h); LINKTYPE_ names are those of the tcpdump.org registry.
 */

/** BSD loopback: a 4-byte address family in the byte order of the machine that captured. */
export const LINKTYPE_NULL = 0
export const LINKTYPE_ETHERNET = 1
/** Frames begin with an IPv4 or IPv6 header. */
export const LINKTYPE_RAW = 101
/** OpenBSD loopback: as LINKTYPE_NULL, always big-endian. */
export const LINKTYPE_LOOP = 108
/** Linux "cooked" capture: a 16-byte header in place of the link layer's. */
export const LINKTYPE_LINUX_SLL = 113
export const LINKTYPE_IPV4 = 228
export const LINKTYPE_IPV6 = 229
/** Linux "cooked" capture, version 2: a 20-byte header. */
export const LINKTYPE_LINUX_SLL2 = 276

export const ETH_P_IP = 0x0800
export const ETH_P_ARP = 0x0806
export const ETH_P_8021Q = 0x8100
export const ETH_P_IPV6 = 0x86dd
export const ETH_P_8021AD = 0x88a8
/** Transparent Ethernet bridging: an Ethernet frame inside GRE or Geneve. */
export const ETH_P_TEB = 0x6558
/** EtherType fields below this are lengths of an IEEE 802.3 frame. */
export const ETH_P_802_3_MIN = 0x0600

/** Bytes of an Ethernet header without tags. */
export const ETH_HLEN = 14
/** The shortest Ethernet frame, without its frame check sequence. */
export const ETH_ZLEN = 60

export const IPPROTO_HOPOPTS = 0
export const IPPROTO_ICMP = 1
export const IPPROTO_IGMP = 2
export const IPPROTO_IPIP = 4
export const IPPROTO_TCP = 6
export const IPPROTO_UDP = 17
export const IPPROTO_IPV6 = 41
export const IPPROTO_ROUTING = 43
export const IPPROTO_FRAGMENT = 44
export const IPPROTO_GRE = 47
export const IPPROTO_ESP = 50
export const IPPROTO_AH = 51
export const IPPROTO_ICMPV6 = 58
export const IPPROTO_NONE = 59
export const IPPROTO_DSTOPTS = 60
export const IPPROTO_OSPF = 89
export const IPPROTO_VRRP = 112
export const IPPROTO_SCTP = 132
export const IPPROTO_MH = 135

/** Names as `/etc/protocols` has them. */
export const IP_PROTOCOL_NAMES: Readonly<Record<number, string>> = {
  [IPPROTO_HOPOPTS]: "hopopt",
  [IPPROTO_ICMP]: "icmp",
  [IPPROTO_IGMP]: "igmp",
  [IPPROTO_IPIP]: "ipip",
  [IPPROTO_TCP]: "tcp",
  [IPPROTO_UDP]: "udp",
  [IPPROTO_IPV6]: "ipv6",
  [IPPROTO_ROUTING]: "ipv6-route",
  [IPPROTO_FRAGMENT]: "ipv6-frag",
  [IPPROTO_GRE]: "gre",
  [IPPROTO_ESP]: "esp",
  [IPPROTO_AH]: "ah",
  [IPPROTO_ICMPV6]: "icmpv6",
  [IPPROTO_NONE]: "ipv6-nonxt",
  [IPPROTO_DSTOPTS]: "ipv6-opts",
  [IPPROTO_OSPF]: "ospf",
  [IPPROTO_VRRP]: "vrrp",
  [IPPROTO_SCTP]: "sctp",
}

/** The name of an IP protocol, or `proto 253`. */
export function ipProtocolName(protocol: number): string {
  return IP_PROTOCOL_NAMES[protocol] ?? `proto ${protocol}`
}

/** UDP port of VXLAN (RFC 7348 §8). */
export const VXLAN_PORT = 4789
/** UDP port of Geneve (RFC 8926 §3.3). */
export const GENEVE_PORT = 6081

/** Flags of the TCP header by name: the low eight bits of its 14th byte (RFC 9293 §3.1). */
export const TCP_FLAGS = {
  fin: 0x01,
  syn: 0x02,
  rst: 0x04,
  psh: 0x08,
  ack: 0x10,
  urg: 0x20,
  ece: 0x40,
  cwr: 0x80,
} as const

export type TcpFlag = keyof typeof TCP_FLAGS

/** The names of the flags set in `bits`, lowest bit first. */
export function tcpFlagNames(bits: number): TcpFlag[] {
  return (Object.keys(TCP_FLAGS) as TcpFlag[]).filter((name) => (bits & TCP_FLAGS[name]) !== 0)
}
