/** What the readers and writers of capture files share: frames, interfaces, limits. */

/** One frame of a capture. */
export interface CapturedFrame {
  /** The bytes that were captured, from the first of the link-layer header. */
  readonly data: Uint8Array
  /** Nanoseconds since 1970-01-01 UTC; 0n when the format has none (pcapng simple packets). */
  readonly timestampNs: bigint
  /** Bytes that the frame had on the wire: `data` is shorter when the capture cut it. */
  readonly originalLength: number
  /** Index into the capture's `interfaces`. */
  readonly interface: number
}

/** Where frames were captured. A pcap file has exactly one. */
export interface CaptureInterface {
  /** A LINKTYPE_ number. */
  readonly linkType: number
  /** Bytes after which frames were cut; 0 is no limit. */
  readonly snapLength: number
  /** `if_name` of pcapng, such as `eth0`. */
  readonly name: string | null
}

export type CaptureFormat = "pcap" | "pcapng"

/** A capture read to its end. */
export interface Capture {
  readonly format: CaptureFormat
  /** Of the first interface. */
  readonly linkType: number
  readonly interfaces: readonly CaptureInterface[]
  readonly frames: readonly CapturedFrame[]
  /** Whether the file ended inside a record. */
  readonly truncated: boolean
}

/** A capture being read. */
export interface CaptureReader {
  readonly format: CaptureFormat
  /** Of the first interface. */
  readonly linkType: number
  /** Those described before the frame that was read last; a pcapng file may add some later. */
  readonly interfaces: readonly CaptureInterface[]
  /** Whether the file ended inside a record; known when `frames()` has ended. */
  readonly truncated: boolean
  /** All frames from the first. @throws ObjectError at a record that cannot be. */
  frames(): Generator<CapturedFrame, void>
}

/** What a writer needs of a frame. */
export interface FrameToWrite {
  readonly data: Uint8Array
  /** Nanoseconds since 1970-01-01 UTC; 0n when not given. */
  readonly timestampNs?: bigint
  /** The length of `data` when not given. */
  readonly originalLength?: number
  /** Index into the writer's interfaces (pcapng only); 0 when not given. */
  readonly interface?: number
}

/** Bytes that a captured frame may have (libpcap's MAXIMUM_SNAPLEN). */
export const FRAME_LENGTH_MAX = 262_144

export const NS_PER_SECOND = 1_000_000_000n
