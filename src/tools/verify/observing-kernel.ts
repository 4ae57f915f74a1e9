/**
 * A kernel that watches what is loaded into another: it keeps what the verifier must know of maps
 * and types, so that every PROG_LOAD can be verified by us too, with the very same attributes.
 */

import { type Btf, readBtf } from "../../btf/index.ts"
import {
  BPF_MAP_TYPE,
  BPF_PROG_TYPE,
  type CommandName,
  type Commands,
  ERRNO,
  GPL_COMPATIBLE_LICENSES,
  type KernelInterface,
  type MapCreateAttr,
  type ProgLoadAttr,
} from "../../spec/index.ts"
import type { AttachTarget, VerifierInput, VerifierMap } from "../../verifier/index.ts"

/**
 * Called before a program goes to the kernel; may change the attributes (log level, buffer). A
 * negative errno is what the loader gets: the program does not reach the kernel then.
 */
export type ProgramObserver = (input: VerifierInput, attr: ProgLoadAttr) => number | undefined

export class ObservingKernel {
  /** What loaders are given. */
  readonly kernel: KernelInterface
  private readonly under: KernelInterface
  private readonly onChange: (attr: ProgLoadAttr) => void
  private readonly onProgram: ProgramObserver
  private readonly onResult: (attr: ProgLoadAttr, result: number) => void
  private readonly maps = new Map<number, ObservedMap>()
  private readonly btfs = new Map<number, Btf>()
  private types: Btf | null = null
  private ids = 0

  constructor(
    under: KernelInterface,
    observers: {
      /** Changes the attributes of PROG_LOAD before anybody sees them. */
      readonly change?: (attr: ProgLoadAttr) => void
      readonly program: ProgramObserver
      readonly result?: (attr: ProgLoadAttr, result: number) => void
    },
  ) {
    this.under = under
    this.onChange = observers.change ?? (() => {})
    this.onProgram = observers.program
    this.onResult = observers.result ?? (() => {})
    this.kernel = new Proxy(under, {
      get: (target, name) => {
        if (name === "bpf")
          return <C extends CommandName>(command: C, attr: Commands[C]) => this.bpf(command, attr)
        const value = Reflect.get(target, name, target) as unknown
        return typeof value === "function" ? value.bind(target) : value
      },
    })
  }

  /** The kernel's own types, read once. */
  kernelTypes(): Btf {
    if (this.types === null) {
      const bytes = this.under.vmlinuxBtf()
      if (bytes === null) throw new Error("the kernel offers no types")
      this.types = readBtf(bytes, { section: "vmlinux" })
    }
    return this.types
  }

  private bpf<C extends CommandName>(command: C, attr: Commands[C]): number {
    if (command === "PROG_LOAD") {
      this.onChange(attr as ProgLoadAttr)
      const refused = this.onProgram(this.inputOf(attr as ProgLoadAttr), attr as ProgLoadAttr)
      if (refused !== undefined) return refused
    }
    const result = this.under.bpf(command, attr)
    if (command === "PROG_LOAD") this.onResult(attr as ProgLoadAttr, result)
    if (result < 0) return result
    if (command === "MAP_CREATE") this.created(result, attr as MapCreateAttr)
    else if (command === "BTF_LOAD")
      this.btfs.set(result, readBtf((attr as Commands["BTF_LOAD"]).btf.slice()))
    else if (command === "MAP_FREEZE") {
      const { map_fd: fd } = attr as Commands["MAP_FREEZE"]
      const map = this.maps.get(fd)
      if (map !== undefined) {
        map.frozen = true
        // While there is a descriptor: the program may be verified after the map is gone.
        map.contents = this.contents(fd, map)
      }
    }
    return result
  }

  private created(fd: number, attr: MapCreateAttr): void {
    const inner = attr.inner_map_fd === undefined ? undefined : this.maps.get(attr.inner_map_fd)
    this.maps.set(fd, {
      id: ++this.ids,
      name: attr.map_name ?? "",
      type: attr.map_type,
      keySize: attr.key_size,
      valueSize: attr.value_size,
      maxEntries: attr.max_entries,
      flags: attr.map_flags ?? 0,
      mapExtra: attr.map_extra ?? 0n,
      frozen: false,
      btf: attr.btf_fd === undefined ? null : (this.btfs.get(attr.btf_fd) ?? null),
      keyTypeId: attr.btf_key_type_id ?? 0,
      valueTypeId: attr.btf_value_type_id ?? 0,
      inner: inner ?? null,
      readConstant(offset, size) {
        return this.contents?.subarray(offset, offset + size) ?? null
      },
    })
  }

  private contents(fd: number, map: VerifierMap): Uint8Array | undefined {
    if (map.type !== BPF_MAP_TYPE.BPF_MAP_TYPE_ARRAY || map.maxEntries !== 1) return undefined
    const value = new Uint8Array(map.valueSize)
    const result = this.under.bpf("MAP_LOOKUP_ELEM", {
      map_fd: fd,
      key: new Uint8Array(map.keySize),
      value,
    })
    return result < 0 ? undefined : value
  }

  private inputOf(attr: ProgLoadAttr): VerifierInput {
    const btf = attr.prog_btf_fd === undefined ? null : (this.btfs.get(attr.prog_btf_fd) ?? null)
    return {
      name: attr.prog_name ?? "",
      insns: attr.insns,
      type: attr.prog_type,
      expectedAttachType: attr.expected_attach_type ?? 0,
      flags: attr.prog_flags ?? 0,
      gplCompatible: GPL_COMPATIBLE_LICENSES.includes(attr.license),
      btf,
      funcInfo: attr.func_info ?? new Uint8Array(0),
      lineInfo: attr.line_info ?? new Uint8Array(0),
      target: this.targetOf(attr),
      kernelBtf: () => this.kernelTypes(),
      map: (operand, index) => {
        const fd = index ? attr.fd_array?.[operand] : operand
        if (fd === undefined) return -ERRNO.EPROTO
        return this.maps.get(fd) ?? -ERRNO.EBADF
      },
      cpuCount: this.under.possibleCpus,
      logLevel: 0,
    }
  }

  private targetOf(attr: ProgLoadAttr): AttachTarget | null {
    const id = attr.attach_btf_id ?? 0
    if (id === 0) return null
    const btf = this.kernelTypes()
    if (id >= btf.typeCount) return null
    const { name } = btf.type(id)
    const prefixes = ["bpf_lsm_", "btf_trace_", "bpf_iter_"]
    const prefix =
      attr.prog_type === BPF_PROG_TYPE.BPF_PROG_TYPE_LSM ||
      attr.prog_type === BPF_PROG_TYPE.BPF_PROG_TYPE_TRACING
        ? (prefixes.find((one) => name.startsWith(one)) ?? "")
        : ""
    return { name: name.slice(prefix.length), btf, btfId: id }
  }
}

interface ObservedMap extends VerifierMap {
  frozen: boolean
  contents?: Uint8Array
}
