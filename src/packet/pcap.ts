/**
 * The pcap file format (draft-ietf-opsawg-pcap): a 24-byte header, then records of a 16-byte
 * header and the frame. Microsecond and nanosecond files of both byte orders, and files of
 * patched Linux kernels of 1999 ("modified" pcap, 8 more bytes a record header).
 */

import { ByteReader, ObjectError, viewOf } from "../base/index.ts"
import { LINKTYPE_ETHERNET } from "./protocol.ts"
import {
  type CapturedFrame,
  type CaptureInterface,
  type CaptureReader,
  FRAME_LENGTH_MAX,
  type FrameToWrite,
  NS_PER_SECOND,
} from "./record.ts"

const MAGIC_MICROSECONDS = 0xa1b2c3d4
const MAGIC_NANOSECONDS = 0xa1b23c4d
const MAGIC_MODIFIED = 0xa1b2cd34
const MAGICS = [MAGIC_MICROSECONDS, MAGIC_NANOSECONDS, MAGIC_MODIFIED]

const FILE_HEADER_SIZE = 24
const RECORD_HEADER_SIZE = 16
/** Interface index, protocol and packet type follow in modified files. */
const MODIFIED_EXTRA_SIZE = 8

/** The link type is the low 26 bits; above are the length of a frame check sequence and flags. */
const LINKTYPE_MASK = 0x03ffffff

/** The byte order in which the first word is a magic number; `undefined` when in none. */
function byteOrder(bytes: Uint8Array): { littleEndian: boolean; magic: number } | undefined {
  if (bytes.length < 4) return undefined
  const view = viewOf(bytes)
  for (const littleEndian of [true, false]) {
    const magic = view.getUint32(0, littleEndian)
    if (MAGICS.includes(magic)) return { littleEndian, magic }
  }
  return undefined
}

/** Whether `bytes` begin with a magic number of pcap. */
export function isPcap(bytes: Uint8Array): boolean {
  return byteOrder(bytes) !== undefined
}

/**
 * Opens a pcap file.
 *
 * @throws ObjectError when the file header is cut, or of a version before 2.
 */
export function openPcap(bytes: Uint8Array): CaptureReader {
  const order = byteOrder(bytes)
  if (order === undefined) throw new ObjectError("no magic number of pcap", { offset: 0 })
  const reader = new ByteReader(bytes, { ...order, section: "pcap header" })
  if (bytes.length < FILE_HEADER_SIZE)
    throw new ObjectError(`the header of a pcap file has ${FILE_HEADER_SIZE} bytes`, {
      offset: bytes.length,
    })
  const major = reader.u16(4)
  const minor = reader.u16(6)
  // Version 543.0 was written by DG/UX's tcpdump and is 2.4 otherwise, as libpcap knows too.
  if (major < 2 || (major > 2 && major !== 543))
    throw new ObjectError(`pcap version ${major}.${minor}, only 2.x is known`, { offset: 4 })
  return new PcapReader(bytes, order.littleEndian, order.magic, {
    linkType: reader.u32(20) & LINKTYPE_MASK,
    snapLength: reader.u32(16),
    name: null,
  })
}

class PcapReader implements CaptureReader {
  readonly format = "pcap"
  readonly interfaces: readonly CaptureInterface[]
  truncated = false
  private readonly bytes: Uint8Array
  private readonly littleEndian: boolean
  private readonly nsPerTick: bigint
  private readonly headerSize: number

  constructor(bytes: Uint8Array, littleEndian: boolean, magic: number, only: CaptureInterface) {
    this.bytes = bytes
    this.littleEndian = littleEndian
    this.nsPerTick = magic === MAGIC_NANOSECONDS ? 1n : 1000n
    this.headerSize = RECORD_HEADER_SIZE + (magic === MAGIC_MODIFIED ? MODIFIED_EXTRA_SIZE : 0)
    this.interfaces = [only]
  }

  get linkType(): number {
    return this.interfaces[0].linkType
  }

  *frames(): Generator<CapturedFrame, void> {
    const { bytes, littleEndian, headerSize } = this
    const view = viewOf(bytes)
    let at = FILE_HEADER_SIZE
    this.truncated = false
    while (at < bytes.length) {
      if (at + headerSize > bytes.length) {
        this.truncated = true
        return
      }
      const seconds = BigInt(view.getUint32(at, littleEndian))
      const ticks = BigInt(view.getUint32(at + 4, littleEndian))
      const capturedLength = view.getUint32(at + 8, littleEndian)
      const originalLength = view.getUint32(at + 12, littleEndian)
      if (capturedLength > FRAME_LENGTH_MAX)
        throw new ObjectError(
          `captured length ${capturedLength} of a record, more than ${FRAME_LENGTH_MAX}`,
          { offset: at + 8 },
        )
      const start = at + headerSize
      if (start + capturedLength > bytes.length) {
        this.truncated = true
        return
      }
      yield {
        data: bytes.subarray(start, start + capturedLength),
        timestampNs: seconds * NS_PER_SECOND + ticks * this.nsPerTick,
        originalLength,
        interface: 0,
      }
      at = start + capturedLength
    }
  }
}

export interface PcapOptions {
  /** A LINKTYPE_ number; Ethernet when not given. */
  readonly linkType?: number
  /** 262,144 when not given. Frames are not cut to it. */
  readonly snapLength?: number
  /** Time stamps to the nanosecond instead of the microsecond. */
  readonly nanoseconds?: boolean
  /** Little-endian when not given. */
  readonly littleEndian?: boolean
}

/**
 * The bytes of a pcap file with these frames.
 *
 * @throws RangeError when a frame is longer than 262,144 bytes, or its time is not between 1970
 * and 2106 (seconds are 32 bits).
 */
export function writePcap(frames: Iterable<FrameToWrite>, options: PcapOptions = {}): Uint8Array {
  const { littleEndian = true, nanoseconds = false } = options
  const list = [...frames]
  const size = list.reduce(
    (sum, { data }) => sum + RECORD_HEADER_SIZE + data.length,
    FILE_HEADER_SIZE,
  )
  const bytes = new Uint8Array(size)
  const view = viewOf(bytes)
  view.setUint32(0, nanoseconds ? MAGIC_NANOSECONDS : MAGIC_MICROSECONDS, littleEndian)
  view.setUint16(4, 2, littleEndian)
  view.setUint16(6, 4, littleEndian)
  view.setUint32(16, options.snapLength ?? FRAME_LENGTH_MAX, littleEndian)
  view.setUint32(20, options.linkType ?? LINKTYPE_ETHERNET, littleEndian)
  let at = FILE_HEADER_SIZE
  for (const [index, frame] of list.entries()) {
    const { data, timestampNs = 0n } = frame
    if (data.length > FRAME_LENGTH_MAX)
      throw new RangeError(`frame ${index} has ${data.length} bytes, the limit is 262144`)
    const seconds = timestampNs / NS_PER_SECOND
    if (timestampNs < 0n || seconds > 0xffffffffn)
      throw new RangeError(`time stamp ${timestampNs} ns of frame ${index} does not fit in pcap`)
    const rest = Number(timestampNs % NS_PER_SECOND)
    view.setUint32(at, Number(seconds), littleEndian)
    view.setUint32(at + 4, nanoseconds ? rest : Math.floor(rest / 1000), littleEndian)
    view.setUint32(at + 8, data.length, littleEndian)
    view.setUint32(at + 12, frame.originalLength ?? data.length, littleEndian)
    bytes.set(data, at + RECORD_HEADER_SIZE)
    at += RECORD_HEADER_SIZE + data.length
  }
  return bytes
}
