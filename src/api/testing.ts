/**
 * What a unit test of an eBPF program needs: an object loaded into a fresh embedded kernel in one
 * line, frames by layers, and everything closed at the end of the scope.
 *
 * @example
 * using bench = testBench(readFileSync("firewall.bpf.o"))
 * bench.maps.blocklist.raw.set(parseIpv4("192.0.2.1"), new Uint8Array(8))
 * const packet = udp({ srcPort: 1, dstPort: 2 })
 * const frame = ethernet({}, ipv4({ src: "192.0.2.1", dst: "192.0.2.2" }, packet))
 * expect(bench.send(frame).verdict).toBe("drop")
 */

import { BPF_PROG_TYPE } from "../spec/index.ts"
import type { Collection } from "./collection.ts"
import {
  EmbeddedKernel,
  type EmbeddedKernelOptions,
  type NetworkInterface,
  type Received,
} from "./embedded.ts"
import type { KernelLoadOptions } from "./kernel.ts"
import type { Link } from "./link.ts"
import { type AnySchema, BpfObject, parseObject, type Schema } from "./object.ts"
import type { Program } from "./program.ts"

export * from "../packet/index.ts"
export {
  type EmitOptions,
  type EventFields,
  embeddedKernel,
  type Received,
  type Task,
} from "./embedded.ts"
export type { AnySchema }

export interface TestBenchOptions<S extends Schema = Schema>
  extends EmbeddedKernelOptions,
    Omit<KernelLoadOptions, "btf" | "kconfig"> {
  /** Initial values of globals. */
  readonly globals?: Partial<S["globals"]>
  /** The device that packet programs are attached to, `eth0` by default. */
  readonly interface?: string
  /** False: load only, attach nothing. */
  readonly attach?: boolean
}

/** Attached to the bench's device when they are loaded. */
const DEVICE_TYPES: readonly number[] = [
  BPF_PROG_TYPE.BPF_PROG_TYPE_XDP,
  BPF_PROG_TYPE.BPF_PROG_TYPE_SCHED_CLS,
]

/** A kernel of its own with one loaded (and attached) object in it. */
export class TestBench<S extends Schema = AnySchema> implements Disposable {
  readonly kernel: EmbeddedKernel
  readonly collection: Collection<S>
  readonly device: NetworkInterface
  readonly links: readonly Link[]

  constructor(object: Uint8Array | BpfObject<S>, options: TestBenchOptions<S> = {}) {
    const parsed = object instanceof BpfObject ? object : parseObject<S>(object)
    const prepared = options.globals === undefined ? parsed : parsed.withGlobals(options.globals)
    const { programs, maps, pinPath, log, targets } = options
    this.kernel = new EmbeddedKernel(options)
    this.device = this.kernel.interface(options.interface ?? "eth0")
    this.collection = this.kernel.loadSync(prepared, { programs, maps, pinPath, log, targets })
    this.links = options.attach === false ? [] : this.attachAll()
  }

  get maps(): S["maps"] {
    return this.collection.maps
  }

  get programs(): S["programs"] {
    return this.collection.programs
  }

  get globals(): S["globals"] {
    return this.collection.globals
  }

  /** Delivers a frame to the bench's device. */
  send(frame: Uint8Array): Received {
    return this.device.receive(frame)
  }

  close(): void {
    for (const link of this.links) link.close()
    this.collection.close()
    this.kernel.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  /** One XDP program, every tc program, and everything that knows its target by its section. */
  private attachAll(): Link[] {
    const links: Link[] = []
    const programs = this.collection.programs as Record<string, Program | undefined>
    let xdp = false
    for (const { name } of this.collection.object.entryPrograms) {
      const program = programs[name]
      if (program === undefined) continue
      if (program.programType === BPF_PROG_TYPE.BPF_PROG_TYPE_XDP) {
        // A device takes one XDP program.
        if (xdp) continue
        xdp = true
      }
      if (DEVICE_TYPES.includes(program.programType))
        links.push(program.attach({ interface: this.device.name }))
      else if (SELF_ATTACHING.includes(program.programType)) links.push(program.attach())
    }
    return links
  }
}

/** Programs whose section name says where they go. */
const SELF_ATTACHING: readonly number[] = [
  BPF_PROG_TYPE.BPF_PROG_TYPE_TRACEPOINT,
  BPF_PROG_TYPE.BPF_PROG_TYPE_RAW_TRACEPOINT,
  BPF_PROG_TYPE.BPF_PROG_TYPE_TRACING,
  BPF_PROG_TYPE.BPF_PROG_TYPE_LSM,
  BPF_PROG_TYPE.BPF_PROG_TYPE_KPROBE,
]

/**
 * Loads an object (bytes, or parsed) into a fresh embedded kernel and attaches its programs.
 *
 * @throws whatever parsing and loading throw.
 */
export function testBench<S extends Schema = AnySchema>(
  object: Uint8Array | BpfObject<S>,
  options?: TestBenchOptions<S>,
): TestBench<S> {
  return new TestBench(object, options)
}
