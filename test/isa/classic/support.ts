/** Oracles for classic BPF: tcpdump, libpcap's own functions, and Linux's socket filters. */

import { spawnSync } from "node:child_process"
import { existsSync, readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { join } from "node:path"
import {
  BPF_MAXINSNS,
  CLASSIC_CODES,
  type ClassicInstruction,
  type ClassicProgram,
  encodeClassic,
  parseClassicDecimal,
} from "../../../src/isa/classic/index.ts"
import type { Random } from "../../packet/random.ts"
import { addressOf, attr, bpf, close, syscall } from "../../support/linux.ts"

/** tcpdump's program for an expression on captures like the file at `path`. */
export function compileWithTcpdump(path: string, expression: string): ClassicInstruction[] {
  const { stdout, stderr, status } = spawnSync("tcpdump", ["-r", path, "-ddd", expression])
  if (status !== 0) throw new Error(`tcpdump ${expression}: ${stderr}`)
  return parseClassicDecimal(stdout.toString())
}

/**
 * What tcpdump makes of each expression on the capture at `path`: its program, and the frames
 * that match. One shell runs them all, since starting processes from Node is slow.
 */
export function askTcpdump(
  path: string,
  folder: string,
  expressions: readonly string[],
): { program(index: number): string; matches(index: number): Buffer } {
  const script = `n=0
for expression do
  tcpdump -r "$capture" -ddd "$expression" > "$folder/$n.program" 2> /dev/null || exit 1
  tcpdump -r "$capture" -w - "$expression" > "$folder/$n.matches" 2> /dev/null || exit 1
  n=$((n + 1))
done`
  const env = { ...process.env, capture: path, folder }
  const { status } = spawnSync("sh", ["-c", script, "sh", ...expressions], { env })
  const file = (index: number, kind: string): string => join(folder, `${index}.${kind}`)
  if (status !== 0) {
    const failed = expressions.find((_, index) => !existsSync(file(index + 1, "program")))
    throw new Error(`tcpdump refuses '${failed}'`)
  }
  return {
    program: (index) => readFileSync(file(index, "program"), "utf8"),
    matches: (index) => readFileSync(file(index, "matches")),
  }
}

type Native = (...args: (number | string | Uint8Array)[]) => number & string

/** libpcap's bpf_image, bpf_filter and bpf_validate; `null` when the library is not there. */
export interface Libpcap {
  image(insn: ClassicInstruction, index: number): string
  filter(program: ClassicProgram, frame: Uint8Array, wireLength: number): number
}

export function openLibpcap(): Libpcap | null {
  let library: { func(name: string, result: string, args: string[]): Native }
  try {
    library = createRequire(import.meta.url)("koffi").load("libpcap.so.0.8")
  } catch {
    return null
  }
  const image = library.func("bpf_image", "str", ["uint8_t *", "int"])
  const filter = library.func("bpf_filter", "uint32_t", ["uint8_t *", "uint8_t *", "int", "int"])
  return {
    image: (insn, index) => image(encodeClassic([insn]), index),
    filter: (program, frame, wireLength) =>
      filter(encodeClassic(program), frame, wireLength, frame.length),
  }
}

const arm = process.arch === "arm64"
const NR = {
  socketpair: arm ? 199 : 53,
  sendto: arm ? 206 : 44,
  recvfrom: arm ? 207 : 45,
  setsockopt: arm ? 208 : 54,
}
const SOL_SOCKET = 1
const SO_ATTACH_FILTER = 26
const MSG_DONTWAIT = 0x40

/** Byte strings whose addresses Linux has for the moment: a collected one would be freed memory. */
let kept: readonly Uint8Array[] = []

function keep(...bytes: Uint8Array[]): void {
  kept = bytes
}

/** What {@link keep} keeps, so that it is used. */
export function keptCount(): number {
  return kept.length
}

/** A pair of datagram sockets; what one sends, the other gets through a classic filter. */
export class FilteredSocket {
  private readonly sender: number
  private readonly receiver: number

  constructor() {
    const fds = attr([], 8)
    const [AF_UNIX, SOCK_DGRAM] = [1, 2]
    keep(fds)
    const result = syscall(NR.socketpair, AF_UNIX, SOCK_DGRAM, 0, addressOf(fds))
    if (result < 0) throw new Error(`socketpair: errno ${-result}`)
    const view = new DataView(fds.buffer)
    this.sender = view.getInt32(0, true)
    this.receiver = view.getInt32(4, true)
  }

  /** Attaches a filter in place of the one before; 0, or the errno with which Linux refuses it. */
  attach(program: ClassicProgram): number {
    const filter = encodeClassic(program)
    const fprog = attr(
      [
        [0, 4, Math.min(program.length, 0xffff)],
        [8, 8, addressOf(filter)],
      ],
      16,
    )
    const { setsockopt } = NR
    keep(filter, fprog)
    return (
      0 - syscall(setsockopt, this.receiver, SOL_SOCKET, SO_ATTACH_FILTER, addressOf(fprog), 16)
    )
  }

  /** How many bytes of `data` pass: the filter's verdict, but at most all of them. */
  passes(data: Uint8Array): number {
    const buffer = new Uint8Array(data.length)
    keep(data, buffer)
    const sent = syscall(NR.sendto, this.sender, addressOf(data), data.length, 0, 0, 0)
    if (sent < 0) throw new Error(`send: errno ${-sent}`)
    const { recvfrom } = NR
    const got = syscall(recvfrom, this.receiver, addressOf(buffer), buffer.length, MSG_DONTWAIT)
    if (got === -11) return 0
    if (got < 0) throw new Error(`receive: errno ${-got}`)
    return got
  }

  close(): void {
    close(this.sender)
    close(this.receiver)
  }
}

/** PROG_TEST_RUN of a program that takes packets: its verdict, or a negative errno. */
export function testRun(
  fd: number,
  data: Uint8Array,
  context: Uint8Array = new Uint8Array(0),
): number {
  const out = new Uint8Array(data.length + 256)
  const request = attr(
    [
      [0, 4, fd],
      [8, 4, data.length],
      [12, 4, out.length],
      [16, 8, addressOf(data)],
      [24, 8, addressOf(out)],
      [32, 4, 1],
      [40, 4, context.length],
      [48, 8, context.length === 0 ? 0n : addressOf(context)],
    ],
    80,
  )
  keep(data, out, context, request)
  const result = bpf(10, request)
  return result < 0 ? result : new DataView(request.buffer).getUint32(4, true)
}

const LOADS = [0x20, 0x28, 0x30, 0x40, 0x48, 0x50, 0xb1]
const ALU = [...CLASSIC_CODES].filter((code) => (code & 7) === 4)
const JUMPS = [...CLASSIC_CODES].filter((code) => (code & 7) === 5 && code !== 0x05)
const MOVES = [0x00, 0x01, 0x80, 0x81, 0x07, 0x87]

/**
 * A random program that Linux takes, ending in `ret a`. Packet offsets are mostly inside
 * `frameLength`; ancillary loads are left to tests of their own.
 */
export function randomProgram(random: Random, frameLength: number): ClassicInstruction[] {
  const program: ClassicInstruction[] = []
  const words = Array.from({ length: random.below(4) }, () => random.below(16))
  const put = (code: number, k = 0, jt = 0, jf = 0): void => {
    program.push({ code, jt, jf, k: k >>> 0 })
  }
  put(0x20, random.below(Math.max(1, frameLength - 4)))
  for (const word of words) put(random.pick([0x02, 0x03]), word)
  const body = 1 + random.below(40)
  for (let i = 0; i < body; i++) randomInstruction(random, put, words, frameLength, body - i)
  put(0x16)
  return program
}

function randomInstruction(
  random: Random,
  put: (code: number, k?: number, jt?: number, jf?: number) => void,
  words: readonly number[],
  frameLength: number,
  left: number,
): void {
  const skip = (): number => random.below(Math.min(left, 8))
  const constant = (): number =>
    random.pick([
      random.uint32(),
      random.below(256),
      random.below(32),
      0,
      1,
      0xffffffff,
      0x80000000,
    ])
  const kind = random.below(12)
  if (kind < 3) {
    const code = random.pick(LOADS)
    const near = random.below(frameLength)
    // X is often large, so loads relative to it often fail, and end the program.
    put(code, random.below(12) === 0 ? constant() % 0x7fffffff : near)
  } else if (kind < 6) {
    const code = random.pick(ALU)
    const shift = code === 0x64 || code === 0x74
    const divide = code === 0x34 || code === 0x94
    put(code, shift ? random.below(32) : divide ? Math.max(1, constant()) : constant())
  } else if (kind < 8) {
    put(random.pick(JUMPS), constant(), skip(), skip())
  } else if (kind === 8) {
    if (random.below(8) === 0) put(0x05, skip())
    else put(0x01, random.below(40))
  } else if (kind === 9 && words.length > 0) {
    put(random.pick([0x60, 0x61, 0x02, 0x03]), random.pick(words))
  } else if (kind === 10 && random.below(6) === 0) {
    put(0x06, constant())
  } else {
    put(random.pick(MOVES), constant())
  }
}

/** A program with a few fields changed, perhaps no longer legal. */
export function mutateProgram(random: Random, program: ClassicProgram): ClassicInstruction[] {
  const result = program.map((insn) => ({ ...insn }))
  for (let n = 1 + random.below(3); n > 0; n--) {
    const insn = random.pick(result)
    const kind = random.below(6)
    if (kind === 0) insn.code = random.pick([...CLASSIC_CODES, random.below(256), 0x1_0006])
    else if (kind === 1) insn.k = random.pick([0, 1, 15, 16, 31, 32, 40, 0xffff_f000, 0xffff_f004])
    else if (kind === 2) insn.k = (0xffff_f000 + random.below(80)) >>> 0
    else if (kind === 3) insn.jt = random.below(program.length + 4) & 255
    else if (kind === 4) insn.jf = random.below(256)
    else insn.code = random.pick([0x60, 0x61, 0x02, 0x03, 0x05, 0x06, 0x28])
    insn.code &= 0xffff
  }
  if (random.below(50) === 0) result.pop()
  return result
}

/** A program of as many instructions, all legal. */
export function longProgram(count: number): ClassicInstruction[] {
  const program = new Array<ClassicInstruction>(count).fill({ code: 0x04, jt: 0, jf: 0, k: 1 })
  program[count - 1] = { code: 0x16, jt: 0, jf: 0, k: 0 }
  return program
}

export const LONGEST: number = BPF_MAXINSNS
