import { expect, test } from "vitest"
import { skep } from "../../cli/support.ts"

const OBJECT = "test/verifier/explain/programs/network.bpf.o"
const only = (program: string): string[] => ["verify", OBJECT, "--prog", program]

test("--explain shows the source line, what led there, the kernel's message and a verified fix", async () => {
  const { out, code } = await skep([...only("packet_stale"), "--explain"])
  expect(code).toBe(1)
  expect(out).toContain("error[E2104]")
  expect(out).toMatch(/network\.bpf\.c:\d+:\d+/)
  expect(out).toContain("bpf_skb_pull_data may move the packet")
  expect(out).toContain("= kernel: R6 invalid mem access 'scalar'")
  expect(out).toContain("fix (verified, 1 of 1)")
})

test("--explain --json gives the explanation as data", async () => {
  const { out, code } = await skep([...only("ret_range"), "--explain", "--json"])
  const { programs } = JSON.parse(out) as {
    programs: { explanation: { code: string; counterexample: { kind: string } } }[]
  }
  expect(code).toBe(1)
  expect(programs[0].explanation.code).toBe("E4201")
  expect(programs[0].explanation.counterexample.kind).toBe("return")
})

test("--format github prints an annotation for each refused program, sarif one result", async () => {
  const github = await skep([...only("null_check"), "--format", "github"])
  expect(github.out).toMatch(/^::error file=network\.bpf\.c,line=\d+,col=\d+,title=E2001 /)
  const sarif = await skep([...only("null_check"), "--format", "sarif"])
  const { runs } = JSON.parse(sarif.out) as { runs: { results: unknown[] }[] }
  expect(runs[0].results).toHaveLength(1)
})

test("another format is refused with the list of formats", async () => {
  const { code, err } = await skep([...only("null_check"), "--format", "xml"])
  expect(code).not.toBe(0)
  expect(err).toContain("text, json, sarif, github")
})

test("--profile counts what was processed for each source line", async () => {
  const { out } = await skep([...only("loop_infinite"), "--profile", "--json"])
  const { programs } = JSON.parse(out) as {
    programs: { insnsProcessed: number; lines: { processed: number }[] }[]
  }
  const sum = programs[0].lines.reduce((total, { processed }) => total + processed, 0)
  expect(sum).toBeGreaterThan(0)
  expect(sum).toBeLessThanOrEqual(programs[0].insnsProcessed)
})
