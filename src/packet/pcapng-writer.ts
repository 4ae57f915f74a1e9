/** Writes pcapng files of one section: interface descriptions, then enhanced packet blocks. */

import { concatBytes, utf8Bytes, viewOf } from "../base/index.ts"
import {
  BLOCK_OVERHEAD,
  BYTE_ORDER_MAGIC,
  ENHANCED_PACKET,
  IF_NAME,
  IF_TSRESOL,
  INTERFACE_DESCRIPTION,
  SECTION_HEADER,
} from "./pcapng-format.ts"
import { LINKTYPE_ETHERNET } from "./protocol.ts"
import { FRAME_LENGTH_MAX, type FrameToWrite } from "./record.ts"

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
