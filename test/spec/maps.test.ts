/** The rules of map types against MAP_CREATE, the element commands and trial loads. */

import { afterAll, describe, expect, test } from "vitest"
import {
  BPF_CMD,
  BPF_MAP_FLAG,
  BPF_MAP_TYPE,
  BPF_PROG_TYPE,
  type CommandName,
  ERRNO,
  HELPERS,
  type Helper,
  helperAllowed,
  type MapRule,
  mapHelperAllowed,
  mapRule,
  mapTypeByName,
  mapTypeName,
  sizeAllowed,
} from "../../src/spec/index.ts"
import { addressOf, bpf, close } from "../support/linux.ts"
import { describeWith, requirement } from "../support/requirements.ts"
import { kernelBtf } from "./helper-probe.ts"
import { createMap, insn, load64, loadBtf, mapElement, type TrialMap, tryLoad } from "./trial.ts"

describe("map types", () => {
  test("have bpftool's names and a rule each", () => {
    expect(mapTypeName(1)).toBe("hash")
    expect(mapTypeName(19)).toBe("cgroup_storage")
    expect(mapTypeByName("lru_percpu_hash")).toBe(10)
    expect(mapTypeName(999)).toBe("999")
    for (const [name, type] of Object.entries(BPF_MAP_TYPE))
      if (type !== 0) expect(`${name} ${mapRule(type)?.type}`).toBe(`${name} ${type}`)
    expect(mapRule(0)).toBeUndefined()
  })
})

/** BTF with one type: a 4-byte integer. */
function integerBtf(): Uint8Array {
  const bytes = new Uint8Array(45)
  const words = [24, 0, 16, 16, 5, 1, 1 << 24, 4, (1 << 24) | 32]
  const view = new DataView(bytes.buffer)
  view.setUint32(0, 0x0001_eb9f, true)
  words.forEach((word, index) => {
    view.setUint32(4 + 4 * index, word, true)
  })
  bytes.set([0, 0x69, 0x6e, 0x74, 0], 40)
  return bytes
}

const opened: number[] = []
afterAll(() => opened.forEach(close))

/** The smallest attributes that satisfy a rule. */
function smallest(rule: MapRule): TrialMap {
  const structOps = rule.type === BPF_MAP_TYPE.BPF_MAP_TYPE_STRUCT_OPS
  const inner = { type: BPF_MAP_TYPE.BPF_MAP_TYPE_ARRAY, keySize: 4, valueSize: 8, maxEntries: 1 }
  const kept = (fd: number): number => {
    opened.push(fd)
    return fd
  }
  const operations = structOps
    ? kernelBtf()?.findByName("bpf_struct_ops_tcp_congestion_ops", "struct")
    : undefined
  const types = structOps ? 0 : 1
  return {
    type: rule.type,
    keySize: rule.key.min,
    // BTF describes an int; the other values are small.
    valueSize: operations
      ? kernelBtf()!.sizeOf(operations)
      : rule.needsBtf
        ? 4
        : Math.max(rule.value.min, Math.min(8, rule.value.max)),
    maxEntries: rule.entries.min,
    flags: rule.requiredFlags,
    innerFd: rule.ofMaps ? kept(createMap(inner)) : 0,
    btf: rule.needsBtf ? { fd: kept(loadBtf(integerBtf())), key: types, value: types } : undefined,
    vmlinuxValueId: operations,
  }
}

function outcome(map: TrialMap): number {
  const fd = createMap(map)
  close(fd)
  return Math.min(fd, 0)
}

const elementCommands = `MAP_LOOKUP_ELEM MAP_UPDATE_ELEM MAP_DELETE_ELEM MAP_GET_NEXT_KEY
  MAP_LOOKUP_AND_DELETE_ELEM`.split(/\s+/) as CommandName[]
const batchCommands = `MAP_LOOKUP_BATCH MAP_LOOKUP_AND_DELETE_BATCH MAP_UPDATE_BATCH
  MAP_DELETE_BATCH`.split(/\s+/) as CommandName[]

function runElement(name: CommandName, fd: number, keyed: boolean): number {
  const key = new Uint8Array(keyed ? 512 : 0)
  // No owner has this descriptor.
  if (keyed) key.fill(0xff, 0, 4)
  return mapElement(BPF_CMD[`BPF_${name}`], fd, key, new Uint8Array(1 << 16))
}

function runBatch(name: CommandName, fd: number): number {
  const attr = new Uint8Array(56)
  const view = new DataView(attr.buffer)
  const buffers = [new Uint8Array(512), new Uint8Array(4096), new Uint8Array(1 << 16)]
  buffers.forEach((buffer, index) => {
    view.setBigUint64(8 + 8 * index, addressOf(buffer), true)
  })
  view.setUint32(32, 1, true)
  view.setUint32(36, fd, true)
  return bpf(BPF_CMD[`BPF_${name}`], attr)
}

const all = Object.entries(BPF_MAP_TYPE).filter(([, type]) => type !== 0)

describeWith([requirement.linux()], "map rules", () => {
  test.each(all)("of %s are Linux's", (_name, type) => {
    const rule = mapRule(type)!
    const base = smallest(rule)
    const fd = createMap(base)
    expect(fd).toBeGreaterThan(0)
    opened.push(fd)
    expectFlags(rule, base)
    expectSizes(rule, base)
    for (const name of [...elementCommands, ...batchCommands]) {
      const batch = batchCommands.includes(name)
      const result = batch ? runBatch(name, fd) : runElement(name, fd, base.keySize > 0)
      if (rule.commands.includes(name)) {
        expect(`${name} ${result}`).not.toBe(`${name} -${ERRNO.ENOTSUPP}`)
        expect(`${name} ${result}`).not.toBe(`${name} -${ERRNO.EOPNOTSUPP}`)
      } else {
        const errno = rule.refusals[name] ?? ERRNO.ENOTSUPP
        expect(`${name} ${result}`).toBe(`${name} ${-errno}`)
      }
    }
  })
})

function expectFlags(rule: MapRule, base: TrialMap): void {
  for (const [name, bit] of Object.entries(BPF_MAP_FLAG)) {
    // Those two want a file descriptor more.
    if (name === "BPF_F_TOKEN_FD" || name === "BPF_F_VTYPE_BTF_OBJ_FD") continue
    const toggled = outcome({ ...base, flags: (base.flags ?? 0) ^ bit })
    const required = (rule.requiredFlags & bit) !== 0
    // Frames with build ids have 32 bytes.
    if (name === "BPF_F_STACK_BUILD_ID" && (rule.flags & bit) !== 0) continue
    const allowed = !required && (rule.flags & bit) !== 0
    expect(`${name} ${toggled === 0}`).toBe(`${name} ${allowed}`)
  }
}

function expectSizes(rule: MapRule, base: TrialMap): void {
  const some = [0, 1, 3, 4, 5, 8, 12, 16, 260, 261, 512, 513, 1016, 1024, 32768, 32776]
  for (const size of some) {
    const key = outcome({ ...base, keySize: size }) === 0
    expect(`key ${size} ${sizeAllowed(size, rule.key)}`).toBe(`key ${size} ${key}`)
    if (rule.needsBtf) continue
    const value = outcome({ ...base, valueSize: size }) === 0
    expect(`value ${size} ${sizeAllowed(size, rule.value)}`).toBe(`value ${size} ${value}`)
  }
  for (const entries of [0, 1, 2, 3, 4096, 8192, 12288]) {
    const isPower = (entries & (entries - 1)) === 0
    const ours = sizeAllowed(entries, rule.entries) && (isPower || !rule.entriesPowerOfTwo)
    // CPU maps end at the kernel's NR_CPUS.
    if (rule.type === BPF_MAP_TYPE.BPF_MAP_TYPE_CPUMAP && entries > 3) continue
    const linux = outcome({ ...base, maxEntries: entries }) === 0
    expect(`entries ${entries} ${ours}`).toBe(`entries ${entries} ${linux}`)
  }
}

interface MapHelper {
  readonly helper: Helper
  /** A program type that has the helper. */
  readonly type: number
}

function mapHelpers(): MapHelper[] {
  const types = [
    BPF_PROG_TYPE.BPF_PROG_TYPE_SCHED_CLS,
    BPF_PROG_TYPE.BPF_PROG_TYPE_XDP,
    BPF_PROG_TYPE.BPF_PROG_TYPE_SK_SKB,
    BPF_PROG_TYPE.BPF_PROG_TYPE_SK_MSG,
    BPF_PROG_TYPE.BPF_PROG_TYPE_SOCK_OPS,
    BPF_PROG_TYPE.BPF_PROG_TYPE_SK_REUSEPORT,
    BPF_PROG_TYPE.BPF_PROG_TYPE_CGROUP_SKB,
    BPF_PROG_TYPE.BPF_PROG_TYPE_RAW_TRACEPOINT,
  ]
  return HELPERS.flatMap((helper) => {
    const takesMap = helper.parameters.some(({ kind }) => kind === "map")
    const type = types.find((known) => helperAllowed(helper.id, { type: known }))
    return takesMap && type !== undefined ? [{ helper, type }] : []
  })
}

/** Sets the arguments of a call that is right but for the map; `null` if that takes more. */
function setArguments(helper: Helper, map: number): Uint8Array[] | null {
  const code: Uint8Array[] = []
  for (let at = 8; at <= 64; at += 8) code.push(insn(0x7a, 10, 0, -at, 0))
  for (const [index, { kind, nullable }] of helper.parameters.entries()) {
    const register = index + 1
    if (kind === "ctx") {
      if (index !== 0) return null
    } else if (kind === "map") code.push(...load64(register, 1, map))
    else if (kind === "key" || kind === "value" || kind === "mem")
      code.push(insn(0xbf, register, 10), insn(0x07, register, 0, 0, -64))
    else if (kind === "size" || kind === "size0" || kind === "alloc_size0")
      code.push(insn(0xb7, register, 0, 0, 8))
    else if (kind === "any" || nullable) code.push(insn(0xb7, register, 0, 0, 0))
    else return null
  }
  return code
}

describeWith([requirement.linux()], "maps as arguments of helpers", () => {
  const attachTypes = new Map<number, number>([
    [BPF_PROG_TYPE.BPF_PROG_TYPE_SOCK_OPS, 3],
    [BPF_PROG_TYPE.BPF_PROG_TYPE_SK_MSG, 7],
    [BPF_PROG_TYPE.BPF_PROG_TYPE_SK_SKB, 5],
    [BPF_PROG_TYPE.BPF_PROG_TYPE_SK_REUSEPORT, 39],
  ])
  test.each(all)("%s go where Linux lets them", (name, type) => {
    const fd = createMap(smallest(mapRule(type)!))
    opened.push(fd)
    let judged = 0
    for (const { helper, type: programType } of mapHelpers()) {
      const before = setArguments(helper, fd)
      if (before === null) continue
      const after = [insn(0x85, 0, 0, 0, helper.id), insn(0xb7, 0, 0, 0, 1), insn(0x95)]
      const attachType = attachTypes.get(programType) ?? 0
      const instructions = [...before, ...after]
      const { log } = tryLoad({ type: programType, attachType, instructions })
      const refused = /cannot pass map_type/.test(log)
      // Arguments are looked at first; a complaint about one says nothing of the map.
      if (!refused && /^(R\d|arg|invalid|arena's|bpf_struct_ops|.*forbidden|.*expected)/m.test(log))
        continue
      judged++
      expect(`${helper.name} ${mapHelperAllowed(type, helper.name)}`).toBe(
        `${helper.name} ${!refused}`,
      )
    }
    // Those two may not be named by such a program at all.
    if (!/STRUCT_OPS|ARENA/.test(name)) expect(judged).toBeGreaterThan(5)
  })
})
