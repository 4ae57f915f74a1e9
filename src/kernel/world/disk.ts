/**
 * A virtual disk: a queue of one, with a seek and a transfer time. Each transfer is a `struct
 * request` that lives from insertion to completion, so programs can key a map by its address, as
 * block tools do (linux block/blk-mq.c).
 */

import type { VirtualClock } from "../environment.ts"
import type { EmitOptions, EventFields } from "../events/index.ts"
import type { Task } from "../tasks/task.ts"
import { Mirror, type WriterHost } from "../types/index.ts"

const SECTOR_BYTES = 512
/** A small virtual disk: a fixed cost, some of it different from time to time, and one for each byte. */
const BASE_NS = 60_000
const JITTER_NS = 40_000
const BYTES_PER_NS = 1
const REQ_OP_WRITE = 1

export interface Transfer {
  readonly write: boolean
  readonly sector: number
  readonly bytes: number
  /** `rwbs` besides R or W: `A` read ahead, `S` synchronous, `M` metadata. */
  readonly flags?: string
}

export interface DiskHost extends WriterHost {
  readonly clock: VirtualClock
  readonly cpus: number
  random32(): number
  fire(name: string, fields: EventFields, options: EmitOptions): void
  call(name: string, fields: EventFields, options: EmitOptions): void
  /** Takes the task off its CPU for that long; `atWake` runs in the interrupt that ends the wait. */
  wait(task: Task, nanoseconds: bigint, atWake: (irq: EmitOptions) => void): void
}

export class Disk {
  readonly device: number
  private readonly host: DiskHost
  private readonly gendisk: Mirror

  constructor(host: DiskHost, device: number) {
    this.host = host
    this.device = device
    this.gendisk = new Mirror(host, "gendisk", () => ({
      major: device >> 20,
      first_minor: device & 0xfffff,
      disk_name: "vda",
    }))
  }

  /** Reads or writes; the task sleeps until the transfer is over. */
  transfer(task: Task, transfer: Transfer): void {
    const { host, device } = this
    const { write, sector, bytes, flags = "" } = transfer
    const nr_sector = Math.ceil(bytes / SECTOR_BYTES)
    const part = new Mirror(host, "block_device", () => ({
      bd_dev: device,
      bd_disk: this.gendisk.kernelAddress(),
    }))
    const startedAt = host.clock.now()
    let issuedAt = 0n
    const request = new Mirror(host, "request", () => ({
      cmd_flags: write ? REQ_OP_WRITE : 0,
      __data_len: bytes,
      __sector: sector,
      start_time_ns: startedAt,
      io_start_time_ns: issuedAt,
      part: part.kernelAddress(),
    }))
    const options = { task, cpu: task.cpu }
    const rwbs = `${write ? "W" : "R"}${flags}`
    const record = { dev: device, sector, nr_sector, rwbs, cmd: "" }
    const fields = { rq: request, ...record, bytes, comm: task.comm }
    host.call("blk_account_io_start", { req: request }, options)
    host.fire("block:block_rq_insert", fields, options)
    issuedAt = host.clock.now()
    request.refresh()
    host.fire("block:block_rq_issue", fields, options)
    const latency = BASE_NS + (host.random32() % JITTER_NS) + Math.round(bytes / BYTES_PER_NS)
    host.wait(task, BigInt(latency), (irq) => {
      const done = { ...record, rq: request, error: 0, nr_bytes: bytes }
      host.fire("block:block_rq_complete", done, irq)
      host.call("blk_account_io_done", { req: request, now: host.clock.now() }, irq)
    })
    request.release()
    part.release()
  }
}
