/**
 * An object loaded into a kernel and attached to a small world: packet programs to device `eth0`
 * (or kept for test runs), tracing programs to what their sections name.
 */

import type { EmbeddedKernel, NetworkInterface } from "../../api/embedded.ts"
import type { BpfObject, Collection, Kernel, Program } from "../../api/index.ts"
import type { ProgramDefinition } from "../../object/index.ts"
import { BPF_ATTACH_TYPE as AT, BPF_PROG_TYPE as PT } from "../../spec/index.ts"
import type { Context } from "../context.ts"
import { CliError, explainError } from "../errors.ts"
import { loadObject, naming } from "../input.ts"
import { parseValue, parseWord } from "../values/parse.ts"
import { fillMap } from "./fill-maps.ts"
import type { RunOptions } from "./options.ts"
import { Recorder } from "./recorder.ts"

const DEVICE = "eth0"

/** Types that a device takes. */
const DEVICE_TYPES: readonly number[] = [PT.BPF_PROG_TYPE_XDP, PT.BPF_PROG_TYPE_SCHED_CLS]
/** Types that PROG_TEST_RUN gives a packet. */
const PACKET_TYPES: readonly number[] = [
  ...DEVICE_TYPES,
  PT.BPF_PROG_TYPE_SOCKET_FILTER,
  PT.BPF_PROG_TYPE_SCHED_ACT,
  PT.BPF_PROG_TYPE_CGROUP_SKB,
  PT.BPF_PROG_TYPE_LWT_IN,
  PT.BPF_PROG_TYPE_LWT_OUT,
  PT.BPF_PROG_TYPE_LWT_XMIT,
  PT.BPF_PROG_TYPE_FLOW_DISSECTOR,
]
/** Types whose section names their target. */
const TRACING_TYPES: readonly number[] = [
  PT.BPF_PROG_TYPE_TRACEPOINT,
  PT.BPF_PROG_TYPE_RAW_TRACEPOINT,
  PT.BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE,
  PT.BPF_PROG_TYPE_TRACING,
  PT.BPF_PROG_TYPE_LSM,
  PT.BPF_PROG_TYPE_KPROBE,
]
/** Attach types of programs that a map or another program calls, not a device. */
const CALLED_BY_MAPS: readonly number[] = [AT.BPF_XDP_DEVMAP, AT.BPF_XDP_CPUMAP]

export interface Session {
  readonly options: RunOptions
  readonly object: BpfObject
  readonly kernel: Kernel
  /** The same kernel when it is the embedded one. */
  readonly embedded: EmbeddedKernel | null
  readonly collection: Collection
  readonly recorder: Recorder
  readonly device: NetworkInterface | null
  readonly warnings: string[]
  /** Attached to the device. */
  readonly onDevice: readonly Program[]
  /** Given packets by test runs. */
  readonly byTestRun: readonly Program[]
  readonly tracing: readonly Program[]
  /** Run once, without packet. */
  readonly syscalls: readonly Program[]
  /** Frames are sent out of the device rather than received. */
  readonly egress: boolean
  close(): void
}

/**
 * Loads and attaches.
 *
 * @throws CliError naming the file and what is wrong with it or with the options.
 */
export async function openSession(context: Context, options: RunOptions): Promise<Session> {
  const { file } = options
  const parsed = await loadObject(context, file, options.compiler)
  checkPrograms(parsed, options)
  const object = setGlobals(parsed, options)
  const { kernel, embedded } = await openKernel(options)
  const warnings: string[] = []
  try {
    const programs = options.programs.length === 0 ? undefined : options.programs
    const collection = naming(file, () => kernel.loadSync(object, { programs }))
    warnings.push(...collection.warnings)
    const device = embedded?.interface(DEVICE) ?? null
    for (const name of options.devices) embedded?.interface(name)
    for (const [name, source] of options.maps)
      fillMap(context, { name, source, object, collection, embedded })
    const recorder = new Recorder(object, collection)
    if (embedded !== null) recorder.watch(embedded)
    const groups = groupPrograms(object, collection, options, warnings)
    const egress = sendsOut(groups, options)
    attachToDevice(groups.onDevice, options, egress, warnings)
    if (embedded !== null) attachTracing(groups.tracing, options, warnings)
    const close = (): void => {
      collection.close()
      kernel.close()
    }
    return {
      ...{ options, object, kernel, embedded, collection, recorder, device, warnings },
      ...{ ...groups, onDevice: groups.onDevice.map(({ program }) => program), egress, close },
    }
  } catch (error) {
    kernel.close()
    throw error
  }
}

async function openKernel(
  options: RunOptions,
): Promise<{ kernel: Kernel; embedded: EmbeddedKernel | null }> {
  if (options.kernel === "linux") {
    const { openLinux } = await import("../linux.ts")
    return { kernel: await openLinux(), embedded: null }
  }
  const { embeddedKernel } = await import("../../api/embedded.ts")
  // Interpreted: compiled code does not count the instructions that are reported.
  const embedded = embeddedKernel({
    cpus: options.cpus,
    seed: options.seed,
    engine: "interpreter",
  })
  return { kernel: embedded, embedded }
}

function checkPrograms(object: BpfObject, { file, programs }: RunOptions): void {
  for (const name of programs)
    if (!object.programs.some((program) => program.name === name))
      throw new CliError(`${file}: there is no program '${name}'`, {
        hint: listed("program", object.programs),
      })
}

function listed(what: string, things: readonly { readonly name: string }[]): string {
  if (things.length === 0) return `The object has no ${what}s.`
  return `The object has ${things.map(({ name }) => name).join(", ")}.`
}

function setGlobals(object: BpfObject, { file, globals }: RunOptions): BpfObject {
  if (globals.size === 0) return object
  const values: Record<string, unknown> = {}
  for (const [name, word] of globals) {
    const variable = object.model.globals.find((one) => one.name === name)
    if (variable === undefined)
      throw new CliError(`${file}: there is no global '${name}' to set`, {
        hint: listed("global", object.model.globals),
      })
    values[name] = naming(`${file}: --set ${name}`, () => {
      const value = parseWord(word)
      const { btf } = object
      return btf === null || variable.typeId === 0
        ? value
        : parseValue(btf, variable.typeId, asText(value, word, object, variable.typeId))
    })
  }
  return naming(file, () => object.withGlobals(values))
}

/** `--set label=5` means the text where the global is a char array. */
function asText(value: unknown, word: string, object: BpfObject, typeId: number): unknown {
  const type = object.btf?.resolve(typeId)
  if (type?.kind !== "array" || typeof value === "string") return value
  const element = object.btf?.resolve(type.type)
  return element?.kind === "int" && element.name === "char" ? word : value
}

interface Groups {
  readonly onDevice: readonly {
    readonly program: Program
    readonly definition: ProgramDefinition
  }[]
  readonly byTestRun: readonly Program[]
  readonly tracing: readonly Program[]
  readonly syscalls: readonly Program[]
}

/** Who is run how. */
function groupPrograms(
  object: BpfObject,
  collection: Collection,
  options: RunOptions,
  warnings: string[],
): Groups {
  const onDevice: Groups["onDevice"][number][] = []
  const byTestRun: Program[] = []
  const tracing: Program[] = []
  const syscalls: Program[] = []
  const spareXdp: string[] = []
  const live = collection.programs as Readonly<Record<string, Program>>
  const chosen = options.programs.length === 0 ? object.entryPrograms : object.programs
  const devices = options.mode === "device" && options.kernel === "embedded"
  for (const definition of chosen) {
    const program = live[definition.name]
    if (program === undefined || CALLED_BY_MAPS.includes(definition.attachType)) continue
    const { type } = definition
    if (devices && DEVICE_TYPES.includes(type)) {
      const taken = onDevice.some((one) => one.definition.type === PT.BPF_PROG_TYPE_XDP)
      if (type === PT.BPF_PROG_TYPE_XDP && taken) spareXdp.push(definition.name)
      else onDevice.push({ program, definition })
    } else if (PACKET_TYPES.includes(type)) byTestRun.push(program)
    else if (TRACING_TYPES.includes(type)) tracing.push(program)
    else if (type === PT.BPF_PROG_TYPE_SYSCALL) syscalls.push(program)
    else
      warnings.push(
        `program '${program.name}' (${program.type}) is loaded, but there is no way to run it here`,
      )
  }
  if (spareXdp.length > 0)
    warnings.push(
      `a device takes one XDP program: ${spareXdp.join(", ")} not attached (--prog chooses, --mode test-run runs all)`,
    )
  return { onDevice, byTestRun, tracing, syscalls }
}

const EGRESS: readonly number[] = [AT.BPF_TCX_EGRESS]

/** Frames go out when all that could see them are egress programs, or when --direction says so. */
function sendsOut({ onDevice }: Groups, { direction }: RunOptions): boolean {
  if (direction !== null) return direction === "egress"
  return (
    onDevice.length > 0 &&
    onDevice.every(({ definition }) => EGRESS.includes(definition.attachType))
  )
}

function attachToDevice(
  programs: Groups["onDevice"],
  options: RunOptions,
  egress: boolean,
  warnings: string[],
): void {
  for (const { program, definition } of programs) {
    const isTc = definition.type === PT.BPF_PROG_TYPE_SCHED_CLS
    naming(`${options.file}: attaching '${program.name}' to ${DEVICE}`, () =>
      program.attach({
        interface: DEVICE,
        direction: isTc && options.direction !== null ? options.direction : undefined,
      }),
    )
    const seesEgress = options.direction === null && EGRESS.includes(definition.attachType)
    if (isTc && seesEgress !== egress && options.direction === null)
      warnings.push(
        `'${program.name}' is an egress program, and the frames come in: it sees only what is sent back (--direction egress sends them out)`,
      )
  }
}

function attachTracing(
  programs: readonly Program[],
  options: RunOptions,
  warnings: string[],
): void {
  for (const program of programs) {
    try {
      program.attach()
    } catch (error) {
      const { message } = explainError(error)
      if (options.programs.includes(program.name))
        throw new CliError(`${options.file}: attaching '${program.name}': ${message}`, {
          cause: error,
        })
      warnings.push(`'${program.name}' is not attached: ${message}`)
    }
  }
}
