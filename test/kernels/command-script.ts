/** A script of bpf(2) commands: made on any kernel, with notes that two kernels must agree on. */

import {
  type CommandName,
  type Commands,
  errnoName,
  type KernelInterface,
} from "../../src/spec/index.ts"

/** Runs commands and keeps what they said; descriptors are closed at the end. */
export class Script {
  readonly results: string[] = []
  readonly kernel: KernelInterface
  private readonly fds: number[] = []

  constructor(kernel: KernelInterface) {
    this.kernel = kernel
  }

  /**
   * Makes a call and notes its result; gives the descriptor or the negative errno. A descriptor
   * counts as "fd", whatever its number.
   */
  call<C extends CommandName>(command: C, attr: Commands[C]): number {
    const result = this.kernel.bpf(command, attr)
    const opens = /CREATE|LOAD|OPEN|FD_BY_ID|OBJ_GET$|ENABLE_STATS/.test(command)
    if (result < 0) this.results.push(`${command}: ${errnoName(-result)}`)
    else {
      this.results.push(`${command}: ${opens ? "fd" : result}`)
      if (opens) this.fds.push(result)
    }
    return result
  }

  note(value: unknown): void {
    this.results.push(String(value))
  }

  /** A descriptor that something else than a command has opened. */
  owns(fd: number): number {
    if (fd >= 0) this.fds.push(fd)
    return fd
  }

  close(fd: number): void {
    this.kernel.close(fd)
    this.fds.splice(this.fds.indexOf(fd), 1)
  }

  closeAll(): void {
    for (const fd of this.fds) this.kernel.close(fd)
  }
}

/** Runs a script on two kernels; what each said. */
export function runOnBoth(
  kernels: readonly [KernelInterface, KernelInterface],
  run: (script: Script) => void,
): [readonly string[], readonly string[]] {
  const said = kernels.map((kernel) => {
    const script = new Script(kernel)
    try {
      run(script)
      return script.results
    } finally {
      script.closeAll()
    }
  })
  return [said[0], said[1]]
}
