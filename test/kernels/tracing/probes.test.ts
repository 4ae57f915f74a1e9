/**
 * Uprobes, sampling, iterators, raw tracepoints and syscall programs on both kernels: for each
 * program type one thing that happens, and the same seen of it.
 */

import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { BPF_ATTACH_TYPE, errnoName } from "../../../src/spec/index.ts"
import { syscall } from "../../support/linux.ts"
import { describeWith, requirement } from "../../support/requirements.ts"
import { exportedFunctions, libcPath } from "./elf-symbols.ts"
import {
  embeddedSide,
  type Loaded,
  linuxSide,
  load,
  offsetOf,
  openGate,
  SELF,
  type Side,
  save,
  slots,
  type TracingSpec,
  unload,
} from "./sides.ts"

const KPROBE = "BPF_PROG_TYPE_KPROBE"
const ITER = {
  type: "BPF_PROG_TYPE_TRACING",
  attachType: BPF_ATTACH_TYPE.BPF_TRACE_ITER,
  ownThread: false,
} as const

describeWith([requirement.linux()], "probes on two kernels", () => {
  let linux: Side
  let embedded: ReturnType<typeof embeddedSide>
  beforeAll(() => {
    linux = linuxSide()
    embedded = embeddedSide()
  })
  afterAll(() => {
    linux.close()
    embedded.close()
  })

  /** Loads, attaches by `attach`, acts, and gives the slots, or the errno of the attachment. */
  function probe(
    side: Side,
    spec: TracingSpec,
    attach: Parameters<Side["attach"]>[1],
    act: () => void,
    count = 16,
  ): readonly bigint[] | string {
    const program = load(side, spec)
    const link = side.attach(program, attach)
    try {
      if (link < 0) return errnoName(link)
      openGate(side, program, 1n)
      act()
      openGate(side, program, 0n)
      return slots(side, program, count)
    } finally {
      side.kernel.close(link)
      unload(side, program)
    }
  }

  describe("a function of the C library", () => {
    const libc = libcPath() ?? "/lib/x86_64-linux-gnu/libc.so.6"
    const offset = libcPath() === undefined ? 0n : (exportedFunctions(libc).get("syscall") ?? 0n)
    const GETPPID = 110
    const call = (side: Side): void => {
      if (side === linux) syscall(GETPPID, 11, 12, 13, 14, 15, 0)
      else
        embedded.task.call("syscall", [110n, 11n, 12n, 13n, 14n, 15n], {
          path: libc,
          returns: () => embedded.task.getppid(),
        })
    }
    beforeAll(() => {
      const { world } = embedded.kernel
      world.files.write(libc, Uint8Array.of(0x7f, 0x45, 0x4c, 0x46), { mode: 0o755 })
      world.executables.define(libc, { symbols: { syscall: Number(offset) } })
    })
    const both = (spec: TracingSpec, attach: Parameters<Side["attach"]>[1]): unknown[] =>
      [embedded, linux].map((side) => probe(side, spec, attach, () => call(side)))

    /** Only the call with these arguments: the tools around the test use `syscall` as well. */
    const regs =
      (body: string) =>
      (types: Parameters<Extract<TracingSpec["text"], (...args: never[]) => string>>[0]): string =>
        `r7 = *(u64 *)(r6 + ${offsetOf(types, "pt_regs", "di")}); if r7 != ${GETPPID} goto skip
       ${save(0, "r7")}
       r1 = *(u64 *)(r6 + ${offsetOf(types, "pt_regs", "si")}); ${save(1, "r1")}
       r1 = *(u64 *)(r6 + ${offsetOf(types, "pt_regs", "dx")}); ${save(2, "r1")}
       r1 = *(u64 *)(r6 + ${offsetOf(types, "pt_regs", "cx")}); ${save(3, "r1")}
       r1 = *(u64 *)(r6 + ${offsetOf(types, "pt_regs", "r8")}); ${save(4, "r1")}
       r1 = *(u64 *)(r6 + ${offsetOf(types, "pt_regs", "r9")}); ${save(5, "r1")}
       ${body}`
    const count = `r1 = *(u64 *)(r9 + 64); r1 += 1; ${save(8, "r1")}`

    test("a uprobe sees the arguments in the registers", () => {
      const [mine, theirs] = both(
        { type: KPROBE, text: regs(count) },
        { uprobe: [libc, offset, false] },
      )
      expect(mine).toEqual(theirs)
      expect((mine as bigint[])[8]).toBe(1n)
    })

    test("a uretprobe sees the result", () => {
      const spec: TracingSpec = {
        type: KPROBE,
        text: (types) =>
          `r1 = *(u32 *)(r6 + ${offsetOf(types, "pt_regs", "ax")}); r7 = ${SELF.pid}
           if r1 == r7 goto skip; r2 = *(u64 *)(r9 + 0); r2 += 1; ${save(0, "r2")}`,
      }
      const [mine, theirs] = both(spec, { uprobe: [libc, offset, true] }) as bigint[][]
      expect(mine[0]).toBe(1n)
      expect(theirs[0]).toBeGreaterThanOrEqual(1n)
    })

    test("a multi link gives each place its cookie", () => {
      const attachType = BPF_ATTACH_TYPE.BPF_TRACE_UPROBE_MULTI
      const [mine, theirs] = both(
        { type: KPROBE, attachType, text: regs(`r1 = r6; call bpf_get_attach_cookie; ${save(8)}`) },
        { uprobeMulti: { path: libc, offsets: [offset], cookies: [99n], attachType } },
      )
      expect(mine).toEqual(theirs)
      expect((mine as bigint[])[8]).toBe(99n)
    })

    test.each([
      ["a file that is not there", { path: "/no/such/file", offsets: [16n] }],
      ["no places", { path: libc, offsets: [] }],
      ["a directory", { path: "/tmp", offsets: [16n] }],
      ["unknown flags", { path: libc, offsets: [offset], flags: 4 }],
    ])("a multi link on %s is refused alike", (_, target) => {
      const attachType = BPF_ATTACH_TYPE.BPF_TRACE_UPROBE_MULTI
      const [mine, theirs] = both(
        { type: KPROBE, attachType, text: count },
        { uprobeMulti: { ...target, attachType } },
      )
      expect(mine).toBe(theirs)
    })
  })

  test("a clock samples the thread that computes, with its period", () => {
    const spec: TracingSpec = {
      type: "BPF_PROG_TYPE_PERF_EVENT",
      text: (
        types,
      ) => `r1 = *(u64 *)(r6 + ${types.sizeOf(types.findByName("pt_regs", "struct") ?? 0)}); ${save(0, "r1")}
        r1 = *(u64 *)(r9 + 8); r1 += 1; ${save(1, "r1")}
        r1 = r6; r2 = r10; r2 += -24; r3 = 24; call bpf_perf_prog_read_value; ${save(2)}
        r1 = r6; r2 = r10; r2 += -24; r3 = 16; call bpf_perf_prog_read_value; ${save(3)}`,
    }
    const run = (side: Side): readonly bigint[] =>
      probe(side, spec, { clock: { period: 1_000_000n } }, () => side.actor.burn(20)) as bigint[]
    const [mine, theirs] = [run(embedded), run(linux)]
    expect([mine[0], mine[2], mine[3]]).toEqual([theirs[0], theirs[2], theirs[3]])
    expect(mine[1]).toBe(20n)
    // How often depends on how much of the processor the test gets.
    expect(theirs[1]).toBeGreaterThan(0n)
  })

  describe("iterators", () => {
    /** A program whose text is what `bpf_seq_printf` makes of the words that `body` puts on the stack. */
    const printing = (
      target: string,
      format: string,
      body: TracingSpec["text"],
      words: number,
    ): TracingSpec => ({
      ...ITER,
      btf: [`bpf_iter_${target}`, "func"],
      text: (types) => {
        const text = typeof body === "string" ? body : body(types)
        const bytes = [...format, "\0"]
        const start = -256
        const fill = bytes.map((c, i) => `*(u8 *)(r10 - ${-(start + i)}) = ${c.charCodeAt(0)}`)
        return `r8 = *(u64 *)(r6 + 0)
          ${text}
          ${fill.join("\n")}
          r1 = *(u64 *)(r8 + ${offsetOf(types, "bpf_iter_meta", "seq")})
          r2 = r10; r2 += ${start}; r3 = ${bytes.length}; r4 = r10; r4 += -${8 * words}; r5 = ${8 * words}
          call bpf_seq_printf`
      },
    })
    const read = (
      side: Side,
      spec: TracingSpec,
      info: (program: Loaded) => Uint8Array,
      prepare?: (program: Loaded) => void,
      chunk?: number,
    ): string | number => {
      const program = load(side, spec)
      prepare?.(program)
      const link = side.attach(program, { iterator: info(program) })
      try {
        return link < 0 ? errnoName(link) : side.readAll(link, chunk)
      } finally {
        side.kernel.close(link)
        unload(side, program)
      }
    }
    const words = (...values: number[]): Uint8Array =>
      new Uint8Array(Uint32Array.from(values).buffer)

    test("of tasks show the one that the link names, and end with none", () => {
      const spec = printing(
        "task",
        "%d %d %d %s\n",
        (
          types,
        ) => `r7 = *(u64 *)(r6 + 8); r1 = *(u64 *)(r8 + ${offsetOf(types, "bpf_iter_meta", "seq_num")})
          *(u64 *)(r10 - 32) = r1; *(u64 *)(r10 - 24) = 0; *(u64 *)(r10 - 16) = 0
          r1 = r9; *(u64 *)(r10 - 8) = r1
          if r7 == 0 goto print
          r1 = *(u32 *)(r7 + ${offsetOf(types, "task_struct", "pid")}); *(u64 *)(r10 - 24) = r1
          r1 = *(u32 *)(r7 + ${offsetOf(types, "task_struct", "tgid")}); *(u64 *)(r10 - 16) = r1
          r7 += ${offsetOf(types, "task_struct", "comm")}; *(u64 *)(r10 - 8) = r7
          print: r0 = 0`,
        4,
      )
      const [mine, theirs] = [embedded, linux].map((side) =>
        read(side, spec, () => words(SELF.tid)),
      )
      expect(mine).toBe(theirs)
      expect(mine).toContain(SELF.comm)
    })

    const elements = (type: "BPF_MAP_TYPE_HASH" | "BPF_MAP_TYPE_ARRAY"): TracingSpec => ({
      ...printing(
        "bpf_map_elem",
        "%d: %d = %d\n",
        (
          types,
        ) => `r7 = *(u64 *)(r6 + 16); r1 = *(u64 *)(r8 + ${offsetOf(types, "bpf_iter_meta", "seq_num")})
          *(u64 *)(r10 - 24) = r1; *(u64 *)(r10 - 16) = -1; *(u64 *)(r10 - 8) = -1
          if r7 == 0 goto print
          r1 = *(u32 *)(r7 + 0); *(u64 *)(r10 - 16) = r1
          r7 = *(u64 *)(r6 + 24); if r7 == 0 goto print
          r1 = *(u64 *)(r7 + 0); *(u64 *)(r10 - 8) = r1; r1 += 1000; *(u64 *)(r7 + 0) = r1
          print: r0 = 0`,
        3,
      ),
      maps: { m: { type, key: 4, value: 8, entries: 16 } },
    })
    const fill = (side: Side, count: number) => (program: Loaded) => {
      for (let i = 0; i < count; i++)
        side.kernel.bpf("MAP_UPDATE_ELEM", {
          map_fd: program.maps.get("m") ?? -1,
          key: words(i),
          value: new Uint8Array(BigUint64Array.of(BigInt(i * i)).buffer),
        })
    }

    // Some Linux kernels let nobody load these: their programs may write into the elements.
    test.each(["BPF_MAP_TYPE_HASH", "BPF_MAP_TYPE_ARRAY"] as const)(
      "of the elements of a %s show each key and value once, in chunks of any size",
      (type) => {
        const size = type === "BPF_MAP_TYPE_ARRAY" ? 16 : 10
        const model = Array.from({ length: size }, (_, i) => `${i} = ${i < 10 ? i * i : 0}`)
        for (const chunk of [4096, 7]) {
          const info = (program: Loaded): Uint8Array => words(program.maps.get("m") ?? 0)
          const text = String(read(embedded, elements(type), info, fill(embedded, 10), chunk))
          const lines = text.trimEnd().split("\n")
          // Numbers count up; the last is that of the program's run without an object.
          expect(lines.map((line) => Number(line.split(":")[0]))).toEqual([
            ...model.keys(),
            size - 1,
          ])
          expect(lines.map((line) => line.split(": ")[1]).sort()).toEqual(
            [...model, "-1 = -1"].sort(),
          )
        }
      },
    )

    test("of the elements of no map are EBADF, of a queue EINVAL", () => {
      const spec = elements("BPF_MAP_TYPE_HASH")
      expect(read(embedded, spec, () => words(0))).toBe("EBADF")
      expect(read(embedded, spec, () => words(12345))).toBe("EBADF")
    })

    test("text that never fits is E2BIG, and bpf_seq_write takes bytes as they are", () => {
      const writing = (size: number): TracingSpec => ({
        ...ITER,
        btf: ["bpf_iter_task", "func"],
        maps: { big: { type: "BPF_MAP_TYPE_ARRAY", key: 4, value: 40000, entries: 1 } },
        text: (types) => `r8 = *(u64 *)(r6 + 0)
          r1 = *(u64 *)(r8 + ${offsetOf(types, "bpf_iter_meta", "seq")})
          r2 = map[big][0]; r3 = ${size}; call bpf_seq_write; ${save(0)}`,
      })
      for (const size of [3, 10_000, 16_384, 20_000, 32_767, 32_768, 40_000]) {
        const [mine, theirs] = [embedded, linux].map((side) => {
          const text = read(side, writing(size), () => words(SELF.tid))
          return typeof text === "string" ? text.length : text
        })
        expect([size, mine]).toEqual([size, theirs])
      }
    })

    test.each([
      ["task", words(1, 1)],
      ["task", words(0, 0x7ffffff)],
      ["task", words(0, 0, 99999)],
      ["cgroup", words(9)],
      ["cgroup", words(0)],
      ["cgroup", words(1, 99999)],
      ["cgroup", words(1, 1, 1, 0)],
    ])("of a %s with bad information are refused alike (%s)", (target, info) => {
      const spec: TracingSpec = { ...ITER, btf: [`bpf_iter_${target}`, "func"], text: "r0 = 0" }
      const [mine, theirs] = [embedded, linux].map((side) => read(side, spec, () => info))
      expect(mine).toBe(theirs)
    })
  })
})
