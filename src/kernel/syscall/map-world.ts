/**
 * How maps that hold parts of the world find them: sockets, cgroups, storages of sockets (linux
 * v6.18 net/core/sock_map.c, bpf_sk_storage.c, kernel/bpf/arraymap.c cgroup_fd_array_get_ptr).
 */

import { BPF_MAP_TYPE, ERRNO } from "../../spec/index.ts"
import type { KernelTables } from "../kernel-tables.ts"
import { LocalStorageMap, ReuseportArray, SocketMap } from "../maps/index.ts"
import type { BpfMap } from "../maps/map.ts"
import type { Socket } from "../net/socket.ts"

/** The socket behind a descriptor: -EBADF, or -ENOTSOCK for something else. */
function socketOf(tables: KernelTables, fd: number): Socket | number {
  const object = tables.fds.get(fd, "socket")
  if (typeof object !== "number") return object.value
  return object === -ERRNO.EBADF ? object : -ERRNO.ENOTSOCK
}

/** Gives a new map what it needs; returns what is to be done when it is destroyed. */
export function connectMap(tables: KernelTables, map: BpfMap): () => void {
  const { net, kernelRegion } = tables.state
  if (map instanceof SocketMap || map instanceof ReuseportArray)
    map.resolver = {
      socket: (fd) => socketOf(tables, fd),
      cookie: (socket) => net.cookieOf(socket),
      view: (socket) => net.memory.view(socket),
      socketAt: (offset) => net.memory.socketAt(offset),
      region: kernelRegion,
    }
  if (map instanceof LocalStorageMap && map.type === BPF_MAP_TYPE.BPF_MAP_TYPE_SK_STORAGE) {
    map.resolveOwner = (fd) => socketOf(tables, fd)
    net.programs.storages.add(map)
    return () => net.programs.storages.delete(map)
  }
  return () => undefined
}
