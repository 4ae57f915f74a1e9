import { spawnSync } from "node:child_process"
import { readdirSync, readFileSync } from "node:fs"
import { format } from "node:util"
import { parseObject } from "skep"
import { readCapture } from "skep/testing"
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest"
import { generateTypes } from "../../src/tools/gen-types/index.ts"
import { requirement, root } from "../../test/support/requirements.ts"

const here = new URL("./", import.meta.url)

/** What each example prints, from a plain count over its capture or from what it is told to do. */
const OUTPUT: Readonly<Record<string, readonly string[]>> = {
  capture: [
    "pass: 1952 frames",
    "drop: 57 frames",
    "dropped: IP 10.77.0.10.58438 > 10.77.0.3.53: UDP, length 34",
    "dropped: IP 10.77.0.11.43372 > 10.77.0.3.53: UDP, length 34",
    "dropped: IP 10.77.0.11.44868 > 10.77.0.3.53: UDP, length 35",
    "counted by the program: 57",
  ],
  "typed-maps": [
    "added again: false",
    "hits of 10.77.0.19: 520",
    "10.77.0.19: 520 packets, 31200 bytes, 520 dropped",
    "10.77.0.2: 319 packets, 216715 bytes, 0 dropped",
    "10.77.0.13: 187 packets, 46255 bytes, 0 dropped",
    "not IPv4: 121",
  ],
  events: [
    "first end: 10.77.0.10:33501 to 10.77.0.2:80",
    "left by the first reader: true",
    "539 events in fewer batches: true",
    "lost: 0",
  ],
  tracepoints: [
    "curl (4321) to 192.0.2.7:443 for 25 ms",
    "node (99) to 192.0.2.8:443 for 1500 ms",
    "still open: 0",
  ],
  "either-kernel": ["XDP_DROP (1), 47 bytes", "XDP_PASS (2), 54 bytes", "hits 1"],
  "no-compiler": ["{ small: 2n, large: 2n }", "a second key: E2BIG"],
}

describe("the TypeScript example", () => {
  let printed: string[]
  beforeEach(() => {
    printed = []
    vi.spyOn(console, "log").mockImplementation((...words) => {
      printed.push(format(...words))
    })
  })
  afterEach(() => {
    vi.restoreAllMocks()
  })

  for (const [name, expected] of Object.entries(OUTPUT))
    test(`${name} prints what its README says`, async () => {
      await import(new URL(`${name}.ts`, here).href)
      expect(printed).toEqual(expected)
    })
})

/** Runs an example as the README says, in a process of its own. */
function node(...args: readonly string[]): { status: number | null; stdout: string } {
  return spawnSync(process.execPath, ["--import", "tsx", ...args], { cwd: root, encoding: "utf8" })
}

test("unit-test passes under Node's own test runner", () => {
  const { status, stdout } = node("--test", "examples/typescript/unit-test.ts")
  expect(stdout).toMatch(/pass 3\b/)
  expect(status).toBe(0)
})

test("either-kernel runs in a checkout that has not been built, on Linux as well where there is one", () => {
  const flags = requirement.linux().available ? ["--linux"] : []
  const { status, stdout } = node("examples/typescript/either-kernel.ts", ...flags)
  const extra = flags.length === 0 ? [] : ["Linux says the same"]
  expect(stdout.trim().split("\n")).toEqual([...OUTPUT["either-kernel"], ...extra])
  expect(status).toBe(0)
})

test("every example is run by this test, and is in the README", () => {
  const files = readdirSync(here)
    .filter((file) => file.endsWith(".ts") && !file.endsWith(".test.ts"))
    .map((file) => file.replace(/\.ts$/, ""))
  expect(files.sort()).toEqual([...Object.keys(OUTPUT), "unit-test"].sort())
  const readme = readFileSync(new URL("README.md", here), "utf8")
  for (const file of files) expect(readme).toContain(`(${file}.ts)`)
})

test("the generated types are those of the objects", () => {
  for (const file of readdirSync(new URL("generated/", here))) {
    const name = file.replace(/\.bpf\.ts$/, "")
    const object = parseObject(readFileSync(new URL(`../${name}/${name}.bpf.o`, here)), { name })
    const source = generateTypes(object, { file: `${name}.bpf.o`, name, importFrom: "skep" })
    expect(readFileSync(new URL(`generated/${file}`, here), "utf8")).toBe(source)
  }
})

test("the counts that are expected are those of a plain walk over the capture", () => {
  const counts = { dns: 0, flood: 0, notIpv4: 0 }
  const capture = readFileSync(new URL("../captures/mixed-small.pcap", here))
  for (const { data } of readCapture(capture).frames) {
    const at = (offset: number): number => (data[offset] << 8) | data[offset + 1]
    // One VLAN tag is looked behind.
    const ip = at(12) === 0x8100 || at(12) === 0x88a8 ? 18 : 14
    if (at(ip - 2) !== 0x0800 || data.length < ip + 20) counts.notIpv4++
    else if (data.subarray(ip + 12, ip + 16).join(".") === "10.77.0.19") counts.flood++
    const udp = ip + 4 * (data[ip] & 15)
    const fragment = (at(ip + 6) & 0x1fff) !== 0
    if (ip === 14 && at(12) === 0x0800 && data[ip + 9] === 17 && !fragment && at(udp + 2) === 53)
      counts.dns++
  }
  expect(OUTPUT["capture"]).toContain(`counted by the program: ${counts.dns}`)
  expect(OUTPUT["typed-maps"]).toContain(`hits of 10.77.0.19: ${counts.flood}`)
  expect(OUTPUT["typed-maps"]).toContain(`not IPv4: ${counts.notIpv4}`)
})
