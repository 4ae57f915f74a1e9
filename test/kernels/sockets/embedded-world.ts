/** The scenarios' world inside the embedded kernel. */

import { createEmbeddedKernel, type EmbeddedKernel } from "../../../src/kernel/index.ts"
import {
  type NetNamespace,
  readSetting,
  type Socket,
  writeSetting,
} from "../../../src/kernel/net/index.ts"
import type { Task } from "../../../src/kernel/tasks/task.ts"
import { formatIp, parseIp } from "../../../src/packet/index.ts"
import type { Place, World } from "./world.ts"

const OWN = "/scenario"

export class EmbeddedWorld implements World {
  readonly kernel: EmbeddedKernel
  private task: Task

  constructor(kernel: EmbeddedKernel = createEmbeddedKernel({ cpus: 2 })) {
    this.kernel = kernel
    this.task = kernel.tasks.spawn({ comm: "scenario", cgroup: OWN })
  }

  cgroup(name: string): string {
    const path = name === "" ? OWN : `${OWN}/${name}`
    this.kernel.tasks.cgroupId(path)
    return path
  }

  join(name: string): void {
    this.task = this.kernel.tasks.spawn({ comm: "scenario", cgroup: this.cgroup(name) })
  }

  netns(): number {
    return this.kernel.openNetns("/proc/self/ns/net")
  }

  private get namespace(): NetNamespace {
    return this.kernel.network.inet.initial
  }

  private at(fd: number): Socket {
    const socket = this.kernel.descriptors.at(fd)
    if (typeof socket === "number") throw new RangeError(`descriptor ${fd} is no socket`)
    return socket
  }

  private endpoint({ address, port }: Place): { address: Uint8Array; port: number } {
    return { address: parseIp(address), port }
  }

  private place(endpoint: { address: Uint8Array; port: number } | number): Place | number {
    if (typeof endpoint === "number") return endpoint
    return { address: formatIp(endpoint.address), port: endpoint.port }
  }

  socket(family: number, type: number): number {
    return this.kernel.descriptors.create(this.task, this.namespace, family, type)
  }

  bind(fd: number, to: Place): number {
    return this.kernel.sockets.bind(this.at(fd), this.endpoint(to))
  }

  listen(fd: number): number {
    return this.kernel.sockets.listen(this.at(fd), 16)
  }

  connect(fd: number, to: Place): number {
    return this.kernel.sockets.connect(this.at(fd), this.endpoint(to))
  }

  accept(fd: number): number {
    const socket = this.kernel.sockets.accept(this.at(fd))
    return typeof socket === "number" ? socket : this.kernel.descriptors.open(socket)
  }

  send(fd: number, data: Uint8Array, to?: Place): number {
    const socket = this.at(fd)
    return this.kernel.sockets.send(socket, data, to === undefined ? undefined : this.endpoint(to))
  }

  receive(fd: number, wantsSource = true): { data: Uint8Array; from: Place | null } | number {
    const got = this.kernel.sockets.receive(this.at(fd), 65_536, wantsSource)
    if (typeof got === "number") return got
    const from = got.from === null || !wantsSource ? null : this.place(got.from)
    return { data: got.data, from: typeof from === "number" ? null : from }
  }

  bindPath(fd: number, path: string): number {
    return this.kernel.sockets.bindPath(this.at(fd), path)
  }

  connectPath(fd: number, path: string): number {
    return this.kernel.sockets.connectPath(this.at(fd), path)
  }

  shutdown(fd: number, how: number): number {
    return this.kernel.sockets.shutdown(this.at(fd), how)
  }

  close(fd: number): void {
    this.kernel.close(fd)
  }

  name(fd: number, peer: boolean): Place | number {
    return this.place(this.kernel.sockets.name(this.at(fd), peer))
  }

  setsockopt(fd: number, level: number, name: number, value: Uint8Array): number {
    return this.kernel.sockets.setsockopt(this.at(fd), level, name, value)
  }

  getsockopt(fd: number, level: number, name: number, room: number): Uint8Array | number {
    return this.kernel.sockets.getsockopt(this.at(fd), level, name, room)
  }

  attach(fd: number, option: number, program: number): number {
    const object = this.kernel.tables.fds.get(program, "program")
    if (typeof object === "number") return object
    const { sockets } = this.kernel
    return option === 50
      ? sockets.attachFilter(this.at(fd), object)
      : sockets.attachReuseport(this.at(fd), object)
  }

  readSetting(path: string): string | number {
    return readSetting(this.kernel.network.inet, this.task, this.namespace, path)
  }

  writeSetting(path: string, text: string): number {
    return writeSetting(this.kernel.network.inet, this.task, this.namespace, path, text)
  }

  openDevice(_path: string, major: number, minor: number): number {
    const { programs, initial } = this.kernel.network.inet
    return programs.cgroup.device(this.task, initial, { type: "char", major, minor, access: 2 })
  }

  network(): { readonly ifindex: number } {
    const { network } = this.kernel
    const { initial } = network.inet
    const [v0] = network.addPair(
      { name: "v0", mac: Uint8Array.of(2, 0, 0, 0, 0, 1) },
      { name: "v1", mac: Uint8Array.of(2, 0, 0, 0, 0, 2) },
    )
    initial.settings.set("net/ipv4/ip_forward", "1")
    initial.addAddress(v0, "10.1.0.1/24")
    initial.addNeighbour(v0, parseIp("10.1.0.2"), Uint8Array.of(2, 0, 0, 0, 0, 9))
    initial.addRoute({ to: "10.2.0.0/16", via: "10.1.0.2", device: "v0" })
    initial.addRoute({ to: "10.3.0.0/16", device: "v0", metric: 5 })
    initial.addRoute({ to: "10.4.0.0/16", type: "blackhole" })
    initial.addRoute({ to: "10.5.0.0/16", type: "unreachable" })
    initial.addRoute({ to: "10.6.0.0/16", type: "prohibit" })
    initial.addRoute({ to: "10.7.0.0/16", via: "10.1.0.2", device: "v0", mtu: 1000 })
    initial.addRoute({ to: "10.8.0.0/16", via: "10.1.0.2", device: "v0", table: 77 })
    return { ifindex: v0.ifindex }
  }
}
