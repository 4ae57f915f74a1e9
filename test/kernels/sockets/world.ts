/**
 * Sockets, cgroups and namespaces that scenarios use, the same on both kernels: system calls as
 * numbers, a negative errno on failure. A descriptor of a socket is a descriptor of its kernel.
 */

import type { KernelInterface } from "../../../src/spec/index.ts"

/** An address as text and a port. */
export interface Place {
  readonly address: string
  readonly port: number
}

export interface World {
  readonly kernel: KernelInterface
  /** A cgroup below the scenarios' own, made if need be; its path for `openCgroup`. `""` is their own. */
  cgroup(name: string): string
  /** Moves the process into a cgroup. */
  join(name: string): void
  /** A descriptor of the network namespace. */
  netns(): number
  socket(family: number, type: number): number
  bind(fd: number, to: Place): number
  listen(fd: number): number
  connect(fd: number, to: Place): number
  accept(fd: number): number
  send(fd: number, data: Uint8Array, to?: Place): number
  /** What is there, without waiting; `from` when the source is asked for. */
  receive(fd: number, wantsSource?: boolean): { data: Uint8Array; from: Place | null } | number
  /** AF_UNIX: a listening stream socket at a path, and a connect to one. */
  bindPath(fd: number, path: string): number
  connectPath(fd: number, path: string): number
  shutdown(fd: number, how: number): number
  close(fd: number): void
  name(fd: number, peer: boolean): Place | number
  setsockopt(fd: number, level: number, name: number, value: Uint8Array): number
  getsockopt(fd: number, level: number, name: number, room: number): Uint8Array | number
  /** Attaches a program to a socket: SO_ATTACH_BPF 50, SO_ATTACH_REUSEPORT_EBPF 52. */
  attach(fd: number, option: number, program: number): number
  /** Reads or writes a file below /proc/sys; text or a negative errno. */
  readSetting(path: string): string | number
  writeSetting(path: string, text: string): number
  /** Opens a character device for reading: 0 or a negative errno. */
  openDevice(path: string, major: number, minor: number): number
  /** The index of a veth device with the address and a peer, and routes behind it. */
  network(): { readonly ifindex: number }
}

export const AF_UNIX = 1
export const AF_INET = 2
export const AF_INET6 = 10
export const SOCK_STREAM = 1
export const SOCK_DGRAM = 2
