/** What a TCP connection keeps beside its socket (linux v6.18 struct tcp_sock). */

export interface TcpState {
  /** Initial sequence numbers of both sides. */
  iss: number
  irs: number
  sndUna: number
  sndNxt: number
  rcvNxt: number
  /** Bytes sent but not acknowledged, and behind them those not sent yet. */
  unacked: Uint8Array
  unsent: Uint8Array
  /** The end of our stream was asked for, and was sent. */
  finQueued: boolean
  finSent: boolean
  finReceived: boolean
  /** What the peer said in its SYN, and what a segment may carry (mss_cache). */
  peerMss: number
  mss: number
  advertisedMss: number
  timestamps: boolean
  peerTimestamp: number
  sndWindow: number
  /** The largest window the peer has offered; bounds segments to its half. */
  maxWindow: number
  /** What we offer: whole segments, as many as fit into 65,535 bytes. */
  rcvWindow: number
  sndCwnd: number
  ssthresh: number
  /** Microseconds, times 8, as in Linux. */
  srttUs: number
  rttMinUs: number
  rtoMs: number
  rtoMinMs: number
  retransmits: number
  totalRetrans: number
  /** Cancels the retransmission (or TIME_WAIT) timer. */
  timer: (() => void) | null
  /** Cancels the delayed acknowledgment. */
  ackTimer: (() => void) | null
  /** When the oldest unacknowledged segment left, in virtual nanoseconds. */
  sentAt: bigint
  cbFlags: number
  bytesReceived: bigint
  bytesAcked: bigint
  bytesSent: bigint
  segsIn: number
  segsOut: number
  dataSegsIn: number
  dataSegsOut: number
  delivered: number
  saveSyn: number
  savedSyn: Uint8Array | null
  /** IP header and SYN of the peer, while the connection is being set up. */
  synPacket: Uint8Array | null
}

/** A connection that has not begun. */
export function createTcpState(): TcpState {
  return {
    iss: 0,
    irs: 0,
    sndUna: 0,
    sndNxt: 0,
    rcvNxt: 0,
    unacked: new Uint8Array(0),
    unsent: new Uint8Array(0),
    finQueued: false,
    finSent: false,
    finReceived: false,
    peerMss: 536,
    mss: 536,
    advertisedMss: 536,
    timestamps: false,
    peerTimestamp: 0,
    sndWindow: 0,
    maxWindow: 0,
    rcvWindow: 65_535,
    sndCwnd: 10,
    ssthresh: 0x7fffffff,
    srttUs: 0,
    rttMinUs: 0xffffffff,
    rtoMs: 1000,
    rtoMinMs: 200,
    retransmits: 0,
    totalRetrans: 0,
    timer: null,
    ackTimer: null,
    sentAt: 0n,
    cbFlags: 0,
    bytesReceived: 0n,
    bytesAcked: 0n,
    bytesSent: 0n,
    segsIn: 0,
    segsOut: 0,
    dataSegsIn: 0,
    dataSegsOut: 0,
    delivered: 0,
    saveSyn: 0,
    savedSyn: null,
    synPacket: null,
  }
}

/** a < b in sequence space. */
export function before(a: number, b: number): boolean {
  return ((a - b) | 0) < 0
}
