import { isIPv4, isIPv6 } from "node:net"
import { describe, expect, test } from "vitest"
import {
  formatIp,
  formatIpv6,
  formatMac,
  inPrefix,
  parseIp,
  parseIpv4,
  parseIpv6,
  parseMac,
  parsePrefix,
} from "../../src/packet/index.ts"
import { Random, testSeed } from "./random.ts"

describe("IPv6 text", () => {
  // RFC 5952 §4 and §5; RFC 4291 §2.2.
  const canonical: [text: string, expected: string][] = [
    ["2001:0db8:0000:0000:0000:0000:0000:0001", "2001:db8::1"],
    ["2001:db8:0:0:0:0:2:1", "2001:db8::2:1"],
    ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
    ["2001:0:0:1:0:0:0:1", "2001:0:0:1::1"],
    ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
    ["2001:DB8:AAAA:BBBB:CCCC:DDDD:EEEE:AAAA", "2001:db8:aaaa:bbbb:cccc:dddd:eeee:aaaa"],
    ["0:0:0:0:0:0:0:0", "::"],
    ["0:0:0:0:0:0:0:1", "::1"],
    ["FF01::101", "ff01::101"],
    ["::ffff:192.0.2.1", "::ffff:192.0.2.1"],
    ["::FFFF:c000:201", "::ffff:192.0.2.1"],
    ["64:ff9b::192.0.2.33", "64:ff9b::c000:221"],
    ["1:2:3:4:5:6:7:0", "1:2:3:4:5:6:7:0"],
    ["1::", "1::"],
    ["::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"],
  ]
  test.each(canonical)("%s is written %s", (text, expected) => {
    expect(formatIpv6(parseIpv6(text))).toBe(expected)
  })

  test("random addresses are written as a URL parser writes them, and read back", () => {
    const seed = testSeed()
    const random = new Random(seed)
    for (let i = 0; i < 2000; i++) {
      const bytes = random.bytes(16).map((byte) => (random.below(3) === 0 ? byte : 0))
      // URLs have no mixed notation.
      if (bytes.slice(0, 10).every((b) => b === 0) && bytes[10] === 0xff && bytes[11] === 0xff)
        continue
      const text = formatIpv6(bytes)
      expect(text, `seed ${seed}`).toBe(new URL(`http://[${text}]/`).hostname.slice(1, -1))
      expect([...parseIpv6(text)]).toEqual([...bytes])
    }
    console.log(`IPv6 text: seed ${seed}`)
  })
})

describe("what is an address and what is not agrees with Node", () => {
  const texts = ["", "1.2.3", "1.2.3.4", "1.2.3.4.5", "256.1.1.1", "01.2.3.4", " 1.2.3.4", "1..2.3"]
  texts.push(
    "::",
    ":::",
    "1::2::3",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
    "12345::",
    "::g",
    ":1::2",
  )
  texts.push("1:2:3:4:5:6:7::", "::1.2.3.4", "1.2.3.4::", "::1.2.3.256", "1:2:3:4:5:6:1.2.3.4")
  texts.push("1:2:3:4:5:6:7:1.2.3.4", "1:2:3:4:5:6:7:", "::1:", "::ffff:1.2.3", "0x1.2.3.4")
  test.each(texts)("'%s'", (text) => {
    const parsed = (): Uint8Array => parseIp(text)
    if (isIPv4(text) || isIPv6(text)) expect(parsed().length).toBe(isIPv4(text) ? 4 : 16)
    else expect(parsed).toThrow(RangeError)
  })

  test("random mutations of addresses", () => {
    const seed = testSeed()
    const random = new Random(seed)
    const alphabet = [..."0123456789abcdef:::..g"]
    for (let i = 0; i < 5000; i++) {
      const chars = [...random.pick(["2001:db8::1", "::ffff:10.0.0.1", "10.77.0.19", "fe80::1:2"])]
      for (let n = random.below(4); n >= 0; n--)
        chars.splice(random.below(chars.length), random.below(2), random.pick(alphabet))
      const text = chars.join("")
      let accepted = true
      try {
        parseIp(text)
      } catch (error) {
        expect(error).toBeInstanceOf(RangeError)
        accepted = false
      }
      // Node does not refuse seven groups and '::'.
      expect(accepted, `seed ${seed}: ${text}`).toBe(isIPv4(text) || isIPv6(text))
    }
  })
})

test("MAC addresses are read with either separator, and refused otherwise", () => {
  expect(formatMac(parseMac("02-00-0A-0b-0c-FF"))).toBe("02:00:0a:0b:0c:ff")
  for (const text of [
    "",
    "02:00:00:00:00",
    "02:00:00:00:00:00:01",
    "02:00-00:00:00:01",
    "0g:0:0:0:0:0",
  ])
    expect(() => parseMac(text)).toThrow(RangeError)
})

test("prefixes clear the bits that do not count, and contain their addresses only", () => {
  const prefix = parsePrefix("203.0.113.77/26")
  expect(formatIp(prefix.address)).toBe("203.0.113.64")
  expect(inPrefix(parseIpv4("203.0.113.127"), prefix)).toBe(true)
  expect(inPrefix(parseIpv4("203.0.113.128"), prefix)).toBe(false)
  expect(inPrefix(parseIpv6("::1"), parsePrefix("0.0.0.0/0"))).toBe(false)
  expect(inPrefix(parseIpv6("2001:db8::9"), parsePrefix("2001:db8::/32"))).toBe(true)
  expect(inPrefix(parseIpv6("2001:db9::"), parsePrefix("2001:db8::/32"))).toBe(false)
  expect(parsePrefix("10.0.0.1").length).toBe(32)
  for (const text of ["10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "::/129", "10.0.0.0/8x"])
    expect(() => parsePrefix(text)).toThrow(RangeError)
})
