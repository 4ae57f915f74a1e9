/** No C, no ELF: a map made here, and a program assembled here that counts in it. */

import { asm, BpfError, map, program, struct, u32, u64 } from "skep"
import { embeddedKernel } from "skep/embedded"

using kernel = embeddedKernel()
const value = struct({ small: u64, large: u64 })
using sizes = kernel.createMap(map.array({ name: "sizes", value, length: 1 }))

const LARGE = 1000
using xdp = await kernel.loadProgram(
  program({
    type: "xdp",
    name: "sizes",
    instructions: asm`
      r6 = *(u32 *)(r1 + 4)          // xdp_md.data_end
      r1 = *(u32 *)(r1 + 0)          // xdp_md.data
      r6 -= r1                       // length of the frame
      *(u32 *)(r10 - 4) = 0
      r1 = ${sizes} ll
      r2 = r10
      r2 += -4
      call bpf_map_lookup_elem
      if r0 == 0 goto pass
      r1 = 1
      if r6 > ${LARGE} goto large
      lock *(u64 *)(r0 + 0) += r1
      goto pass
    large:
      lock *(u64 *)(r0 + 8) += r1
    pass:
      r0 = 2
      exit`,
  }),
)
for (const length of [60, 1500, 900, 1514]) xdp.run({ data: new Uint8Array(length) })
console.log(sizes.get(0))

// What the kernel refuses is a BpfError with the kernel's own code.
using flows = kernel.createMap(map.hash({ name: "flows", key: u32, value: u64, maxEntries: 1 }))
flows.set(1, 0n)
try {
  flows.set(2, 0n)
} catch (error) {
  if (!(error instanceof BpfError)) throw error
  console.log(`a second key: ${error.code}`)
}
