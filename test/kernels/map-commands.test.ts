/** Commands on maps, by kind of map: batches, lookup-and-delete, and what each type is made with. */

import { expect, test } from "vitest"
import { createEmbeddedKernel } from "../../src/kernel/index.ts"
import { createLinuxKernel } from "../../src/linux/index.ts"
import { BPF_MAP_TYPE } from "../../src/spec/index.ts"
import { describeWith, requirement } from "../support/requirements.ts"
import { runOnBoth, type Script } from "./command-script.ts"

const BAD_FD = 9999
const u32s = (...values: readonly number[]): Uint8Array =>
  new Uint8Array(Uint32Array.from(values).buffer)
const u64s = (...values: readonly number[]): Uint8Array =>
  new Uint8Array(BigUint64Array.from(values, BigInt).buffer)

const HASH = BPF_MAP_TYPE.BPF_MAP_TYPE_HASH
const ARRAY = BPF_MAP_TYPE.BPF_MAP_TYPE_ARRAY
const LPM = BPF_MAP_TYPE.BPF_MAP_TYPE_LPM_TRIE
const QUEUE = BPF_MAP_TYPE.BPF_MAP_TYPE_QUEUE

const create = (script: Script, map_type: number, more: object = {}): number =>
  script.call("MAP_CREATE", {
    ...{ map_type, key_size: 4, value_size: 8, max_entries: 8 },
    ...more,
  })

/** Everything in a map, batch by batch; hashes have no order, so what is noted is sorted. */
function readBatches(
  script: Script,
  map_fd: number,
  command: "MAP_LOOKUP_BATCH" | "MAP_LOOKUP_AND_DELETE_BATCH",
  size: number,
): void {
  const seen: string[] = []
  let in_batch: Uint8Array | undefined
  for (let round = 0; round < 8; round++) {
    const attr = {
      ...{ map_fd, in_batch, out_batch: new Uint8Array(4) },
      ...{ keys: new Uint8Array(4 * size), values: new Uint8Array(8 * size), count: size },
    }
    const result = script.kernel.bpf(command, attr)
    const keys = new Uint32Array(attr.keys.buffer)
    const values = new BigUint64Array(attr.values.buffer)
    for (let i = 0; i < attr.count; i++) seen.push(`${keys[i]}: ${values[i]}`)
    in_batch = attr.out_batch
    if (result !== 0) {
      script.note(result)
      break
    }
  }
  script.note(seen.sort())
}

const SCRIPTS: Readonly<Record<string, (script: Script) => void>> = {
  "a batch updates, and batches read back, a hash and an array"(script) {
    for (const type of [HASH, ARRAY]) {
      const map_fd = create(script, type)
      const keys = u32s(0, 1, 2, 3, 4)
      const attr = { map_fd, keys, values: u64s(10, 11, 12, 13, 14), count: 5 }
      script.call("MAP_UPDATE_BATCH", attr)
      script.note(attr.count)
      // A hash's batches are whole buckets: eight elements always fit.
      readBatches(script, map_fd, "MAP_LOOKUP_BATCH", 8)
    }
  },
  "a batch of an array goes on where the last one ended"(script) {
    const map_fd = create(script, ARRAY)
    script.call("MAP_UPDATE_BATCH", { map_fd, keys: u32s(1, 7), values: u64s(5, 6), count: 2 })
    readBatches(script, map_fd, "MAP_LOOKUP_BATCH", 3)
  },
  "a batch that cannot be done to its end says how far it came"(script) {
    const map_fd = create(script, HASH, { max_entries: 3 })
    const attr = { map_fd, keys: u32s(1, 2, 3, 4, 5), values: u64s(1, 2, 3, 4, 5), count: 5 }
    script.call("MAP_UPDATE_BATCH", attr)
    script.note(attr.count)
    const noexist = { map_fd, keys: u32s(1), values: u64s(9), count: 1, elem_flags: 1n }
    script.call("MAP_UPDATE_BATCH", noexist)
    script.note(noexist.count)
    const gone = { map_fd, keys: u32s(2, 99, 3), count: 3 }
    script.call("MAP_DELETE_BATCH", gone)
    script.note(gone.count)
    readBatches(script, map_fd, "MAP_LOOKUP_BATCH", 8)
  },
  "batches of nothing, with flags, of other maps, of no map"(script) {
    const map_fd = create(script, HASH)
    const empty = { keys: u32s(1), values: u64s(1), out_batch: new Uint8Array(4) }
    script.call("MAP_LOOKUP_BATCH", { ...empty, map_fd, count: 0 })
    script.call("MAP_LOOKUP_BATCH", { ...empty, map_fd, count: 1 })
    script.call("MAP_UPDATE_BATCH", { ...empty, map_fd, count: 0 })
    script.call("MAP_UPDATE_BATCH", { ...empty, map_fd, count: 1, flags: 1n })
    script.call("MAP_DELETE_BATCH", { ...empty, map_fd, count: 1, elem_flags: 2n })
    script.call("MAP_UPDATE_BATCH", { ...empty, map_fd: BAD_FD, count: 1 })
    const queue = create(script, QUEUE, { key_size: 0 })
    script.call("MAP_LOOKUP_BATCH", { ...empty, map_fd: queue, count: 1 })
    script.call("MAP_LOOKUP_AND_DELETE_BATCH", {
      ...empty,
      map_fd: create(script, ARRAY),
      count: 1,
    })
    script.call("MAP_DELETE_BATCH", { ...empty, map_fd: create(script, ARRAY), count: 1 })
  },
  "lookup-and-delete batches empty a hash"(script) {
    const map_fd = create(script, HASH)
    script.call("MAP_UPDATE_BATCH", {
      ...{ map_fd, keys: u32s(1, 2, 3), values: u64s(4, 5, 6), count: 3 },
    })
    readBatches(script, map_fd, "MAP_LOOKUP_AND_DELETE_BATCH", 8)
    readBatches(script, map_fd, "MAP_LOOKUP_BATCH", 8)
  },
  "a batch updates and deletes in a trie"(script) {
    const map_fd = create(script, LPM, { key_size: 8, map_flags: 1 })
    const keys = u32s(8, 0x0a, 24, 0x01a8c0)
    script.call("MAP_UPDATE_BATCH", { map_fd, keys, values: u64s(1, 2), count: 2 })
    const value = u64s(0)
    script.call("MAP_LOOKUP_ELEM", { map_fd, key: u32s(32, 0x0201a8c0), value })
    script.note(value)
    script.call("MAP_DELETE_BATCH", { map_fd, keys, count: 2 })
    script.call("MAP_LOOKUP_ELEM", { map_fd, key: u32s(32, 0x0201a8c0), value })
  },
  "lookup-and-delete takes an element of a hash or a queue, and of nothing else"(script) {
    const hash = create(script, HASH)
    script.call("MAP_UPDATE_ELEM", { map_fd: hash, key: u32s(7), value: u64s(77) })
    for (const round of [1, 2]) {
      const value = u64s(0)
      script.call("MAP_LOOKUP_AND_DELETE_ELEM", { map_fd: hash, key: u32s(7), value })
      script.note(`${round}: ${value}`)
    }
    for (const type of [QUEUE, BPF_MAP_TYPE.BPF_MAP_TYPE_STACK]) {
      const map_fd = create(script, type, { key_size: 0 })
      for (const value of [1, 2]) script.call("MAP_UPDATE_ELEM", { map_fd, value: u64s(value) })
      for (let i = 0; i < 3; i++) {
        const value = u64s(0)
        script.call("MAP_LOOKUP_AND_DELETE_ELEM", { map_fd, value })
        script.note(value)
      }
    }
    const attr = { key: u32s(0), value: u64s(0) }
    script.call("MAP_LOOKUP_AND_DELETE_ELEM", { ...attr, map_fd: create(script, ARRAY) })
    script.call("MAP_LOOKUP_AND_DELETE_ELEM", { ...attr, map_fd: hash, flags: 8n })
    script.call("MAP_LOOKUP_AND_DELETE_ELEM", { ...attr, map_fd: BAD_FD })
  },
  "what maps of descriptors and storages take"(script) {
    for (const [type, ...sizes] of [
      [BPF_MAP_TYPE.BPF_MAP_TYPE_CGROUP_ARRAY, 4, 8],
      [BPF_MAP_TYPE.BPF_MAP_TYPE_XSKMAP, 4, 8],
      [BPF_MAP_TYPE.BPF_MAP_TYPE_DEVMAP, 4, 8],
      [BPF_MAP_TYPE.BPF_MAP_TYPE_DEVMAP_HASH, 4, 8],
      [BPF_MAP_TYPE.BPF_MAP_TYPE_USER_RINGBUF, 0, 4],
      [BPF_MAP_TYPE.BPF_MAP_TYPE_SOCKMAP, 4, 8],
      [BPF_MAP_TYPE.BPF_MAP_TYPE_SOCKHASH, 4, 8],
      [BPF_MAP_TYPE.BPF_MAP_TYPE_REUSEPORT_SOCKARRAY, 4, 8],
      [BPF_MAP_TYPE.BPF_MAP_TYPE_SK_STORAGE, 4, 8],
      [BPF_MAP_TYPE.BPF_MAP_TYPE_INODE_STORAGE, 4, 8],
      [BPF_MAP_TYPE.BPF_MAP_TYPE_TASK_STORAGE, 4, 8],
      [BPF_MAP_TYPE.BPF_MAP_TYPE_CGRP_STORAGE, 4, 8],
    ] as const)
      for (const key_size of [0, 4, 8])
        for (const value_size of sizes) {
          script.note(`type ${type}, key ${key_size}, value ${value_size}`)
          create(script, type, { key_size, value_size })
        }
  },
  "storage of a cgroup has no size, and keys of one of two kinds"(script) {
    for (const type of [
      BPF_MAP_TYPE.BPF_MAP_TYPE_CGROUP_STORAGE,
      BPF_MAP_TYPE.BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE,
    ])
      for (const key_size of [4, 8, 12, 16])
        for (const max_entries of [0, 1]) {
          script.note(`type ${type}, key ${key_size}, ${max_entries} entries`)
          create(script, type, { key_size, max_entries })
        }
  },
  "maps of sockets refuse what is no socket"(script) {
    for (const type of [
      BPF_MAP_TYPE.BPF_MAP_TYPE_SOCKMAP,
      BPF_MAP_TYPE.BPF_MAP_TYPE_SOCKHASH,
      BPF_MAP_TYPE.BPF_MAP_TYPE_REUSEPORT_SOCKARRAY,
    ]) {
      const map_fd = create(script, type, { value_size: 4, max_entries: 2 })
      script.call("MAP_UPDATE_ELEM", { map_fd, key: u32s(0), value: u32s(BAD_FD) })
      script.call("MAP_LOOKUP_ELEM", { map_fd, key: u32s(0), value: u32s(0) })
      script.call("MAP_DELETE_ELEM", { map_fd, key: u32s(0) })
      script.call("MAP_GET_NEXT_KEY", { map_fd, next_key: u32s(0) })
    }
  },
  "a map of devices by number keeps indexes under any number"(script) {
    const map_type = BPF_MAP_TYPE.BPF_MAP_TYPE_DEVMAP_HASH
    const map_fd = create(script, map_type, { value_size: 4, max_entries: 2 })
    const LOOPBACK = 1
    for (const index of [LOOPBACK, 987654])
      script.call("MAP_UPDATE_ELEM", { map_fd, key: u32s(70_000), value: u32s(index) })
    script.call("MAP_UPDATE_ELEM", { map_fd, key: u32s(5), value: u32s(LOOPBACK), flags: 1n })
    script.call("MAP_UPDATE_ELEM", { map_fd, key: u32s(5), value: u32s(LOOPBACK), flags: 1n })
    script.call("MAP_UPDATE_ELEM", { map_fd, key: u32s(6), value: u32s(LOOPBACK) })
    const value = u32s(0)
    script.call("MAP_LOOKUP_ELEM", { map_fd, key: u32s(70_000), value })
    script.note(value)
    script.call("MAP_DELETE_ELEM", { map_fd, key: u32s(70_000) })
    script.call("MAP_DELETE_ELEM", { map_fd, key: u32s(70_000) })
    const next_key = u32s(0)
    script.call("MAP_GET_NEXT_KEY", { map_fd, next_key })
    script.note(next_key)
  },
  "sockets and cgroups that are none do not go into their maps"(script) {
    for (const type of [BPF_MAP_TYPE.BPF_MAP_TYPE_XSKMAP, BPF_MAP_TYPE.BPF_MAP_TYPE_CGROUP_ARRAY]) {
      const map_fd = create(script, type, { value_size: 4, max_entries: 2 })
      script.call("MAP_UPDATE_ELEM", { map_fd, key: u32s(0), value: u32s(BAD_FD) })
      script.call("MAP_UPDATE_ELEM", { map_fd, key: u32s(9), value: u32s(map_fd) })
      script.call("MAP_LOOKUP_ELEM", { map_fd, key: u32s(0), value: u32s(0) })
      script.call("MAP_DELETE_ELEM", { map_fd, key: u32s(0) })
      script.call("MAP_DELETE_ELEM", { map_fd, key: u32s(9) })
      script.call("MAP_GET_NEXT_KEY", { map_fd, key: u32s(0), next_key: u32s(0) })
    }
  },
  "a ring from user space has no elements"(script) {
    const map_type = BPF_MAP_TYPE.BPF_MAP_TYPE_USER_RINGBUF
    for (const max_entries of [0, 4096, 5000, 8192])
      script.call("MAP_CREATE", { map_type, key_size: 0, value_size: 0, max_entries })
    const map_fd = script.call("MAP_CREATE", {
      ...{ map_type, key_size: 0, value_size: 0, max_entries: 4096 },
    })
    script.call("MAP_LOOKUP_ELEM", { map_fd, key: u32s(0), value: u64s(0) })
    script.call("MAP_UPDATE_ELEM", { map_fd, key: u32s(0), value: u64s(0) })
    script.call("MAP_DELETE_ELEM", { map_fd, key: u32s(0) })
    script.call("MAP_GET_NEXT_KEY", { map_fd, next_key: u32s(0) })
  },
}

describeWith([requirement.linux()], "map commands on both kernels", () => {
  for (const [name, run] of Object.entries(SCRIPTS))
    test(name, () => {
      const guest = createEmbeddedKernel({ cpus: 2 })
      try {
        const [ours, linux] = runOnBoth([guest, createLinuxKernel()], run)
        expect(ours).toEqual(linux)
      } finally {
        guest.dispose()
      }
    })
})
