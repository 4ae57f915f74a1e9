/**
 * Storage that belongs to a task, a socket, an inode or a control group (linux v6.18
 * kernel/bpf/bpf_task_storage.c, net/core/bpf_sk_storage.c, bpf_inode_storage.c,
 * bpf_cgrp_storage.c). Programs name the owner by a pointer; what counts here is whom it stands
 * for: a task by its pid, an inode by its number, the others by where they lie.
 */

import { ERRNO } from "../../spec/index.ts"
import type { SkBuffer } from "../contexts/index.ts"
import type { KernelState } from "../environment.ts"
import { LocalStorageMap } from "../maps/index.ts"
import { memberOffset } from "./members.ts"
import {
  answers,
  faults,
  flagsArgument,
  type Helper,
  type HelperMachine,
  type HelperTable,
  isNull,
  isReadable,
  mapArgument,
  setAddress,
} from "./support.ts"

const BPF_LOCAL_STORAGE_GET_F_CREATE = 1

/** The owner behind register 2; undefined when the pointer stands for none. */
type FindOwner = (machine: HelperMachine) => object | undefined

/** Owners that the kernel has no object for, by what makes them the same. */
const owners = new WeakMap<KernelState, Map<string, object>>()

function ownerNamed(kernel: KernelState, name: string): object {
  let all = owners.get(kernel)
  if (all === undefined) {
    all = new Map()
    owners.set(kernel, all)
  }
  let owner = all.get(name)
  if (owner === undefined) {
    owner = { name }
    all.set(name, owner)
  }
  return owner
}

/** A 32-bit member of the kernel structure that register 2 points to. */
function memberOf(machine: HelperMachine, struct: string, member: string): number | undefined {
  const offset = memberOffset(machine.environment.kernel.types, struct, member)
  if (offset === undefined) return undefined
  const low = machine.low(2) + offset
  return isReadable(machine.space, low, machine.high(2), 4)
    ? machine.space.view.getUint32(low, true)
    : undefined
}

const taskOwner: FindOwner = (machine) => {
  const { kernel, task } = machine.environment
  if (kernel.taskStruct(task) === machine.low(2)) return task
  const pid = memberOf(machine, "task_struct", "pid")
  return pid === undefined ? undefined : kernel.taskByPid(pid)
}

const inodeOwner: FindOwner = (machine) => {
  const number = memberOf(machine, "inode", "i_ino")
  return number === undefined
    ? undefined
    : ownerNamed(machine.environment.kernel, `inode/${number}`)
}

const addressOwner: FindOwner = (machine) =>
  ownerNamed(machine.environment.kernel, `address/${machine.low(2)}`)

const socketOwner: FindOwner = (machine) => {
  const socket = machine.environment.kernel.net.memory.socketAt(machine.low(2))
  if (socket !== undefined) return socket
  const skb = machine.environment.packet as SkBuffer | null
  if (skb?.kind === "skb" && skb.socket === machine.low(2)) return skb.socketOwner
  return addressOwner(machine)
}

function storageArgument(machine: HelperMachine): LocalStorageMap | undefined {
  const map = mapArgument(machine, 1)
  if (map === undefined || map instanceof LocalStorageMap) return map
  return faults(machine, "the map is no local storage")
}

/** void *bpf_task_storage_get(map, task, value, flags) */
function gets(find: FindOwner): Helper {
  return (machine) => {
    const map = storageArgument(machine)
    if (map === undefined) return
    let initial = 0
    if (!isNull(machine, 3)) {
      initial = machine.checkRead(3, map.valueSize)
      if (initial < 0) return
    }
    const flags = flagsArgument(machine, 4)
    const owner = isNull(machine, 2) ? undefined : find(machine)
    if (owner === undefined || flags & ~BPF_LOCAL_STORAGE_GET_F_CREATE) {
      machine.setResult64(0, 0)
      return
    }
    const create = (flags & BPF_LOCAL_STORAGE_GET_F_CREATE) !== 0
    const value = create ? map.getOrCreate(owner, initial) : map.get(owner)
    setAddress(machine, value, map.valueRegion)
  }
}

/** long bpf_task_storage_delete(map, task) */
function deletes(find: FindOwner): Helper {
  return answers((machine) => {
    const map = storageArgument(machine)
    if (map === undefined) return undefined
    const owner = isNull(machine, 2) ? undefined : find(machine)
    return owner === undefined ? -ERRNO.EINVAL : map.remove(owner)
  })
}

export const storageHelpers: HelperTable = {
  task_storage_get: gets(taskOwner),
  task_storage_delete: deletes(taskOwner),
  sk_storage_get: gets(socketOwner),
  sk_storage_delete: deletes(socketOwner),
  inode_storage_get: gets(inodeOwner),
  inode_storage_delete: deletes(inodeOwner),
  cgrp_storage_get: gets(addressOwner),
  cgrp_storage_delete: deletes(addressOwner),
}
