/**
 * Records of ring buffers and perf event arrays: read as they come, so that the rings do not fill
 * up, counted, and the first of them kept decoded.
 */

import { type MapHandle, PerfEventArray, RingBuffer } from "../../api/index.ts"
import { viewOf } from "../../base/index.ts"
import { type Btf, codecFor } from "../../btf/index.ts"
import { mapTypeName } from "../../spec/index.ts"
import { CliError } from "../errors.ts"
import { type Presented, present } from "../values/present.ts"
import type { Session } from "./session.ts"

export interface StreamReport {
  readonly map: string
  readonly type: string
  /** C type that the records were decoded as; null: shown as bytes. */
  recordType: string | null
  /** All records that came. */
  count: number
  /** Records lost because the ring was full (perf event arrays count them). */
  lost: number
  /** The first ones. */
  readonly records: Presented[]
}

interface Stream {
  readonly handle: RingBuffer<unknown> | PerfEventArray<unknown>
  readonly typeId: number
  readonly report: StreamReport
}

/** Structs that are in every object and that nobody sends. */
const NO_RECORD =
  /^(xdp_md|__sk_buff|bpf_|iphdr|ipv6hdr|ethhdr|tcphdr|udphdr|icmphdr|vlan_hdr|trace_|pt_regs|task_struct|sk_buff)/
const RECORD = /event|record|sample|msg|message|data|info|log|notif/

export class Streams {
  private readonly streams: Stream[] = []
  private readonly btf: Btf | null
  private readonly shown: number
  private readonly guesses = new Map<number, number>()

  constructor(session: Session) {
    const { object, collection, options } = session
    this.btf = object.btf
    this.shown = options.eventsShown
    const maps = collection.maps as Readonly<Record<string, MapHandle>>
    for (const definition of object.model.maps) {
      const handle = maps[definition.name]
      if (!(handle instanceof RingBuffer || handle instanceof PerfEventArray)) continue
      const chosen = options.recordTypes.get(definition.name)
      const typeId =
        chosen === undefined
          ? handle.spec.value === null
            ? 0
            : definition.valueTypeId
          : this.find(chosen)
      const report: StreamReport = {
        map: definition.name,
        type: mapTypeName(definition.type),
        recordType: typeId === 0 || this.btf === null ? null : this.btf.typeName(typeId),
        ...{ count: 0, lost: 0, records: [] },
      }
      this.streams.push({ handle, typeId, report })
    }
    for (const name of options.recordTypes.keys())
      if (!this.streams.some(({ report }) => report.map === name))
        throw new CliError(
          `--record-type ${name}: there is no ring buffer or perf event array of this name`,
        )
  }

  get reports(): readonly StreamReport[] {
    return this.streams.map(({ report }) => report)
  }

  /** Reads whatever is there. */
  drain(): void {
    for (const stream of this.streams) {
      const { handle, report } = stream
      if (handle instanceof RingBuffer) {
        if (handle.pendingBytes === 0) continue
        for (const bytes of handle.drainBytes()) this.add(stream, bytes)
      } else
        for (const { event, lost } of handle.drain()) {
          report.lost += lost
          this.add(stream, event)
        }
    }
  }

  private add(stream: Stream, record: unknown): void {
    const { report } = stream
    report.count++
    if (report.records.length >= this.shown) return
    if (!(record instanceof Uint8Array)) {
      report.records.push(present(this.btf, stream.typeId, record, ""))
      return
    }
    const typeId = stream.typeId === 0 ? this.guess(stream.handle, record.length) : stream.typeId
    const { btf } = this
    if (btf === null || typeId === 0 || btf.sizeOf(typeId) > record.length) {
      report.records.push(present(null, 0, record.slice(), "record"))
      return
    }
    report.recordType ??= btf.typeName(typeId)
    const value = codecFor(btf, typeId).read(viewOf(record), 0)
    report.records.push(present(btf, typeId, value, ""))
  }

  private find(name: string): number {
    const plain = name.replace(/^(struct|union)\s+/, "")
    const id =
      this.btf?.findByName(plain, "struct") ??
      this.btf?.findByName(plain, "union") ??
      this.btf?.findByName(plain, "typedef")
    if (id === undefined) throw new CliError(`--record-type: the object has no type '${name}'`)
    return id
  }

  /** The object's only struct of this size that looks like a record; 0 when there is no such. */
  private guess(handle: Stream["handle"], length: number): number {
    const { btf } = this
    if (btf === null) return 0
    const padded = handle instanceof PerfEventArray
    const fits = (size: number): boolean => (padded ? perfLength(size) : size) === length
    const key = padded ? -length : length
    let found = this.guesses.get(key)
    if (found === undefined) {
      const candidates: number[] = []
      for (let id = btf.firstId; id < btf.typeCount; id++) {
        if (btf.kindOf(id) !== "struct") continue
        const type = btf.type(id)
        if (
          type.kind === "struct" &&
          fits(type.size) &&
          type.name !== "" &&
          !NO_RECORD.test(type.name)
        )
          candidates.push(id)
      }
      const named = candidates.filter((id) => RECORD.test(btf.type(id).name))
      const best = named.length === 1 ? named : candidates
      found = best.length === 1 ? best[0] : 0
      this.guesses.set(key, found)
    }
    return found
  }
}

/** Length that a perf event array's record of `size` bytes comes with: padded, see PerfEventArray. */
function perfLength(size: number): number {
  return ((size + 4 + 7) & ~7) - 4
}
