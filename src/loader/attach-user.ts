/**
 * Attaching to places in executables: uprobes by function or offset, many at once, and USDT probes
 * (libbpf src/libbpf.c attach_uprobe, attach_uprobe_multi, attach_usdt). What a name stands for in a
 * file is the kernel's side to say: it has the file.
 */

import { BpfError, NotSupportedError } from "../base/index.ts"
import { BPF_MULTI_PROBE_FLAG, ERRNO, type Fd, type KernelInterface } from "../spec/index.ts"
import type { LoadedProgram } from "./options.ts"

/** A place in an executable or library. */
export interface UserTarget {
  readonly path: string
  /** A function, or `provider:name` of a USDT probe. */
  readonly symbol?: string
  /** Bytes from the function, or from the start of the file when there is none. */
  readonly offset?: bigint
  /** Absent: every process. */
  readonly pid?: number
}

function refused(what: string, code: "EINVAL" | "ENOENT"): BpfError {
  return new BpfError(what, { code, errno: ERRNO[code], command: "LINK_CREATE" })
}

/**
 * `PATH:FUNCTION+OFFSET`, `PATH:OFFSET`, or `PATH:PROVIDER:NAME` of a section name.
 *
 * @throws BpfError EINVAL for anything else.
 */
export function parseUserTarget(text: string, isUsdt: boolean): UserTarget {
  const match = isUsdt
    ? /^(.+?):([^:]+:[^:]+)$/.exec(text)
    : /^(.+):([A-Za-z_][\w.@]*)?(?:\+?(0x[0-9a-fA-F]+|\d+))?$/.exec(text)
  if (match === null)
    throw refused(
      `'${text}' is no ${isUsdt ? "path:provider:name" : "path:function+offset"}`,
      "EINVAL",
    )
  const [, path, symbol, offset] = match
  return { path, symbol, offset: offset === undefined ? undefined : BigInt(offset) }
}

/** The file offset that a target means. */
function placeOf(kernel: KernelInterface, target: UserTarget, isUsdt: boolean): bigint {
  const { path, symbol, offset = 0n } = target
  if (symbol === undefined) return offset
  const lookup = isUsdt ? kernel.usdtOffset?.bind(kernel) : kernel.symbolOffset?.bind(kernel)
  if (lookup === undefined)
    throw new NotSupportedError(
      `this kernel cannot look up '${symbol}' in ${path}: give an offset`,
      {
        feature: isUsdt ? "USDT probes" : "uprobes by name",
        command: "LINK_CREATE",
      },
    )
  const found = lookup(path, symbol)
  if (found === undefined)
    throw refused(`${path} has no ${isUsdt ? "probe" : "function"} '${symbol}'`, "ENOENT")
  return found + offset
}

/** A perf event for the place; a negative errno from the kernel. */
export function openUserProbe(
  kernel: KernelInterface,
  program: LoadedProgram,
  target: UserTarget,
  isUsdt: boolean,
): Fd {
  const { path, pid } = target
  const offset = placeOf(kernel, target, isUsdt)
  const onReturn = /^\??uret/.test(program.definition.section)
  if (kernel.openUprobe === undefined)
    throw new NotSupportedError("this kernel has no uprobes", {
      feature: "uprobes",
      command: "LINK_CREATE",
    })
  return kernel.openUprobe({ path, offset, onReturn, pid })
}

/** The attributes of a link on one place by way of uprobe_multi. */
export function uprobeMulti(
  kernel: KernelInterface,
  program: LoadedProgram,
  target: UserTarget,
  cookie: bigint | undefined,
): { path: string; offsets: bigint[]; flags: number; pid?: number; cookies?: bigint[] } {
  const onReturn = /^\??uret/.test(program.definition.section)
  return {
    path: target.path,
    offsets: [placeOf(kernel, target, false)],
    flags: onReturn ? BPF_MULTI_PROBE_FLAG.BPF_F_UPROBE_MULTI_RETURN : 0,
    ...(target.pid === undefined ? {} : { pid: target.pid }),
    ...(cookie === undefined ? {} : { cookies: [cookie] }),
  }
}
