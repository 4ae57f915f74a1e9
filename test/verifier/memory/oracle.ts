/**
 * One program in assembly, given to Linux and to our verifier; what each said. Maps are made with
 * their contents, so that constants can be tested too.
 */

import { type Btf, readBtf } from "../../../src/btf/index.ts"
import { assemble } from "../../../src/isa/index.ts"
import { createLinuxKernel, type LinuxKernel } from "../../../src/linux/index.ts"
import type { VerifierMap } from "../../../src/verifier/input.ts"
import { verify } from "../../../src/verifier/verify.ts"

export interface MapText {
  readonly type: number
  readonly key?: number
  readonly value?: number
  readonly entries?: number
  readonly flags?: number
  /** Contents of the only value. */
  readonly data?: readonly number[]
  readonly frozen?: boolean
  /** Template of a map of maps. */
  readonly inner?: MapText
}

export interface Case {
  readonly name: string
  readonly text: string
  readonly type?: number
  readonly attach?: number
  readonly license?: string
  readonly flags?: number
  readonly maps?: Readonly<Record<string, MapText>>
  /** What the loading process may: CAP_PERFMON; true by default. */
  readonly perfmon?: boolean
  /** Kernel function or typedef that the program is for. */
  readonly target?: string
}

export interface Outcome {
  /** 0 when it was accepted. */
  readonly errno: number
  /** The last line before the statistics. */
  readonly message: string
  readonly log: string
}

const buffer = new Uint8Array(1 << 18)
let linuxKernel: LinuxKernel | undefined
let kernelTypes: Btf | undefined

function kernel(): LinuxKernel {
  return (linuxKernel ??= createLinuxKernel())
}

export function vmlinux(): Btf {
  const bytes = kernel().vmlinuxBtf()
  if (bytes === null) throw new Error("this kernel has no BTF")
  return (kernelTypes ??= readBtf(bytes))
}

/** The last line that is neither statistics nor empty. */
export function lastMessage(log: string): string {
  const statistics =
    /^(processed \d+ insns|verification time|stack depth|\(\d+\) (frame \d|live stack))/
  const lines = log.trimEnd().split("\n")
  return lines.filter((line) => !statistics.test(line)).at(-1) ?? ""
}

interface MadeMap {
  readonly fd: number
  readonly described: VerifierMap
}

function makeMap(name: string, spec: MapText): MadeMap {
  const inner = spec.inner === undefined ? null : makeMap("inner", spec.inner)
  const created = {
    map_type: spec.type,
    key_size: spec.key ?? 4,
    value_size: spec.value ?? 8,
    max_entries: spec.entries ?? 1,
    map_flags: spec.flags ?? 0,
    map_name: name,
    ...(inner === null ? {} : { inner_map_fd: inner.fd }),
  }
  const fd = kernel().bpf("MAP_CREATE", created)
  if (inner !== null) kernel().close(inner.fd)
  if (fd < 0) throw new Error(`map ${name}: errno ${-fd}`)
  const data = new Uint8Array(created.value_size)
  data.set(spec.data ?? [])
  if (spec.data !== undefined)
    kernel().bpf("MAP_UPDATE_ELEM", { map_fd: fd, key: new Uint8Array(4), value: data, flags: 0n })
  if (spec.frozen) kernel().bpf("MAP_FREEZE", { map_fd: fd })
  const described: VerifierMap = {
    id: fd,
    name,
    type: spec.type,
    keySize: created.key_size,
    valueSize: created.value_size,
    maxEntries: created.max_entries,
    flags: created.map_flags,
    mapExtra: 0n,
    frozen: spec.frozen ?? false,
    btf: null,
    keyTypeId: 0,
    valueTypeId: 0,
    inner: inner?.described ?? null,
    owner: null,
    readConstant: (offset, size) => data.slice(offset, offset + size),
  }
  return { fd, described }
}

function idOfTarget(name: string): number {
  return vmlinux().findByName(name, "func") ?? vmlinux().findByName(name, "typedef") ?? 0
}

/** Where a field of a kernel struct lies: `task_struct.se.vruntime`. */
function offsetOf(path: string): number {
  const [struct, ...names] = path.split(".")
  const btf = vmlinux()
  let id = btf.findByName(struct, "struct") ?? 0
  let offset = 0
  for (const name of names) {
    const found = memberOf(id, name)
    if (found === undefined) throw new Error(`${path}: no ${name}`)
    offset += found.offset
    id = found.type
  }
  return offset
}

function memberOf(id: number, name: string): { offset: number; type: number } | undefined {
  const type = vmlinux().resolve(id)
  if (type.kind !== "struct" && type.kind !== "union") return undefined
  for (const member of type.members) {
    const offset = Math.floor(member.bitOffset / 8)
    if (member.name === name) return { offset, type: member.type }
    const inner = member.name === "" ? memberOf(member.type, name) : undefined
    if (inner !== undefined) return { offset: offset + inner.offset, type: inner.type }
  }
  return undefined
}

/** Loads the program into Linux and verifies it. */
export function compare(test: Case): { readonly linux: Outcome; readonly ours: Outcome } {
  const maps = new Map<string, MadeMap>()
  let fd = -1
  try {
    for (const [name, spec] of Object.entries(test.maps ?? {})) maps.set(name, makeMap(name, spec))
    const source = test.text
      .replace(/BTF\((\w+)\)/g, (_all, name: string) => String(vmlinux().findByName(name) ?? 0))
      .replace(/\+ OFF\(([\w.]+)\)( [-+] \d+)?/g, (_all, path: string, more = "") => {
        const offset = offsetOf(path) + Number(more.replaceAll(" ", ""))
        return `+ ${offset}`
      })
    const { bytes } = assemble(source, {
      resolveSymbol: ({ kind, name, offset }) => {
        const map = maps.get(name)
        if (map === undefined) return undefined
        return kind === "value" ? { src: 2, imm: map.fd, next: offset } : { src: 1, imm: map.fd }
      },
    })
    const targetId = test.target === undefined ? 0 : idOfTarget(test.target)
    buffer[0] = 0
    const attr = {
      prog_type: test.type ?? 1,
      insns: bytes,
      license: test.license ?? "GPL",
      expected_attach_type: test.attach ?? 0,
      prog_flags: test.flags ?? 0,
    }
    fd = kernel().bpf("PROG_LOAD", {
      ...attr,
      ...(targetId === 0 ? {} : { attach_btf_id: targetId }),
      log_level: 2,
      log_buf: buffer,
    })
    const log = new TextDecoder().decode(buffer.subarray(0, Math.max(0, buffer.indexOf(0))))
    const byFd = new Map([...maps.values()].map((map) => [map.fd, map.described]))
    const name = test.target?.replace(/^(bpf_lsm_|btf_trace_)/, "") ?? ""
    const verdict = verify({
      name: "",
      insns: bytes,
      type: attr.prog_type,
      expectedAttachType: attr.expected_attach_type,
      flags: attr.prog_flags,
      gplCompatible: /GPL/.test(attr.license),
      btf: null,
      funcInfo: new Uint8Array(0),
      lineInfo: new Uint8Array(0),
      target: targetId === 0 ? null : { name, btf: vmlinux(), btfId: targetId },
      kernelBtf: vmlinux,
      map: (operand) => byFd.get(operand) ?? -9,
      cpuCount: kernel().possibleCpus,
      privileges: { bpf: true, perfmon: test.perfmon ?? true },
      logLevel: 2,
    })
    return {
      linux: { errno: Math.max(0, -fd), message: lastMessage(log), log },
      ours: {
        errno: verdict.rejection?.errno ?? 0,
        message: lastMessage(verdict.log),
        log: verdict.log,
      },
    }
  } finally {
    if (fd >= 0) kernel().close(fd)
    for (const map of maps.values()) kernel().close(map.fd)
  }
}
