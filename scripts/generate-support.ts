/**
 * Writes docs/support.md: what works on which kernel, and the test that proves it. Lists come from
 * the tables of src/spec, states from asking the embedded kernel (support/probes.ts), tests from
 * searching them (support/evidence.ts). test/docs fails when the committed page is not what this
 * script writes.
 *
 *     node --import tsx scripts/generate-support.ts [--check]
 */

import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { coreKindName } from "../src/btf/core/kinds.ts"
import { helperImplementations, kfuncImplementations } from "../src/kernel/helpers/index.ts"
import { isMapTypeSupported } from "../src/kernel/maps/index.ts"
import { PACKINGS } from "../src/linux/commands.ts"
import {
  BPF_ATTACH_TYPE,
  BPF_CMD,
  BPF_MAP_TYPE,
  BPF_PROG_TYPE,
  type CommandName,
  HELPERS,
  KFUNCS,
  mapTypeName,
  programTypeName,
} from "../src/spec/index.ts"
import { cliCommands, commandPath, leafCommands } from "./support/commands.ts"
import { evidenceCell, evidenceFor, root } from "./support/evidence.ts"
import { table } from "./support/markdown.ts"
import {
  commandAnswer,
  isAttachedDirectly,
  mapClass,
  programIsLinked,
  programIsLoaded,
  programIsTestRun,
  programsLinkedAt,
} from "./support/probes.ts"
import { INSTRUCTION_SET, OBJECTS, WORLD, type WrittenRow } from "./support/written.ts"

const PAGE = join(root, "docs/support.md")

const yes = (is: boolean): string => (is ? "yes" : "no")
const code = (text: string): string => `\`${text}\``

/** Tests that name things in a way that no word search finds. */
const EXTRA_EVIDENCE: Readonly<Record<string, string>> = Object.fromEntries([
  ...["task", "inode", "cgrp", "sk"].flatMap((owner) => [
    [`${owner}_storage_get`, "test/kernel/maps/local-storage.test.ts"],
    [`${owner}_storage_delete`, "test/kernel/maps/local-storage.test.ts"],
  ]),
])

/** The same for map types. */
const MAP_EVIDENCE: Readonly<Record<string, string>> = Object.fromEntries(
  ["SK", "INODE", "TASK", "CGRP"].map((owner) => [
    `${owner}_STORAGE`,
    "test/kernel/maps/local-storage.test.ts",
  ]),
)

function written(rows: readonly WrittenRow[]): string {
  return table(
    ["Feature", "Embedded", "Linux, through skep", "Evidence"],
    rows.map(([feature, embedded, linux, test]) => [feature, embedded, linux, evidenceCell(test)]),
  )
}

function maps(): string {
  const rows = Object.entries(BPF_MAP_TYPE)
    .filter(([, type]) => type !== 0)
    .map(([name, type]) => {
      const here = isMapTypeSupported(type)
      const short = name.slice("BPF_MAP_TYPE_".length)
      const evidence = MAP_EVIDENCE[short] ?? evidenceFor(new RegExp(`\\b${name}\\b|"${short}"`))
      return [
        code(mapTypeName(type)),
        yes(here),
        code(mapClass(type)),
        evidenceCell(here ? evidence : null),
      ]
    })
  return table(["Map type", "Embedded", "Class in the API (both kernels)", "Evidence"], rows)
}

function helpers(): string {
  const rows = HELPERS.slice(1).map(({ id, name }) => {
    const here = helperImplementations.has(id)
    const evidence = EXTRA_EVIDENCE[name] ?? evidenceFor(new RegExp(`\\bbpf_${name}\\b|"${name}"`))
    return [String(id), code(`bpf_${name}`), yes(here), evidenceCell(here ? evidence : null)]
  })
  return table(["Id", "Helper", "Embedded", "Evidence"], rows)
}

function kfuncs(): string {
  const names = [...new Set([...KFUNCS.map(({ name }) => name), ...kfuncImplementations.keys()])]
  const here = names.filter((name) => kfuncImplementations.has(name)).sort()
  const absent = names.filter((name) => !kfuncImplementations.has(name)).sort()
  const rows = here.map((name) => [
    code(name),
    evidenceCell(evidenceFor(new RegExp(`\\b${name}\\b`))),
  ])
  return `${table(["kfunc of the embedded kernel", "Evidence"], rows)}

Not there (${absent.length}): ${absent.map(code).join(", ")}.`
}

/** What makes programs run on the embedded kernel, by attach type; others are attached and wait. */
const RUNS_WHEN: Readonly<Record<number, string>> = {
  [BPF_ATTACH_TYPE.BPF_XDP]: "a device receives a frame",
  [BPF_ATTACH_TYPE.BPF_TCX_INGRESS]: "a device receives a frame",
  [BPF_ATTACH_TYPE.BPF_TCX_EGRESS]: "a device sends a frame",
  [BPF_ATTACH_TYPE.BPF_XDP_DEVMAP]: "a frame is redirected through a devmap with a program",
  [BPF_ATTACH_TYPE.BPF_NETKIT_PRIMARY]: "the primary netkit device sends a frame",
  [BPF_ATTACH_TYPE.BPF_NETKIT_PEER]: "the other netkit device sends a frame",
  [BPF_ATTACH_TYPE.BPF_CGROUP_INET_INGRESS]: "a socket of the cgroup is about to get a packet",
  [BPF_ATTACH_TYPE.BPF_CGROUP_INET_EGRESS]: "a socket of the cgroup sends a packet",
  [BPF_ATTACH_TYPE.BPF_CGROUP_INET_SOCK_CREATE]: "a task makes a socket",
  [BPF_ATTACH_TYPE.BPF_CGROUP_INET_SOCK_RELEASE]: "a socket is closed",
  [BPF_ATTACH_TYPE.BPF_CGROUP_INET4_POST_BIND]: "a socket has got its address",
  [BPF_ATTACH_TYPE.BPF_CGROUP_INET6_POST_BIND]: "a socket has got its address",
  [BPF_ATTACH_TYPE.BPF_CGROUP_INET4_BIND]: "`bind`",
  [BPF_ATTACH_TYPE.BPF_CGROUP_INET6_BIND]: "`bind`",
  [BPF_ATTACH_TYPE.BPF_CGROUP_INET4_CONNECT]: "`connect`",
  [BPF_ATTACH_TYPE.BPF_CGROUP_INET6_CONNECT]: "`connect`",
  [BPF_ATTACH_TYPE.BPF_CGROUP_INET4_GETPEERNAME]: "`remoteAddress`",
  [BPF_ATTACH_TYPE.BPF_CGROUP_INET6_GETPEERNAME]: "`remoteAddress`",
  [BPF_ATTACH_TYPE.BPF_CGROUP_INET4_GETSOCKNAME]: "`localAddress`",
  [BPF_ATTACH_TYPE.BPF_CGROUP_INET6_GETSOCKNAME]: "`localAddress`",
  [BPF_ATTACH_TYPE.BPF_CGROUP_UDP4_SENDMSG]: "`send` of a datagram to an address",
  [BPF_ATTACH_TYPE.BPF_CGROUP_UDP6_SENDMSG]: "`send` of a datagram to an address",
  [BPF_ATTACH_TYPE.BPF_CGROUP_UDP4_RECVMSG]: "`receive` of a datagram",
  [BPF_ATTACH_TYPE.BPF_CGROUP_UDP6_RECVMSG]: "`receive` of a datagram",
  [BPF_ATTACH_TYPE.BPF_CGROUP_GETSOCKOPT]: "`getOption`",
  [BPF_ATTACH_TYPE.BPF_CGROUP_SETSOCKOPT]: "`setOption`",
  [BPF_ATTACH_TYPE.BPF_CGROUP_SYSCTL]: "`readSetting`, `writeSetting`",
  [BPF_ATTACH_TYPE.BPF_CGROUP_DEVICE]: "`mayOpenDevice`",
  [BPF_ATTACH_TYPE.BPF_CGROUP_SOCK_OPS]: "a TCP connection changes its state, sends, receives",
  [BPF_ATTACH_TYPE.BPF_SK_LOOKUP]: "a packet for no connection comes in",
  [BPF_ATTACH_TYPE.BPF_FLOW_DISSECTOR]: "a program asks for the hash of a packet",
  [BPF_ATTACH_TYPE.BPF_SK_MSG_VERDICT]: "a socket in a socket map sends",
  [BPF_ATTACH_TYPE.BPF_SK_SKB_STREAM_PARSER]: "a socket in a socket map gets data",
  [BPF_ATTACH_TYPE.BPF_SK_SKB_STREAM_VERDICT]: "a socket in a socket map gets data",
  [BPF_ATTACH_TYPE.BPF_SK_SKB_VERDICT]: "a socket in a socket map gets data",
  [BPF_ATTACH_TYPE.BPF_CGROUP_UNIX_CONNECT]: "an AF_UNIX socket is connected",
  [BPF_ATTACH_TYPE.BPF_NETFILTER]: "a packet passes the hook",

  [BPF_ATTACH_TYPE.BPF_PERF_EVENT]:
    "a task does what the tracepoint, kprobe or uprobe is about; a clock ticks; `emit`, `call`",
  [BPF_ATTACH_TYPE.BPF_TRACE_RAW_TP]:
    "a task, the scheduler or the disk passes the tracepoint; `emit`",
  [BPF_ATTACH_TYPE.BPF_TRACE_FENTRY]:
    "a task's system call runs the function; PROG_TEST_RUN; `call`",
  [BPF_ATTACH_TYPE.BPF_TRACE_FEXIT]:
    "a task's system call runs the function; PROG_TEST_RUN; `call` with `returns`",
  [BPF_ATTACH_TYPE.BPF_MODIFY_RETURN]:
    "before the function, in whose place its result is; PROG_TEST_RUN",
  [BPF_ATTACH_TYPE.BPF_LSM_MAC]: "a task does what the hook is asked about; `lsm`",
  [BPF_ATTACH_TYPE.BPF_LSM_CGROUP]: "a task of the cgroup (or of one below) does",
  [BPF_ATTACH_TYPE.BPF_TRACE_ITER]: "the iterator is read",
  [BPF_ATTACH_TYPE.BPF_TRACE_KPROBE_MULTI]: "as kprobes, any number of functions",
  [BPF_ATTACH_TYPE.BPF_TRACE_KPROBE_SESSION]: "the function's entry, and its return if wanted",
  [BPF_ATTACH_TYPE.BPF_TRACE_UPROBE_MULTI]: "a task calls the function of its program",
  [BPF_ATTACH_TYPE.BPF_TRACE_UPROBE_SESSION]: "the function's entry, and its return if wanted",
}

function programTypes(): string {
  const rows = Object.entries(BPF_PROG_TYPE)
    .filter(([, type]) => type !== 0)
    .map(([name, type]) => {
      const short = name.slice("BPF_PROG_TYPE_".length)
      const sections: Readonly<Record<string, string>> = {
        TRACEPOINT: 'SEC\\("tp/|SEC\\("tracepoint/',
        KPROBE: 'SEC\\("kprobe/',
        TRACING: 'SEC\\("(tp_btf|fentry|fexit)/',
        LSM: 'SEC\\("lsm/',
        CGROUP_SKB: 'SEC\\("cgroup_skb/',
        CGROUP_SOCK: 'SEC\\("cgroup/sock_create',
        CGROUP_SOCK_ADDR: 'SEC\\("cgroup/connect4',
        CGROUP_SOCKOPT: 'SEC\\("cgroup/setsockopt',
        CGROUP_SYSCTL: 'SEC\\("cgroup/sysctl',
        CGROUP_DEVICE: 'SEC\\("cgroup/dev',
        SOCK_OPS: 'SEC\\("sockops',
        SK_SKB: 'SEC\\("sk_skb/',
        SK_MSG: 'SEC\\("sk_msg',
        SK_LOOKUP: 'SEC\\("sk_lookup',
        SK_REUSEPORT: 'SEC\\("sk_reuseport',
        FLOW_DISSECTOR: 'SEC\\("flow_dissector',
        NETFILTER: 'SEC\\("netfilter',
        LWT_XMIT: 'SEC\\("lwt_xmit',
      }
      const section = sections[short]
      const evidence =
        (section === undefined ? null : evidenceFor(new RegExp(section))) ??
        evidenceFor(new RegExp(`\\b${name}\\b`))
      return [
        code(programTypeName(type)),
        yes(programIsLoaded(type)),
        yes(programIsTestRun(type)),
        yes(programIsLinked(type)),
        evidenceCell(evidence),
      ]
    })
  return table(["Program type", "Loaded", "PROG_TEST_RUN", "Attached by link", "Evidence"], rows)
}

function attachTypes(): string {
  const rows = Object.entries(BPF_ATTACH_TYPE).map(([name, type]) => {
    const linked = programsLinkedAt(type)
    const direct = isAttachedDirectly(type)
    const attached = linked.length > 0 || direct
    const devmap = type === BPF_ATTACH_TYPE.BPF_XDP_DEVMAP
    return [
      code(name),
      linked.length === 0 ? "no" : linked.map(code).join(", "),
      yes(direct),
      attached || devmap ? (RUNS_WHEN[type] ?? "never yet") : "",
    ]
  })
  return table(["Attach type", "Linked", "PROG_ATTACH", "Runs when"], rows)
}

function commands(): string {
  const rows = Object.keys(BPF_CMD).map((name) => {
    const command = name.slice("BPF_".length) as CommandName
    const evidence = evidenceFor(new RegExp(`"${command}"`))
    return [
      code(command),
      commandAnswer(command),
      PACKINGS[command] === undefined ? "no: EOPNOTSUPP" : "yes",
      evidenceCell(evidence),
    ]
  })
  return table(["Command", "Embedded", "Linux, through skep", "Evidence"], rows)
}

function coreKinds(): string {
  const rows = Array.from({ length: 13 }, (_, kind) => [
    code(coreKindName(kind)),
    "yes",
    "yes",
    evidenceCell("test/btf/core/libbpf.test.ts"),
  ])
  return table(["CO-RE relocation", "Embedded", "Linux, through skep", "Evidence"], rows)
}

async function cli(): Promise<string> {
  const rows = leafCommands(await cliCommands()).map((command) => [
    code(`skep ${commandPath(command)}`),
    command.summary() || command.description(),
    evidenceCell(
      evidenceFor(new RegExp(`\\["${commandPath(command).replace(" ", '", "')}"`), /^test\/cli\//),
    ),
  ])
  return table(["Command", "What it does", "Evidence"], rows)
}

function counts(): string {
  const types = Object.values(BPF_MAP_TYPE).filter((type) => type !== 0)
  const maps = types.filter((type) => isMapTypeSupported(type)).length
  return `Of Linux 6.18's ${HELPERS.length - 1} helpers the embedded kernel has ${helperImplementations.size},
of ${types.length} map types ${maps}, of ${Object.keys(BPF_CMD).length} commands of bpf(2) ${
    Object.keys(BPF_CMD).filter((name) => commandAnswer(name.slice(4) as CommandName) === "yes")
      .length
  }, and ${kfuncImplementations.size} kfuncs.`
}

/** The whole page. */
export async function supportPage(): Promise<string> {
  return `<!-- Written by scripts/generate-support.ts: change that, or what it reads. -->

# What works, where, and what shows it

${counts()}

How to read this page:

- **Embedded** is the kernel inside the process. What it does not have is refused when a program is
  loaded or a map created, by name; nothing is silently zero.
- **Linux, through skep** is what skep itself does on the host kernel: it packs bpf(2) commands.
  What a Linux can do with maps, helpers and programs is that kernel's own affair, and tables of
  those have no such column. The host kernel is minimal today: see [guide/linux.md](guide/linux.md).
- **Evidence** is a test that uses the thing. \`none\` beside a \`yes\` means that it is written but
  that no test names it.

## Instruction set

${written(INSTRUCTION_SET)}

## Map types

${maps()}

Local storage maps want BTF of their key and value, as on Linux; \`kernel.supports({ map })\` creates
maps without, so it answers false for them on both kernels.

## Program types

As the embedded kernel takes them. Types that are loaded but neither run nor attached exist so that
objects which contain them load.

${programTypes()}

## Attach types

The program types that section names give to an attach type and that the embedded kernel links
there. "never yet": the link exists, can be listed, pinned and replaced, but nothing in the virtual
world runs it.

${attachTypes()}

## bpf(2) commands

${commands()}

## Objects and types

${written(OBJECTS)}

## CO-RE

${coreKinds()}

Flavours (\`struct task_struct___new\`), ambiguous candidates, bit-fields and poisoned instructions:
the same test, with libbpf's verdicts and values as the oracle.

## The world around the programs

${written(WORLD)}

## Helpers

${helpers()}

## Kernel functions (kfuncs)

${kfuncs()}

## Command line

${await cli()}
`
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const page = await supportPage()
  if (!process.argv.includes("--check")) writeFileSync(PAGE, page)
  else if (readFileSync(PAGE, "utf8") !== page) {
    console.error("docs/support.md is out of date: node --import tsx scripts/generate-support.ts")
    process.exitCode = 1
  }
}
