/** What this very process does reaches programs in an embedded kernel. */

import fs, { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { createServer, get } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { expect, test } from "vitest"
import { embeddedKernel } from "../../../src/api/embedded.ts"
import { nodeProcessEvents } from "../../../src/tools/node-events/index.ts"
import { append, watch } from "../../kernel/world/support.ts"

const settle = (milliseconds = 20): Promise<void> =>
  new Promise((done) => setTimeout(done, milliseconds))

test("garbage collections pass the USDT probes of node and fire tracepoints", async () => {
  const kernel = embeddedKernel()
  using node = nodeProcessEvents(kernel, { files: false, loopIntervalMs: 0 })
  const path = process.execPath
  const { executables } = kernel.engine.world
  const offset = executables.usdt(path, "node", "gc__start")
  expect(offset).toBe(executables.usdt(path, "node", "gc_start"))
  const probe = watch(
    kernel.engine,
    "uprobe/gc__start",
    `call bpf_get_current_pid_tgid; r7 = r0; r7 >>= 32; r8 = *(u64 *)(r6 + 112); ${append("r7", "r8")}; r0 = 0`,
    { path, offset },
  )
  const done = watch(
    kernel.engine,
    "tp/node/gc_done",
    `r7 = *(u64 *)(r6 + 16); ${append("r7")}; r0 = 0`,
  )
  setFlagsFromString("--expose-gc")
  const collect = runInNewContext("gc") as () => void
  collect()
  collect()
  await settle()
  const starts = probe.list(2)
  expect(starts.length).toBeGreaterThanOrEqual(2)
  for (const [pid, kind] of starts) {
    expect(pid).toBe(BigInt(process.pid))
    // NODE_PERFORMANCE_GC_MINOR, MAJOR, INCREMENTAL, WEAKCB
    expect([1n, 2n, 4n, 8n, 16n]).toContain(kind)
  }
  const durations = done.list()
  expect(durations).toHaveLength(starts.length)
  for (const [duration] of durations) expect(duration).toBeGreaterThan(0n)
  expect(node.task.comm).toBe("node")
  kernel.close()
})

test("a request and its answer are seen on both sides, with method, URL, status and time", async () => {
  const kernel = embeddedKernel()
  using _ = nodeProcessEvents(kernel, { files: false, loopIntervalMs: 0 })
  const at = (field: number): string => `r3 = *(u32 *)(r6 + ${field}); r3 &= 0xffff; r3 += r6
    r1 = r10; r1 += -16; r2 = 16; *(u64 *)(r10 - 16) = 0; call bpf_probe_read_kernel_str; r7 = *(u64 *)(r10 - 16)`
  const requests = watch(
    kernel.engine,
    "tp/node/http_server_request",
    `${at(8)}; r8 = r7; ${at(12)}; ${append("r8", "r7")}; r0 = 0`,
  )
  const responses = watch(
    kernel.engine,
    "tp/node/http_client_response",
    `r7 = *(u32 *)(r6 + 16); r8 = *(u64 *)(r6 + 24); ${append("r7", "r8")}; r0 = 0`,
  )
  const server = createServer((_request, response) => response.writeHead(418).end("no coffee"))
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready))
  const { port } = server.address() as AddressInfo
  await new Promise<void>((done) => {
    get({ port, path: "/tea", agent: false }, (response) => response.resume().on("end", done))
  })
  await settle(5)
  await new Promise((done) => server.close(done))
  const text = (word: bigint): string =>
    new TextDecoder().decode(new Uint8Array(BigInt64Array.of(word).buffer)).replace(/\0.*$/, "")
  expect(requests.list(2).map((one) => one.map(text))).toEqual([["GET", "/tea"]])
  const [[status, duration]] = responses.list(2)
  expect(status).toBe(418n)
  expect(duration).toBeGreaterThan(0n)
  kernel.close()
})

test("file calls of every kind are system calls with arguments and results, and work as before", async () => {
  const folder = mkdtempSync(join(tmpdir(), "skep-node-"))
  const kernel = embeddedKernel()
  const node = nodeProcessEvents(kernel, { loopIntervalMs: 0 })
  const opens = watch(
    kernel.engine,
    "tp/syscalls/sys_enter_openat",
    `r7 = *(u64 *)(r6 + 16); ${append("r7")}; r0 = 0`,
  )
  const results = watch(
    kernel.engine,
    "tp/syscalls/sys_exit_unlink",
    `r7 = *(u64 *)(r6 + 16); ${append("r7")}; r0 = 0`,
  )
  const file = join(folder, "file")
  fs.writeFileSync(file, "one")
  expect(readFileSync(file, "utf8")).toBe("one")
  await fs.promises.writeFile(file, "two")
  expect(await new Promise((done) => fs.readFile(file, "utf8", (_, text) => done(text)))).toBe(
    "two",
  )
  fs.unlinkSync(file)
  expect(() => fs.unlinkSync(file)).toThrow(/ENOENT/)
  expect(opens.list().length).toBeGreaterThanOrEqual(4)
  expect(results.list()).toEqual([[0n], [-2n]])
  node.close()
  const before = opens.list().length
  fs.writeFileSync(file, "three")
  expect(opens.list()).toHaveLength(before)
  rmSync(folder, { recursive: true })
  kernel.close()
})

test("the delay of the event loop is reported while it turns", async () => {
  const kernel = embeddedKernel()
  using _ = nodeProcessEvents(kernel, { files: false, loopIntervalMs: 30 })
  const delays = watch(
    kernel.engine,
    "tp/node/event_loop_delay",
    `r7 = *(u64 *)(r6 + 8); r8 = *(u64 *)(r6 + 24); ${append("r7", "r8")}; r0 = 0`,
  )
  for (let i = 0; i < 20 && delays.list(2).length === 0; i++) await settle(30)
  const [[least, most]] = delays.list(2)
  expect(least).toBeGreaterThan(0n)
  expect(most).toBeGreaterThanOrEqual(least)
  kernel.close()
})
