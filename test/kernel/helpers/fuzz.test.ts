/**
 * Helpers with arguments that no verifier would let through: every call ends with a result or a
 * fault, and never with an exception. SKEP_FUZZ scales the number of calls.
 */

import { afterAll, describe, expect, test } from "vitest"
import { prepare } from "../../../src/interpreter/index.ts"
import { assemble } from "../../../src/isa/index.ts"
import { SkBuffer, XdpBuffer } from "../../../src/kernel/contexts/index.ts"
import type { Environment, RunInput } from "../../../src/kernel/environment.ts"
import { helperImplementations, kfuncImplementations } from "../../../src/kernel/helpers/index.ts"
import { createEmbeddedKernel } from "../../../src/kernel/index.ts"
import type { BpfMap } from "../../../src/kernel/maps/map.ts"
import type { Program } from "../../../src/kernel/programs/program.ts"
import { createRandom } from "../../../src/kernel/random.ts"
import { BPF_MAP_TYPE, HELPERS } from "../../../src/spec/index.ts"
import { udp4 } from "../testrun/packets.ts"

const SEED = Number(process.env.SKEP_FUZZ_SEED ?? Date.now() % 1_000_000)
const CALLS = 40 * Number(process.env.SKEP_FUZZ ?? 1)

const kernel = createEmbeddedKernel({ seed: SEED, budget: 100_000 })
afterAll(() => kernel.dispose())

const MAP_TYPES = [
  ["BPF_MAP_TYPE_ARRAY", 4, 24],
  ["BPF_MAP_TYPE_HASH", 4, 24],
  ["BPF_MAP_TYPE_PERCPU_ARRAY", 4, 8],
  ["BPF_MAP_TYPE_PROG_ARRAY", 4, 4],
  ["BPF_MAP_TYPE_PERF_EVENT_ARRAY", 4, 4],
  ["BPF_MAP_TYPE_RINGBUF", 0, 0],
  ["BPF_MAP_TYPE_USER_RINGBUF", 0, 0],
  ["BPF_MAP_TYPE_QUEUE", 0, 8],
  ["BPF_MAP_TYPE_STACK_TRACE", 4, 64],
  ["BPF_MAP_TYPE_CGROUP_ARRAY", 4, 4],
  ["BPF_MAP_TYPE_DEVMAP", 4, 4],
] as const

const maps: BpfMap[] = MAP_TYPES.map(([type, key, value]) => {
  const entries = type.includes("RINGBUF") ? 4096 : 4
  const attr = {
    map_type: BPF_MAP_TYPE[type],
    key_size: key,
    value_size: value,
    max_entries: entries,
  }
  const fd = kernel.bpf("MAP_CREATE", attr)
  const object = kernel.tables.fds.get(fd, "map")
  if (typeof object === "number") throw new Error(`${type}: ${fd}`)
  return object.value.map
})

/** 64-bit arguments as assembler text: addresses of every kind, and numbers at their edges. */
function argument(random: () => number): string {
  const pick = <T>(from: readonly T[]): T => from[random() % from.length]
  const near = (random() % 64) - 32
  const map = pick(maps)
  const tag = (region: number): bigint => BigInt((0xffff8000 | region) >>> 0) << 32n
  const { state } = kernel
  const constants: readonly bigint[] = [
    0n,
    1n,
    8n,
    BigInt(random() % 70_000),
    0xffff_ffffn,
    0xffff_ffff_ffff_ffffn,
    0x7fff_ffffn,
    0x8000_0000n,
    tag(state.descriptorRegion) | BigInt(map.address),
    tag(map.valueRegion) | BigInt(state.memory.regionStart[map.valueRegion] + (near & 31)),
    tag(state.kernelRegion) | BigInt(random() % 0x7fff_ffff),
    tag(state.kernelRegion) | 0x7fff_fff0n,
    tag(state.userRegion) | BigInt(state.memory.regionStart[state.userRegion]),
    tag(random() % 64) | BigInt(random()),
    0xffff_4000_0000_0000n | BigInt(random() % 64),
  ]
  switch (random() % 4) {
    case 0:
      return `r10; ARG += ${-8 * (random() % 64)}`
    case 1:
      return "r6"
    default:
      return `${pick(constants)} ll`
  }
}

function programOf(text: string, name: string, type: number): Program {
  const bytes = assemble(text).bytes
  const prepared = prepare<Environment>({
    name,
    program: bytes,
    resolveCall: (kind, imm) =>
      (kind === "helper"
        ? helperImplementations.get(imm)
        : kfuncImplementations.get(kfuncs[imm] ?? "")) ?? null,
  })
  if (prepared.problem !== null) throw new Error(`${text}\n${prepared.problem.message}`)
  return {
    id: 1,
    name,
    type,
    expectedAttachType: 0,
    flags: 0,
    license: "GPL",
    gplCompatible: true,
    tag: new Uint8Array(8),
    insns: bytes,
    translated: bytes,
    executable: prepared.executable,
    maps,
    btf: null,
    funcInfo: new Uint8Array(0),
    lineInfo: new Uint8Array(0),
    attachBtfId: 0,
    attachTarget: null,
    loadedAtNs: 0n,
    runCount: 0n,
    runTimeNs: 0n,
    recursionMisses: 0n,
  }
}

const kfuncs = [...kfuncImplementations.keys()]

const callees: readonly (readonly [name: string, call: string])[] = [
  ...[...helperImplementations.keys()].map((id) => [HELPERS[id].name, `call ${id}`] as const),
  ...kfuncs.map((name, id) => [name, `call kernel-function#${id}`] as const),
]

describe(`hostile arguments (seed ${SEED}, ${CALLS} calls each)`, () => {
  test.each(callees)("%s", (name, call) => {
    const random = createRandom(SEED ^ name.length ^ (name.charCodeAt(0) << 8))
    const skb = new SkBuffer(kernel.state.memory)
    const xdp = new XdpBuffer(kernel.state.memory)
    for (let i = 0; i < CALLS; i++) {
      const args = [1, 2, 3, 4, 5].map(
        (n) => `r${n} = ${argument(random).replaceAll("ARG", `r${n}`)}`,
      )
      const text = `r6 = r1\n${args.join("\n")}\n${call}\nr0 = 0\nexit`
      skb.load(udp4, { ifindex: 1, socket: { family: 2 } })
      xdp.load(udp4, { ingressIfindex: 1 })
      const packet = [skb, xdp, null][random() % 3]
      const input: RunInput =
        packet === null
          ? { context: xdp.context, contextRegion: xdp.contextRegion, packet: null }
          : { context: packet.context, contextRegion: packet.contextRegion, packet }
      const program = programOf(text, name, packet === null ? 17 : packet.kind === "skb" ? 3 : 6)
      expect(() => kernel.state.run(program, input), text).not.toThrow()
    }
    skb.free()
    xdp.free()
  })
})
