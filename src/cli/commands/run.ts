/** `skep run`: an object on packets and events. */

import { type Command, Option } from "commander"
import { parseHex } from "../../base/index.ts"
import type { Context } from "../context.ts"
import { usageError } from "../errors.ts"
import { CC_OPTION } from "../options.ts"
import { dumpCompiled } from "../run/dump-compiled.ts"
import { parseEvents } from "../run/events.ts"
import { executeRun } from "../run/execute.ts"
import type { RunMode, RunOptions } from "../run/options.ts"
import { printReport } from "../run/report.ts"

const HELP = `
FILE is an object (.o), or a C file (.c) that clang (or zig) compiles first, with skep's own headers.
- is an object on standard input.

XDP and tc programs are attached to device eth0 of the embedded kernel, and frames arrive there (go
out of it, when all of them are egress programs). Other packet programs are given each frame by a
test run. Tracing programs are attached to what their sections name, and run on --event. The virtual
clock follows the time stamps of the capture.

OUT holds the frames that were not dropped, as the programs left them.

Events:
  group:name         a tracepoint; fields by the names of its record, or of the system call's arguments
  lsm:hook           an LSM hook
  kprobe:function    a kernel function is called; return=N makes it return (kretprobe, fexit)
  task.comm=… task.pid=… task.tgid=… task.uid=… task.gid=… task.cgroup=… task.cpu=…
                     who does it
  Values are numbers (10, 0xff), texts, and JSON ([1,2], {"a":1}).

Maps: FILE.json holds [key, value] pairs, {"key":…,"value":…} objects, an object from keys to values,
or a list of keys. Keys and values have the shape of their C types; where a type is a 32-bit integer
or an array of bytes, IP addresses, MAC addresses and hex digits are accepted, for the keys of LPM
tries prefixes (10.0.0.0/8), for enums names. Big-endian integers are written in host order.

Addresses, ports in network order and enumerators are shown as such; that an integer is an address
is told from its type (__be32) and name (saddr, src_ip, blocklist…).

Examples:
  $ skep run firewall.bpf.o --pcap traffic.pcap --out passed.pcap --map blocklist=blocked.json
  $ skep run count.bpf.c --packet "ffffffffffff 020000000001 0800 45…" --set limit=10
  $ skep run open.bpf.o --event syscalls:sys_enter_openat filename=/etc/passwd task.comm=cat
  $ skep run policy.bpf.o --event lsm:file_open file=/etc/shadow task.uid=1000`

interface Flags {
  cc?: string
  kernel: "embedded" | "linux"
  mode: RunMode
  direction?: "ingress" | "egress"
  pcap?: string
  out?: string
  packet: string[]
  event: string[]
  context?: string
  prog: string[]
  set: string[]
  map: string[]
  device: string[]
  repeat: string
  cpus: string
  seed: string
  events: string
  entries: string
  recordType: string[]
  perCpu?: boolean
  json?: boolean
  dump?: "jit"
}

const again = (value: string, previous: string[]): string[] => [...previous, value]

export function register(program: Command, context: Context): void {
  program
    .command("run")
    .description("Runs the programs of an object on packets and events, and shows what they did.")
    .argument("<file>", "object (.o) or C source (.c)")
    .option("--pcap <in>", "give the programs the frames of a pcap or pcapng file")
    .option("--out <out>", "write the frames that were not dropped to a pcap file")
    .option(
      "--packet <hex>",
      "give the programs this frame, from its Ethernet header; repeatable",
      again,
      [],
    )
    .option("--event <name...>", "fire an event: NAME field=value…; repeatable")
    .option("--prog <name>", "load and run only this program; repeatable", again, [])
    .option("--set <global=value>", "initial value of a global; repeatable", again, [])
    .option(
      "--map <name=file>",
      "initial content of a map, from a JSON file; repeatable",
      again,
      [],
    )
    .option("--device <name>", "one more network device, for redirects; repeatable", again, [])
    .addOption(
      new Option("--direction <way>", "which way frames go through the device").choices([
        "ingress",
        "egress",
      ]),
    )
    .addOption(
      new Option("--mode <mode>", "how packet programs are run")
        .choices(["device", "test-run"])
        .default("device"),
    )
    .addOption(
      new Option("--kernel <kernel>", "where: this process, or Linux by bpf(2), test runs only")
        .choices(["embedded", "linux"])
        .default("embedded"),
    )
    .addOption(
      new Option("--dump <stage>", "print how the programs are compiled, and run nothing").choices([
        "jit",
      ]),
    )
    .option("--context <hex>", "context of syscall programs")
    .option("--repeat <n>", "run the whole input this often", "1")
    .option("--cpus <n>", "CPUs of the embedded kernel", "1")
    .option("--seed <n>", "seed of the embedded kernel's random numbers", "1")
    .option("--events <n>", "records of a ring buffer to show", "10")
    .option("--entries <n>", "entries of a map to show; 0 shows all", "20")
    .option("--record-type <map=type>", "C type of a ring buffer's records; repeatable", again, [])
    .option("--per-cpu", "show per-CPU values by CPU, beside their sum")
    .option(...CC_OPTION)
    .option("--json", "print the result as JSON")
    .addHelpText("after", HELP)
    .action(async (file: string, flags: Flags) => {
      const options = readOptions(file, flags)
      if (flags.dump !== undefined) {
        await dumpCompiled(context, options)
        return
      }
      const report = await executeRun(context, options)
      if (options.json) context.printJson(report)
      else {
        for (const warning of report.warnings) context.warn(warning)
        printReport(context, report, options)
      }
      if (report.faults.length > 0) context.exitCode = 1
    })
}

function readOptions(file: string, flags: Flags): RunOptions {
  if (flags.out !== undefined && flags.pcap === undefined)
    throw usageError("--out needs --pcap: it holds the frames of a capture that passed")
  return {
    file,
    compiler: flags.cc,
    kernel: flags.kernel,
    mode: flags.mode,
    direction: flags.direction ?? null,
    pcap: flags.pcap,
    out: flags.out,
    packets: flags.packet.map((text, index) => hex(`--packet ${index + 1}`, text)),
    events: parseEvents(flags.event ?? []),
    context: flags.context === undefined ? undefined : hex("--context", flags.context),
    programs: flags.prog,
    globals: pairs("--set", "GLOBAL=VALUE", flags.set),
    maps: pairs("--map", "NAME=FILE", flags.map),
    devices: flags.device,
    repeat: number("--repeat", flags.repeat, 1, 1_000_000_000),
    cpus: number("--cpus", flags.cpus, 1, 256),
    seed: number("--seed", flags.seed, 0, 0xffff_ffff),
    eventsShown: number("--events", flags.events, 0, 1_000_000_000),
    entriesShown: number("--entries", flags.entries, 0, 1_000_000_000),
    recordTypes: pairs("--record-type", "MAP=TYPE", flags.recordType),
    perCpu: flags.perCpu === true,
    json: flags.json === true,
  }
}

function hex(option: string, text: string): Uint8Array {
  try {
    return parseHex(text)
  } catch (error) {
    throw usageError(`${option}: ${(error as Error).message}`)
  }
}

function pairs(option: string, shape: string, words: readonly string[]): Map<string, string> {
  return new Map(
    words.map((word) => {
      const equals = word.indexOf("=")
      if (equals <= 0) throw usageError(`${option} ${word}: it takes ${shape}`)
      return [word.slice(0, equals), word.slice(equals + 1)]
    }),
  )
}

function number(option: string, text: string, min: number, max: number): number {
  const value = /^(0x[0-9a-f]+|[0-9]+)$/i.test(text) ? Number(text) : Number.NaN
  if (!(value >= min && value <= max))
    throw usageError(`${option} ${text}: a whole number from ${min} to ${max} is needed`)
  return value
}
