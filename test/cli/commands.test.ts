import { spawnSync } from "node:child_process"
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, test } from "vitest"
import { describeWith, requirement } from "../support/requirements.ts"
import { CAPTURE, example, FIREWALL, root, skep, skepJson } from "./support.ts"

const COMMANDS = [["run"], ["inspect"], ["asm"], ["disasm"], ["btf"], ["compare"]]
const NESTED = [
  ["gen", "types"],
  ["pcap", "list"],
  ["pcap", "filter"],
]

describe("the command line", () => {
  test.each([...COMMANDS, ...NESTED])("skep %s %s has help with an example", async (...words) => {
    const { code, out } = await skep([...words.filter((word) => word !== undefined), "--help"])
    expect(code).toBe(0)
    expect(out).toMatch(/Examples?:\n\s+[$#] /)
    expect(out).toContain("--json")
  })

  test("an unknown command is a usage error with a suggestion", async () => {
    const { code, err } = await skep(["rum"])
    expect(code).toBe(2)
    expect(err).toContain("Did you mean run?")
  })

  test("the help of the whole names exit codes", async () => {
    expect((await skep(["--help"])).out).toMatch(/0 {2}done\n.*1 {2}.*\n.*2 {2}/)
  })
})

describe("skep inspect, asm, disasm, btf, pcap", () => {
  test("inspect lists programs and maps", async () => {
    const object = await skepJson<{ programs: { name: string }[]; maps: { name: string }[] }>([
      "inspect",
      FIREWALL,
    ])
    expect(object.programs.map(({ name }) => name)).toEqual(["firewall"])
    expect(object.maps.map(({ name }) => name)).toEqual(expect.arrayContaining(["blocklist"]))
  })

  test("asm writes RFC 9669's bytes, and names line and column of what it does not know", async () => {
    const good = await skep(["asm", "-"], { stdin: "r0 = 1; exit" })
    expect(good.out).toBe("b7 00 00 00 01 00 00 00\n95 00 00 00 00 00 00 00\n")
    const bad = await skep(["asm", "-"], { stdin: "r0 = 1\nnothing" })
    expect(bad.code).toBe(1)
    expect(bad.err).toMatch(/input:2:1/)
  })

  test("btf prints a type as C", async () => {
    const { out } = await skep(["btf", FIREWALL, "traffic"])
    expect(out).toMatch(/struct traffic \{\n\t__u64 packets;/)
  })

  test("pcap list prints a line a frame", async () => {
    const { out } = await skep(["pcap", "list", CAPTURE, "-n", "3"])
    expect(out.trim().split("\n")).toHaveLength(3)
  })
})

describe("skep gen types", () => {
  test("writes modules that type-check against the API", { timeout: 120_000 }, async () => {
    const folder = join(root, `test/cli/gen.${process.pid}.tmp`)
    mkdirSync(folder)
    try {
      const folders = readdirSync(join(root, "examples"), { withFileTypes: true })
      for (const { name } of folders.filter((entry) => entry.isDirectory())) {
        const objects = readdirSync(join(root, "examples", name)).filter((f) => f.endsWith(".o"))
        for (const object of objects) {
          const out = join(folder, object.replace(/\.o$/, ".ts"))
          const args = ["gen", "types", example(`${name}/${object}`), "-o", out]
          const { code } = await skep([...args, "--import", "../../../src/api/index.ts"])
          expect(code, object).toBe(0)
        }
      }
      writeFileSync(
        join(folder, "use.ts"),
        `import { embeddedKernel } from "../../../src/api/embedded.ts"
import { parseFirewall } from "./firewall.bpf.ts"
export async function use(elf: Uint8Array): Promise<bigint> {
  using loaded = await embeddedKernel().load(parseFirewall(elf))
  loaded.maps.blocklist.set(1, 0n)
  // @ts-expect-error values are bigint
  loaded.maps.blocklist.set(1, 0)
  return loaded.maps.sources.get(1)?.[0].packets ?? loaded.globals.other_packets
}
`,
      )
      writeFileSync(
        join(folder, "tsconfig.json"),
        JSON.stringify({
          extends: "../../../tsconfig.json",
          compilerOptions: { noEmit: true, rootDir: "../../..", noUnusedLocals: true },
          include: ["*.ts"],
        }),
      )
      const tsc = [join(root, "scripts/tsc.mjs"), "-p", folder]
      const { stdout } = spawnSync(process.execPath, tsc, { encoding: "utf8" })
      // Only what was generated: sources elsewhere have a check of their own.
      expect(stdout.split("\n").filter((line) => line.includes(".tmp/"))).toEqual([])
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })
})

describeWith([requirement.clang()], "commands that take C", () => {
  const source = example("firewall/firewall.bpf.c")

  test.each([
    ["inspect", [source], "firewall"],
    ["btf", [source, "traffic"], "struct traffic {"],
    ["disasm", [source], "firewall (xdp):"],
    ["gen", ["types", source], "export interface Firewall {"],
  ])("skep %s compiles it with --cc", async (command, args, wanted) => {
    const { code, out } = await skep([command, ...args, "--cc", "clang"])
    expect(code).toBe(0)
    expect(out).toContain(wanted)
  })

  test.each(["inspect", "btf", "disasm"])("skep %s names a compiler that is none", async (name) => {
    const { code, err } = await skep([name, source, "--cc", "/nowhere/clang"])
    expect(code).toBe(1)
    expect(err).toContain("/nowhere/clang cannot be started")
  })
})

describeWith([requirement.linux()], "skep compare", () => {
  test("finds no difference for the firewall", async () => {
    const result = await skepJson<{ runs: number; differenceCount: number }>([
      "compare",
      FIREWALL,
      "--pcap",
      CAPTURE,
    ])
    expect(result.runs).toBe(2009)
    expect(result.differenceCount).toBe(0)
  })

  test("gives syscall programs and raw tracepoints the contexts of the command line", async () => {
    const result = await skepJson<{ runs: number; programs: string[]; differenceCount: number }>([
      "compare",
      join(root, "test/kernels/programs/syscall.bpf.o"),
      ...["--context", "03000000020000000000000000000000"],
      ...["--context", "ffffffffffffffff0900000000000000"],
    ])
    expect(result).toMatchObject({ runs: 2, differenceCount: 0 })
  })

  test("says that it needs something to run the programs on", async () => {
    const { code, err } = await skep(["compare", FIREWALL])
    expect(code).toBe(2)
    expect(err).toContain("--pcap or --context")
  })
})
