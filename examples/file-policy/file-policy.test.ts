import { readFileSync } from "node:fs"
import { type TestBench, testBench } from "skep/testing"
import { describe, expect, test } from "vitest"

const object = readFileSync(new URL("./file-policy.bpf.o", import.meta.url))
const EPERM = 1

/** A bench whose policy protects these names. */
function protecting(...names: string[]): TestBench {
  const bench = testBench(object)
  for (const text of names) bench.maps.protected_names.set({ text }, 0n)
  return bench
}

/** What open(2) of a path answers to a task of this user: 0, or a negative errno. */
function open(bench: TestBench, file: string, uid: number): number {
  const task = bench.kernel.spawn({ uid, comm: "cat" })
  return bench.kernel.lsm("file_open", { file }, { task })
}

describe("a protected name", () => {
  test("is refused to users with EPERM, and allowed to root", () => {
    using bench = protecting("shadow")
    expect(open(bench, "/etc/shadow", 1000)).toBe(-EPERM)
    expect(open(bench, "/etc/shadow", 0)).toBe(0)
  })

  test("is protected in every directory, and only as a whole name", () => {
    using bench = protecting("shadow")
    expect(open(bench, "/srv/backup/etc/shadow", 1000)).toBe(-EPERM)
    for (const path of ["/etc/shadow-", "/etc/shado", "/etc/Shadow", "/shadow/passwd"])
      expect(open(bench, path, 1000)).toBe(0)
  })

  test("is compared in its first 63 bytes", () => {
    const long = "n".repeat(70)
    using bench = protecting(long.slice(0, 63))
    expect(open(bench, `/tmp/${long.slice(0, 62)}`, 1000)).toBe(0)
    expect(open(bench, `/tmp/${long.slice(0, 63)}`, 1000)).toBe(-EPERM)
    expect(open(bench, `/tmp/${long}`, 1000)).toBe(-EPERM)
  })

  test("counts the tries of users", () => {
    using bench = protecting("shadow", "id_ed25519")
    for (const uid of [1000, 1001, 0]) open(bench, "/etc/shadow", uid)
    expect(bench.maps.protected_names.get({ text: "shadow" })).toBe(2n)
    expect(bench.maps.protected_names.get({ text: "id_ed25519" })).toBe(0n)
  })

  test("can be given free while the program runs", () => {
    using bench = protecting("shadow")
    expect(open(bench, "/etc/shadow", 1000)).toBe(-EPERM)
    bench.maps.protected_names.delete({ text: "shadow" })
    expect(open(bench, "/etc/shadow", 1000)).toBe(0)
  })
})

describe("refusals", () => {
  test("say who tried to open what", () => {
    using bench = protecting("shadow")
    const task = bench.kernel.spawn({ pid: 777, uid: 1000, comm: "grep" })
    bench.kernel.lsm("file_open", { file: "/etc/shadow" }, { task })
    bench.kernel.lsm("file_open", { file: "/etc/passwd" }, { task })
    expect([...bench.maps.refusals.drain()]).toEqual([
      { pid: 777, uid: 1000, comm: "grep", name: { text: "shadow" } },
    ])
  })

  test("go on, unreported, when nobody reads the ring buffer", () => {
    using bench = protecting("shadow")
    const task = bench.kernel.spawn({ uid: 1000, comm: "grep" })
    // A record is 88 bytes and its header 8: 682 fit into 64 KiB.
    for (let i = 0; i < 700; i++)
      expect(bench.kernel.lsm("file_open", { file: "/etc/shadow" }, { task })).toBe(-EPERM)
    expect([...bench.maps.refusals.drain()].length).toBeLessThanOrEqual(682)
    expect(bench.maps.protected_names.get({ text: "shadow" })).toBe(700n)
  })
})
