import { readFileSync } from "node:fs"
import { ethernet, ipv4, ipv6, type TestBench, testBench, udp } from "skep/testing"
import { expect, test } from "vitest"

const object = readFileSync(new URL("./rate-limit.bpf.o", import.meta.url))

const from = (src: string): Uint8Array =>
  ethernet({}, ipv4({ src, dst: "192.0.2.1" }, udp({ srcPort: 1, dstPort: 2 }, "data")))

/** How many of `count` frames of a source pass. */
function passing(bench: TestBench, src: string, count: number): number {
  let passed = 0
  for (let i = 0; i < count; i++) if (bench.send(from(src)).verdict === "pass") passed++
  return passed
}

const limits = { globals: { packets_per_second: 10n, burst: 4n } }

test("a source may send its burst at once, and no more", () => {
  using bench = testBench(object, limits)
  expect(passing(bench, "10.0.0.1", 9)).toBe(4)
  const [[, bucket]] = [...bench.maps.buckets]
  expect(bucket).toMatchObject({ passed: 4n, dropped: 5 })
})

test("tokens come with time, one each tenth of a second, up to the burst", () => {
  using bench = testBench(object, limits)
  passing(bench, "10.0.0.1", 4)
  bench.kernel.clock.advance(99_999_999n)
  expect(passing(bench, "10.0.0.1", 1)).toBe(0)
  bench.kernel.clock.advance(1n)
  expect(passing(bench, "10.0.0.1", 2)).toBe(1)
  bench.kernel.clock.advance(250_000_000n)
  expect(passing(bench, "10.0.0.1", 9)).toBe(2)
  bench.kernel.clock.advance(3_600_000_000_000n)
  expect(passing(bench, "10.0.0.1", 9)).toBe(4)
})

test("each source has a bucket of its own", () => {
  using bench = testBench(object, limits)
  expect(passing(bench, "10.0.0.1", 6)).toBe(4)
  expect(passing(bench, "10.0.0.2", 6)).toBe(4)
})

test("what is not IPv4, or too short to tell, passes and takes no bucket", () => {
  using bench = testBench(object, limits)
  const other = ethernet(
    {},
    ipv6({ src: "2001:db8::1", dst: "2001:db8::2" }, udp({ srcPort: 1, dstPort: 2 })),
  )
  for (let i = 0; i < 9; i++) expect(bench.send(other).verdict).toBe("pass")
  expect(bench.send(from("10.0.0.1").subarray(0, 30)).verdict).toBe("pass")
  expect([...bench.maps.buckets]).toEqual([])
})

test("a long random sequence passes what a bucket in plain numbers lets pass", () => {
  const seed = 20261125
  console.log(`rate limit: seed ${seed}`)
  using bench = testBench(object, limits)
  let state = seed
  let tokens = 4_000_000_000
  for (let i = 0; i < 2000; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    const elapsed = state % 200_000_000
    // A source that has not sent yet has a full bucket.
    if (i > 0) tokens = Math.min(4_000_000_000, tokens + elapsed * 10)
    bench.kernel.clock.advance(BigInt(elapsed))
    const expected = tokens >= 1_000_000_000 ? "pass" : "drop"
    if (expected === "pass") tokens -= 1_000_000_000
    expect(bench.send(from("10.0.0.1")).verdict, `frame ${i}`).toBe(expected)
  }
})
