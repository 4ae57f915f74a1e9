/**
 * Reads the pcapng file format (draft-ietf-opsawg-pcapng): sections of blocks, each
 * `type:32 totalLength:32 body totalLength:32`. Read are section headers, interface
 * descriptions and the three kinds of packet blocks; all other blocks are skipped. Each section
 * has its own byte order and its own interfaces, which are numbered on through the file here.
 */

import { ByteReader, ObjectError, utf8Text, viewOf } from "../base/index.ts"
import {
  BLOCK_OVERHEAD,
  BYTE_ORDER_MAGIC,
  ENHANCED_PACKET,
  IF_NAME,
  IF_TSOFFSET,
  IF_TSRESOL,
  INTERFACE_DESCRIPTION,
  OPT_ENDOFOPT,
  PACKET,
  SECTION_HEADER,
  SIMPLE_PACKET,
} from "./pcapng-format.ts"
import {
  type CapturedFrame,
  type CaptureInterface,
  type CaptureReader,
  FRAME_LENGTH_MAX,
  NS_PER_SECOND,
} from "./record.ts"

/** Bytes that a block may have (libpcap's limit). */
const BLOCK_LENGTH_MAX = 16 * 1024 * 1024
/** Interfaces that a file may describe. */
const INTERFACES_MAX = 65_536

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
