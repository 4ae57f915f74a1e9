/**
 * Trial loads and map commands for the tests of `src/spec`: attribute bytes built by hand, so that
 * the tables are compared with Linux and not with another table of ours. Needs root.
 */

import { addressOf as address, bpf, close } from "../support/linux.ts"

/** One instruction slot; `imm` may be unsigned. */
export function insn(code: number, dst = 0, src = 0, off = 0, imm = 0): Uint8Array {
  const bytes = new Uint8Array(8)
  const view = new DataView(bytes.buffer)
  bytes[0] = code
  bytes[1] = dst | (src << 4)
  view.setInt16(2, off, true)
  view.setInt32(4, imm | 0, true)
  return bytes
}

/** A 64-bit immediate load: two slots. */
export function load64(dst: number, src: number, low: number, high = 0): Uint8Array[] {
  return [insn(0x18, dst, src, 0, low), insn(0, 0, 0, 0, high)]
}

export interface Trial {
  readonly type: number
  readonly attachType?: number
  readonly instructions: readonly Uint8Array[]
  readonly license?: string
  readonly flags?: number
  readonly btfId?: number
  readonly logLevel?: number
}

export interface TrialResult {
  /** A file descriptor (already closed unless `keep`), or a negative errno. */
  readonly result: number
  readonly log: string
}

/** PROG_LOAD; the program is closed again unless `keep`. */
export function tryLoad(trial: Trial, keep = false): TrialResult {
  const program = Buffer.concat(trial.instructions)
  const license = Buffer.from(`${trial.license ?? "GPL"}\0`)
  // Level 0 takes no buffer, and is faster.
  const log = new Uint8Array(trial.logLevel === 0 ? 0 : 1 << 16)
  const attr = new Uint8Array(148)
  const view = new DataView(attr.buffer)
  view.setUint32(0, trial.type, true)
  view.setUint32(4, program.length / 8, true)
  view.setBigUint64(8, address(program), true)
  view.setBigUint64(16, address(license), true)
  view.setUint32(24, trial.logLevel ?? 1, true)
  view.setUint32(28, log.length, true)
  view.setBigUint64(32, address(log), true)
  view.setUint32(44, trial.flags ?? 0, true)
  view.setUint32(68, trial.attachType ?? 0, true)
  view.setUint32(108, trial.btfId ?? 0, true)
  const result = bpf(5, attr)
  if (!keep) close(result)
  const end = log.indexOf(0)
  return { result, log: Buffer.from(log.subarray(0, end < 0 ? log.length : end)).toString() }
}

export interface TrialMap {
  readonly type: number
  readonly keySize: number
  readonly valueSize: number
  readonly maxEntries: number
  readonly flags?: number
  readonly innerFd?: number
  readonly extra?: bigint
  readonly btf?: { readonly fd: number; readonly key: number; readonly value: number }
  readonly vmlinuxValueId?: number
}

/** MAP_CREATE; a file descriptor or a negative errno. */
export function createMap(map: TrialMap): number {
  const attr = new Uint8Array(88)
  const view = new DataView(attr.buffer)
  view.setUint32(0, map.type, true)
  view.setUint32(4, map.keySize, true)
  view.setUint32(8, map.valueSize, true)
  view.setUint32(12, map.maxEntries, true)
  view.setUint32(16, map.flags ?? 0, true)
  view.setUint32(20, map.innerFd ?? 0, true)
  if (map.btf !== undefined) {
    view.setUint32(48, map.btf.fd, true)
    view.setUint32(52, map.btf.key, true)
    view.setUint32(56, map.btf.value, true)
  }
  view.setUint32(60, map.vmlinuxValueId ?? 0, true)
  view.setBigUint64(64, map.extra ?? 0n, true)
  return bpf(0, attr)
}

/** MAP_LOOKUP_ELEM and its relatives, by command number. */
export function mapElement(
  command: number,
  fd: number,
  key: Uint8Array,
  value: Uint8Array,
  flags = 0,
): number {
  const attr = new Uint8Array(32)
  const view = new DataView(attr.buffer)
  view.setUint32(0, fd, true)
  view.setBigUint64(8, address(key), true)
  // MAP_DELETE_ELEM has no value.
  if (command !== 3) view.setBigUint64(16, address(value), true)
  view.setBigUint64(24, BigInt(flags), true)
  return bpf(command, attr)
}

/** BTF_LOAD; a file descriptor or a negative errno. */
export function loadBtf(bytes: Uint8Array): number {
  const attr = new Uint8Array(40)
  const view = new DataView(attr.buffer)
  view.setBigUint64(0, address(bytes), true)
  view.setUint32(16, bytes.length, true)
  return bpf(18, attr)
}

/** PROG_TEST_RUN of a syscall program with a context; the program's result, or a negative errno. */
export function runSyscallProgram(fd: number, context: Uint8Array): number {
  const attr = new Uint8Array(80)
  const view = new DataView(attr.buffer)
  view.setUint32(0, fd, true)
  view.setUint32(40, context.length, true)
  view.setBigUint64(48, address(context), true)
  const result = bpf(10, attr)
  return result < 0 ? result : view.getUint32(4, true)
}
