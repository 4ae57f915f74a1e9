/**
 * PROG_LOAD: attributes from a program's definition, the log with a buffer that grows until it
 * holds everything, and a rejection as an error that says where and why.
 */

import { type BpfError, NotSupportedError, ObjectError } from "../base/index.ts"
import { type Btf, encodeFuncInfo, FUNC_INFO_SIZE, LINE_INFO_SIZE } from "../btf/index.ts"
import type { LineInfo, ProgramDefinition } from "../object/index.ts"
import {
  BPF_LOG_SIZE_MAX,
  BPF_LOG_SIZE_MIN,
  BPF_PROG_TYPE,
  ERRNO,
  type Fd,
  PROGRAM_TYPE_SINCE,
  type ProgLoadAttr,
} from "../spec/index.ts"
import { attachTarget } from "./attach-target.ts"
import { type FillContext, fillProgram } from "./fill.ts"
import { kernelName } from "./maps.ts"
import type { LoadedProgram } from "./options.ts"
import { type LoadSession, refusal } from "./session.ts"
import { logLines, verifierError } from "./verifier-error.ts"

const LOG_BYTES = 64 * 1024
/** Largest log asked for: the kernel allows 1 GiB, a message of 256 MiB is not read by anyone. */
const LOG_BYTES_MAX: number = Math.min(BPF_LOG_SIZE_MAX, 256 << 20)
/** Bits of log_level (linux v6.18 include/linux/bpf_verifier.h BPF_LOG_LEVEL1, BPF_LOG_LEVEL2). */
const LOG_LEVEL_ERRORS = 1
const LOG_LEVEL_STATES = 2
/** PROG_LOAD is interrupted by signals and then wants to be called again. */
const INTERRUPTED_MAX = 5

export interface ProgramContext {
  readonly btfFd: Fd | null
  readonly fill: FillContext
  readonly kernelTypes: () => Btf | null
}

/**
 * Loads one program.
 *
 * @throws VerifierError, RelocationError, NotSupportedError or BpfError.
 */
export function loadProgram(
  session: LoadSession,
  program: ProgramDefinition,
  context: ProgramContext,
): LoadedProgram {
  if (program.type === BPF_PROG_TYPE.BPF_PROG_TYPE_UNSPEC)
    throw new ObjectError(
      `program '${program.name}': section '${program.section}' does not say its type ` +
        "(use a name such as 'xdp', 'tc', 'tp/group/name')",
    )
  const { instructions, poisoned } = fillProgram(program, context.fill)
  const attr: ProgLoadAttr = {
    prog_type: program.type,
    insns: instructions,
    license: session.object.license,
    kern_version: session.object.kernelVersion || session.kernel.versionCode(),
    prog_flags: program.flags,
    prog_name: kernelName(program.name),
    expected_attach_type: program.attachType,
    ...(session.options.ifindex === undefined ? {} : { prog_ifindex: session.options.ifindex }),
    ...(context.btfFd === null ? {} : information(program, context.btfFd)),
    ...attachTarget(session, program, context.kernelTypes),
  }
  const { result, log } = loadWithLog(session, attr)
  if (result >= 0) return { fd: session.own(result), definition: program, log }
  if (log.length > 0)
    throw verifierError({ program, btf: session.object.btf, poisoned, result, log })
  throw refusedLoad(session, program, result)
}

interface Attempt {
  readonly result: number
  readonly log: readonly string[]
}

/** One load, with the log that the options ask for. */
function loadWithLog(session: LoadSession, attr: ProgLoadAttr): Attempt {
  const mode = session.options.log ?? "error"
  if (mode === "error" || mode === "off") {
    const result = attempt(session, attr)
    if (result >= 0 || mode === "off" || result === -ERRNO.EPERM) return { result, log: [] }
  }
  const level = mode === "states" ? LOG_LEVEL_STATES : LOG_LEVEL_ERRORS
  let size = Math.max(session.options.verifierLogBytes ?? LOG_BYTES, BPF_LOG_SIZE_MIN)
  for (;;) {
    const buffer = new Uint8Array(size)
    const logged: ProgLoadAttr = { ...attr, log_level: level, log_buf: buffer }
    const result = attempt(session, logged)
    // Kernels from 6.4 say how much the whole log needs; older ones only that it did not fit.
    const needed = logged.log_true_size ?? 0
    const cut = result === -ERRNO.ENOSPC || needed > size
    if (cut && size < LOG_BYTES_MAX) {
      if (result >= 0) session.kernel.close(result)
      size = Math.min(LOG_BYTES_MAX, Math.max(needed, 4 * size))
      continue
    }
    return { result, log: logLines(buffer) }
  }
}

function attempt(session: LoadSession, attr: ProgLoadAttr): number {
  let result = session.kernel.bpf("PROG_LOAD", attr)
  for (let again = 0; result === -ERRNO.EAGAIN && again < INTERRUPTED_MAX; again++)
    result = session.kernel.bpf("PROG_LOAD", attr)
  return result
}

/** Function and line information, where it is complete enough for the kernel. */
function information(program: ProgramDefinition, btfFd: Fd): Partial<ProgLoadAttr> {
  const starts = program.subprograms.map((fn) => fn.slot)
  const { funcInfo } = program
  const complete =
    funcInfo.length === starts.length && funcInfo.every((f, i) => f.insnOffset === starts[i])
  if (!complete) return { prog_btf_fd: btfFd }
  const lines = increasing(program.lineInfo)
  const begun = new Set(lines.map((line) => line.insnOffset))
  return {
    prog_btf_fd: btfFd,
    func_info: encodeFuncInfo(funcInfo.map((f) => ({ slot: f.insnOffset, type: f.typeId }))),
    func_info_rec_size: FUNC_INFO_SIZE,
    ...(starts.every((start) => begun.has(start))
      ? { line_info: encodeLines(lines), line_info_rec_size: LINE_INFO_SIZE }
      : {}),
  }
}

/** One record an instruction: the kernel wants offsets to increase. */
function increasing(lines: readonly LineInfo[]): LineInfo[] {
  return lines.filter((line, index) => lines[index + 1]?.insnOffset !== line.insnOffset)
}

function encodeLines(lines: readonly LineInfo[]): Uint8Array {
  const bytes = new Uint8Array(LINE_INFO_SIZE * lines.length)
  const view = new DataView(bytes.buffer)
  lines.forEach((line, index) => {
    const at = LINE_INFO_SIZE * index
    view.setUint32(at, line.insnOffset, true)
    view.setUint32(at + 4, line.fileNameOffset, true)
    view.setUint32(at + 8, line.lineOffset, true)
    view.setUint32(at + 12, line.lineColumn, true)
  })
  return bytes
}

/** A refusal before the verifier had a word. */
function refusedLoad(session: LoadSession, program: ProgramDefinition, result: number): BpfError {
  const what = `program '${program.name}' (section '${program.section}', type ${program.type})`
  const since = PROGRAM_TYPE_SINCE[program.type]
  if (result === -ERRNO.EINVAL && since !== undefined) {
    const [major, minor] = since.split(".").map(Number)
    if (session.kernel.versionCode() < (major << 16) + (minor << 8))
      return new NotSupportedError(
        `${what}: this kernel is older than ${since}, which has the type`,
        {
          feature: `program type ${program.type}`,
          since,
          code: "EINVAL",
          errno: ERRNO.EINVAL,
          command: "PROG_LOAD",
        },
      )
  }
  if (result === -ERRNO.E2BIG)
    return refusal("PROG_LOAD", result, what, `${program.instructions.length / 8} instructions`)
  return refusal("PROG_LOAD", result, what)
}
