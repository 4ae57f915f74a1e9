import { describe, expect, test } from "vitest"
import { parseHex } from "../../src/base/index.ts"
import {
  checksumSum,
  checksumValid,
  internetChecksum,
  updateChecksum,
  updateChecksumBytes,
} from "../../src/packet/index.ts"
import { Random, testSeed } from "./random.ts"

describe("the internet checksum", () => {
  test("is that of the example of RFC 1071 §3", () => {
    expect(checksumSum(parseHex("0001f203f4f5f6f7"))).toBe(0xddf2)
  })

  test("of the header that RFC 791's readers know", () => {
    const header = parseHex("450000730000400040110000c0a80001c0a800c7")
    expect(internetChecksum(header)).toBe(0xb861)
    header.set([0xb8, 0x61], 10)
    expect(checksumValid(header)).toBe(true)
  })

  test("pads an odd last byte on the right", () => {
    expect(checksumSum(Uint8Array.of(1, 2, 3))).toBe(0x0102 + 0x0300)
  })

  test("updates to 0x0000 and not 0xffff in the example of RFC 1624 §4", () => {
    expect(updateChecksum(0xdd2f, 0x5555, 0x3285)).toBe(0x0000)
  })

  test("equals a sum in BigInt, whole and updated, for random bytes", () => {
    const seed = testSeed()
    const random = new Random(seed)
    const model = (bytes: Uint8Array): number => {
      let sum = 0n
      for (let i = 0; i < bytes.length; i += 2)
        sum += (BigInt(bytes[i]) << 8n) | BigInt(bytes[i + 1] ?? 0)
      while (sum >> 16n !== 0n) sum = (sum & 0xffffn) + (sum >> 16n)
      return Number(sum ^ 0xffffn)
    }
    for (let i = 0; i < 500; i++) {
      const bytes = random.bytes(2 + random.below(1500))
      expect(internetChecksum(bytes), `seed ${seed}`).toBe(model(bytes))
      const at = 2 * random.below(Math.floor(bytes.length / 2))
      const size = Math.min(bytes.length - at, 2 * (1 + random.below(8)))
      const before = bytes.slice(at, at + size)
      const checksum = internetChecksum(bytes)
      bytes.set(random.bytes(size), at)
      const updated = updateChecksumBytes(checksum, before, bytes.slice(at, at + size))
      expect(updated, `seed ${seed}`).toBe(model(bytes))
    }
    console.log(`checksum: seed ${seed}`)
  })
})
