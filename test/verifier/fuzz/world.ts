/**
 * What generated programs find in every kernel: a fixed list of maps, named by index (fd_array),
 * and one BTF of functions. The bytes of a program are so the same for Linux, for the embedded
 * kernel and for our verifier.
 */

import { type Btf, BtfBuilder, readBtf } from "../../../src/btf/index.ts"
import {
  BPF_MAP_TYPE,
  type KernelInterface,
  type MapCreateAttr,
  type ProgLoadAttr,
} from "../../../src/spec/index.ts"
import type { VerifierInput, VerifierMap } from "../../../src/verifier/index.ts"

type MapName = "array" | "hash" | "programs" | "constants" | "ring" | "perCpu" | "lru" | "single"

/** Index in fd_array. */
export const MAP: Readonly<Record<MapName, number>> = {
  array: 0,
  hash: 1,
  programs: 2,
  constants: 3,
  ring: 4,
  perCpu: 5,
  lru: 6,
  single: 7,
}

const CONSTANTS = [3, 0, 0, 0, 17, 0, 0, 0, 255, 255, 255, 255, 0, 0, 1, 0]
const BPF_F_RDONLY_PROG = 0x80

type Spec = Pick<
  MapCreateAttr,
  "map_type" | "key_size" | "value_size" | "max_entries" | "map_flags"
>

/** The maps, in the order of {@link MAP}. */
export const MAPS: readonly Spec[] = [
  { map_type: BPF_MAP_TYPE.BPF_MAP_TYPE_ARRAY, key_size: 4, value_size: 64, max_entries: 4 },
  { map_type: BPF_MAP_TYPE.BPF_MAP_TYPE_HASH, key_size: 8, value_size: 24, max_entries: 8 },
  { map_type: BPF_MAP_TYPE.BPF_MAP_TYPE_PROG_ARRAY, key_size: 4, value_size: 4, max_entries: 4 },
  {
    map_type: BPF_MAP_TYPE.BPF_MAP_TYPE_ARRAY,
    key_size: 4,
    value_size: CONSTANTS.length,
    max_entries: 1,
    map_flags: BPF_F_RDONLY_PROG,
  },
  { map_type: BPF_MAP_TYPE.BPF_MAP_TYPE_RINGBUF, key_size: 0, value_size: 0, max_entries: 4096 },
  { map_type: BPF_MAP_TYPE.BPF_MAP_TYPE_PERCPU_ARRAY, key_size: 4, value_size: 16, max_entries: 2 },
  { map_type: BPF_MAP_TYPE.BPF_MAP_TYPE_LRU_HASH, key_size: 4, value_size: 8, max_entries: 4 },
  { map_type: BPF_MAP_TYPE.BPF_MAP_TYPE_ARRAY, key_size: 4, value_size: 48, max_entries: 1 },
]

/** Functions of generated programs: index 0 main, then static ones, then one global one. */
export const FUNCTIONS_MAX = 6

function functionTypes(): Btf {
  const builder = new BtfBuilder()
  const int = builder.int("int", 4, "signed")
  const pair = builder.funcProto(int, [
    { name: "a", type: int },
    { name: "b", type: int },
  ])
  const none = builder.funcProto(int, [])
  for (let index = 0; index < FUNCTIONS_MAX; index++)
    builder.func(`f${index}`, index === 0 ? none : pair, index === 0 ? "global" : "static")
  builder.func("shared", pair, "global")
  return readBtf(builder.build())
}

/** Types of functions: func f{n} has this id + n, the global one stands behind them. */
export const FIRST_FUNCTION_TYPE = 4
export const GLOBAL_FUNCTION_TYPE: number = FIRST_FUNCTION_TYPE + FUNCTIONS_MAX

let types: Btf | null = null

/** The BTF of functions. */
export function fuzzTypes(): Btf {
  return (types ??= functionTypes())
}

/** The maps and types in one kernel. */
export interface World {
  readonly fds: readonly number[]
  readonly btfFd: number
  /** As `fds`, for one type: a program array belongs to the type that first names it. */
  fdsOf(type: number): readonly number[]
  close(): void
}

export function createWorld(kernel: KernelInterface): World {
  const checked = (fd: number, what: string): number => {
    if (fd < 0) throw new Error(`${what}: errno ${-fd}`)
    return fd
  }
  const fds = MAPS.map((spec, index) =>
    checked(kernel.bpf("MAP_CREATE", { ...spec, map_name: `m${index}` }), `map ${index}`),
  )
  const constant = { map_fd: fds[MAP.constants], key: new Uint8Array(4), flags: 0n }
  kernel.bpf("MAP_UPDATE_ELEM", { ...constant, value: new Uint8Array(CONSTANTS) })
  checked(kernel.bpf("MAP_FREEZE", { map_fd: fds[MAP.constants] }), "freeze")
  const btfFd = checked(kernel.bpf("BTF_LOAD", { btf: fuzzTypes().bytes }), "BTF")
  const arrays = new Map<number, number>()
  return {
    fds,
    btfFd,
    fdsOf(type) {
      const known = arrays.get(type)
      const fd = known ?? checked(kernel.bpf("MAP_CREATE", MAPS[MAP.programs]), "programs")
      arrays.set(type, fd)
      return fds.map((one, index) => (index === MAP.programs ? fd : one))
    },
    close() {
      for (const fd of [...fds, ...arrays.values(), btfFd]) kernel.close(fd)
    },
  }
}

const described: readonly VerifierMap[] = MAPS.map((spec, index) => ({
  id: index + 1,
  name: `m${index}`,
  type: spec.map_type,
  keySize: spec.key_size,
  valueSize: spec.value_size,
  maxEntries: spec.max_entries,
  flags: spec.map_flags ?? 0,
  mapExtra: 0n,
  frozen: index === MAP.constants,
  btf: null,
  keyTypeId: 0,
  valueTypeId: 0,
  inner: null,
  owner: null,
  readConstant: (offset, size) =>
    index === MAP.constants ? new Uint8Array(CONSTANTS).slice(offset, offset + size) : null,
}))

/** A generated program: the same for every kernel. */
export interface FuzzProgram {
  readonly type: number
  readonly insns: Uint8Array
  /** `{ insn_off, type_id }` of each function. */
  readonly funcInfo: Uint8Array
}

/** The attributes of PROG_LOAD. */
export function loadAttributes(world: World, program: FuzzProgram): ProgLoadAttr {
  return {
    prog_type: program.type,
    insns: program.insns,
    license: "GPL",
    prog_name: "fuzz",
    fd_array: world.fdsOf(program.type),
    prog_btf_fd: world.btfFd,
    func_info: program.funcInfo,
    func_info_rec_size: 8,
  }
}

/** The same for our verifier. */
export function verifierInput(
  program: FuzzProgram,
  kernel: { readonly types: () => Btf; readonly cpus: number },
): VerifierInput {
  return {
    name: "fuzz",
    insns: program.insns,
    type: program.type,
    expectedAttachType: 0,
    flags: 0,
    gplCompatible: true,
    btf: fuzzTypes(),
    funcInfo: program.funcInfo,
    lineInfo: new Uint8Array(0),
    target: null,
    kernelBtf: kernel.types,
    map: (operand, index) => (index ? (described[operand] ?? -71) : -9),
    cpuCount: kernel.cpus,
    logLevel: 0,
  }
}
