/**
 * One run of the loader: the kernel, what has been created so far (to be closed if a later step
 * fails), and how a refused command becomes an error.
 */

import { BpfError } from "../base/index.ts"
import type { BpfObject } from "../object/index.ts"
import {
  type CommandName,
  type Commands,
  ERRNO,
  errnoName,
  errnoText,
  type Fd,
  type KernelInterface,
} from "../spec/index.ts"
import type { LoadOptions } from "./options.ts"

export class LoadSession {
  readonly kernel: KernelInterface
  readonly object: BpfObject
  readonly options: LoadOptions
  readonly warnings: string[]
  private readonly created = new Set<Fd>()

  constructor(kernel: KernelInterface, object: BpfObject, options: LoadOptions) {
    this.kernel = kernel
    this.object = object
    this.options = options
    this.warnings = [...object.warnings]
  }

  /** Remembers a descriptor that this run created. */
  own(fd: Fd): Fd {
    this.created.add(fd)
    return fd
  }

  /** Closes one descriptor before its time (a template that is no longer needed). */
  release(fd: Fd): void {
    if (this.created.delete(fd)) this.kernel.close(fd)
  }

  /** Closes everything, last created first. */
  closeAll(): void {
    for (const fd of [...this.created].reverse()) this.kernel.close(fd)
    this.created.clear()
  }

  warn(text: string): void {
    if (!this.warnings.includes(text)) this.warnings.push(text)
  }

  /**
   * Runs a command that must succeed.
   *
   * @param what the sentence's beginning: `map 'counts'`.
   * @throws BpfError if the kernel refuses.
   */
  must<C extends CommandName>(command: C, attr: Commands[C], what: string): number {
    const result = this.kernel.bpf(command, attr)
    if (result < 0) throw refusal(command, result, what)
    return result
  }
}

/**
 * The error for a refused command: `map 'counts': MAP_CREATE: EPERM (Operation not permitted), …`.
 *
 * @param result the negative errno.
 */
export function refusal(
  command: CommandName,
  result: number,
  what: string,
  hint: string = hintFor(command, result),
): BpfError {
  const code = errnoName(result)
  const advice = hint === "" ? "" : `: ${hint}`
  return new BpfError(`${what}: ${command} says ${code} (${errnoText(result)})${advice}`, {
    code,
    errno: -result,
    command,
  })
}

function hintFor(command: CommandName, result: number): string {
  switch (-result) {
    case ERRNO.EPERM:
      return command === "MAP_CREATE" || command === "BTF_LOAD" || command === "PROG_LOAD"
        ? "needs root or CAP_BPF, CAP_PERFMON or CAP_NET_ADMIN, and a kernel that is not locked down"
        : "needs root or the capability of this command"
    case ERRNO.E2BIG:
      return "a size is beyond the kernel's limit"
    case ERRNO.ENOMEM:
      return "the kernel has no memory for it"
    default:
      return ""
  }
}
