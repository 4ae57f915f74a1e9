import { expect, test } from "vitest"
import { embeddedKernel } from "../../src/api/embedded.ts"
import { asm, map, program, u32, u64 } from "../../src/api/index.ts"

test("a program written in assembler is loaded, attached, and counts frames in a map", async () => {
  using kernel = embeddedKernel()
  using hits = kernel.createMap(map.hash({ key: u32, value: u64, maxEntries: 4 }))
  hits.set(0, 0n)
  using xdp = await kernel.loadProgram(
    program({
      type: "xdp",
      instructions: asm`
        *(u32 *)(r10 - 4) = 0
        r2 = r10
        r2 += -4
        r1 = ${hits} ll
        call bpf_map_lookup_elem
        if r0 == 0 goto drop
        r1 = 1
        lock *(u64 *)(r0 + 0) += r1
        r0 = 2
        exit
      drop:
        r0 = 1
        exit`,
    }),
  )
  const eth0 = kernel.interface("eth0")
  using link = xdp.attach({ interface: "eth0" })
  expect(link.type).toBe("xdp")
  for (let i = 0; i < 3; i++) expect(eth0.receive(new Uint8Array(60)).verdict).toBe("pass")
  expect(hits.get(0)).toBe(3n)
  hits.delete(0)
  expect(eth0.receive(new Uint8Array(60)).verdict).toBe("drop")
})

test("a program of a type that does not exist is refused by name", () => {
  expect(() => program({ type: "xpd", instructions: asm`r0 = 0; exit` })).toThrow(/'xpd'/)
})
