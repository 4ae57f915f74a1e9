/**
 * The pcapng file format (draft-ietf-opsawg-pcapng): sections of blocks, each
 * `type:32 totalLength:32 body totalLength:32`. Read are section headers, interface
 * descriptions and the three kinds of packet blocks; all other blocks are skipped. Each section
 * has its own byte order and its own interfaces, which are numbered on through the file here.
 */

import { ByteReader, concatBytes, ObjectError, utf8Bytes, utf8Text, viewOf } from "../base/index.ts"
import { LINKTYPE_ETHERNET } from "./protocol.ts"
import {
  type CapturedFrame,
  type CaptureInterface,
  type CaptureReader,
  FRAME_LENGTH_MAX,
  type FrameToWrite,
  NS_PER_SECOND,
} from "./record.ts"

const SECTION_HEADER = 0x0a0d0d0a
const INTERFACE_DESCRIPTION = 1
const PACKET = 2
const SIMPLE_PACKET = 3
const ENHANCED_PACKET = 6

const BYTE_ORDER_MAGIC = 0x1a2b3c4d
/** Type and length before a body, the length again after it. */
const BLOCK_OVERHEAD = 12
/** Bytes that a block may have (libpcap's limit). */
const BLOCK_LENGTH_MAX = 16 * 1024 * 1024
/** Interfaces that a file may describe. */
const INTERFACES_MAX = 65_536

const OPT_ENDOFOPT = 0
const IF_NAME = 2
const IF_TSRESOL = 9
const IF_TSOFFSET = 14

interface Block {
  readonly type: number
  /** Offset of the block in the file. */
  readonly at: number
  readonly totalLength: number
  readonly littleEndian: boolean
  /** Offsets are relative to the body. */
  readonly body: ByteReader
}

/** An interface, and how its time stamps count. */
interface Clocked extends CaptureInterface {
  /** Ticks of the clock in a second. */
  readonly ticksPerSecond: bigint
  readonly offsetSeconds: bigint
}

/** Whether `bytes` begin with a section header's type. */
export function isPcapng(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && viewOf(bytes).getUint32(0) === SECTION_HEADER
}

/**
 * Opens a pcapng file.
 *
 * @throws ObjectError when the section header is malformed or no interface is described before
 * the first packet.
 */
export function openPcapng(bytes: Uint8Array): CaptureReader {
  const reader = new PcapngReader(bytes)
  reader.readFirstInterface()
  return reader
}

class PcapngReader implements CaptureReader {
  readonly format = "pcapng"
  interfaces: Clocked[] = []
  truncated = false
  private readonly bytes: Uint8Array
  /** Index of interface 0 of the section being read. */
  private sectionBase = 0

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }

  get linkType(): number {
    return this.interfaces[0].linkType
  }

  /** A reader that nobody has iterated yet still knows its link type. */
  readFirstInterface(): void {
    for (const block of this.blocks()) {
      if (block.type === INTERFACE_DESCRIPTION) {
        this.interfaces = [readInterface(block)]
        return
      }
      if ([PACKET, SIMPLE_PACKET, ENHANCED_PACKET].includes(block.type)) break
    }
    throw new ObjectError("no interface is described before the first packet", { offset: 0 })
  }

  *frames(): Generator<CapturedFrame, void> {
    this.interfaces = []
    for (const block of this.blocks()) {
      if (block.type === SECTION_HEADER) {
        this.sectionBase = this.interfaces.length
      } else if (block.type === INTERFACE_DESCRIPTION) {
        if (this.interfaces.length >= INTERFACES_MAX)
          throw new ObjectError(`more than ${INTERFACES_MAX} interfaces`, { offset: block.at })
        this.interfaces.push(readInterface(block))
      } else if (block.type === ENHANCED_PACKET) {
        yield this.readTimedPacket(block, block.body.u32(0))
      } else if (block.type === PACKET) {
        yield this.readTimedPacket(block, block.body.u16(0))
      } else if (block.type === SIMPLE_PACKET) {
        yield this.readSimplePacket(block)
      }
    }
  }

  /** Enhanced and (obsolete) packet blocks differ only in the width of the interface number. */
  private readTimedPacket({ at, body }: Block, interfaceId: number): CapturedFrame {
    const { index, clock } = this.findInterface(interfaceId, at)
    const ticks = (BigInt(body.u32(4)) << 32n) | BigInt(body.u32(8))
    const wholeSeconds = ticks / clock.ticksPerSecond
    const rest = ticks % clock.ticksPerSecond
    const capturedLength = checkLength(body.u32(12), at)
    return {
      data: body.slice(20, capturedLength),
      timestampNs:
        (wholeSeconds + clock.offsetSeconds) * NS_PER_SECOND +
        (rest * NS_PER_SECOND) / clock.ticksPerSecond,
      originalLength: body.u32(16),
      interface: index,
    }
  }

  private readSimplePacket({ at, body }: Block): CapturedFrame {
    const { index, clock } = this.findInterface(0, at)
    const originalLength = body.u32(0)
    const limit = clock.snapLength === 0 ? originalLength : clock.snapLength
    const capturedLength = checkLength(Math.min(originalLength, limit), at)
    return {
      data: body.slice(4, capturedLength),
      timestampNs: 0n,
      originalLength,
      interface: index,
    }
  }

  private findInterface(id: number, at: number): { index: number; clock: Clocked } {
    const index = this.sectionBase + id
    const clock = this.interfaces[index]
    if (clock === undefined)
      throw new ObjectError(
        `a packet of interface ${id}, but its section describes ${this.interfaces.length - this.sectionBase}`,
        { offset: at },
      )
    return { index, clock }
  }

  private *blocks(): Generator<Block, void> {
    const { bytes } = this
    const view = viewOf(bytes)
    let littleEndian = true
    let at = 0
    this.truncated = false
    this.sectionBase = 0
    while (at < bytes.length) {
      if (at + BLOCK_OVERHEAD > bytes.length) {
        this.truncated = true
        return
      }
      const type = view.getUint32(at, littleEndian)
      if (type === SECTION_HEADER) littleEndian = readByteOrder(view, at)
      const totalLength = view.getUint32(at + 4, littleEndian)
      checkTotalLength(totalLength, at)
      if (at + totalLength > bytes.length) {
        this.truncated = true
        return
      }
      const trailer = view.getUint32(at + totalLength - 4, littleEndian)
      if (trailer !== totalLength)
        throw new ObjectError(`block lengths ${totalLength} before and ${trailer} after differ`, {
          offset: at,
        })
      const body = new ByteReader(bytes.subarray(at + 8, at + totalLength - 4), {
        littleEndian,
        section: `pcapng block of type ${type} at ${at}`,
      })
      if (type === SECTION_HEADER) checkVersion(body)
      yield { type, at, totalLength, littleEndian, body }
      at += totalLength
    }
  }
}

/** The byte order of a section, from the magic number that is the first word of its header. */
function readByteOrder(view: DataView, at: number): boolean {
  if (view.getUint32(at + 8, true) === BYTE_ORDER_MAGIC) return true
  if (view.getUint32(at + 8, false) === BYTE_ORDER_MAGIC) return false
  const magic = view
    .getUint32(at + 8)
    .toString(16)
    .padStart(8, "0")
  throw new ObjectError(`section with byte-order magic 0x${magic}, not 0x1a2b3c4d`, {
    offset: at + 8,
  })
}

function checkTotalLength(totalLength: number, at: number): void {
  if (totalLength < BLOCK_OVERHEAD || totalLength > BLOCK_LENGTH_MAX)
    throw new ObjectError(
      `block length ${totalLength} is not ${BLOCK_OVERHEAD} to ${BLOCK_LENGTH_MAX}`,
      { offset: at + 4 },
    )
  if (totalLength % 4 !== 0)
    throw new ObjectError(`block length ${totalLength} is not a multiple of 4`, { offset: at + 4 })
}

function checkVersion(body: ByteReader): void {
  const major = body.u16(4)
  // 1.2 was written by mistake and is 1.0 in all but name, says the draft.
  if (major !== 1)
    throw new ObjectError(`pcapng version ${major}.${body.u16(6)}, only 1.x is known`, {
      section: body.section,
      offset: 4,
    })
}

function checkLength(length: number, at: number): number {
  if (length > FRAME_LENGTH_MAX)
    throw new ObjectError(`captured length ${length} of a packet, more than ${FRAME_LENGTH_MAX}`, {
      offset: at,
    })
  return length
}

function readInterface({ body }: Block): Clocked {
  let name: string | null = null
  let ticksPerSecond = 1_000_000n
  let offsetSeconds = 0n
  for (const { code, value } of readOptions(body, 8)) {
    if (code === IF_NAME) name = utf8Text(value.bytes).replace(/\0+$/, "")
    else if (code === IF_TSRESOL) ticksPerSecond = readResolution(value)
    else if (code === IF_TSOFFSET) offsetSeconds = BigInt.asIntN(64, value.u64(0))
  }
  return {
    linkType: body.u16(0),
    snapLength: body.u32(4),
    name,
    ticksPerSecond,
    offsetSeconds,
  }
}

/** A negative power of ten, or of two when the high bit is set. */
function readResolution(value: ByteReader): bigint {
  const byte = value.u8(0)
  const exponent = byte & 0x7f
  const base = (byte & 0x80) === 0 ? 10n : 2n
  const limit = base === 10n ? 19 : 63
  if (exponent > limit)
    throw new ObjectError(`if_tsresol ${base}^-${exponent} is finer than ${base}^-${limit}`, {
      section: value.section,
      offset: 0,
    })
  return base ** BigInt(exponent)
}

function* readOptions(
  body: ByteReader,
  start: number,
): Generator<{ code: number; value: ByteReader }, void> {
  let at = start
  while (at < body.length) {
    const code = body.u16(at)
    const length = body.u16(at + 2)
    if (code === OPT_ENDOFOPT) return
    const { littleEndian } = body
    const section = `option ${code} of a ${body.section}`
    yield { code, value: new ByteReader(body.slice(at + 4, length), { littleEndian, section }) }
    at += 4 + ((length + 3) & ~3)
  }
}

export interface PcapngInterface {
  /** A LINKTYPE_ number; Ethernet when not given. */
  readonly linkType?: number
  /** 0 (no limit) when not given. */
  readonly snapLength?: number
  readonly name?: string
}

export interface PcapngOptions {
  /** One Ethernet interface without a name when not given. */
  readonly interfaces?: readonly PcapngInterface[]
  /** Little-endian when not given. */
  readonly littleEndian?: boolean
}

/**
 * The bytes of a pcapng file of one section with these frames, time stamps to the nanosecond.
 *
 * @throws RangeError when a frame is longer than 262,144 bytes, names an interface that is not
 * there, or has a time before 1970 or after 2554.
 */
export function writePcapng(
  frames: Iterable<FrameToWrite>,
  options: PcapngOptions = {},
): Uint8Array {
  const { littleEndian = true, interfaces = [{}] } = options
  const parts = [sectionHeader(littleEndian)]
  for (const description of interfaces) parts.push(interfaceBlock(description, littleEndian))
  let index = 0
  for (const frame of frames) {
    const id = frame.interface ?? 0
    if (id >= interfaces.length)
      throw new RangeError(`frame ${index} is of interface ${id} of ${interfaces.length}`)
    if (frame.data.length > FRAME_LENGTH_MAX)
      throw new RangeError(`frame ${index} has ${frame.data.length} bytes, the limit is 262144`)
    const timestampNs = frame.timestampNs ?? 0n
    if (timestampNs !== BigInt.asUintN(64, timestampNs))
      throw new RangeError(`time stamp ${timestampNs} ns of frame ${index} is not 64 bits`)
    parts.push(packetBlock(frame, littleEndian))
    index++
  }
  return concatBytes(parts)
}

/** A block of `bodyLength` bytes and padding, whose body `fill` writes. */
function block(
  type: number,
  bodyLength: number,
  littleEndian: boolean,
  fill: (body: DataView, bytes: Uint8Array) => void,
): Uint8Array {
  const padded = (bodyLength + 3) & ~3
  const bytes = new Uint8Array(padded + BLOCK_OVERHEAD)
  const view = viewOf(bytes)
  view.setUint32(0, type, littleEndian)
  view.setUint32(4, bytes.length, littleEndian)
  view.setUint32(bytes.length - 4, bytes.length, littleEndian)
  const body = bytes.subarray(8, 8 + padded)
  fill(viewOf(body), body)
  return bytes
}

function sectionHeader(littleEndian: boolean): Uint8Array {
  return block(SECTION_HEADER, 16, littleEndian, (body) => {
    body.setUint32(0, BYTE_ORDER_MAGIC, littleEndian)
    body.setUint16(4, 1, littleEndian)
    // The length of the section is not said: all ones.
    body.setBigInt64(8, -1n, littleEndian)
  })
}

function interfaceBlock(description: PcapngInterface, littleEndian: boolean): Uint8Array {
  const name = utf8Bytes(description.name ?? "")
  const nameSize = name.length === 0 ? 0 : 4 + ((name.length + 3) & ~3)
  return block(INTERFACE_DESCRIPTION, 8 + nameSize + 8 + 4, littleEndian, (body, bytes) => {
    body.setUint16(0, description.linkType ?? LINKTYPE_ETHERNET, littleEndian)
    body.setUint32(4, description.snapLength ?? 0, littleEndian)
    if (nameSize > 0) {
      body.setUint16(8, IF_NAME, littleEndian)
      body.setUint16(10, name.length, littleEndian)
      bytes.set(name, 12)
    }
    body.setUint16(8 + nameSize, IF_TSRESOL, littleEndian)
    body.setUint16(10 + nameSize, 1, littleEndian)
    bytes[12 + nameSize] = 9
  })
}

function packetBlock(frame: FrameToWrite, littleEndian: boolean): Uint8Array {
  const { data, timestampNs = 0n } = frame
  return block(ENHANCED_PACKET, 20 + data.length, littleEndian, (body, bytes) => {
    body.setUint32(0, frame.interface ?? 0, littleEndian)
    body.setUint32(4, Number(timestampNs >> 32n), littleEndian)
    body.setUint32(8, Number(timestampNs & 0xffffffffn), littleEndian)
    body.setUint32(12, data.length, littleEndian)
    body.setUint32(16, frame.originalLength ?? data.length, littleEndian)
    bytes.set(data, 20)
  })
}
