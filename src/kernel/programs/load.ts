/**
 * PROG_LOAD: checks in Linux's order, verification, and the kernel object
 * (linux v6.18 kernel/bpf/syscall.c bpf_prog_load).
 */

import { prepare, REGION_TAG } from "../../interpreter/index.ts"
import { INSN_SIZE } from "../../isa/index.ts"
import {
  BPF_ATTACH_TYPE,
  BPF_COMPLEXITY_LIMIT_INSNS,
  BPF_LOG_SIZE_MAX,
  BPF_PROG_FLAG,
  BPF_PROG_TYPE,
  ERRNO,
  type ProgLoadAttr,
} from "../../spec/index.ts"
import type { Environment } from "../environment.ts"
import { helperImplementations, kfuncImplementations } from "../helpers/index.ts"
import { type KernelTables, validObjectName } from "../kernel-tables.ts"
import { ArenaMap } from "../maps/index.ts"
import { KernelObject } from "../objects/kernel-object.ts"
import { attachTarget } from "./attach-target.ts"
import type { Program } from "./program.ts"
import { isRefusal, type Refusal, resolveAddresses } from "./resolve.ts"
import { programTag } from "./tag.ts"
import { verifierInput } from "./verifier-input.ts"
import { kfuncName, verifyProgram, withoutDeadCode } from "./verify.ts"

const KNOWN_FLAGS: number = Object.values(BPF_PROG_FLAG).reduce<number>(
  (all, flag) => all | flag,
  0,
)
const PROGRAM_TYPES = new Set<number>(Object.values(BPF_PROG_TYPE).filter((type) => type !== 0))

/** What an absent attach type means (bpf_prog_load_fixup_attach_type). */
const ATTACH_TYPE_DEFAULT: Readonly<Record<number, number>> = {
  [BPF_PROG_TYPE.BPF_PROG_TYPE_CGROUP_SOCK]: BPF_ATTACH_TYPE.BPF_CGROUP_INET_SOCK_CREATE,
  [BPF_PROG_TYPE.BPF_PROG_TYPE_SK_REUSEPORT]: BPF_ATTACH_TYPE.BPF_SK_REUSEPORT_SELECT,
}

export function progLoad(tables: KernelTables, given: ProgLoadAttr): number {
  const expected = given.expected_attach_type || ATTACH_TYPE_DEFAULT[given.prog_type] || 0
  const attr = { ...given, expected_attach_type: expected }
  const early = checkAttributes(attr)
  if (early < 0) return early
  const btf = attr.prog_btf_fd === undefined ? null : tables.fds.get(attr.prog_btf_fd, "btf")
  if (typeof btf === "number") return btf
  const target = attachTarget(() => tables.state.types, {
    type: attr.prog_type,
    expectedAttachType: attr.expected_attach_type,
    btfId: attr.attach_btf_id ?? 0,
  })
  if (typeof target === "number") return target
  const { outcome, log } = build(tables, attr, btf, target?.name ?? null)
  writeLog(given, log)
  if (isRefusal(outcome)) return -outcome.errno
  return tables.fds.open(outcome)
}

function checkAttributes(attr: ProgLoadAttr): number {
  if ((attr.prog_flags ?? 0) & ~KNOWN_FLAGS) return -ERRNO.EINVAL
  if ((attr.log_level ?? 0) !== 0 && attr.log_buf !== undefined) {
    if (attr.log_buf.length > BPF_LOG_SIZE_MAX) return -ERRNO.EINVAL
  }
  const slots = attr.insns.length / INSN_SIZE
  if (slots === 0 || slots > BPF_COMPLEXITY_LIMIT_INSNS) return -ERRNO.E2BIG
  if (!Number.isInteger(slots)) return -ERRNO.EINVAL
  if (!PROGRAM_TYPES.has(attr.prog_type)) return -ERRNO.EINVAL
  if (!validObjectName(attr.prog_name ?? "")) return -ERRNO.EINVAL
  return 0
}

interface Built {
  readonly outcome: KernelObject<"program"> | Refusal
  readonly log: string
}

function build(
  tables: KernelTables,
  attr: ProgLoadAttr,
  btf: KernelObject<"btf"> | null,
  target: string | null,
): Built {
  const resolved = resolveAddresses(tables, attr.insns, attr.fd_array ?? [])
  if (isRefusal(resolved)) return { outcome: resolved, log: logText(resolved) }
  const input = verifierInput(tables, attr, { btf: btf?.value.btf ?? null, target })
  const trusted = !tables.verifies
  const { refusal, log, reached } = verifyProgram(tables.state, input, { trusted })
  const whole = (found: Refusal): Built => ({
    outcome: found,
    log: log.includes(found.message) ? log : logText(found),
  })
  if (refusal !== null) return whole(refusal)
  const runnable = trusted ? resolved.translated : withoutDeadCode(resolved.translated, reached)
  const name = attr.prog_name ?? ""
  const arena = resolved.maps.find(({ value }) => value.map instanceof ArenaMap)
  const prepared = prepare<Environment>({
    name,
    program: runnable,
    arenaTag: arena === undefined ? 0 : REGION_TAG | arena.value.map.valueRegion,
    resolveCall: (kind, imm) =>
      (kind === "helper"
        ? helperImplementations.get(imm)
        : kfuncImplementations.get(kfuncName(tables.state, imm) ?? "")) ?? null,
  })
  if (prepared.problem !== null)
    return whole({
      errno: ERRNO.EINVAL,
      message: prepared.problem.message,
      slot: prepared.problem.slot,
    })
  const program: Program = {
    id: 0,
    name,
    type: attr.prog_type,
    expectedAttachType: attr.expected_attach_type ?? 0,
    flags: attr.prog_flags ?? 0,
    license: attr.license,
    gplCompatible: input.gplCompatible,
    tag: programTag(attr.insns),
    insns: attr.insns.slice(),
    translated: runnable,
    executable: prepared.executable,
    maps: resolved.maps.map((map) => map.value.map),
    btf: btf?.value ?? null,
    funcInfo: attr.func_info?.slice() ?? new Uint8Array(0),
    lineInfo: attr.line_info?.slice() ?? new Uint8Array(0),
    attachBtfId: attr.attach_btf_id ?? 0,
    attachTarget: target,
    loadedAtNs: tables.state.clock.now(),
    runCount: 0n,
    runTimeNs: 0n,
    recursionMisses: 0n,
    facts: trusted ? null : {},
  }
  return { outcome: register(tables, program, resolved.maps, btf), log }
}

/** The program as a kernel object that holds its maps and types. */
function register(
  tables: KernelTables,
  program: Program,
  maps: readonly KernelObject<"map">[],
  btf: KernelObject<"btf"> | null,
): KernelObject<"program"> {
  for (const map of maps) map.get()
  btf?.get()
  const held = [...maps]
  const object = new KernelObject("program", program, () => {
    tables.programs.delete(program.id)
    for (const map of held) map.put()
    btf?.put()
  })
  tables.heldMaps.set(program, held)
  program.id = tables.programs.add(object)
  return object
}

function logText(refusal: Refusal): string {
  const place = refusal.slot === undefined ? "" : `${refusal.slot}: `
  return `${place}${refusal.message}\nprocessed 0 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0\n`
}

function writeLog(attr: ProgLoadAttr, text: string): void {
  if ((attr.log_level ?? 0) === 0 || attr.log_buf === undefined) return
  const bytes = new TextEncoder().encode(`${text}\0`)
  attr.log_true_size = bytes.length
  attr.log_buf.set(bytes.subarray(0, attr.log_buf.length))
}
