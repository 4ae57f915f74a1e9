import { spawnSync } from "node:child_process"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, test } from "vitest"
import { CAPTURE, FIREWALL, root } from "./support.ts"

const main = join(root, "dist/cli/main.js")
const built = existsSync(main)
if (!built) console.warn("skipped: the built command line: dist/ is not built (npm run build)")

function run(...args: string[]): { code: number | null; out: string; err: string } {
  const options = { cwd: root, encoding: "utf8" } as const
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...args], options)
  return { code: status, out: stdout, err: stderr }
}

describe.skipIf(!built)("the built command line", () => {
  test("--version prints the version of package.json", () => {
    const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
    expect(run("--version")).toEqual({ code: 0, out: `${version}\n`, err: "" })
  })

  test("runs an object on a capture, without colours in a pipe", () => {
    const { code, out, err } = run("run", FIREWALL, "--pcap", CAPTURE)
    expect(err).toBe("")
    expect(code).toBe(0)
    expect(out).toMatch(/^2,009 frames/)
    expect(out).not.toContain("\u001b[")
  })

  test("ends with 1 for a refused input and 2 for a command line that makes no sense", () => {
    expect(run("run", "nothing.o")).toMatchObject({ code: 1, out: "" })
    expect(run("run", FIREWALL, "--packet", "zz")).toMatchObject({ code: 2, out: "" })
  })
})
