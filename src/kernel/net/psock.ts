/**
 * What a socket in a socket map has more than others: the programs that its data goes through
 * (linux v6.18 net/core/skmsg.c, net/ipv4/tcp_bpf.c).
 *
 * A socket takes the programs that its map has when it is put in; later changes of the map's
 * programs do not reach it.
 */

import { REGION_READ, REGION_WRITE } from "../../interpreter/machine.ts"
import { ERRNO, SK_ACTION } from "../../spec/index.ts"
import { SkBuffer } from "../contexts/index.ts"
import type { KernelObject } from "../objects/kernel-object.ts"
import type { Inet } from "./inet.ts"
import type { MessageRun } from "./network-run.ts"
import { networkPort, ProgramContext } from "./program-context.ts"
import { type Socket, TCP } from "./socket.ts"
import { socketFields } from "./socket-memory.ts"
import { concat, pushData, stateOf } from "./tcp-output.ts"
import { AF_INET6, mapped } from "./wire.ts"

type ProgramReference = KernelObject<"program">

export interface PsockPrograms {
  message: ProgramReference | null
  parser: ProgramReference | null
  streamVerdict: ProgramReference | null
  verdict: ProgramReference | null
}

export interface Psock {
  /** Maps that the socket is in; it is an ordinary one again when it has left the last. */
  readonly maps: Set<object>
  readonly programs: PsockPrograms
  /** Stream bytes that wait until the parser has a whole message. */
  pending: Uint8Array
  /** Bytes for which the last verdict still holds. */
  applyBytes: number
  applied: MessageVerdict | null
  /** Sent bytes that wait until there are so many (bpf_msg_cork_bytes). */
  corkBytes: number
  corked: Uint8Array
}

/** What a program on a message has decided. */
export interface MessageVerdict {
  readonly action: "pass" | "drop" | "redirect"
  readonly target: Socket | null
  readonly ingress: boolean
}

export function createPsock(): Psock {
  return {
    maps: new Set(),
    programs: { message: null, parser: null, streamVerdict: null, verdict: null },
    pending: new Uint8Array(0),
    applyBytes: 0,
    applied: null,
    corkBytes: 0,
    corked: new Uint8Array(0),
  }
}

/** Takes references on a map's programs; -EBUSY when the socket has such programs already. */
export function takePrograms(psock: Psock, programs: PsockPrograms): number {
  const kinds = ["message", "parser", "streamVerdict", "verdict"] as const
  if (kinds.some((kind) => programs[kind] !== null && psock.programs[kind] !== null))
    return -ERRNO.EBUSY
  for (const kind of kinds) {
    const program = programs[kind]
    if (program === null) continue
    program.get()
    psock.programs[kind] = program
  }
  return 0
}

export function dropPrograms(psock: Psock): void {
  const { programs } = psock
  for (const kind of ["message", "parser", "streamVerdict", "verdict"] as const) {
    programs[kind]?.put()
    programs[kind] = null
  }
}

// ---- sending: sk_msg ---------------------------------------------------------------------------------

/** tcp_bpf_sendmsg: the bytes taken, or a negative errno. `send` passes bytes on. */
export function sendThroughPsock(
  inet: Inet,
  socket: Socket,
  psock: Psock,
  data: Uint8Array,
  send: (data: Uint8Array) => number,
): number {
  let rest = concat(psock.corked, data)
  const held = psock.corked.length
  if (psock.corkBytes > rest.length) {
    psock.corked = rest
    return data.length
  }
  psock.corked = new Uint8Array(0)
  psock.corkBytes = 0
  while (rest.length > 0) {
    let verdict = psock.applied
    let size = psock.applyBytes === 0 ? rest.length : Math.min(psock.applyBytes, rest.length)
    if (verdict === null) {
      const ran = runMessage(inet, socket, psock, rest)
      if (ran.corkBytes > ran.bytes.length) {
        psock.corkBytes = ran.corkBytes
        psock.corked = ran.bytes
        return data.length
      }
      verdict = ran.verdict
      rest = ran.bytes
      size = ran.applyBytes === 0 ? rest.length : Math.min(ran.applyBytes, rest.length)
      psock.applyBytes = ran.applyBytes
      psock.applied = verdict
    }
    if (rest.length === 0) break
    const part = rest.slice(0, size)
    rest = rest.slice(size)
    psock.applyBytes = Math.max(0, psock.applyBytes - size)
    const result = carryOut(inet, verdict, part, send)
    // As in Linux, a verdict that could not be carried out stays.
    if (result >= 0 && psock.applyBytes === 0) psock.applied = null
    if (result < 0) {
      const taken = data.length - rest.length - part.length - held
      return taken > 0 ? taken : result
    }
  }
  return data.length
}

function carryOut(
  inet: Inet,
  verdict: MessageVerdict,
  part: Uint8Array,
  send: (data: Uint8Array) => number,
): number {
  if (verdict.action === "drop") return -ERRNO.EACCES
  if (verdict.action === "pass") return send(part)
  const { target } = verdict
  if (target === null || target.state !== TCP.ESTABLISHED) return -ERRNO.EPIPE
  if (verdict.ingress) {
    target.queue.push({ data: part, from: null })
    return part.length
  }
  sendRaw(inet, target, part)
  return part.length
}

/** Puts bytes into a TCP stream, or sends them as a datagram, without asking programs. */
export function sendRaw(inet: Inet, socket: Socket, data: Uint8Array): void {
  if (socket.isTcp) {
    const tcp = stateOf(socket)
    tcp.unsent = concat(tcp.unsent, data)
    pushData(inet, socket)
  } else if (socket.remotePort !== 0) inet.programs.sendDatagram(socket, data)
}

interface MessageOutcome {
  readonly verdict: MessageVerdict
  readonly bytes: Uint8Array
  readonly applyBytes: number
  readonly corkBytes: number
}

function runMessage(inet: Inet, socket: Socket, psock: Psock, data: Uint8Array): MessageOutcome {
  const { kernel, memory } = inet
  const program = psock.programs.message
  const pass: MessageVerdict = { action: "pass", target: null, ingress: false }
  if (program === null) return { verdict: pass, bytes: data, applyBytes: 0, corkBytes: 0 }
  const context = new ProgramContext(kernel.memory, "sk_msg_md")
  try {
    const message = createMessage(context, data)
    fillMessage(context, socket)
    context.setPointer("sk", memory.view(socket), kernel.kernelRegion)
    const outcome = kernel.run(program.value, {
      context: context.address,
      contextRegion: context.region,
      network: { namespace: socket.namespace, socket, context, message },
    })
    const bytes = kernel.memory.read(message.start, message.end - message.start)
    const dropped = outcome.fault !== null || outcome.low !== SK_ACTION.SK_PASS
    const redirected = !dropped && message.redirect !== null
    return {
      verdict: {
        action: dropped ? "drop" : redirected ? "redirect" : "pass",
        target: message.redirect,
        ingress: message.redirectIngress,
      },
      bytes,
      applyBytes: message.applyBytes,
      corkBytes: message.corkBytes,
    }
  } finally {
    context.free()
  }
}

/** The message's bytes in kernel memory, which helpers may exchange for others. */
function createMessage(context: ProgramContext, data: Uint8Array): MessageRun {
  const { memory } = context
  const start = context.block(data.length)
  memory.write(start, data)
  const region = context.area(start, start + data.length, REGION_READ | REGION_WRITE)
  const message: MessageRun = {
    start,
    end: start + data.length,
    region,
    applyBytes: 0,
    corkBytes: 0,
    redirect: null,
    redirectIngress: false,
    replace(bytes) {
      let kept: number
      try {
        kept = context.block(bytes.length)
      } catch {
        return false
      }
      memory.write(kept, bytes)
      message.start = kept
      message.end = kept + bytes.length
      memory.setRegion(region, message.start, message.end, REGION_READ | REGION_WRITE)
      point()
      return true
    },
  }
  const point = (): void => {
    context.setPointer("data", message.start, region)
    context.setPointer("data_end", message.end, region)
    context.set("size", message.end - message.start)
  }
  point()
  return message
}

function fillMessage(context: ProgramContext, socket: Socket): void {
  context.set("family", socket.family)
  if (socket.local.length === 4) {
    context.setBytes("local_ip4", socket.local)
    context.setBytes("remote_ip4", socket.remote.subarray(0, 4))
  }
  if (socket.family === AF_INET6) {
    context.setBytes("local_ip6", mapped(socket.local))
    context.setBytes("remote_ip6", mapped(socket.remote))
  }
  context.set("remote_port", networkPort(socket.remotePort) << 16)
  context.set("local_port", socket.localPort)
}

// ---- receiving: sk_skb ----------------------------------------------------------------------------------

/** Data for a socket with sk_skb programs. False: the socket has none, the data is its own. */
export function receiveThroughPsock(inet: Inet, socket: Socket, data: Uint8Array): boolean {
  const { psock } = socket
  if (psock === null) return false
  const { parser, streamVerdict, verdict } = psock.programs
  const judge = streamVerdict ?? verdict
  if (judge === null) return false
  if (parser === null || streamVerdict === null) {
    judgeStream(inet, socket, judge, data)
    return true
  }
  psock.pending = concat(psock.pending, data)
  while (psock.pending.length > 0) {
    const { low } = runStream(inet, socket, parser, psock.pending)
    const size = low | 0
    if (size < 0) {
      psock.pending = new Uint8Array(0)
      socket.error = -size
      return true
    }
    if (size === 0 || size > psock.pending.length) return true
    const message = psock.pending.slice(0, size)
    psock.pending = psock.pending.slice(size)
    judgeStream(inet, socket, judge, message)
  }
  return true
}

function judgeStream(
  inet: Inet,
  socket: Socket,
  program: ProgramReference,
  data: Uint8Array,
): void {
  const { low, bytes, redirect, ingress } = runStream(inet, socket, program, data)
  if (low !== SK_ACTION.SK_PASS) return
  const from = socket.isTcp ? null : { address: socket.remote, port: socket.remotePort }
  if (redirect === null) socket.queue.push({ data: bytes, from })
  else if (redirect.state !== TCP.ESTABLISHED && redirect.isTcp) return
  else if (ingress) redirect.queue.push({ data: bytes, from })
  else sendRaw(inet, redirect, bytes)
}

function runStream(
  inet: Inet,
  socket: Socket,
  program: ProgramReference,
  data: Uint8Array,
): { low: number; bytes: Uint8Array; redirect: Socket | null; ingress: boolean } {
  const { kernel } = inet
  const skb = new SkBuffer(kernel.memory)
  const stream = { redirect: null as Socket | null, ingress: false }
  try {
    // An Ethernet header that the program does not see stands before the data.
    const frame = new Uint8Array(14 + data.length)
    frame.set(socket.family === AF_INET6 ? [0x86, 0xdd] : [0x08, 0x00], 12)
    frame.set(data, 14)
    skb.load(frame, { ifindex: 0, networkLayer: true, socket: socketFields(socket) })
    inet.programs.ownBy(skb, socket)
    const outcome = kernel.run(program.value, {
      context: skb.context,
      contextRegion: skb.contextRegion,
      packet: skb,
      network: { namespace: socket.namespace, socket, stream },
    })
    const low = outcome.fault === null ? outcome.low : SK_ACTION.SK_DROP
    return { low, bytes: skb.bytes(), ...stream }
  } finally {
    skb.free()
  }
}
