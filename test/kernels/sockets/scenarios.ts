/**
 * What happens to sockets when programs are attached: one table, run on both kernels, with results
 * that are compared as they are. Results are plain data: numbers (negative: errno), text, and what
 * the programs have noted.
 */

import { readFileSync } from "node:fs"
import { join } from "node:path"
import { type LoadedObject, loadObject } from "../../../src/loader/index.ts"
import { type BpfObject, readObject } from "../../../src/object/index.ts"
import { BPF_ATTACH_TYPE as A, BPF_ATTACH_FLAG as F } from "../../../src/spec/index.ts"
import { root } from "../../support/requirements.ts"
import { AF_INET, AF_INET6, AF_UNIX, SOCK_DGRAM, SOCK_STREAM, type World } from "./world.ts"

/** A scenario's hands: the world, its programs, and what closes itself at the end. */
export interface Stage {
  readonly world: World
  /** The descriptor of a program. */
  program(name: string): number
  map(name: string): number
  /** Sets `config[index]`. */
  set(index: number, value: number): void
  /** What the programs noted since the last time, as `high:low` in hex. */
  events(): string[]
  /** Attaches to a cgroup by a link; a descriptor or a negative errno. */
  link(program: string, attachType: number, cgroup?: string, flags?: number): number
  /** PROG_ATTACH to a cgroup; detached at the end. */
  attach(program: string, attachType: number, flags: number, cgroup?: string): number
  detach(program: string | null, attachType: number, cgroup?: string): number
  stream(): number
  datagram(): number
  /** A descriptor that is closed at the end. */
  keep(fd: number): number
}

export interface Scenario {
  readonly name: string
  readonly programs: readonly string[]
  readonly run: (stage: Stage) => unknown
}

let object: BpfObject | undefined

function theObject(): BpfObject {
  object ??= readObject(readFileSync(join(root, "test/kernels/sockets/sockets.bpf.o")))
  return object
}

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)
export const bytes = (content: string): Uint8Array => new TextEncoder().encode(content)
export const int = (value: number): Uint8Array => new Uint8Array(Int32Array.of(value).buffer)
const hex = (data: Uint8Array | number): string | number =>
  typeof data === "number" ? data : Buffer.from(data).toString("hex")

const HOST = "127.0.0.1"
const at = (port: number, address = HOST) => ({ address, port })

function u32(value: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(value).buffer)
}

/** Runs one scenario and takes everything down again. */
export function runScenario(world: World, scenario: Scenario): unknown {
  const { kernel } = world
  const loaded = loadObject(kernel, theObject(), { programs: [...scenario.programs] })
  const closing: (() => void)[] = [() => loaded.close()]
  try {
    return scenario.run(stageOf(world, loaded, closing))
  } finally {
    for (const close of closing.reverse()) close()
    world.join("")
  }
}

function stageOf(world: World, loaded: LoadedObject, closing: (() => void)[]): Stage {
  const { kernel } = world
  const program = (name: string): number => loaded.programs.get(name)?.fd ?? -1
  const map = (name: string): number => loaded.maps.get(name)?.fd ?? -1
  const keep = (fd: number): number => {
    if (fd >= 0) closing.push(() => kernel.close(fd))
    return fd
  }
  const cgroupFd = (name: string): number => keep(kernel.openCgroup(world.cgroup(name)))
  let read = 0
  return {
    world,
    program,
    map,
    keep,
    set(index, value) {
      const data = new Uint8Array(BigUint64Array.of(BigInt(value)).buffer)
      kernel.bpf("MAP_UPDATE_ELEM", { map_fd: map("config"), key: u32(index), value: data })
    },
    events() {
      const noted: string[] = []
      const count = new Uint8Array(4)
      kernel.bpf("MAP_LOOKUP_ELEM", { map_fd: map("event_count"), key: u32(0), value: count })
      const end = new DataView(count.buffer).getUint32(0, true)
      for (; read < end; read++) {
        const value = new Uint8Array(8)
        kernel.bpf("MAP_LOOKUP_ELEM", { map_fd: map("events"), key: u32(read), value })
        const view = new DataView(value.buffer)
        noted.push(
          `${view.getUint32(4, true).toString(16)}:${view.getUint32(0, true).toString(16)}`,
        )
      }
      return noted
    },
    link: (name, attachType, cgroup = "", flags = 0) =>
      keep(
        kernel.bpf("LINK_CREATE", {
          prog_fd: program(name),
          target_fd: cgroupFd(cgroup),
          attach_type: attachType,
          flags,
        }),
      ),
    attach(name, attachType, flags, cgroup = "") {
      const target = cgroupFd(cgroup)
      const attr = { target_fd: target, attach_bpf_fd: program(name), attach_type: attachType }
      const result = kernel.bpf("PROG_ATTACH", { ...attr, attach_flags: flags })
      if (result === 0) closing.push(() => kernel.bpf("PROG_DETACH", attr))
      return result
    },
    detach: (name, attachType, cgroup = "") =>
      kernel.bpf("PROG_DETACH", {
        target_fd: cgroupFd(cgroup),
        attach_bpf_fd: name === null ? 0 : program(name),
        attach_type: attachType,
      }),
    stream: () => keep(world.socket(AF_INET, SOCK_STREAM)),
    datagram: () => keep(world.socket(AF_INET, SOCK_DGRAM)),
  }
}

// ---- pieces of scenarios ---------------------------------------------------------------------------------

/** A listening socket, a connection to it, and its other end. */
function connection(stage: Stage, port: number): { server: number; client: number; peer: number } {
  const { world } = stage
  const server = stage.stream()
  world.setsockopt(server, 1, 2, int(1))
  world.bind(server, at(port))
  world.listen(server)
  const client = stage.stream()
  world.connect(client, at(port))
  return { server, client, peer: stage.keep(world.accept(server)) }
}

function received(stage: Stage, fd: number, wantsSource = false): unknown {
  const got = stage.world.receive(fd, wantsSource)
  if (typeof got === "number") return got
  return wantsSource ? [text(got.data), got.from] : text(got.data)
}

/** A pair of bound datagram sockets. */
function datagrams(stage: Stage, one: number, other: number): [number, number] {
  const a = stage.datagram()
  const b = stage.datagram()
  stage.world.bind(a, at(one))
  stage.world.bind(b, at(other))
  return [a, b]
}

function putSocket(stage: Stage, map: string, key: number, fd: number, flags = 0n): number {
  const value = new Uint8Array(8)
  new DataView(value.buffer).setBigUint64(0, BigInt(fd), true)
  return stage.world.kernel.bpf("MAP_UPDATE_ELEM", {
    map_fd: stage.map(map),
    key: map === "socket_hash" ? new Uint8Array(BigUint64Array.of(BigInt(key)).buffer) : u32(key),
    value,
    flags,
  })
}

function attachToMap(stage: Stage, program: string, attachType: number, map = "sockets"): number {
  return stage.world.kernel.bpf("PROG_ATTACH", {
    target_fd: stage.map(map),
    attach_bpf_fd: stage.program(program),
    attach_type: attachType,
  })
}

function testRun(stage: Stage, program: string, data: Uint8Array, room = 0): unknown {
  const attr = {
    prog_fd: stage.program(program),
    data_in: data,
    data_out: room === 0 ? undefined : new Uint8Array(room),
    retval: 0,
    data_size_out: 0,
  }
  const result = stage.world.kernel.bpf("PROG_TEST_RUN", attr)
  const out = attr.data_out?.slice(0, attr.data_size_out)
  return [result, attr.retval, out === undefined ? "" : hex(out)]
}

const FRAME = new Uint8Array(64)
FRAME.set([0x08, 0x00, 0x45, 0, 0, 50, 0, 0, 0, 0, 64, 17], 12)

/** Options of a port's socket and what the listener and the network see, first without programs. */
export const scenarios: readonly Scenario[] = [
  {
    name: "sockets without programs",
    programs: [],
    run(stage) {
      const { world } = stage
      const { server, client, peer } = connection(stage, 7001)
      const [a, b] = datagrams(stage, 7002, 7003)
      const closed = stage.stream()
      return [
        world.name(client, true),
        world.name(server, false),
        world.name(closed, true),
        received(stage, client),
        world.send(client, bytes("hello")),
        received(stage, peer),
        world.send(peer, bytes("world")),
        received(stage, client),
        world.shutdown(client, 1),
        received(stage, peer),
        world.send(client, bytes("x")),
        world.send(peer, bytes("late")),
        received(stage, client),
        world.connect(closed, at(7999)),
        world.connect(client, at(7001)),
        world.send(closed, bytes("x")),
        received(stage, closed),
        world.accept(server),
        world.listen(a),
        world.bind(stage.datagram(), at(7002)),
        world.bind(stage.stream(), at(7001)),
        world.bind(stage.stream(), at(1, "10.99.0.1")),
        world.bind(a, at(7009)),
        world.send(a, bytes("one"), at(7003)),
        world.send(a, bytes("nobody")),
        received(stage, b, true),
        received(stage, b),
        world.connect(b, at(7998)),
        world.send(b, bytes("lost")),
        world.send(b, bytes("refused")),
        world.send(a, bytes("big".repeat(30_000)), at(7003)),
        world.connect(stage.datagram(), at(1, "10.99.0.1")),
        world.shutdown(stage.stream(), 2),
      ]
    },
  },
  {
    name: "IPv6 sockets take both families",
    programs: [],
    run(stage) {
      const { world } = stage
      const server = stage.keep(world.socket(AF_INET6, SOCK_STREAM))
      const six = stage.keep(world.socket(AF_INET6, SOCK_STREAM))
      const only = stage.keep(world.socket(AF_INET6, SOCK_STREAM))
      const four = stage.stream()
      const results = [
        world.bind(server, at(7101, "::")),
        world.listen(server),
        world.connect(six, at(7101, "::1")),
        world.connect(four, at(7101)),
      ]
      const first = stage.keep(world.accept(server))
      const second = stage.keep(world.accept(server))
      return [
        ...results,
        world.name(first, true) !== 0,
        world.name(first, false),
        world.name(second, false),
        world.setsockopt(only, 41, 26, int(1)),
        world.bind(only, at(7101, "::")),
        world.bind(only, at(7102, "::")),
        world.listen(only),
        world.connect(stage.stream(), at(7102)),
        world.connect(stage.keep(world.socket(AF_INET6, SOCK_STREAM)), at(7102, "::1")),
        world.bind(stage.stream(), at(7101)),
        world.connect(
          stage.keep(world.socket(AF_INET6, SOCK_STREAM)),
          at(7101, "::ffff:127.0.0.1"),
        ),
      ]
    },
  },
  {
    name: "options of sockets",
    programs: [],
    run(stage) {
      const { world } = stage
      const tcp = stage.stream()
      const udp = stage.datagram()
      const results: unknown[] = []
      const both = (level: number, name: number, value: number): void => {
        for (const fd of [tcp, udp])
          results.push([
            name,
            world.setsockopt(fd, level, name, int(value)),
            hex(world.getsockopt(fd, level, name, 4)),
          ])
      }
      for (const name of [2, 9, 15]) both(1, name, 1)
      for (const name of [7, 8]) both(1, name, 30_000)
      both(1, 7, 1)
      both(1, 8, 1)
      both(1, 12, 6)
      both(1, 36, 0x1234)
      both(1, 3, 1)
      both(1, 38, 1)
      both(1, 39, 1)
      both(1, 30, 1)
      both(1, 18, 100)
      both(0, 1, 0x13)
      both(0, 2, 9)
      both(0, 2, 300)
      both(0, 24, 1)
      both(6, 1, 1)
      both(6, 4, 10)
      both(6, 4, 0)
      both(6, 5, 10)
      both(6, 6, 10)
      both(6, 6, 200)
      both(6, 18, 10)
      both(41, 26, 1)
      both(1, 9999, 1)
      both(77, 1, 1)
      results.push(world.setsockopt(tcp, 1, 2, new Uint8Array(2)))
      results.push(world.setsockopt(tcp, 6, 13, bytes("reno")))
      results.push(hex(world.getsockopt(tcp, 6, 13, 16)))
      results.push(world.setsockopt(tcp, 6, 13, bytes("nothing")))
      return results
    },
  },
  {
    name: "cgroup_skb sees datagrams and streams, and drops",
    programs: ["ingress", "egress"],
    run(stage) {
      const { world } = stage
      stage.set(0, 1)
      stage.set(1, 1)
      const links = [
        stage.link("ingress", A.BPF_CGROUP_INET_INGRESS) >= 0,
        stage.link("egress", A.BPF_CGROUP_INET_EGRESS) >= 0,
      ]
      const [a, b] = datagrams(stage, 7201, 7202)
      world.setsockopt(a, 1, 36, int(0x42))
      world.setsockopt(a, 1, 12, int(3))
      const passed = [world.send(a, bytes("four"), at(7202)), received(stage, b)]
      const first = stage.events()
      stage.set(0, 0)
      const dropped = [world.send(a, bytes("gone"), at(7202)), received(stage, b)]
      stage.set(0, 1)
      stage.set(1, 0)
      const refused = [world.send(a, bytes("no"), at(7202)), received(stage, b)]
      world.connect(a, at(7202))
      const connected = world.send(a, bytes("no"))
      stage.events()
      stage.set(1, 1)
      const server = stage.stream()
      world.bind(server, at(7203))
      world.listen(server)
      stage.set(0, 0)
      const unanswered = world.connect(stage.stream(), at(7203))
      return [links, passed, first, dropped, refused, connected, unanswered]
    },
  },
  {
    name: "cgroup_skb sees the segments of a handshake",
    programs: ["ingress", "egress"],
    run(stage) {
      const { world } = stage
      stage.set(0, 1)
      stage.set(1, 1)
      const server = stage.stream()
      world.bind(server, at(7250))
      world.listen(server)
      const client = stage.stream()
      world.bind(client, at(7251))
      stage.link("ingress", A.BPF_CGROUP_INET_INGRESS)
      stage.link("egress", A.BPF_CGROUP_INET_EGRESS)
      const result = world.connect(client, at(7250))
      return [result, stage.events()]
    },
  },
  {
    name: "attached programs by flags, order and inheritance",
    programs: ["egress_a", "egress_b", "egress_c"],
    run(stage) {
      const { world } = stage
      const E = A.BPF_CGROUP_INET_EGRESS
      const M = F.BPF_F_ALLOW_MULTI
      const O = F.BPF_F_ALLOW_OVERRIDE
      world.join("child/leaf")
      stage.set(2, 1)
      stage.set(3, 1)
      const [a] = datagrams(stage, 7301, 7302)
      const send = (): [number, string[]] => [world.send(a, bytes("x"), at(7302)), stage.events()]
      const results: unknown[] = []
      results.push(stage.attach("egress_a", E, 0, "child"), send())
      results.push(
        stage.attach("egress_b", E, 0, "child/leaf"),
        stage.attach("egress_b", E, M, "child"),
      )
      results.push(stage.attach("egress_b", E, 0, "child"), send())
      results.push(stage.detach("egress_a", E, "child"), send())
      results.push(
        stage.attach("egress_a", E, O, "child"),
        stage.attach("egress_b", E, O, "child/leaf"),
      )
      results.push(send(), stage.attach("egress_c", E, M, "child/leaf"))
      results.push(stage.detach(null, E, "child/leaf"), send(), stage.detach(null, E, "child"))
      results.push(stage.attach("egress_a", E, M, "child"), stage.attach("egress_b", E, M, "child"))
      results.push(
        stage.attach("egress_a", E, M, "child"),
        stage.attach("egress_c", E, M, "child/leaf"),
      )
      results.push(send(), stage.detach(null, E, "child"))
      stage.set(3, 0)
      results.push(send())
      stage.set(3, 1)
      results.push(
        stage.attach("egress_a", E, M | O, "child"),
        stage.attach("egress_a", E, 0x80, "child"),
      )
      results.push(stage.detach("egress_b", E, "child"), send())
      results.push(stage.link("egress_b", E, "child", F.BPF_F_BEFORE) >= 0, send())
      results.push(stage.link("egress_b", E, "child", O))
      results.push(stage.link("egress_b", E, "child", F.BPF_F_PREORDER) >= 0, send())
      return results
    },
  },
  {
    name: "PROG_QUERY of cgroups",
    programs: ["egress_a", "egress_b", "egress_c"],
    run(stage) {
      const { kernel } = stage.world
      const E = A.BPF_CGROUP_INET_EGRESS
      const M = F.BPF_F_ALLOW_MULTI
      stage.attach("egress_a", E, M, "q")
      stage.attach("egress_b", E, M, "q")
      stage.attach("egress_c", E, M, "q/r")
      const query = (cgroup: string, flags: number, capacity: number): unknown => {
        const fd = stage.keep(kernel.openCgroup(stage.world.cgroup(cgroup)))
        const attr = {
          target_fd: fd,
          attach_type: E,
          query_flags: flags,
          prog_ids: capacity === 0 ? undefined : new Uint32Array(capacity),
          prog_cnt: capacity,
          attach_flags: 0,
        }
        const result = kernel.bpf("PROG_QUERY", attr)
        const ids = [...(attr.prog_ids ?? [])].filter((id) => id !== 0)
        return [result, attr.prog_cnt, ids.length, attr.attach_flags]
      }
      return [
        query("q", 0, 8),
        query("q", 0, 1),
        query("q", 0, 0),
        query("q/r", 0, 8),
        query("q/r", 1, 8),
        query("q/r", 2, 8),
      ]
    },
  },
  {
    name: "sock_create, post_bind and release",
    programs: ["sock_create", "sock_release", "post_bind4"],
    run(stage) {
      const { world } = stage
      stage.set(5, 1)
      stage.set(7, 1)
      stage.link("sock_create", A.BPF_CGROUP_INET_SOCK_CREATE)
      stage.link("sock_release", A.BPF_CGROUP_INET_SOCK_RELEASE)
      stage.link("post_bind4", A.BPF_CGROUP_INET4_POST_BIND)
      const tcp = world.socket(AF_INET, SOCK_STREAM)
      const created = [
        tcp >= 0,
        hex(world.getsockopt(tcp, 1, 36, 4)),
        hex(world.getsockopt(tcp, 1, 12, 4)),
        world.bind(tcp, at(7401)),
        stage.events(),
      ]
      stage.set(7, 0)
      const udp = world.socket(AF_INET, SOCK_DGRAM)
      const unbound = [world.bind(udp, at(7402)), world.name(udp, false), stage.events()]
      stage.set(7, 1)
      const again = [world.bind(udp, at(7402)), world.name(udp, false)]
      world.close(tcp)
      world.close(udp)
      const released = stage.events()
      stage.set(5, 0)
      const refused = world.socket(AF_INET, SOCK_STREAM)
      stage.set(6, 1)
      const other = world.socket(AF_INET6, SOCK_DGRAM)
      return [created, unbound, again, released, refused, other, stage.events()]
    },
  },
  {
    name: "bind4 changes the address, refuses, and lets anyone bind low ports",
    programs: ["bind4"],
    run(stage) {
      const { world } = stage
      stage.link("bind4", A.BPF_CGROUP_INET4_BIND)
      stage.set(9, 1)
      stage.set(8, 7502)
      const a = stage.stream()
      const changed = [world.bind(a, at(7501, "0.0.0.0")), world.name(a, false)]
      stage.set(8, 0)
      stage.set(9, 0)
      const refused = world.bind(stage.datagram(), at(7503))
      stage.set(9, 3)
      const low = world.bind(stage.stream(), at(81))
      stage.set(9, 2)
      const both = world.bind(stage.stream(), at(82))
      return [changed, refused, low, both, stage.events()]
    },
  },
  {
    name: "connect4 changes, refuses, binds and sets the errno",
    programs: ["connect4", "getpeername4", "getsockname4"],
    run(stage) {
      const { world } = stage
      const server = stage.stream()
      world.bind(server, at(7601))
      world.listen(server)
      stage.link("connect4", A.BPF_CGROUP_INET4_CONNECT)
      stage.set(11, 1)
      stage.set(10, 7601)
      const a = stage.stream()
      const changed = [world.connect(a, at(9, "10.99.1.1")), world.name(a, true)]
      stage.set(12, 0x7f000002)
      const b = stage.stream()
      const bound = [world.connect(b, at(9, "10.99.1.1"))]
      const own = world.name(b, false)
      bound.push(typeof own === "number" ? own : own.address === "127.0.0.2" ? 1 : 0)
      stage.set(12, 0)
      stage.set(11, 0)
      const refused = world.connect(stage.stream(), at(7601))
      stage.set(13, 110)
      const errno = world.connect(stage.datagram(), at(7601))
      stage.set(11, 1)
      const passing = world.connect(stage.datagram(), at(7601))
      stage.set(13, 0)
      const names = [
        stage.link("getpeername4", A.BPF_CGROUP_INET4_GETPEERNAME) >= 0,
        stage.link("getsockname4", A.BPF_CGROUP_INET4_GETSOCKNAME) >= 0,
        world.name(a, true),
        world.name(server, false),
      ]
      const events = stage.events().filter((event) => !event.startsWith("100007f:"))
      return [changed, bound, refused, errno, passing, names, events.length]
    },
  },
  {
    name: "connect6 sends connections elsewhere",
    programs: ["connect6"],
    run(stage) {
      const { world } = stage
      const server = stage.keep(world.socket(AF_INET6, SOCK_STREAM))
      world.bind(server, at(7651, "::1"))
      world.listen(server)
      stage.link("connect6", A.BPF_CGROUP_INET6_CONNECT)
      stage.set(10, 7651)
      stage.set(11, 1)
      const a = stage.keep(world.socket(AF_INET6, SOCK_STREAM))
      const b = stage.keep(world.socket(AF_INET6, SOCK_STREAM))
      return [
        world.connect(a, at(5, "2001:db8::5")),
        world.name(a, true),
        world.connect(b, at(6, "::ffff:10.9.9.9")),
        stage.events(),
      ]
    },
  },
  {
    name: "sendmsg4 and recvmsg4",
    programs: ["sendmsg4", "recvmsg4"],
    run(stage) {
      const { world } = stage
      stage.link("sendmsg4", A.BPF_CGROUP_UDP4_SENDMSG)
      stage.link("recvmsg4", A.BPF_CGROUP_UDP4_RECVMSG)
      const [a, b] = datagrams(stage, 7701, 7702)
      const c = stage.datagram()
      stage.set(16, 1)
      stage.set(14, 7702)
      const redirected = [world.send(a, bytes("to c"), at(7799)), received(stage, b, true)]
      stage.set(15, 0x7f000009)
      stage.set(17, 123)
      const source = [world.send(c, bytes("from 9"), at(7702)), received(stage, b, true)]
      stage.set(17, 0)
      const plain = [world.send(c, bytes("again"), at(7702)), received(stage, b, true)]
      const from = plain[1] as [string, { address: string; port: number }]
      stage.set(16, 0)
      const refused = world.send(a, bytes("no"), at(7702))
      world.connect(a, at(7702))
      const connected = [world.send(a, bytes("yes")), received(stage, b)]
      const events = stage.events().length
      return [redirected, source, plain[0], from[0], from[1].address, refused, connected, events]
    },
  },
  {
    name: "setsockopt programs change, bypass, overflow and refuse",
    programs: ["setsockopt"],
    run(stage) {
      const { world } = stage
      const tcp = stage.stream()
      stage.link("setsockopt", A.BPF_CGROUP_SETSOCKOPT)
      const results: unknown[] = []
      const trial = (mode: number, verdict: number, value: Uint8Array): void => {
        stage.set(18, mode)
        stage.set(19, verdict)
        const result = world.setsockopt(tcp, 1, 12, value)
        stage.set(18, 0)
        results.push([
          mode,
          result,
          hex(world.getsockopt(tcp, 1, 12, 4)),
          hex(world.getsockopt(tcp, 1, 36, 4)),
        ])
      }
      for (const mode of [0, 1, 2, 3, 4]) trial(mode, 1, int(4))
      trial(0, 0, int(3))
      trial(1, 0, int(3))
      trial(3, 1, new Uint8Array(6000).fill(2))
      return [results, stage.events()]
    },
  },
  {
    name: "getsockopt programs change, forgive, overflow and refuse",
    programs: ["getsockopt"],
    run(stage) {
      const { world } = stage
      stage.link("getsockopt", A.BPF_CGROUP_GETSOCKOPT)
      const tcp = stage.stream()
      const results: unknown[] = []
      for (const mode of [0, 1, 2, 3, 4])
        for (const verdict of [1, 0])
          for (const name of [12, 9999]) {
            stage.set(18, mode)
            stage.set(19, verdict)
            results.push([mode, verdict, name, hex(world.getsockopt(tcp, 1, name, 4))])
          }
      stage.set(18, 0)
      stage.set(19, 1)
      results.push(hex(world.getsockopt(tcp, 1, 12, 2)))
      results.push(hex(world.getsockopt(tcp, 1, 12, 8)))
      return [results, stage.events()]
    },
  },
  {
    name: "sysctl programs",
    programs: ["sysctl"],
    run(stage) {
      const { world } = stage
      const path = "net/ipv4/tcp_syn_retries"
      world.writeSetting(path, "6")
      stage.link("sysctl", A.BPF_CGROUP_SYSCTL)
      stage.set(19, 1)
      const read = [world.readSetting(path), stage.events()]
      const wrote = [world.writeSetting(path, "4"), stage.events(), world.readSetting(path)]
      stage.events()
      stage.set(18, 3)
      const changed = [world.writeSetting(path, "5\n"), stage.events()]
      stage.set(18, 0)
      const after = world.readSetting(path)
      stage.set(19, 0)
      return [read, wrote, changed, after, world.readSetting(path), world.writeSetting(path, "2")]
    },
  },
  {
    name: "device programs",
    programs: ["device"],
    run(stage) {
      stage.link("device", A.BPF_CGROUP_DEVICE)
      stage.events()
      return [
        stage.world.openDevice("/dev/zero", 1, 5),
        stage.world.openDevice("/dev/full", 1, 7),
        stage.events(),
      ]
    },
  },
  {
    name: "sock_ops callbacks of a connection's life",
    programs: ["sock_ops"],
    run(stage) {
      const { world } = stage
      stage.link("sock_ops", A.BPF_CGROUP_SOCK_OPS)
      stage.set(20, 2)
      const { client, peer } = connection(stage, 7801)
      const opened = stage.events()
      world.send(client, bytes("hello"))
      received(stage, peer)
      const talked = stage.events()
      world.shutdown(client, 1)
      const half = stage.events()
      world.shutdown(peer, 1)
      const whole = stage.events()
      return [opened, talked, half, whole]
    },
  },
  {
    name: "sock_ops programs set options",
    programs: ["sock_ops"],
    run(stage) {
      stage.link("sock_ops", A.BPF_CGROUP_SOCK_OPS)
      stage.set(20, 4)
      const { client, peer } = connection(stage, 7811)
      return [
        stage.events(),
        hex(stage.world.getsockopt(client, 1, 36, 4)),
        hex(stage.world.getsockopt(peer, 6, 4, 4)),
      ]
    },
  },
  {
    name: "sock_ops programs put sockets into maps",
    programs: ["sock_ops"],
    run(stage) {
      stage.link("sock_ops", A.BPF_CGROUP_SOCK_OPS)
      stage.set(20, 8)
      connection(stage, 7821)
      const value = new Uint8Array(8)
      const { kernel } = stage.world
      const found = [0, 1, 2].map((key) =>
        kernel.bpf("MAP_LOOKUP_ELEM", { map_fd: stage.map("sockets"), key: u32(key), value }),
      )
      return [
        stage.events().filter((event) => event.startsWith("0:") || event.startsWith("ffff")),
        found,
      ]
    },
  },
  {
    name: "sock_ops programs write and read header options",
    programs: ["header_options"],
    run(stage) {
      stage.link("header_options", A.BPF_CGROUP_SOCK_OPS)
      connection(stage, 7831)
      return stage.events()
    },
  },
  {
    name: "socket maps take and refuse sockets",
    programs: ["look_up", "choose", "message_hash"],
    run(stage) {
      const { world } = stage
      const { kernel } = world
      const { server, client } = connection(stage, 7901)
      const udp = stage.datagram()
      const fresh = stage.stream()
      const results: unknown[] = []
      for (const map of ["sockets", "socket_hash"]) {
        const width =
          map === "sockets"
            ? u32
            : (n: number) => new Uint8Array(BigUint64Array.of(BigInt(n)).buffer)
        const fd = stage.map(map)
        results.push(
          putSocket(stage, map, 0, server),
          putSocket(stage, map, 1, client),
          putSocket(stage, map, 2, udp),
          putSocket(stage, map, 3, fresh),
          putSocket(stage, map, 100, client),
          putSocket(stage, map, 4, 9999),
          putSocket(stage, map, 4, stage.map("events")),
          putSocket(stage, map, 0, client, 1n),
          putSocket(stage, map, 5, client, 2n),
          putSocket(stage, map, 0, client, 9n),
          kernel.bpf("MAP_LOOKUP_ELEM", { map_fd: fd, key: width(0), value: new Uint8Array(8) }),
          kernel.bpf("MAP_LOOKUP_ELEM", { map_fd: fd, key: width(7), value: new Uint8Array(8) }),
          kernel.bpf("MAP_DELETE_ELEM", { map_fd: fd, key: width(1) }),
          kernel.bpf("MAP_DELETE_ELEM", { map_fd: fd, key: width(1) }),
          kernel.bpf("MAP_DELETE_ELEM", { map_fd: fd, key: width(900) }),
        )
      }
      world.close(udp)
      results.push(
        kernel.bpf("MAP_LOOKUP_ELEM", {
          map_fd: stage.map("sockets"),
          key: u32(2),
          value: new Uint8Array(8),
        }),
      )
      results.push(
        putSocket(stage, "members", 0, server),
        putSocket(stage, "members", 0, client),
        putSocket(stage, "members", 100, server),
      )
      return results
    },
  },
  {
    name: "sk_lookup chooses the socket",
    programs: ["look_up"],
    run(stage) {
      const { world } = stage
      const { kernel } = world
      const listener = stage.stream()
      world.bind(listener, at(8001))
      world.listen(listener)
      const udp = stage.datagram()
      world.bind(udp, at(8002))
      putSocket(stage, "sockets", 0, listener)
      putSocket(stage, "sockets", 1, udp)
      const link = stage.keep(
        kernel.bpf("LINK_CREATE", {
          prog_fd: stage.program("look_up"),
          target_fd: stage.keep(world.netns()),
          attach_type: A.BPF_SK_LOOKUP,
        }),
      )
      const results: unknown[] = [link >= 0]
      stage.set(22, 1)
      const client = stage.stream()
      world.bind(client, at(8003))
      results.push(world.connect(client, at(8099)), stage.keep(world.accept(listener)) >= 0)
      results.push(stage.events())
      stage.set(21, 1)
      results.push(world.send(stage.datagram(), bytes("hi"), at(8098)), received(stage, udp))
      results.push(world.connect(stage.stream(), at(8097)))
      stage.events()
      stage.set(22, 2)
      results.push(world.connect(stage.stream(), at(8001)))
      stage.set(22, 0)
      results.push(world.connect(stage.stream(), at(8001)))
      stage.events()
      kernel.bpf("LINK_DETACH", { link_fd: link })
      results.push(world.connect(stage.stream(), at(8001)), stage.events())
      return results
    },
  },
  {
    name: "sk_reuseport chooses the member",
    programs: ["choose"],
    run(stage) {
      const { world } = stage
      const members = [0, 1, 2].map(() => {
        const fd = stage.datagram()
        world.setsockopt(fd, 1, 15, int(1))
        world.bind(fd, at(8101))
        return fd
      })
      const lone = stage.datagram()
      world.bind(lone, at(8102))
      const results: unknown[] = [
        ...members.map((fd, index) => putSocket(stage, "members", index, fd)),
        putSocket(stage, "members", 4, lone),
        putSocket(stage, "members", 5, members[0]),
        putSocket(stage, "members", 0, members[0]),
        world.attach(members[0], 52, stage.program("choose")),
      ]
      const from = stage.datagram()
      world.bind(from, at(8103))
      for (const index of [2, 1, 0]) {
        stage.set(21, index)
        world.send(from, bytes(`m${index}`), at(8101))
        results.push(members.map((fd) => received(stage, fd)))
      }
      results.push(stage.events())
      stage.set(21, 7)
      world.send(from, bytes("x"), at(8101))
      results.push(members.filter((fd) => received(stage, fd) === "x").length, stage.events())
      stage.set(22, 2)
      world.connect(from, at(8101))
      results.push(world.send(from, bytes("x")), world.send(from, bytes("x")))
      return results
    },
  },
  {
    name: "a socket filter keeps part of a datagram",
    programs: ["keep"],
    run(stage) {
      const { world } = stage
      const [a, b] = datagrams(stage, 8201, 8202)
      const results: unknown[] = [world.attach(b, 50, stage.program("keep"))]
      for (const kept of [100, 12, 8, 0]) {
        stage.set(22, kept)
        results.push(world.send(a, bytes("abcdefgh"), at(8202)), received(stage, b))
      }
      return [results, stage.events()]
    },
  },
  {
    name: "sk_msg passes, drops, redirects, applies, corks, pushes and pops",
    programs: ["message"],
    run(stage) {
      const { world } = stage
      const results: unknown[] = [attachToMap(stage, "message", A.BPF_SK_MSG_VERDICT)]
      const two = connection(stage, 8300)
      let port = 8301
      // What a verdict leaves behind concerns the next message: each has its own connection.
      const trial = (mode: number, ...parts: string[]): void => {
        stage.set(22, 0)
        const { client, peer } = connection(stage, port++)
        results.push(
          putSocket(stage, "sockets", 0, client),
          putSocket(stage, "sockets", 1, two.client),
        )
        stage.set(22, mode)
        results.push([
          mode,
          ...parts.map((part) => world.send(client, bytes(part))),
          received(stage, peer),
          received(stage, two.peer),
          received(stage, two.client),
          stage.events(),
        ])
      }
      trial(0, "plain")
      stage.set(21, 1)
      trial(1, "out of two")
      stage.set(23, 1)
      trial(1, "into two")
      trial(3, "abcdef")
      trial(3, "abcdefgh", "ij")
      trial(4, "abcd", "efgh")
      trial(4, "abcd", "efghi")
      trial(5, "abcdefgh")
      trial(6, "abcdefgh")
      stage.set(21, 6)
      trial(1, "nowhere", "again")
      return results
    },
  },
  {
    name: "hashes of sockets as targets",
    programs: ["message_hash", "verdict_hash"],
    run(stage) {
      const { world } = stage
      const one = connection(stage, 8321)
      const two = connection(stage, 8322)
      const results: unknown[] = [
        attachToMap(stage, "message_hash", A.BPF_SK_MSG_VERDICT, "socket_hash"),
        putSocket(stage, "socket_hash", 77, one.client),
        putSocket(stage, "socket_hash", 78, two.client),
      ]
      stage.set(21, 78)
      results.push(world.send(one.client, bytes("over")), received(stage, two.peer))
      stage.set(23, 1)
      results.push(world.send(one.client, bytes("in")), received(stage, two.client))
      stage.set(23, 4)
      results.push(world.send(one.client, bytes("flags")), received(stage, one.peer))
      return results
    },
  },
  {
    name: "hooks of IPv6 sockets",
    programs: ["bind6", "post_bind6", "sendmsg6", "recvmsg6", "getpeername6", "getsockname6"],
    run(stage) {
      const { world } = stage
      for (const index of [7, 9, 16]) stage.set(index, 1)
      stage.link("bind6", A.BPF_CGROUP_INET6_BIND)
      stage.link("post_bind6", A.BPF_CGROUP_INET6_POST_BIND)
      stage.link("sendmsg6", A.BPF_CGROUP_UDP6_SENDMSG)
      stage.link("recvmsg6", A.BPF_CGROUP_UDP6_RECVMSG)
      const datagram = (): number => stage.keep(world.socket(AF_INET6, SOCK_DGRAM))
      const [a, b] = [datagram(), datagram()]
      stage.set(8, 8331)
      const results: unknown[] = [world.bind(a, at(5, "::1"))]
      stage.set(8, 8332)
      results.push(world.bind(b, at(6, "::")))
      stage.set(8, 0)
      stage.set(9, 0)
      results.push(world.bind(datagram(), at(8333, "::1")))
      stage.set(9, 1)
      stage.set(7, 0)
      results.push(world.bind(datagram(), at(8333, "::1")), stage.events())
      stage.set(7, 1)
      results.push(world.send(a, bytes("plain"), at(8332, "::1")), received(stage, b, true))
      stage.set(14, 8332)
      stage.set(17, 55)
      results.push(world.send(a, bytes("moved"), at(1, "2001:db8::9")), received(stage, b, true))
      results.push(stage.events())
      stage.set(16, 0)
      results.push(world.send(a, bytes("no"), at(8332, "::1")), stage.events())
      stage.link("getpeername6", A.BPF_CGROUP_INET6_GETPEERNAME)
      stage.link("getsockname6", A.BPF_CGROUP_INET6_GETSOCKNAME)
      world.connect(a, at(8332, "::1"))
      results.push(world.name(a, true), world.name(a, false), stage.events())
      return results
    },
  },
  {
    name: "SYN cookies of a listening socket",
    programs: ["cookie_for"],
    run(stage) {
      const { world } = stage
      const server = stage.stream()
      world.bind(server, at(8341))
      world.listen(server)
      stage.set(24, 8341)
      const results: unknown[] = []
      for (const mode of ["1", "0", "2", "1"]) {
        world.writeSetting("net/ipv4/tcp_syncookies", mode)
        testRun(stage, "cookie_for", FRAME)
        results.push(stage.events())
      }
      return results
    },
  },
  {
    name: "links of hooks are described, updated and detached",
    programs: [
      "egress_a",
      "egress_b",
      "look_up",
      "filter",
      "message",
      "message_hash",
      "sock_create",
    ],
    run(stage) {
      const { world } = stage
      const { kernel } = world
      const targets: readonly (readonly [
        program: string,
        next: string,
        wrong: string,
        attr: object,
      ])[] = [
        [
          "egress_a",
          "egress_b",
          "sock_create",
          {
            target_fd: stage.keep(kernel.openCgroup(world.cgroup("links"))),
            attach_type: A.BPF_CGROUP_INET_EGRESS,
          },
        ],
        [
          "look_up",
          "look_up",
          "filter",
          { target_fd: stage.keep(world.netns()), attach_type: A.BPF_SK_LOOKUP },
        ],
        [
          "filter",
          "filter",
          "look_up",
          {
            attach_type: A.BPF_NETFILTER,
            netfilter: { pf: 2, hooknum: 1, priority: -7 },
          },
        ],
        [
          "message",
          "message_hash",
          "look_up",
          { target_fd: stage.map("sockets"), attach_type: A.BPF_SK_MSG_VERDICT },
        ],
      ]
      return targets.map(([program, next, wrong, attr]) => {
        const create = (flags: number, type = 0): number =>
          kernel.bpf("LINK_CREATE", {
            prog_fd: stage.program(program),
            ...(attr as { attach_type: number }),
            ...(flags === 0 ? {} : { flags }),
            ...(type === 0 ? {} : { attach_type: type }),
          })
        const fd = stage.keep(create(0))
        // Type, and what follows the ids: attach type, hook, priority.
        const info = (): unknown => {
          const data = new Uint8Array(80)
          const result = kernel.bpf("OBJ_GET_INFO_BY_FD", { bpf_fd: fd, info: data })
          const view = new DataView(data.buffer)
          const words = [16, 20, 24, 28].map((offset) => view.getUint32(offset, true))
          const shown =
            program === "filter"
              ? words
              : [words[0] !== 0, program === "egress_a" ? words[2] : words[1]]
          return [result, view.getUint32(0, true), shown]
        }
        const update = (name: string, flags = 0, old?: string): number =>
          kernel.bpf("LINK_UPDATE", {
            link_fd: fd,
            new_prog_fd: stage.program(name),
            flags,
            old_prog_fd: old === undefined ? 0 : stage.program(old),
          })
        return [
          program,
          fd >= 0,
          create(0x40000),
          create(0, A.BPF_CGROUP_DEVICE),
          info(),
          update(wrong),
          update(next, F.BPF_F_REPLACE, wrong),
          update(next, F.BPF_F_REPLACE, program),
          update(next, 0, program),
          update(next, 64),
          update(program),
          kernel.bpf("LINK_DETACH", { link_fd: fd }),
          kernel.bpf("LINK_DETACH", { link_fd: fd }),
          update(program),
          info(),
        ]
      })
    },
  },
  {
    name: "streams of AF_UNIX, and the hook of their connect",
    programs: ["connect_unix"],
    run(stage) {
      const { world } = stage
      const stream = (): number => stage.keep(world.socket(AF_UNIX, SOCK_STREAM))
      const server = stream()
      const results: unknown[] = [
        world.listen(server),
        world.bindPath(server, "/a"),
        world.bindPath(stream(), "/a"),
        world.bindPath(server, "/b"),
        world.connectPath(stream(), "/a"),
        world.listen(server),
        world.connectPath(stream(), "/none"),
        stage.link("connect_unix", A.BPF_CGROUP_UNIX_CONNECT) >= 0,
      ]
      stage.set(11, 1)
      const client = stream()
      results.push(world.connectPath(client, "/a"), world.connectPath(client, "/a"))
      const peer = stage.keep(world.accept(server))
      results.push(world.send(client, bytes("hello")), received(stage, peer))
      results.push(world.shutdown(client, 1), received(stage, peer), stage.events())
      stage.set(11, 0)
      results.push(world.connectPath(stream(), "/a"))
      stage.set(13, 13)
      results.push(world.connectPath(stream(), "/a"))
      stage.set(11, 1)
      results.push(world.connectPath(stream(), "/a"))
      return results
    },
  },
  {
    name: "a dropped message",
    programs: ["message"],
    run(stage) {
      const { client, peer } = connection(stage, 8311)
      const results: unknown[] = [
        attachToMap(stage, "message", A.BPF_SK_MSG_VERDICT),
        putSocket(stage, "sockets", 0, client),
      ]
      stage.set(22, 2)
      results.push(stage.world.send(client, bytes("gone")), received(stage, peer), stage.events())
      return results
    },
  },
  {
    name: "sk_skb parses and redirects a stream",
    programs: ["parser", "verdict"],
    run(stage) {
      const { world } = stage
      const one = connection(stage, 8401)
      const two = connection(stage, 8402)
      const results: unknown[] = [
        attachToMap(stage, "parser", A.BPF_SK_SKB_STREAM_PARSER),
        attachToMap(stage, "verdict", A.BPF_SK_SKB_STREAM_VERDICT),
        putSocket(stage, "sockets", 0, one.peer),
        putSocket(stage, "sockets", 1, two.client),
      ]
      stage.set(22, 2)
      world.send(one.client, bytes("drop"))
      results.push(received(stage, one.peer), stage.events())
      stage.set(22, 1)
      stage.set(21, 1)
      world.send(one.client, bytes("abcd"))
      return [results, stage.events()]
    },
  },
  {
    name: "sk_skb without a parser",
    programs: ["verdict"],
    run(stage) {
      const { world } = stage
      const one = connection(stage, 8411)
      const results: unknown[] = [
        attachToMap(stage, "verdict", A.BPF_SK_SKB_STREAM_VERDICT),
        putSocket(stage, "sockets", 0, one.peer),
      ]
      stage.set(22, 2)
      world.send(one.client, bytes("drop"))
      results.push(received(stage, one.peer), stage.events())
      return results
    },
  },
  {
    name: "programs find sockets by their ends",
    programs: ["ask"],
    run(stage) {
      const { world } = stage
      const { client } = connection(stage, 8501)
      world.setsockopt(client, 1, 36, int(0x31))
      world.send(client, bytes("12345"))
      const name = world.name(client, false)
      const results: unknown[] = []
      const udp = stage.datagram()
      world.bind(udp, at(8502))
      const ask = (local: number, remote: number): void => {
        stage.set(24, local)
        stage.set(25, remote)
        results.push(testRun(stage, "ask", FRAME), stage.events())
      }
      ask(8501, 5)
      ask(8502, 5)
      ask(8503, 5)
      if (typeof name !== "number") {
        ask(8501, name.port)
        // The number of a port that the kernel has chosen is nobody's business.
        const port = ((name.port & 0xff) << 8) | (name.port >> 8)
        const events = results.pop() as string[]
        results.push(events.map((event) => event.replace(`:${port.toString(16)}`, ":port")))
      }
      return results
    },
  },
  {
    name: "whose packet it is: cookies, users, cgroups, storage",
    programs: ["identity"],
    run(stage) {
      const { world } = stage
      world.join("who")
      stage.link("identity", A.BPF_CGROUP_INET_EGRESS, "who")
      const [a, b] = datagrams(stage, 8511, 8512)
      stage.set(29, 99)
      world.send(a, bytes("1"), at(8512))
      world.send(a, bytes("2"), at(8512))
      world.send(b, bytes("3"), at(8511))
      const first = stage.events()
      world.setsockopt(a, 1, 36, int(0x51))
      world.send(a, bytes("4"), at(8512))
      world.setsockopt(a, 1, 36, int(0))
      world.send(a, bytes("5"), at(8512))
      const second = stage.events()
      const key = u32(a)
      const value = new Uint8Array(8)
      const map_fd = stage.map("per_socket")
      const { kernel } = world
      const look = (): unknown => [
        kernel.bpf("MAP_LOOKUP_ELEM", { map_fd, key, value }),
        hex(value),
      ]
      return [
        first,
        second,
        look(),
        kernel.bpf("MAP_UPDATE_ELEM", {
          map_fd,
          key,
          value: Uint8Array.of(9, 0, 0, 0, 0, 0, 0, 0),
        }),
        look(),
        kernel.bpf("MAP_UPDATE_ELEM", { map_fd, key, value, flags: 1n }),
        kernel.bpf("MAP_DELETE_ELEM", { map_fd, key }),
        kernel.bpf("MAP_DELETE_ELEM", { map_fd, key }),
        kernel.bpf("MAP_LOOKUP_ELEM", { map_fd, key: u32(9999), value }),
        kernel.bpf("MAP_LOOKUP_ELEM", { map_fd, key: u32(stage.map("events")), value }),
        kernel.bpf("MAP_GET_NEXT_KEY", { map_fd, next_key: new Uint8Array(4) }),
      ]
    },
  },
  {
    name: "bpf_sk_assign gives packets to sockets",
    programs: ["give"],
    run(stage) {
      const { world } = stage
      const link = stage.keep(
        world.kernel.bpf("LINK_CREATE", {
          prog_fd: stage.program("give"),
          target_ifindex: 1,
          attach_type: A.BPF_TCX_INGRESS,
        }),
      )
      const results: unknown[] = [link >= 0]
      const udp = stage.datagram()
      world.bind(udp, at(8521))
      const server = stage.stream()
      world.bind(server, at(8522))
      world.listen(server)
      stage.set(24, 8599)
      stage.set(25, 8521)
      results.push(world.send(stage.datagram(), bytes("given"), at(8599)), received(stage, udp))
      results.push(stage.events())
      stage.set(25, 8522)
      stage.set(26, 6)
      const client = stage.stream()
      results.push(world.connect(client, at(8599)), stage.keep(world.accept(server)) >= 0)
      results.push(world.name(client, true), stage.events())
      stage.set(25, 8523)
      results.push(world.connect(stage.stream(), at(8599)), stage.events())
      return results
    },
  },
  {
    name: "cgroup storage is the attachment's own",
    programs: ["egress_c"],
    run(stage) {
      const { world } = stage
      const E = A.BPF_CGROUP_INET_EGRESS
      world.join("s/t")
      stage.link("egress_c", E, "s")
      stage.link("egress_c", E, "s/t")
      const [a] = datagrams(stage, 8531, 8532)
      world.send(a, bytes("1"), at(8532))
      world.send(a, bytes("2"), at(8532))
      const events = stage.events()
      const map_fd = stage.map("per_cgroup")
      const { kernel } = world
      const values: unknown[] = []
      let key: Uint8Array | undefined
      for (let i = 0; i < 4; i++) {
        const next = new Uint8Array(16)
        if (kernel.bpf("MAP_GET_NEXT_KEY", { map_fd, key, next_key: next }) < 0) break
        const value = new Uint8Array(8)
        values.push([
          kernel.bpf("MAP_LOOKUP_ELEM", { map_fd, key: next, value }),
          hex(value),
          hex(next.subarray(8)),
          kernel.bpf("MAP_UPDATE_ELEM", { map_fd, key: next, value, flags: 1n }),
          kernel.bpf("MAP_UPDATE_ELEM", { map_fd, key: next, value, flags: 2n }),
          kernel.bpf("MAP_DELETE_ELEM", { map_fd, key: next }),
        ])
        key = next
      }
      const unknown = new Uint8Array(16).fill(7)
      const value = new Uint8Array(8)
      return [
        events,
        values,
        kernel.bpf("MAP_LOOKUP_ELEM", { map_fd, key: unknown, value }),
        kernel.bpf("MAP_UPDATE_ELEM", { map_fd, key: unknown, value }),
      ]
    },
  },
  {
    name: "routes by fib_lookup",
    programs: ["route"],
    run(stage) {
      const { ifindex } = stage.world.network()
      const results: unknown[] = []
      const ask = (
        destination: number,
        flags = 0,
        length = 0,
        device = ifindex,
        table = 0,
      ): void => {
        stage.set(24, destination)
        stage.set(25, length)
        stage.set(26, device)
        stage.set(27, flags)
        stage.set(28, table)
        testRun(stage, "route", FRAME)
        const shown = stage
          .events()
          .map((event) => event.replace(new RegExp(`^${ifindex.toString(16)}:`), "dev:"))
        results.push([destination.toString(16), flags, length, shown])
      }
      for (const net of [1, 2, 3, 4, 5, 6, 7, 8, 9]) ask(0x0a000005 + (net << 16))
      ask(0x0a010002)
      ask(0x0a010001)
      ask(0x0a0100ff)
      ask(0x7f000001)
      ask(0x0a020005, 0, 1400)
      ask(0x0a020005, 0, 1600)
      ask(0x0a070005, 0, 1200)
      ask(0x0a070005, 0, 900)
      ask(0x0a030005, 4)
      ask(0x0a020005, 1)
      ask(0x0a020005, 2)
      ask(0x0a080005, 9, 0, ifindex, 77)
      ask(0x0a080005, 9, 0, ifindex, 78)
      ask(0x0a020005, 0x10)
      ask(0x0a020005, 0x40)
      ask(0x0a020005, 0, 0, 9999)
      return results
    },
  },
  {
    name: "SYN cookies without a socket",
    programs: ["syncookie"],
    run: (stage) => [testRun(stage, "syncookie", FRAME), stage.events()],
  },
  {
    name: "a header put before a packet on its route",
    programs: ["encapsulate"],
    run: (stage) => [testRun(stage, "encapsulate", FRAME, 200), stage.events()],
  },
  {
    name: "PROG_TEST_RUN of netfilter programs",
    programs: ["filter"],
    run(stage) {
      const { kernel } = stage.world
      const frame = (type: number, size: number): Uint8Array => {
        const data = new Uint8Array(size)
        data.set([type >> 8, type & 255, 0x45], 12)
        return data
      }
      const trial = (data: Uint8Array, context?: readonly number[], extra = {}): unknown => {
        const attr = {
          prog_fd: stage.program("filter"),
          data_in: data,
          ctx_in: context === undefined ? undefined : Uint8Array.from(context),
          retval: 0,
          data_size_out: 0,
          ...extra,
        }
        const result = kernel.bpf("PROG_TEST_RUN", attr)
        return [result, result === 0 ? attr.retval : 0, stage.events()]
      }
      const zeros = (count: number): number[] => new Array<number>(count).fill(0)
      return [
        trial(frame(0x0800, 64)),
        trial(frame(0x0800, 19)),
        trial(frame(0x0800, 20)),
        trial(frame(0x0800, 33), [0, 2]),
        trial(frame(0x0800, 34), [0, 2]),
        trial(frame(0x0800, 64), [1, 10]),
        trial(frame(0x86dd, 53), [1, 10]),
        trial(frame(0x86dd, 54), [1, 10]),
        trial(frame(0x0806, 64), [2, 2]),
        trial(frame(0x0800, 64), [4, 2]),
        trial(frame(0x0800, 64), [3, 10]),
        trial(frame(0x0800, 64), [9, 2]),
        trial(frame(0x0800, 64), [1, 1]),
        trial(frame(0x0800, 64), [1, 2, ...zeros(6), 1]),
        trial(frame(0x0800, 64), [1, 2, 7, ...zeros(45)]),
        trial(frame(0x0800, 64), [1, 2, ...zeros(46), 1]),
        trial(frame(0x0800, 64), undefined, { flags: 1 }),
        trial(frame(0x0800, 64), undefined, { cpu: 1 }),
        trial(new Uint8Array(4000), undefined),
      ]
    },
  },
  {
    name: "PROG_TEST_RUN of sk_lookup programs that choose",
    programs: ["look_up"],
    run(stage) {
      const { world } = stage
      const listener = stage.stream()
      world.bind(listener, at(8701))
      world.listen(listener)
      putSocket(stage, "sockets", 0, listener)
      const shared = stage.stream()
      world.setsockopt(shared, 1, 15, int(1))
      world.bind(shared, at(8702))
      world.listen(shared)
      putSocket(stage, "sockets", 1, shared)
      const trial = (family: number, protocol: number, key: number, mode: number): unknown => {
        stage.set(21, key)
        stage.set(22, mode)
        const context = new Uint8Array(72)
        const view = new DataView(context.buffer)
        view.setUint32(8, family, true)
        view.setUint32(12, protocol, true)
        view.setUint16(36, 5555)
        view.setUint32(60, 99, true)
        const attr = {
          prog_fd: stage.program("look_up"),
          ctx_in: context,
          ctx_out: new Uint8Array(72),
          retval: 0,
        }
        const result = world.kernel.bpf("PROG_TEST_RUN", attr)
        const cookie = new DataView(attr.ctx_out.buffer).getBigUint64(0, true)
        return [result, result === 0 ? attr.retval : 0, cookie !== 0n, stage.events()]
      }
      return [
        trial(AF_INET, 6, 0, 0),
        trial(AF_INET, 6, 0, 1),
        trial(AF_INET, 6, 1, 1),
        trial(AF_INET, 17, 0, 1),
        trial(AF_INET6, 6, 0, 1),
        trial(AF_INET, 6, 0, 2),
        trial(AF_INET, 6, 5, 1),
      ]
    },
  },
  {
    name: "a flow dissector is asked for the hash of a packet",
    programs: ["dissect", "hash"],
    run(stage) {
      const { kernel } = stage.world
      const attr = {
        attach_bpf_fd: stage.program("dissect"),
        attach_type: A.BPF_FLOW_DISSECTOR,
      }
      const results: unknown[] = [kernel.bpf("PROG_ATTACH", attr), kernel.bpf("PROG_ATTACH", attr)]
      testRun(stage, "hash", FRAME)
      results.push(stage.events())
      stage.set(22, 1)
      testRun(stage, "hash", FRAME)
      results.push(stage.events())
      results.push(kernel.bpf("PROG_DETACH", attr), kernel.bpf("PROG_DETACH", attr))
      testRun(stage, "hash", FRAME)
      results.push(stage.events())
      const netns = stage.keep(stage.world.netns())
      const link = (): number =>
        kernel.bpf("LINK_CREATE", {
          prog_fd: stage.program("dissect"),
          target_fd: netns,
          attach_type: A.BPF_FLOW_DISSECTOR,
        })
      const first = stage.keep(link())
      results.push(first >= 0, link(), kernel.bpf("PROG_ATTACH", attr))
      return results
    },
  },
  {
    name: "netfilter programs by hook and priority",
    programs: ["filter"],
    run(stage) {
      const { world } = stage
      const { kernel } = world
      const create = (pf: number, hooknum: number, priority: number, flags = 0): number =>
        stage.keep(
          kernel.bpf("LINK_CREATE", {
            prog_fd: stage.program("filter"),
            attach_type: A.BPF_NETFILTER,
            netfilter: { pf, hooknum, priority, flags },
          }),
        )
      const sign = (result: number): number => Math.min(result, 0)
      const results: unknown[] = [
        sign(create(1, 1, 5)),
        sign(create(2, 5, 5)),
        sign(create(2, 1, -(2 ** 31))),
        sign(create(2, 1, 2 ** 31 - 1)),
        sign(create(2, 1, 5, 8)),
        sign(create(2, 1, -400, 1)),
      ]
      for (const hook of [0, 1, 2, 3, 4]) results.push(sign(create(2, hook, -17)))
      results.push(sign(create(2, 1, -17)), sign(create(2, 1, -16)))
      const [a, b] = datagrams(stage, 8601, 8602)
      stage.events()
      results.push(world.send(a, bytes("in"), at(8602)), received(stage, b), stage.events())
      stage.set(22, 2)
      results.push(world.send(a, bytes("out"), at(8602)), received(stage, b), stage.events())
      return results
    },
  },
]
