/**
 * What MAP_CREATE refuses of maps of sockets and of cgroup storages, in Linux's order (linux v6.18
 * net/core/sock_map.c sock_map_alloc, sock_hash_alloc; kernel/bpf/reuseport_array.c,
 * local_storage.c cgroup_storage_map_alloc).
 */

import {
  ERRNO,
  BPF_MAP_FLAG as FLAG,
  MAX_MAP_KEY_SIZE,
  BPF_MAP_TYPE as TYPE,
} from "../../spec/index.ts"
import { type CreateRequest, checkArray } from "./create-checks.ts"

const SOCKET_FLAGS = FLAG.BPF_F_NUMA_NODE | FLAG.BPF_F_RDONLY | FLAG.BPF_F_WRONLY
const ACCESS =
  FLAG.BPF_F_RDONLY | FLAG.BPF_F_WRONLY | FLAG.BPF_F_RDONLY_PROG | FLAG.BPF_F_WRONLY_PROG
/** BPF_LOCAL_STORAGE_MAX_VALUE_SIZE and PCPU_MIN_UNIT_SIZE. */
const STORAGE_VALUE_MAX = 65_535 - 128
const PERCPU_VALUE_MAX = 32_768
/** sizeof(struct bpf_cgroup_storage_key), and of a cgroup's id. */
const STORAGE_KEYS: readonly number[] = [16, 8]

/** Values are file descriptors of 4 bytes, or of 8 to read cookies through. */
function valueAllowed(size: number): boolean {
  return size === 4 || size === 8
}

export function checkSocketMap(request: CreateRequest): number {
  const { keySize, valueSize, maxEntries, flags, type } = request
  const hashed = type === TYPE.BPF_MAP_TYPE_SOCKHASH
  const keyWrong = hashed ? keySize === 0 : keySize !== 4
  if (maxEntries === 0 || keyWrong || !valueAllowed(valueSize) || flags & ~SOCKET_FLAGS)
    return -ERRNO.EINVAL
  return hashed && keySize > MAX_MAP_KEY_SIZE ? -ERRNO.E2BIG : 0
}

export function checkReuseportArray(request: CreateRequest): number {
  return valueAllowed(request.valueSize) ? checkArray(request) : -ERRNO.EINVAL
}

export function checkCgroupStorage(request: CreateRequest): number {
  const { keySize, valueSize, flags, type } = request
  const percpu = type === TYPE.BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE
  if (!STORAGE_KEYS.includes(keySize) || valueSize === 0) return -ERRNO.EINVAL
  if (valueSize > (percpu ? PERCPU_VALUE_MAX : STORAGE_VALUE_MAX)) return -ERRNO.E2BIG
  const both = FLAG.BPF_F_RDONLY_PROG | FLAG.BPF_F_WRONLY_PROG
  if (flags & ~(FLAG.BPF_F_NUMA_NODE | ACCESS) || (flags & both) === both) return -ERRNO.EINVAL
  return request.maxEntries !== 0 ? -ERRNO.EINVAL : 0
}
