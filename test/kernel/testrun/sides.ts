/**
 * Programs in assembler text, loaded and test-run on any kernel behind the kernel interface, with
 * results that can be compared by one deep equality.
 */

import { BtfBuilder } from "../../../src/btf/index.ts"
import { assemble } from "../../../src/isa/index.ts"
import {
  BPF_MAP_TYPE,
  BPF_PROG_TYPE,
  errnoName,
  helperByName,
  type KernelInterface,
  type ProgTestRunAttr,
} from "../../../src/spec/index.ts"

export interface MapSpec {
  readonly type: keyof typeof BPF_MAP_TYPE
  readonly key: number
  readonly value: number
  readonly entries: number
  readonly flags?: number
  /** BTF for the value: an integer of 8 bytes, or a struct that begins with what the kernel owns. */
  readonly btf?: "u64" | "bpf_spin_lock" | "bpf_timer"
  /** MAP_FREEZE after the elements are in. */
  readonly frozen?: boolean
  /** Elements to put in before the run, as hex of key and value. */
  readonly elements?: readonly (readonly [key: string, value: string])[]
}

export interface ProgramSpec {
  readonly type: keyof typeof BPF_PROG_TYPE
  readonly attachType?: number
  readonly flags?: number
  /** Helpers by name; `map[name]` for maps. */
  readonly text: string
  /** Labels of callbacks, in order: they need BTF that says that they are static functions. */
  readonly callbacks?: readonly string[]
  readonly maps?: Readonly<Record<string, MapSpec>>
  readonly license?: string
}

export interface Loaded {
  readonly fd: number
  readonly maps: ReadonlyMap<string, number>
  readonly log: string
}

export function bytes(hex: string): Uint8Array {
  const digits = hex.replace(/\s+/g, "")
  return Uint8Array.from({ length: digits.length / 2 }, (_, i) =>
    Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16),
  )
}

/** Hex digits; long byte strings as their length and a hash, which differences show as well. */
export function hex(data: Uint8Array): string {
  if (data.length > 512) {
    let hash = 0
    for (const byte of data) hash = (Math.imul(hash, 31) + byte) | 0
    return `${data.length} bytes, ${hash}`
  }
  return Array.from(data, (byte) => byte.toString(16).padStart(2, "0")).join("")
}

/** Creates the maps and loads the program; throws with the verifier's log when refused. */
export function load(kernel: KernelInterface, spec: ProgramSpec): Loaded {
  const maps = new Map<string, number>()
  for (const [name, map] of Object.entries(spec.maps ?? {})) {
    const types = map.btf === undefined ? undefined : valueTypes(kernel, map.btf)
    const fd = kernel.bpf("MAP_CREATE", {
      ...types,
      map_type: BPF_MAP_TYPE[map.type],
      key_size: map.key,
      value_size: map.value,
      max_entries: map.entries,
      map_flags: map.flags ?? 0,
    })
    if (fd < 0) throw new Error(`${kernel.kind}: map ${name}: ${errnoName(fd)}`)
    if (types !== undefined) kernel.close(types.btf_fd)
    maps.set(name, fd)
    for (const [key, value] of map.elements ?? []) {
      const attr = { map_fd: fd, key: bytes(key), value: bytes(value) }
      const result = kernel.bpf("MAP_UPDATE_ELEM", attr)
      if (result < 0) throw new Error(`${kernel.kind}: element of ${name}: ${errnoName(result)}`)
    }
    if (map.frozen) kernel.bpf("MAP_FREEZE", { map_fd: fd })
  }
  const text = spec.text.replace(/map\[(\w+)\]/g, (whole, name: string) =>
    maps.has(name) ? `map[fd:${maps.get(name)}]` : whole,
  )
  const log = new Uint8Array(1 << 16)
  const assembly = assemble(text, { helperId: (name) => helperByName(name)?.id })
  const functions = functionInfo(kernel, spec, assembly.labels)
  const fd = kernel.bpf("PROG_LOAD", {
    ...functions,
    prog_type: BPF_PROG_TYPE[spec.type],
    expected_attach_type: spec.attachType ?? 0,
    prog_flags: spec.flags ?? 0,
    insns: assembly.bytes,
    license: spec.license ?? "GPL",
    log_level: 1,
    log_buf: log,
  })
  if (functions.prog_btf_fd !== undefined) kernel.close(functions.prog_btf_fd)
  const end = log.indexOf(0)
  const said = new TextDecoder().decode(log.subarray(0, end < 0 ? log.length : end))
  if (fd < 0) throw new Error(`${kernel.kind}: PROG_LOAD: ${errnoName(fd)}\n${spec.text}\n${said}`)
  return { fd, maps, log: said }
}

const LOCK = { bpf_spin_lock: 4, bpf_timer: 16 } as const

/** BTF of an int key and a value: `u64`, or `struct { struct bpf_… own; [pad;] u64 data; }`. */
function valueTypes(
  kernel: KernelInterface,
  value: "u64" | keyof typeof LOCK,
): { btf_fd: number; btf_key_type_id: number; btf_value_type_id: number } {
  const builder = new BtfBuilder()
  const key = builder.int("int", 4, "signed")
  const u64 = builder.int("u64", 8)
  let type = u64
  if (value !== "u64") {
    const size = LOCK[value]
    const words = builder.array(size === 4 ? key : u64, size === 4 ? 1 : 2, key)
    const own = builder.struct(value, size, [
      { name: "own", type: words, bitOffset: 0, bitSize: 0 },
    ])
    const end = (size + 7) & ~7
    type = builder.struct("value", end + 8, [
      { name: "own", type: own, bitOffset: 0, bitSize: 0 },
      { name: "data", type: u64, bitOffset: 8 * end, bitSize: 0 },
    ])
  }
  const fd = kernel.bpf("BTF_LOAD", { btf: builder.build() })
  if (fd < 0) throw new Error(`${kernel.kind}: BTF_LOAD of a value: ${errnoName(fd)}`)
  return { btf_fd: fd, btf_key_type_id: key, btf_value_type_id: type }
}

/** BTF and function records for a program with callbacks; nothing for others. */
function functionInfo(
  kernel: KernelInterface,
  spec: ProgramSpec,
  labels: ReadonlyMap<string, number>,
): { prog_btf_fd?: number; func_info?: Uint8Array; func_info_rec_size?: number } {
  const callbacks = spec.callbacks ?? []
  if (callbacks.length === 0) return {}
  const builder = new BtfBuilder()
  const int = builder.int("int", 4, "signed")
  const proto = builder.funcProto(int, [])
  const records: number[] = [0, builder.func("main", proto, "global")]
  for (const name of callbacks) {
    const slot = labels.get(name)
    if (slot === undefined) throw new Error(`no label ${name}`)
    records.push(slot, builder.func(name, proto, "static"))
  }
  const fd = kernel.bpf("BTF_LOAD", { btf: builder.build() })
  if (fd < 0) throw new Error(`${kernel.kind}: BTF_LOAD: ${errnoName(fd)}`)
  const info = new Uint8Array(Uint32Array.from(records).buffer)
  return { prog_btf_fd: fd, func_info: info, func_info_rec_size: 8 }
}

export function unload(kernel: KernelInterface, program: Loaded): void {
  kernel.close(program.fd)
  for (const fd of program.maps.values()) kernel.close(fd)
}

export interface RunSpec {
  readonly data?: Uint8Array
  /** Bytes of room for the resulting packet; 4096 by default; 0: none. */
  readonly room?: number
  readonly context?: Uint8Array
  readonly contextRoom?: number
  readonly repeat?: number
  readonly flags?: number
  readonly cpu?: number
  readonly batch?: number
}

export interface Outcome {
  readonly result: string
  readonly retval?: number
  readonly data?: string
  readonly size?: number
  readonly context?: string
  readonly contextSize?: number
}

/** One PROG_TEST_RUN. What Linux leaves undefined on failure is left out. */
export function run(kernel: KernelInterface, fd: number, spec: RunSpec): Outcome {
  const room = spec.room ?? 4096
  const contextRoom = spec.contextRoom ?? 0
  const attr: ProgTestRunAttr = {
    prog_fd: fd,
    data_in: spec.data,
    data_out: room === 0 ? undefined : new Uint8Array(room),
    ctx_in: spec.context?.slice(),
    ctx_out: contextRoom === 0 ? undefined : new Uint8Array(contextRoom),
    repeat: spec.repeat,
    flags: spec.flags,
    cpu: spec.cpu,
    batch_size: spec.batch,
  }
  const result = kernel.bpf("PROG_TEST_RUN", attr)
  const name = result < 0 ? errnoName(result) : "0"
  if (result < 0 && name !== "ENOSPC") return { result: name }
  const untouched = attr.data_out?.every((byte) => byte === 0) ?? false
  // Linux hands nothing back when not even the fragments fit.
  if (result < 0 && untouched) return { result: name }
  const size = attr.data_size_out ?? 0
  return {
    result: name,
    retval: attr.retval,
    ...(attr.data_out && { data: hex(attr.data_out.subarray(0, size)) }),
    size,
    // Syscall programs write their context back into what was given.
    context: hex(attr.ctx_out ?? attr.ctx_in ?? new Uint8Array(0)),
    ...(attr.ctx_out && { contextSize: attr.ctx_size_out }),
  }
}
