import { spawnSync } from "node:child_process"
import { describe, expect, test } from "vitest"
import type { DisassembleOptions } from "../../src/isa/index.ts"
import {
  assemble,
  disassemble,
  disassembleInstruction,
  encodeProgram,
  INSTRUCTION_FORMS,
  printProgram,
} from "../../src/isa/index.ts"
import { HELPERS } from "../../src/spec/index.ts"
import { addressOf, attr, bpf, close, progLoad } from "../support/linux.ts"
import { describeWith, requirement } from "../support/requirements.ts"
import { freshSeed, fuzzScale, randomNumbers, randomProgram } from "./random.ts"

const helperName = (id: number): string | undefined =>
  id === 0 ? "bpf_unspec" : HELPERS[id] === undefined ? undefined : `bpf_${HELPERS[id].name}`

const BPF_MAP_CREATE = 0
const BPF_OBJ_GET_INFO_BY_FD = 15
const BPF_PROG_TYPE_SCHED_CLS = 3

function arrayMap(): number {
  return bpf(
    BPF_MAP_CREATE,
    attr([
      [0, 4, 2],
      [4, 4, 4],
      [8, 4, 16],
      [12, 4, 1],
    ]),
  )
}

/** `3: .1...... (b7) r1 = 5` lines: Linux lists the whole program before it verifies it. */
function listing(log: string): Map<number, string> {
  const lines = [...log.matchAll(/^ *(?:\d+ +)?(\d+): [.\d]{10} (\([0-9a-f]{2}\) .*)$/gm)]
  return new Map(lines.map(([, slot, text]) => [Number(slot), text]))
}

describeWith(
  [requirement.linux()],
  "the kernel's notation, compared with the verifier's log",
  () => {
    test("random legal programs read as Linux prints them", () => {
      const seed = freshSeed("verifier log")
      const random = randomNumbers(seed)
      const map = arrayMap()
      // Linux refuses these before it lists the program: they need BTF, modules or fd_array.
      const apart = [
        "callx",
        "call_kfunc",
        "ld_func",
        "ld_btf_id",
        "ld_map_idx",
        "ld_map_idx_value",
      ]
      const forms = INSTRUCTION_FORMS.filter(
        ({ name }) => ![...apart, "ld_map_value"].includes(name),
      )
      let compared = 0
      const seen = new Set<number>()
      try {
        for (let round = 0; round < 20 * fuzzScale; round++) {
          const callee = () => Math.floor(random() * 240)
          const instructions = randomProgram({
            random,
            count: 300,
            forms,
            reachable: true,
            callee,
            mapFd: map,
          })
          const program = encodeProgram(instructions)
          const { fd, log } = progLoad(BPF_PROG_TYPE_SCHED_CLS, program, { logLevel: 2 })
          close(fd)
          const expected = listing(log)
          expect(
            expected.size,
            `seed ${seed} round ${round}: ${log.slice(0, 300)}`,
          ).toBeGreaterThan(300)
          for (const { slot, text, instruction } of disassemble(program, {
            helperName,
            lossless: false,
          })) {
            // The address of a map is Linux's own.
            const mask = (line: string | undefined) =>
              instruction.opcode === 0x18 && instruction.src === 1
                ? line?.replace(/0x[0-9a-f]+$/, "")
                : line
            expect(mask(text), `seed ${seed} slot ${slot}`).toBe(mask(expected.get(slot)))
            compared++
            seen.add(instruction.opcode)
          }
        }
      } finally {
        close(map)
      }
      console.info(`verifier log: ${compared} instructions, ${seen.size} opcodes compared`)
    })

    test("the listing of a program assembles back to the program", () => {
      const seed = freshSeed("listing")
      const random = randomNumbers(seed)
      const forms = INSTRUCTION_FORMS.filter(
        ({ name, src }) => !/^(ld_|callx|call_kfunc|call_local)/.test(name) || src === 0,
      )
      const ids = Object.keys(HELPERS)
        .map(Number)
        .filter((id) => helperName(id) !== undefined)
      const callee = () => ids[Math.floor(random() * ids.length)]
      const program = encodeProgram(
        randomProgram({ random, count: 2000, forms, reachable: true, callee }),
      )
      const { fd, log } = progLoad(BPF_PROG_TYPE_SCHED_CLS, program, { logLevel: 2 })
      close(fd)
      const text = [...listing(log)].map(([slot, line]) => `${slot}: ${line}`).join("\n")
      const helperId = (name: string) => ids.find((id) => helperName(id) === name)
      expect(assemble(text, { helperId }).bytes, `seed ${seed}`).toEqual(program)
    })
  },
)

describeWith([requirement.linux(), requirement.bpftool()], "bpftool prog dump xlated", () => {
  test("prints a loaded program as printProgram does", () => {
    const map = arrayMap()
    const helperId = (name: string) => ({ bpf_map_lookup_elem: 1, bpf_ktime_get_ns: 5 })[name]
    // Within what the bpftool of 2022 knows.
    const { bytes } = assemble(
      `r6 = r1; *(u32 *)(r10 -4) = 0; r2 = r10; r2 += -4
       r1 = map[fd:${map}]
       call bpf_map_lookup_elem
       if r0 == 0 goto out
       r7 = r0; r6 = *(u32 *)(r6 +0); w6 *= w6
       lock *(u64 *)(r7 +0) += r6
       r1 = 5; r1 = atomic64_fetch_or((u64 *)(r7 +8), r1); w1 = atomic_xchg((u32 *)(r7 +8), w1)
       r0 = 1; r0 = cmpxchg_64(r7 +8, r0, r1)
       r1 = map[fd:${map}][0]+8
       r1 = *(u16 *)(r1 +0)
       r2 = -0x1122334455667788 ll
       r1 ^= r2; r1 = be32 r1; w1 = -w1; w1 s>>= 3; r1 %= 100
       if w1 s< -5 goto out
       if r1 & 0x80000000 goto out
       *(u64 *)(r10 -16) = r1
       *(u8 *)(r10 -20) = -1
       call bpf_ktime_get_ns
       r1 = r0
       call local double
     out:
       r0 = 0; exit
     double:
       r0 = r1; r0 += r0; exit`,
      { helperId },
    )
    const { fd, log } = progLoad(BPF_PROG_TYPE_SCHED_CLS, bytes)
    try {
      expect(fd, log).toBeGreaterThan(0)
      const info = new Uint8Array(256)
      const view = new DataView(info.buffer)
      const translated = new Uint8Array(4096)
      view.setUint32(20, translated.length, true)
      view.setBigUint64(32, addressOf(translated), true)
      const command = attr([
        [0, 4, fd],
        [4, 4, info.length],
        [8, 8, addressOf(info)],
      ])
      expect(bpf(BPF_OBJ_GET_INFO_BY_FD, command)).toBe(0)
      const id = view.getUint32(4, true)
      const program = translated.subarray(0, view.getUint32(20, true))
      const dump = spawnSync("bpftool", ["prog", "dump", "xlated", "id", `${id}`], {
        encoding: "utf8",
      })
      // Linux replaced helper ids by addresses and local distances are in `off`; bpftool finds
      // the names in kallsyms.
      const names = [...dump.stdout.matchAll(/call (\w+)#(-?\d+)/g)]
      const byAddress = new Map(names.map(([, name, imm]) => [Number(imm), name]))
      const tags = [...dump.stdout.matchAll(/call pc(\S+)/g)].map(([, target]) => target)
      const text = printProgram(program, {
        helperName: (address) => byAddress.get(address),
        localCall: () => tags.shift(),
      })
      expect(text).toBe(dump.stdout.replace(/\n\n$/, "\n"))
      expect(text).toMatch(/map\[id:\d+\]\n/)
      expect(text).toMatch(/map\[id:\d+\]\[0\]\+8\n/)
      console.info(`bpftool: ${text.split("\n").length - 1} lines compared`)
    } finally {
      close(fd)
      close(map)
    }
  })
})

/** What needs a word, as no oracle at hand prints it. */
const OWN_TEXTS: readonly [text: string, kernel: string, options?: DisassembleOptions][] = [
  ["callx r3", "(8d) callx r3"],
  ["call kernel-function#77", "(85) call kernel-function#77"],
  ["call kernel-function#77@2", "(85) call kernel-function#77@2"],
  ["call kernel-function#77@2", "(85) call kernel-function#77", { lossless: false }],
  ["r1 = map[idx:3]", "(18) r1 = map[idx:3]"],
  ["r1 = map[idx:3]+8", "(18) r1 = map[idx:3]+8"],
  ["r1 = btf[id:9]", "(18) r1 = btf[id:9]"],
  ["r1 = btf[id:9]+4", "(18) r1 = btf[id:9]+4"],
  ["r1 = btf[id:9]+4", "(18) r1 = 0x400000009", { lossless: false }],
  ["r1 = subprog[-2]", "(18) r1 = subprog[-2]"],
  [
    "call kernel-function#7",
    "(85) call bpf_rcu_read_lock#7",
    { kfuncName: () => "bpf_rcu_read_lock" },
  ],
  ["call 300", "(85) call unknown#300", { helperName }],
]

describe("the kernel's notation", () => {
  test.each(OWN_TEXTS)("%s is %s %o", (text, kernel, options) => {
    const { bytes } = assemble(text)
    expect(disassembleInstruction(bytes, 0, options)).toBe(kernel)
  })

  test("an opcode that does not exist still has a text", () => {
    for (let opcode = 0; opcode < 256; opcode++) {
      const program = encodeProgram([{ opcode, dst: 15, src: 15, off: -1, imm: -1 }])
      expect(disassembleInstruction(program, 0)).toMatch(/^\([0-9a-f]{2}\) .+/)
    }
  })

  test("an ld_imm64 that is cut off is printed with the half that is there", () => {
    const { bytes } = assemble("r1 = 0x1122334455667788 ll")
    expect(disassemble(bytes.subarray(0, 8)).map(({ text }) => text)).toEqual([
      "(18) r1 = 0x55667788",
    ])
  })
})
