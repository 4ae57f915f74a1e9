/** One generated program, asked of Linux and of our verifier. */

import type { Btf } from "../../../src/btf/index.ts"
import { readBtf } from "../../../src/btf/index.ts"
import { BPF_ABS, BPF_IND, BPF_LD, decodeProgram } from "../../../src/isa/index.ts"
import { createLinuxKernel, type LinuxKernel } from "../../../src/linux/index.ts"
import { ERRNO } from "../../../src/spec/index.ts"
import { lastMessage } from "../../../src/tools/verify/index.ts"
import { verify } from "../../../src/verifier/index.ts"
import {
  createWorld,
  type FuzzProgram,
  loadAttributes,
  verifierInput,
  type World,
} from "./world.ts"

/** What both said: errno 0 when accepted. */
export interface Asked {
  readonly errno: readonly [ours: number, linux: number]
  readonly messages: readonly [ours: string, linux: string]
  readonly processed: readonly [ours: number, linux: number]
  /** The verdicts are the same, errno and all; or Linux has none. */
  readonly agree: boolean
  readonly sameMessage: boolean
}

const ENOSPC = 28

const NOT_ASKED: Asked = {
  errno: [0, 0],
  messages: ["", ""],
  processed: [0, 0],
  agree: true,
  sameMessage: true,
}

/**
 * Packet loads in functions that are called: where such a load leaves the function, Linux 6.18.44
 * backtracks into a frame -1 (__mark_chain_precision), which is an oops and kills the process.
 */
export function mayCrashLinux({ insns, funcInfo }: FuzzProgram): boolean {
  const info = new Uint32Array(funcInfo.slice().buffer)
  const program = decodeProgram(insns)
  const first = info.length > 2 ? info[2] : program.length
  const loads = program.flatMap(({ opcode }, slot) => {
    const mode = opcode & 0xe0
    return (opcode & 7) === BPF_LD && (mode === BPF_ABS || mode === BPF_IND) ? [slot] : []
  })
  // The main function may be called, too, by a damaged call.
  const mainIsCalled = program.some(
    ({ opcode, src, imm }, slot) => opcode === 0x85 && src === 1 && slot + 1 + imm < first,
  )
  return loads.some((slot) => mainIsCalled || slot >= first)
}

/**
 * Linux ran into a bug of its own (dead code that names functions cannot be compiled), or read a
 * descriptor behind the end of fd_array, where the process has other memory or none.
 */
function hasNoVerdict(errno: number, message: string): boolean {
  return (
    message.startsWith("verifier bug") ||
    (errno === ERRNO.EFAULT && message === "") ||
    /^fd -?\d+ is not pointing to valid bpf_map/.test(message)
  )
}

export class LinuxOracle {
  readonly kernel: LinuxKernel = createLinuxKernel()
  private readonly world: World = createWorld(this.kernel)
  private readonly log = new Uint8Array(1 << 15)
  private kernelTypes: Btf | null = null

  readonly types = (): Btf => {
    const bytes = this.kernel.vmlinuxBtf()
    if (bytes === null) throw new Error("this kernel has no types")
    return (this.kernelTypes ??= readBtf(bytes))
  }

  ask(program: FuzzProgram): Asked {
    if (mayCrashLinux(program)) return NOT_ASKED
    const { kernel, log } = this
    let logBytes = log
    let result = -ENOSPC
    let text = ""
    for (const bytes of [log.length, 1 << 24]) {
      logBytes = bytes === log.length ? log : new Uint8Array(bytes)
      logBytes[0] = 0
      const attr = { ...loadAttributes(this.world, program), log_level: 4, log_buf: logBytes }
      result = kernel.bpf("PROG_LOAD", attr)
      if (result >= 0) kernel.close(result)
      text = new TextDecoder().decode(logBytes.subarray(0, Math.max(0, logBytes.indexOf(0))))
      if (result !== -ENOSPC) break
    }
    const input = verifierInput(program, { types: this.types, cpus: kernel.possibleCpus })
    const ours = verify({ ...input, logLevel: 4 })
    const errno = [ours.rejection?.errno ?? 0, Math.max(0, -result)] as const
    const messages = [
      ours.rejection === null ? "" : lastMessage(ours.log),
      result >= 0 ? "" : lastMessage(text),
    ] as const
    const none = hasNoVerdict(errno[1], messages[1])
    return {
      errno,
      messages,
      processed: [
        ours.statistics.insnsProcessed,
        Number(/processed (\d+) insns/.exec(text)?.[1] ?? 0),
      ],
      agree: none || errno[0] === errno[1],
      sameMessage: none || messages[0] === messages[1],
    }
  }

  close(): void {
    this.world.close()
  }
}
