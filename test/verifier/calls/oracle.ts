/**
 * The same program, given to Linux and to our verifier: a kernel that hands each PROG_LOAD to both
 * and keeps what they said. What maps are is taken from the commands that made them.
 */

import { spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type Btf, readBtf } from "../../../src/btf/index.ts"
import { assemble } from "../../../src/isa/index.ts"
import { createLinuxKernel, type LinuxKernel } from "../../../src/linux/index.ts"
import { loadObject } from "../../../src/loader/index.ts"
import { readObject } from "../../../src/object/index.ts"
import type { Commands, KernelInterface } from "../../../src/spec/kernel-interface.ts"
import type { VerifierInput, VerifierMap } from "../../../src/verifier/input.ts"
import { verify } from "../../../src/verifier/verify.ts"
import { root } from "../../support/requirements.ts"

export interface Outcome {
  /** 0 when it was accepted. */
  readonly errno: number
  /** The last line before the statistics. */
  readonly message: string
  readonly log: string
}

export interface Comparison {
  readonly name: string
  readonly linux: Outcome
  readonly ours: Outcome
}

/** Log of the largest program that the tests load. */
const LOG = new Uint8Array(1 << 24)

let linuxKernel: LinuxKernel | undefined
let kernelTypes: Btf | undefined

function kernel(): LinuxKernel {
  return (linuxKernel ??= createLinuxKernel())
}

function vmlinux(): Btf {
  const bytes = kernel().vmlinuxBtf()
  if (bytes === null) throw new Error("this kernel has no BTF")
  return (kernelTypes ??= readBtf(bytes))
}

/** The line that says why: the last one that is not statistics. */
function lastMessage(log: string): string {
  const lines = log.trimEnd().split("\n")
  const end = lines.findIndex((line) => /processed \d+ insns/.test(line))
  // A message without a newline has the statistics behind it.
  const [partial] = (lines[end] ?? "").split(/processed \d+ insns/)
  const said = [...(end < 0 ? lines : lines.slice(0, end)), ...(partial ? [partial] : [])].filter(
    (line) =>
      !line.startsWith("verification time") &&
      !line.startsWith("stack depth") &&
      !/^(\([\d,]+\) (frame|live stack)|SCC (enter|exit))/.test(line),
  )
  return said.at(-1) ?? ""
}

/** Without what differs between two loads of one program: addresses, times. */
export function comparable(log: string): string {
  return log
    .replace(/\(18\) (r\d+) = 0x[0-9a-f]+ */g, "(18) $1 = ADDRESS")
    .replace(/^(\([\d,]+\) (frame|live stack)|SCC (enter|exit)).*\n/gm, "")
    .replace(/verification time \d+/g, "verification time N")
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

/** Hands PROG_LOAD to both; everything else goes to Linux alone. */
class Recorder {
  readonly comparisons: Comparison[] = []
  private readonly maps = new Map<number, Mutable<VerifierMap>>()
  private readonly types = new Map<number, Btf>()
  private readonly linux: LinuxKernel
  /** What `attach_btf_id` and the like could not tell. */
  constructor(linux: LinuxKernel) {
    this.linux = linux
  }

  /** As the loader wants it. */
  get interface(): KernelInterface {
    const bpf = this.bpf.bind(this)
    return new Proxy(this.linux as KernelInterface, {
      get: (target, key) => {
        if (key === "bpf") return bpf
        const value = Reflect.get(target, key)
        return typeof value === "function" ? value.bind(target) : value
      },
    })
  }

  bpf(command: keyof Commands, attr: never): number {
    if (command === "PROG_LOAD") return this.load(attr)
    const result = this.linux.bpf(command, attr)
    if (result < 0) return result
    if (command === "MAP_CREATE") this.noteMap(result, attr)
    if (command === "BTF_LOAD") this.types.set(result, readBtf((attr as Commands["BTF_LOAD"]).btf))
    if (command === "MAP_FREEZE") {
      const map = this.maps.get((attr as Commands["MAP_FREEZE"]).map_fd)
      if (map !== undefined) map.frozen = true
    }
    return result
  }

  private noteMap(fd: number, attr: Commands["MAP_CREATE"]): void {
    this.maps.set(fd, {
      id: fd,
      name: attr.map_name ?? "",
      type: attr.map_type,
      keySize: attr.key_size,
      valueSize: attr.value_size,
      maxEntries: attr.max_entries,
      flags: attr.map_flags ?? 0,
      mapExtra: attr.map_extra ?? 0n,
      frozen: false,
      btf: this.types.get(attr.btf_fd ?? -1) ?? null,
      keyTypeId: attr.btf_key_type_id ?? 0,
      valueTypeId: attr.btf_value_type_id ?? 0,
      inner: this.maps.get(attr.inner_map_fd ?? -1) ?? null,
      owner: null,
      readConstant: (offset, size) => {
        const value = new Uint8Array((attr.value_size + 7) & ~7)
        const read = { map_fd: fd, key: new Uint8Array(4), value }
        if (this.linux.bpf("MAP_LOOKUP_ELEM", read) < 0) return null
        return value.slice(offset, offset + size)
      },
    })
  }

  private load(attr: Commands["PROG_LOAD"]): number {
    const buffer = LOG
    buffer[0] = 0
    const asked = { ...attr, log_level: 2, log_buf: buffer }
    const result = this.linux.bpf("PROG_LOAD", asked)
    const end = buffer.indexOf(0)
    const log = new TextDecoder().decode(buffer.subarray(0, end < 0 ? buffer.length : end))
    const verdict = verify(this.inputOf(attr))
    this.comparisons.push({
      name: attr.prog_name ?? "",
      linux: { errno: Math.max(0, -result), message: lastMessage(log), log },
      ours: {
        errno: verdict.rejection?.errno ?? 0,
        message: lastMessage(verdict.log),
        log: verdict.log,
      },
    })
    return result
  }

  private inputOf(attr: Commands["PROG_LOAD"]): VerifierInput {
    const attachId = attr.attach_btf_id ?? 0
    const types = attachId === 0 ? null : vmlinux()
    const attachName = types?.type(attachId).name.replace(/^(bpf_lsm_|btf_trace_)/, "") ?? ""
    return {
      name: attr.prog_name ?? "",
      insns: attr.insns,
      type: attr.prog_type,
      expectedAttachType: attr.expected_attach_type ?? 0,
      flags: attr.prog_flags ?? 0,
      gplCompatible: /GPL/.test(attr.license),
      btf: this.types.get(attr.prog_btf_fd ?? -1) ?? null,
      funcInfo: attr.func_info ?? new Uint8Array(0),
      lineInfo: attr.line_info ?? new Uint8Array(0),
      target: types === null ? null : { name: attachName, btf: types, btfId: attachId },
      kernelBtf: vmlinux,
      map: (operand, index) => {
        const fd = index ? (attr.fd_array?.[operand] ?? -1) : operand
        return this.maps.get(fd) ?? -9
      },
      cpuCount: this.linux.possibleCpus,
      logLevel: 2,
    }
  }
}

/** Compiles C with the repository's headers and loads every program of it, one after another. */
export function compareC(source: string, flags: readonly string[] = []): Comparison[] {
  const directory = mkdtempSync(join(tmpdir(), "skep-calls-"))
  try {
    const file = join(directory, "p.bpf.c")
    const output = join(directory, "p.bpf.o")
    writeFileSync(file, source)
    const options = ["-target", "bpf", "-mcpu=v3", "-O2", "-g", "-w", "-nostdinc", ...flags]
    const include = ["-I", join(root, "include"), "-D__TARGET_ARCH_x86"]
    const run = spawnSync("clang", [...options, ...include, "-c", file, "-o", output], {
      encoding: "utf8",
    })
    if (run.status !== 0) throw new Error(run.stderr)
    return compareObject(new Uint8Array(readFileSync(output)))
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

/** Loads each program of an object alone, so that one that is refused does not hide the next. */
export function compareObject(bytes: Uint8Array): Comparison[] {
  const object = readObject(bytes)
  const found: Comparison[] = []
  for (const program of object.programs) {
    const recorder = new Recorder(kernel())
    try {
      loadObject(recorder.interface, object, { programs: [program.name], log: "off" }).close()
    } catch (problem) {
      if (recorder.comparisons.length === 0) throw problem
    }
    found.push({ ...recorder.comparisons[0], name: program.name })
  }
  return found
}

/** A map of a program in assembly: what MAP_CREATE takes. */
export type MapSpec = Commands["MAP_CREATE"]

export interface AssemblyOptions {
  readonly type?: number
  readonly expectedAttachType?: number
  readonly license?: string
  readonly flags?: number
  /** By the name that the text uses: `r1 = map[name]`. */
  readonly maps?: Readonly<Record<string, MapSpec>>
}

/** The id of `bpf_throw`, 17 of `17`, -5 of `minus_5`; 0 for a function that is not there. */
export function kfuncId(name: string): number {
  const number = /^(minus_)?(\d+)$/.exec(name)
  if (number === null) return vmlinux().findByName(name, "func") ?? 0
  return number[1] === undefined ? Number(number[2]) : -Number(number[2])
}

/** Assembles and loads a program; `call kfunc_bpf_throw` calls a function of the kernel. */
export function compareAssembly(text: string, options: AssemblyOptions = {}): Comparison {
  const programs = [{ ...options, name: "", text }]
  for (const compared of compareMany(programs, options.maps ?? {})) return compared
  throw new Error("nothing was compared")
}

export interface NamedProgram extends AssemblyOptions {
  readonly name: string
  readonly text: string
}

/** As {@link compareAssembly}, for many programs with the same maps. */
export function* compareMany(
  programs: Iterable<NamedProgram>,
  maps: Readonly<Record<string, MapSpec>>,
): Generator<Comparison & { readonly text: string }> {
  const recorder = new Recorder(kernel())
  const fds = new Map<string, number>()
  try {
    for (const [name, spec] of Object.entries(maps)) {
      const fd = recorder.interface.bpf("MAP_CREATE", spec)
      if (fd < 0) throw new Error(`map ${name}: errno ${-fd}`)
      fds.set(name, fd)
    }
    for (const { name, text, ...options } of programs) {
      const { bytes } = assemble(text, {
        resolveSymbol: ({ kind, name: symbol }) => {
          if (kind === "function" && symbol.startsWith("kfunc_"))
            return { src: 2, imm: kfuncId(symbol.slice("kfunc_".length)) }
          const fd = kind === "map" ? fds.get(symbol) : undefined
          return fd === undefined ? undefined : { src: 1, imm: fd }
        },
      })
      const fd = recorder.interface.bpf("PROG_LOAD", {
        prog_type: options.type ?? 1,
        insns: bytes,
        license: options.license ?? "GPL",
        expected_attach_type: options.expectedAttachType ?? 0,
        prog_flags: options.flags ?? 0,
      })
      kernel().close(fd)
      const compared = recorder.comparisons.pop()
      if (compared !== undefined) yield { ...compared, name, text }
    }
  } finally {
    for (const fd of fds.values()) kernel().close(fd)
  }
}
