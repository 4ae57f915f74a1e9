/**
 * What a program did to a frame: the two frames are dissected, their headers are aligned, and
 * each difference is named by its field. Frames that differ never give an empty list: what the
 * fields do not show is told as bytes.
 */

import { equalBytes, formatHex } from "../base/index.ts"
import { dissect } from "./dissect.ts"
import { type FieldText, headerFields } from "./fields.ts"
import type { Dissection, Header } from "./header.ts"
import { LINKTYPE_ETHERNET } from "./protocol.ts"

/** One difference. */
export interface FrameChange {
  /** `ipv4.tos`, `length`, `payload`, or a header as a whole: `vlan`. */
  readonly field: string
  /** `null` when the header was not there before. */
  readonly before: string | null
  /** `null` when the header is gone. */
  readonly after: string | null
  /** One line: `ipv4.tos 0x00 → 0xb8`, `vlan pushed (id 5)`. */
  readonly text: string
}

/** Payload bytes that are shown from the first difference. */
const PAYLOAD_SHOWN = 8

/** What changed from `before` to `after`, from the outside in. Empty when they are equal. */
export function diffFrames(
  before: Uint8Array,
  after: Uint8Array,
  linkType: number = LINKTYPE_ETHERNET,
): FrameChange[] {
  if (equalBytes(before, after)) return []
  const old = dissect(before, linkType)
  const now = dissect(after, linkType)
  const changes: FrameChange[] = []
  if (before.length !== after.length) changes.push(changed("length", before.length, after.length))
  for (const [a, b] of alignHeaders(old.headers, now.headers)) {
    if (a !== null && b !== null) changes.push(...diffHeader(a, b, now.headers))
    else if (b !== null) changes.push(pushed(b))
    else if (a !== null) changes.push(popped(a))
  }
  const payload = diffPayload(restOf(before, old), restOf(after, now))
  if (payload !== null) changes.push(payload)
  // Reserved bits, and link addresses of cooked headers, are no fields.
  if (changes.length === 0) changes.push(diffBytes("bytes", before, after))
  return changes
}

function changed(field: string, before: string | number, after: string | number): FrameChange {
  const text = `${field} ${before} → ${after}`
  return { field, before: String(before), after: String(after), text }
}

/** Headers of one kind are told apart by a number from the second on: `ipv4#2.ttl`. */
function nameOf(header: Header, headers: readonly Header[]): string {
  const same = headers.filter(({ kind }) => kind === header.kind)
  const index = same.indexOf(header)
  return index <= 0 ? header.kind : `${header.kind}#${index + 1}`
}

function diffHeader(a: Header, b: Header, headers: readonly Header[]): FrameChange[] {
  const name = nameOf(b, headers)
  const old = new Map(headerFields(a).map((field) => [field.name, field.text]))
  return headerFields(b)
    .filter((field) => old.get(field.name) !== field.text)
    .map((field) => changed(`${name}.${field.name}`, old.get(field.name) ?? "none", field.text))
}

/** What identifies a header in one clause. */
function identity(header: Header): string {
  switch (header.kind) {
    case "vlan":
      return `id ${header.id}`
    case "ethernet":
    case "ipv4":
    case "ipv6":
      return `${header.src} > ${header.dst}`
    case "tcp":
    case "udp":
      return `${header.srcPort} > ${header.dstPort}`
    case "vxlan":
    case "geneve":
      return `vni ${header.vni}`
    default:
      return `${header.length} bytes`
  }
}

function pushed(header: Header): FrameChange {
  const after = identity(header)
  return { field: header.kind, before: null, after, text: `${header.kind} pushed (${after})` }
}

function popped(header: Header): FrameChange {
  const before = identity(header)
  return { field: header.kind, before, after: null, text: `${header.kind} popped (${before})` }
}

/** How well two headers go together: 0 for other kinds, up to 2 for equal ones. */
function likeness(a: Header, b: Header, fieldsOfA: FieldText[], fieldsOfB: FieldText[]): number {
  if (a.kind !== b.kind) return 0
  const equal = fieldsOfA.filter(({ text }, i) => fieldsOfB[i]?.text === text).length
  return 1 + equal / Math.max(fieldsOfA.length, fieldsOfB.length)
}

/**
 * Pairs the headers of two frames in order so that the sum of likeness is greatest; `null` stands
 * for a header that the other frame does not have. Both lists are short (HEADERS_MAX).
 */
function alignHeaders(
  before: readonly Header[],
  after: readonly Header[],
): [Header | null, Header | null][] {
  const fieldsBefore = before.map(headerFields)
  const fieldsAfter = after.map(headerFields)
  const score = (i: number, j: number): number =>
    likeness(before[i], after[j], fieldsBefore[i], fieldsAfter[j])
  // best[i][j]: the greatest sum for before[i..] and after[j..].
  const best = Array.from({ length: before.length + 1 }, () =>
    new Array<number>(after.length + 1).fill(0),
  )
  for (let i = before.length - 1; i >= 0; i--)
    for (let j = after.length - 1; j >= 0; j--) {
      const like = score(i, j)
      const paired = like === 0 ? 0 : like + best[i + 1][j + 1]
      best[i][j] = Math.max(paired, best[i + 1][j], best[i][j + 1])
    }
  const pairs: [Header | null, Header | null][] = []
  let [i, j] = [0, 0]
  while (i < before.length && j < after.length) {
    const like = score(i, j)
    if (like > 0 && best[i][j] === like + best[i + 1][j + 1]) pairs.push([before[i++], after[j++]])
    else if (best[i][j] === best[i][j + 1]) pairs.push([null, after[j++]])
    else pairs.push([before[i++], null])
  }
  for (; i < before.length; i++) pairs.push([before[i], null])
  for (; j < after.length; j++) pairs.push([null, after[j]])
  return pairs
}

/** All bytes after the last header: padding too, since a program may have written there. */
function restOf(frame: Uint8Array, dissection: Dissection): Uint8Array {
  return frame.subarray(dissection.payloadOffset)
}

function diffPayload(before: Uint8Array, after: Uint8Array): FrameChange | null {
  return equalBytes(before, after) ? null : diffBytes("payload", before, after)
}

/** The first difference of two unequal byte strings. */
function diffBytes(field: string, before: Uint8Array, after: Uint8Array): FrameChange {
  let at = 0
  while (at < before.length && at < after.length && before[at] === after[at]) at++
  const shown = (bytes: Uint8Array): string => {
    const part = formatHex(bytes.subarray(at, at + PAYLOAD_SHOWN), " ")
    if (part === "") return "end"
    return at + PAYLOAD_SHOWN < bytes.length ? `${part} …` : part
  }
  const lengths =
    before.length === after.length ? "" : ` (${before.length} → ${after.length} bytes)`
  const [old, now] = [shown(before), shown(after)]
  return {
    field,
    before: old,
    after: now,
    text: `${field} from byte ${at}: ${old} → ${now}${lengths}`,
  }
}
