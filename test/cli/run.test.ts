import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, describe, expect, test } from "vitest"
import { dissect, ethernet, ipv4, readCapture, udp } from "../../src/packet/index.ts"
import { CAPTURE, example, FIREWALL, root, skep, skepJson } from "./support.ts"

interface Report {
  readonly frames: { readonly count: number; readonly fates: Record<string, number> }
  readonly programs: {
    name: string
    runs: number
    verdicts: { verdict: string; count: number }[]
  }[]
  readonly maps: { name: string; entries: { key: unknown; value: Record<string, number> }[] }[]
  readonly globals: { name: string; value: unknown; changed: boolean }[]
  readonly streams: { map: string; count: number; recordType: string; records: unknown[] }[]
  readonly events: { name: string; programs: number }[]
}

const folder = mkdtempSync(join(tmpdir(), "skep-test-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Packets of each IPv4 source by a plain reading: the firewall looks below one VLAN tag at most. */
function sourcesOf(file: string): Map<string, number> {
  const packets = new Map<string, number>()
  for (const { data } of readCapture(readFileSync(join(root, file))).frames) {
    const [, ...rest] = dissect(data).headers
    const ip = rest[0]?.kind === "vlan" ? rest[1] : rest[0]
    if (ip?.kind === "ipv4") packets.set(ip.src, (packets.get(ip.src) ?? 0) + 1)
  }
  return packets
}

describe("skep run on packets", () => {
  test("counts verdicts, decodes maps with addresses, and writes the frames that passed", async () => {
    const blocked = join(folder, "blocked.json")
    const out = join(folder, "passed.pcap")
    writeFileSync(blocked, JSON.stringify(["198.51.100.7", "10.77.0.19"]))
    const args = ["run", FIREWALL, "--pcap", CAPTURE, "--map", `blocklist=${blocked}`]
    const report = await skepJson<Report>([...args, "--out", out])
    const expected = sourcesOf(CAPTURE)
    const dropped = (expected.get("198.51.100.7") ?? 0) + (expected.get("10.77.0.19") ?? 0)
    const { count, fates } = report.frames
    expect(dropped).toBeGreaterThan(500)
    expect(fates["drop"]).toBe(dropped)
    expect(readCapture(readFileSync(out)).frames).toHaveLength(count - dropped)
    const sources = report.maps.find(({ name }) => name === "sources")?.entries ?? []
    const flood = sources.find(({ key }) => key === "10.77.0.19")
    expect(flood?.value["packets"]).toBe(expected.get("10.77.0.19"))
    expect(report.programs[0].verdicts.map(({ verdict }) => verdict).sort()).toEqual([
      "XDP_DROP",
      "XDP_PASS",
    ])
  })

  test("says which fields of frames a program changed", async () => {
    const { out, code } = await skep(["run", example("dscp/dscp.bpf.o"), "--pcap", CAPTURE])
    expect(code).toBe(0)
    expect(out).toMatch(/ipv4\.tos 0x\w+ → 0xb8/)
  })

  test("finds the struct of records whose map does not name one, behind perf's padding", async () => {
    const object = "test/kernels/programs/perf-records.bpf.o"
    const packet = `${"00".repeat(12)}0806${"00".repeat(46)}`
    const { streams } = await skepJson<Report>(["run", object, "--packet", packet])
    for (const map of ["by_type", "by_size", "by_record"])
      expect(streams).toContainEqual(
        expect.objectContaining({ map, count: 1, recordType: "struct sample" }),
      )
  })

  test("decodes the records of a ring buffer by the type of its map", async () => {
    const args = ["run", example("flow-stats/flow-stats.bpf.o"), "--pcap", CAPTURE, "--events", "2"]
    const { streams } = await skepJson<Report>(args)
    expect(streams[0].recordType).toBe("struct flow_event")
    expect(streams[0].records).toHaveLength(2)
    expect(streams[0].count).toBeGreaterThan(2)
  })

  test("gives each packet its fate, by device and by test run alike", async () => {
    const frame = ethernet(
      {},
      ipv4({ src: "192.0.2.1", dst: "192.0.2.2" }, udp({ srcPort: 1, dstPort: 2 })),
    )
    const hex = Buffer.from(frame).toString("hex")
    for (const mode of ["device", "test-run"]) {
      const args = ["run", FIREWALL, "--packet", hex, "--packet", hex, "--mode", mode]
      const { frames, programs } = await skepJson<Report>(args)
      expect(frames.fates["pass"], mode).toBe(2)
      expect(programs[0].runs, mode).toBe(2)
    }
  })

  test("--set changes a global before loading", async () => {
    const args = ["run", FIREWALL, "--set", "other_packets=0x10", "--packet", "ff".repeat(20)]
    const { globals } = await skepJson<Report>(args)
    expect(globals).toContainEqual(expect.objectContaining({ name: "other_packets", value: 17 }))
  })
})

describe("skep run on events", () => {
  test("fires a tracepoint with the fields and the task of the command line", async () => {
    const event = ["sock:inet_sock_set_state", "skaddr=0x1234", "family=2", "protocol=6"]
    const states = ["oldstate=7", "newstate=2", "task.comm=curl", "task.pid=77"]
    const file = example("connections/connections.bpf.o")
    const report = await skepJson<Report>(["run", file, "--event", ...event, ...states])
    expect(report.events).toEqual([{ name: event[0], programs: 1, verdict: null }])
    const open = report.maps.find(({ name }) => name === "open_connections")
    expect(open?.entries[0].value).toMatchObject({ pid: 77, comm: "curl" })
  })

  test("an event that does not exist is refused by name", async () => {
    const file = example("connections/connections.bpf.o")
    const { code, err } = await skep(["run", file, "--event", "sock:nothing"])
    expect(code).toBe(1)
    expect(err).toContain("there is no tracepoint 'sock:nothing'")
  })
})

describe("skep run refuses", () => {
  const cut = join(folder, "cut.pcap")
  writeFileSync(cut, readFileSync(join(root, CAPTURE)).subarray(0, 1000))
  const text = join(folder, "text.o")
  writeFileSync(text, "not an object")

  const cases: readonly [string, readonly string[], number, RegExp][] = [
    ["a missing file", ["nothing.o"], 1, /nothing\.o: there is no such file/],
    ["what is no ELF file", [text], 1, /text\.o: not an eBPF object: it begins with 6e 6f 74 20/],
    ["bad hex", [FIREWALL, "--packet", "zz"], 2, /--packet 1: 'z' is not a hex digit/],
    ["an unknown program", [FIREWALL, "--prog", "x"], 1, /no program 'x'\nThe object has firewall/],
    ["an unknown global", [FIREWALL, "--set", "x=1"], 1, /no global 'x'.*\n.*other_packets/],
    ["an unknown map", [FIREWALL, "--map", "x=y"], 1, /no map 'x'.*\n.*blocklist, sources/],
    ["--out without --pcap", [FIREWALL, "--out", "x"], 2, /--out needs --pcap/],
    ["a count that is none", [FIREWALL, "--repeat", "many"], 2, /--repeat many: a whole number/],
    ["an option that does not exist", [FIREWALL, "--nothing"], 2, /unknown option '--nothing'/],
  ]
  test.each(cases)("%s", async (_, args, code, message) => {
    const result = await skep(["run", ...args])
    expect(result.err).toMatch(message)
    expect(result.err).not.toMatch(/\n\s+at /)
    expect(result.code).toBe(code)
    expect(result.out).toBe("")
  })

  test("C without a compiler, and says where to get one", async () => {
    const file = example("firewall/firewall.bpf.c")
    const { code, err } = await skep(["run", file], { env: { PATH: "" } })
    expect(code).toBe(1)
    expect(err).toContain("no C compiler for eBPF on PATH")
    expect(err).toContain("apt install clang")
  })

  test("nothing of a cut capture but what is cut: the frames before it run", async () => {
    const { code, err, out } = await skep(["run", FIREWALL, "--pcap", cut])
    expect(code).toBe(0)
    expect(err).toContain("the file ends inside a record")
    expect(out).toMatch(/^\d+ frames/)
  })
})
