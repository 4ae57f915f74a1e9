/**
 * What it costs to open the kernel's types and to use codecs: index, name index, one look-up, all
 * types printed as C (bpftool beside it, a whole process), and a record of ten fields decoded and
 * encoded by a codec from BTF and by the printed one.
 */

import { spawnSync } from "node:child_process"
import { existsSync, readFileSync } from "node:fs"
import { transformSync } from "esbuild"
import {
  type Btf,
  type Codec,
  codecFor,
  declaredBtf,
  printC,
  printCodecs,
  readBtf,
} from "../src/btf/index.ts"
import { type Bench, type BenchOptions, type Row, time } from "./support/bench.ts"

const VMLINUX = "/sys/kernel/btf/vmlinux"

const RECORD = `
  struct record {
    unsigned long long when; unsigned pid, tgid; unsigned short family, ports[2];
    unsigned char flags : 4, state : 4; char comm[16]; unsigned long long bytes; int verdict;
  };`

function row(what: string, action: () => void, options: BenchOptions, unit: "ms" | "ns"): Row {
  const { bestNs, medianNs } = time(action, options)
  const scale = unit === "ms" ? 1e6 : 1
  return { what, best: bestNs / scale, median: medianNs / scale, unit }
}

/** The first time is what a command of the CLI pays: nothing is compiled yet. */
function coldRows(bytes: Uint8Array): { rows: Row[]; btf: Btf } {
  const start = performance.now()
  const btf = readBtf(bytes)
  const opened = performance.now()
  btf.findByName("task_struct", "struct")
  const found = performance.now()
  const once = (what: string, ms: number): Row => ({ what, best: ms, median: ms, unit: "ms" })
  return {
    btf,
    rows: [
      once("index of all types, first time", opened - start),
      once("index of all names, first time", found - opened),
    ],
  }
}

function kernelRows(options: BenchOptions): Row[] {
  const bytes = new Uint8Array(readFileSync(VMLINUX))
  const { rows, btf } = coldRows(bytes)
  const ready = readBtf(bytes)
  ready.findByName("task_struct")
  return [
    ...rows,
    row("index of all types", () => readBtf(bytes), options, "ms"),
    row("index of all types and names", () => readBtf(bytes).findByName("x"), options, "ms"),
    row("find a type by name", () => ready.findByName("task_struct", "struct"), options, "ns"),
    row("decode all types", () => decodeAll(readBtf(bytes)), options, "ms"),
    row("print all as C", () => printC(btf), options, "ms"),
    ...bpftoolRow(),
  ]
}

function decodeAll(btf: Btf): void {
  for (let id = 1; id < btf.typeCount; id++) btf.type(id)
}

function bpftoolRow(): Row[] {
  const samples: number[] = []
  for (let i = 0; i < 3; i++) {
    const start = performance.now()
    const args = ["btf", "dump", "file", VMLINUX, "format", "c"]
    const { status } = spawnSync("bpftool", args, { stdio: "ignore" })
    if (status !== 0) return []
    samples.push(performance.now() - start)
  }
  samples.sort((a, b) => a - b)
  const what = "print all as C: bpftool, whole process"
  return [{ what, best: samples[0], median: samples[1], unit: "ms" }]
}

async function codecRows(options: BenchOptions): Promise<Row[]> {
  const btf = declaredBtf(RECORD)
  const id = btf.findByName("record", "struct")
  if (id === undefined) return []
  const runtime = codecFor(btf, id)
  const { code } = transformSync(printCodecs(btf, [id]), { loader: "ts", format: "esm" })
  const module: Record<string, Codec<unknown>> = await import(
    `data:text/javascript,${encodeURIComponent(code)}`
  )
  const printed = module.recordCodec
  const view = new DataView(new ArrayBuffer(runtime.size))
  const value = {
    when: 1n << 60n,
    pid: 4_000_000_000,
    tgid: 7,
    family: 2,
    ports: [80, 40_000],
    flags: 5,
    state: 9,
    comm: "nginx",
    bytes: 123n,
    verdict: -1,
  }
  runtime.write(view, 0, value)
  return [
    row("decode a record: codec from BTF", () => runtime.read(view, 0), options, "ns"),
    row("decode a record: printed codec", () => printed.read(view, 0), options, "ns"),
    row("encode a record: codec from BTF", () => runtime.write(view, 0, value), options, "ns"),
    row("encode a record: printed codec", () => printed.write(view, 0, value), options, "ns"),
  ]
}

export const bench: Bench = {
  name: "btf",
  question: "How long do the kernel's types take to open, and a record to decode?",
  async run(options) {
    const codecs = await codecRows(options)
    if (!existsSync(VMLINUX)) return { rows: codecs, notes: [`${VMLINUX} is not there`] }
    const kernel = kernelRows(options)
    const size = `${(readFileSync(VMLINUX).length / 1e6).toFixed(1)} MB`
    const notes = [`kernel BTF: ${size}; targets: index ≤ 10 ms, names ≤ 50 ms`]
    return { rows: [...kernel, ...codecs], notes }
  },
}
