/**
 * Writes the generated headers of `include/` from the tables of `src/spec` and the fragments in
 * `scripts/headers`: bpf/bpf_helper_defs.h, linux/bpf.h and vmlinux.h. With `--check` it writes
 * nothing and fails when a header is not what the tables say.
 */

import { readFileSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import {
  BPF_ATTACH_FLAG,
  BPF_ATTACH_TYPE,
  BPF_CMD,
  BPF_LINK_TYPE,
  BPF_MAP_FLAG,
  BPF_MAP_TYPE,
  BPF_PROG_FLAG,
  BPF_PROG_TYPE,
  BPF_TEST_RUN_FLAG,
  BPF_UPDATE_FLAG,
  CONSTANT_GROUPS,
  CONTEXTS,
  type ContextField,
  type ContextLayout,
  HELPER_NAMES,
  HELPER_PROTOTYPES,
  KFUNCS,
  type PointerRole,
} from "../src/spec/index.ts"

const root = join(dirname(fileURLToPath(import.meta.url)), "..")
const license = "/* SPDX-License-Identifier: MIT */"
const generated = "Made by scripts/generate-headers.ts from src/spec: change those."

function fragment(name: string): string {
  const text = readFileSync(join(root, "scripts/headers", name), "utf8")
  return text.replace(/^\/\* SPDX[^\n]*\n\/\*[\s\S]*?\*\/\n+/, "")
}

function enumeration(tag: string | null, values: Readonly<Record<string, number>>): string {
  const lines = Object.entries(values).map(([name, value]) => `\t${name} = ${literal(value)},`)
  return `enum ${tag === null ? "" : `${tag} `}{\n${lines.join("\n")}\n};\n`
}

function literal(value: number): string {
  return value > 0x7fff_ffff ? `0x${value.toString(16)}ULL` : String(value)
}

function limited(
  values: Readonly<Record<string, number>>,
  prefix: string,
): Readonly<Record<string, number>> {
  return { ...values, [prefix]: Math.max(...Object.values(values)) + 1 }
}

function helperIds(): Readonly<Record<string, number>> {
  const ids = Object.fromEntries(HELPER_NAMES.map((name, id) => [`BPF_FUNC_${name}`, id]))
  return limited(ids, "__BPF_FUNC_MAX_ID")
}

/** All enumerations that linux/bpf.h and vmlinux.h share. */
function enumerations(): string {
  const flags = [BPF_UPDATE_FLAG, BPF_MAP_FLAG]
  return [
    enumeration("bpf_cmd", limited(BPF_CMD, "__MAX_BPF_CMD")),
    enumeration("bpf_map_type", limited(BPF_MAP_TYPE, "__MAX_BPF_MAP_TYPE")),
    enumeration("bpf_prog_type", limited(BPF_PROG_TYPE, "__MAX_BPF_PROG_TYPE")),
    enumeration("bpf_attach_type", limited(BPF_ATTACH_TYPE, "__MAX_BPF_ATTACH_TYPE")),
    enumeration("bpf_link_type", limited(BPF_LINK_TYPE, "__MAX_BPF_LINK_TYPE")),
    enumeration("bpf_func_id", helperIds()),
    ...flags.map((values) => enumeration(null, values)),
    ...CONSTANT_GROUPS.map((group) => enumeration(group.tag, group.values)),
  ].join("\n")
}

const pointerTypes: Readonly<Record<PointerRole, string>> = {
  packet: "void *",
  packet_end: "void *",
  packet_meta: "void *",
  sock: "struct bpf_sock *",
  flow_keys: "struct bpf_flow_keys *",
  nf_hook_state: "const struct nf_hook_state *",
  sk_buff: "struct sk_buff *",
}

function member(field: ContextField, indent: string): string {
  if (field.type === "ptr") {
    const type = pointerTypes[field.pointer ?? "packet"]
    return `${indent}union {\n${indent}\t${type}${field.name};\n${indent}\t__u64 : 64;\n${indent}} __attribute__((aligned(8)));`
  }
  return `${indent}__${field.type} ${field.name}${field.count > 1 ? `[${field.count}]` : ""};`
}

/** A structure; fields at one offset become an anonymous union of runs. */
function structure(layout: ContextLayout): string {
  const lines: string[] = []
  const fields = layout.fields
  let at = 0
  while (at < fields.length) {
    const end = at + 1
    const twins = fields.filter((field) => field.offset === fields[at].offset)
    if (twins.length === 1) {
      lines.push(member(fields[at], "\t"))
      at = end
      continue
    }
    lines.push(...unionOf(fields, at, twins))
    const last = Math.max(...twins.map((field) => field.offset + field.sizeBytes))
    while (at < fields.length && fields[at].offset < last) at++
  }
  return `struct ${layout.name} {\n${lines.join("\n")}\n};\n`
}

function unionOf(
  fields: readonly ContextField[],
  at: number,
  twins: readonly ContextField[],
): string[] {
  const size = Math.max(...twins.map((field) => field.sizeBytes))
  const covered = fields
    .slice(at)
    .filter((field) => field.offset > fields[at].offset && field.offset < fields[at].offset + size)
  if (covered.length > 0) throw new Error(`${fields[at].name}: fields overlap beyond a union`)
  return ["\tunion {", ...twins.map((field) => member(field, "\t\t")), "\t};"]
}

/** `bpf_flow_keys` has two address families side by side; all others are plain. */
function flowKeys(): string {
  const fields = CONTEXTS.bpf_flow_keys.fields
  const line = (field: ContextField, indent: string): string => member(field, indent)
  const plain = fields.filter((field) => !field.name.startsWith("ipv"))
  const before = plain.filter((field) => field.offset < 16).map((field) => line(field, "\t"))
  const after = plain.filter((field) => field.offset >= 16).map((field) => line(field, "\t"))
  const family = (prefix: string): string[] => [
    "\t\tstruct {",
    ...fields.filter((field) => field.name.startsWith(prefix)).map((f) => line(f, "\t\t\t")),
    "\t\t};",
  ]
  const union = ["\tunion {", ...family("ipv4"), ...family("ipv6"), "\t};"]
  return `struct bpf_flow_keys {\n${[...before, ...union, ...after].join("\n")}\n};\n`
}

/** Context structures of UAPI kind; pt_regs is in linux/ptrace.h, bpf_nf_ctx is the kernel's. */
function contextStructures(): string {
  const apart = ["pt_regs", "user_pt_regs", "bpf_perf_event_data", "bpf_nf_ctx", "bpf_flow_keys"]
  const names = Object.keys(CONTEXTS).filter(
    (name) => !apart.includes(name) && CONTEXTS[name].sizeBytes > 0,
  )
  const structures = names.map((name) => structure(CONTEXTS[name]))
  return ["struct bpf_sock;\nstruct bpf_flow_keys;\n", ...structures, flowKeys()].join("\n")
}

function defines(values: Readonly<Record<string, number>>): string {
  return Object.entries(values)
    .map(([name, value]) => `#define ${name} ${value}U\n`)
    .join("")
}

function bpfHeader(): string {
  const flags = { ...BPF_PROG_FLAG, ...BPF_ATTACH_FLAG, ...BPF_TEST_RUN_FLAG }
  const own = Object.fromEntries(Object.entries(flags).filter(([name]) => !(name in BPF_MAP_FLAG)))
  return `${license}
/*
 * The user-space interface of eBPF in Linux 6.18: numbers, contexts, and structures that programs
 * share with helpers. ${generated}
 */
#ifndef __LINUX_BPF_H__
#define __LINUX_BPF_H__

#include <linux/types.h>

${fragment("bpf-instructions.h")}
${defines(own)}
${enumerations()}
${contextStructures()}
${fragment("bpf-structs.h")}
${fragment("bpf-attr.h")}#endif /* __LINUX_BPF_H__ */
`
}

/** The types that a header of `include/linux` declares, without its macros. */
function declarations(header: string): string {
  const lines = readFileSync(join(root, "include", header), "utf8").split("\n")
  const kept: string[] = []
  let inside = false
  for (const line of lines) {
    const starts = /^(struct|union|enum|typedef)\b/.test(line)
    if (starts && line.endsWith(";")) kept.push(line, "")
    else if (starts) inside = true
    if (inside) kept.push(line)
    if (inside && /^\}.*;$/.test(line)) {
      inside = false
      kept.push("")
    }
  }
  return kept.join("\n").replaceAll("ETH_ALEN", "6")
}

const packetHeaders = [
  "linux/socket.h",
  "linux/in.h",
  "linux/in6.h",
  "linux/if_ether.h",
  "linux/if_vlan.h",
  "linux/if_packet.h",
  "linux/if_arp.h",
  "linux/ip.h",
  "linux/ipv6.h",
  "linux/tcp.h",
  "linux/udp.h",
  "linux/icmp.h",
  "linux/icmpv6.h",
]

/** Types that the small vmlinux.h does not define and a prototype would need. */
const incomplete = /callback_t|btf_/

/** Declarations of kernel functions, as `bpftool btf dump` writes them. */
function kernelFunctions(): string {
  const known = KFUNCS.filter(({ prototype }) => !incomplete.test(prototype))
  const types = declarators(known.map(({ prototype }) => prototype))
  const lines = known.map(({ name, prototype }) => {
    const open = prototype.indexOf("(")
    const result = prototype.slice(0, open).trimEnd()
    const gap = result.endsWith("*") ? "" : " "
    return `extern ${result}${gap}${name}${prototype.slice(open)} __weak __ksym;`
  })
  return [...types, "union nf_inet_addr;", "", ...lines].join("\n")
}

function vmlinuxHeader(): string {
  return `${license}
/*
 * A small vmlinux.h: eBPF's own types, packet headers, and the kernel structures that tracing
 * programs commonly use. Kernel structures are marked for CO-RE, so that their layout is found
 * at load time; a program may declare further ones, or further fields in a \`name___suffix\`.
 * ${generated}
 */
#ifndef __VMLINUX_H__
#define __VMLINUX_H__

${fragment("base-types.h")}
/* --- eBPF. --- */

${enumerations()}
${contextStructures()}
${fragment("bpf-structs.h")}
${fragment("bpf-attr.h")}/* --- Packets and addresses. --- */

${packetHeaders.map(declarations).join("\n")}
/* --- The kernel. --- */

${fragment("registers.h")}
#ifndef BPF_NO_PRESERVE_ACCESS_INDEX
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
#endif

${fragment("kernel-types.h")}
${structure(CONTEXTS.bpf_nf_ctx).replaceAll(/union \{\n\t\t(.*)\n\t\t__u64 : 64;\n\t\}[^;]*;/g, "$1")}
#ifndef BPF_NO_PRESERVE_ACCESS_INDEX
#pragma clang attribute pop
#endif

#ifndef BPF_NO_KFUNC_PROTOTYPES
#ifndef __ksym
#define __ksym __attribute__((section(".ksyms")))
#endif
#ifndef __weak
#define __weak __attribute__((weak))
#endif

${kernelFunctions()}
#endif

#endif /* __VMLINUX_H__ */
`
}

function declarators(prototypes: readonly string[]): string[] {
  const types = new Set<string>()
  for (const prototype of prototypes)
    for (const [type] of prototype.matchAll(/struct \w+/g)) types.add(type)
  return [...types].sort().map((type) => `${type};`)
}

function helperHeader(): string {
  const prototypes = Object.entries(HELPER_PROTOTYPES)
  const lines = prototypes.map(([name, prototype], index) => {
    const open = prototype.indexOf("(")
    const result = prototype.slice(0, open).trimEnd()
    const gap = result.endsWith("*") ? "" : " "
    const parameters = prototype.slice(open)
    return `static ${result}${gap}(*const bpf_${name})${parameters} = (void *)${index + 1};`
  })
  return `${license}
/*
 * The helper functions of Linux 6.18: calling one is a call instruction with its number.
 * ${generated}
 */
#ifndef __BPF_HELPER_DEFS__
#define __BPF_HELPER_DEFS__

${declarators(Object.values(HELPER_PROTOTYPES)).join("\n")}

${lines.join("\n")}

#endif /* __BPF_HELPER_DEFS__ */
`
}

/** Every generated header by its path under `include/`. */
export function generatedHeaders(): ReadonlyMap<string, string> {
  return new Map([
    ["bpf/bpf_helper_defs.h", helperHeader()],
    ["linux/bpf.h", bpfHeader()],
    ["vmlinux.h", vmlinuxHeader()],
  ])
}

function main(): void {
  const check = process.argv.includes("--check")
  for (const [name, text] of generatedHeaders()) {
    const path = join(root, "include", name)
    if (!check) writeFileSync(path, text)
    else if (readFileSync(path, "utf8") !== text) {
      console.error(`include/${name} is not what src/spec says: run scripts/generate-headers.ts`)
      process.exitCode = 1
    }
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main()
