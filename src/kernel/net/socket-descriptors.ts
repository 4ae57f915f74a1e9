/** Sockets as file descriptors of the virtual process: closing the last one closes the socket. */

import type { FdTable } from "../objects/fd-table.ts"
import { KernelObject } from "../objects/kernel-object.ts"
import type { Task } from "../tasks/task.ts"
import type { NetNamespace } from "./namespace.ts"
import type { Socket } from "./socket.ts"
import type { SocketCalls } from "./socket-calls.ts"

export class SocketDescriptors {
  private readonly fds: FdTable
  private readonly calls: SocketCalls

  constructor(fds: FdTable, calls: SocketCalls) {
    this.fds = fds
    this.calls = calls
  }

  /** socket(2): a descriptor, or a negative errno. */
  create(task: Task, namespace: NetNamespace, family: number, type: number): number {
    const socket = this.calls.create(task, namespace, family, type)
    return typeof socket === "number" ? socket : this.open(socket)
  }

  /** A descriptor for a socket, such as accept() gives. */
  open(socket: Socket): number {
    return this.fds.open(new KernelObject("socket", socket, () => this.calls.close(socket)))
  }

  /** The socket behind a descriptor: a negative errno when there is none. */
  at(fd: number): Socket | number {
    const object = this.fds.get(fd, "socket")
    return typeof object === "number" ? object : object.value
  }
}
