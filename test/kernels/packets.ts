/** Real frames for comparisons: from the captures beside the checkout, or from the repository's own. */

import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { openCapture } from "../../src/packet/index.ts"
import { requirement, root, shared } from "../support/requirements.ts"

/** What fits into one page with Linux's head and tail room, and has an Ethernet header. */
const SIZE_MIN = 14
const SIZE_MAX = 3000
const LINKTYPE_ETHERNET = 1

/** `count` Ethernet frames, as different as the captures are: a few of each, round and round. */
export function ethernetFrames(count: number): Uint8Array[] {
  const folder = requirement.shared().available
    ? join(shared, "pcap")
    : join(root, "examples/captures")
  const files = readdirSync(folder)
    .filter((file) => /\.pcap(ng)?$/.test(file))
    .sort()
  const queues = files.map((file) => usableFrames(readFileSync(join(folder, file)), count))
  const frames: Uint8Array[] = []
  for (let round = 0; frames.length < count && round < count; round++)
    for (const queue of queues)
      if (round < queue.length && frames.length < count) frames.push(queue[round])
  return frames
}

function usableFrames(bytes: Uint8Array, limit: number): Uint8Array[] {
  const frames: Uint8Array[] = []
  try {
    const capture = openCapture(bytes)
    for (const frame of capture.frames()) {
      if (capture.interfaces[frame.interface].linkType !== LINKTYPE_ETHERNET) continue
      if (frame.data.length < SIZE_MIN || frame.data.length > SIZE_MAX) continue
      frames.push(frame.data.slice())
      if (frames.length >= limit) break
    }
  } catch {
    // A capture that is damaged on purpose gives the frames before the damage.
  }
  return frames
}
