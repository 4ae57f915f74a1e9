/**
 * One interface over the capture file formats. A capture is a list of frames with their time, the
 * length they had on the wire, and the interface that saw them.
 *
 * A file that ends in the middle of a record gives the frames before it and `truncated`, as
 * tcpdump does; a file that contradicts itself throws ObjectError at the record at fault.
 */

import { ObjectError, viewOf } from "../base/index.ts"
import { isPcap, openPcap } from "./pcap.ts"
import { isPcapng, openPcapng } from "./pcapng.ts"
import type { Capture, CaptureReader } from "./record.ts"

/**
 * Opens a capture for reading frame by frame. Frames are windows into `file`, not copies, and
 * plain byte arrays even if `file` is a subclass (Node's Buffer).
 *
 * @throws ObjectError when the bytes are no pcap or pcapng file, or its header is malformed;
 * `frames()` throws it at a record that cannot be.
 */
export function openCapture(file: Uint8Array): CaptureReader {
  const bytes = new Uint8Array(file.buffer, file.byteOffset, file.byteLength)
  if (isPcap(bytes)) return openPcap(bytes)
  if (isPcapng(bytes)) return openPcapng(bytes)
  if (bytes.length < 4)
    throw new ObjectError(`not a capture: ${bytes.length} bytes, a header has at least 24`, {
      offset: 0,
    })
  const magic = viewOf(bytes).getUint32(0).toString(16).padStart(8, "0")
  throw new ObjectError(`not a capture: it begins with 0x${magic}, no magic of pcap or pcapng`, {
    offset: 0,
  })
}

/**
 * Reads a whole capture.
 *
 * @throws ObjectError when the file is malformed (use {@link openCapture} to have the frames
 * before the fault).
 */
export function readCapture(bytes: Uint8Array): Capture {
  const reader = openCapture(bytes)
  const frames = [...reader.frames()]
  const { format, linkType, interfaces, truncated } = reader
  return { format, linkType, interfaces, frames, truncated }
}
