/**
 * bpf_sys_bpf and bpf_sys_close: syscall programs make commands of bpf(2), with `union bpf_attr`
 * and what it points to in their own memory (linux v6.18 kernel/bpf/syscall.c bpf_sys_bpf).
 */

import {
  BPF_CMD,
  COMMANDS,
  type CommandName,
  type Commands,
  commandName,
  ERRNO,
} from "../../spec/index.ts"
import { answers, type HelperMachine, type HelperTable, isReadable, textAt } from "./support.ts"

/** What Linux lets programs do. */
const ALLOWED: readonly number[] = [
  BPF_CMD.BPF_MAP_CREATE,
  BPF_CMD.BPF_MAP_UPDATE_ELEM,
  BPF_CMD.BPF_MAP_DELETE_ELEM,
  BPF_CMD.BPF_MAP_FREEZE,
  BPF_CMD.BPF_MAP_GET_FD_BY_ID,
  BPF_CMD.BPF_PROG_LOAD,
  BPF_CMD.BPF_BTF_LOAD,
  BPF_CMD.BPF_LINK_CREATE,
  BPF_CMD.BPF_RAW_TRACEPOINT_OPEN,
]
const TEXT_BYTES_MAX = 4096
const INSN_BYTES = 8

/** What commands go by even when the pointer is NULL: nothing of it, which they refuse. */
const NEVER_ABSENT: readonly string[] = ["insns", "license", "btf"]
const NOTHING = new Uint8Array(0)

type Values = Record<string, number | bigint | string | Uint8Array | undefined>

/** Bytes behind a pointer of a command; undefined for one whose size nothing says. */
function pointeeBytes(machine: HelperMachine, name: string, values: Values): number | undefined {
  const count = (field: string): number => Number(values[field] ?? 0)
  const { kernel } = machine.environment
  switch (name) {
    case "key":
      return kernel.mapSizes?.(count("map_fd"))?.key
    case "value":
      return kernel.mapSizes?.(count("map_fd"))?.value
    case "insns":
      return INSN_BYTES * count("insn_cnt")
    case "log_buf":
      return count("log_size")
    case "btf_log_buf":
      return count("btf_log_size")
    case "btf":
      return count("btf_size")
    case "func_info":
      return count("func_info_cnt") * count("func_info_rec_size")
    case "line_info":
      return count("line_info_cnt") * count("line_info_rec_size")
    case "iter_info":
      return count("iter_info_len")
    default:
      return undefined
  }
}

/** The attributes of a command out of `union bpf_attr` at `start`; a negative errno for bad pointers. */
function readAttributes(
  machine: HelperMachine,
  command: CommandName,
  start: number,
  size: number,
): Values | number {
  const { space } = machine
  const { fields, sizeBytes } = COMMANDS[command]
  for (let at = start + sizeBytes; at < start + size; at++)
    if (space.u8[at] !== 0) return -ERRNO.EINVAL
  const values: Values = {}
  const pointers: { name: string; kind: string; low: number; high: number }[] = []
  for (const { name, offset, kind, sizeBytes: width } of fields) {
    if (offset + width > size) continue
    const at = start + offset
    if (kind === "u32") values[name] = space.view.getUint32(at, true)
    else if (kind === "s32") values[name] = space.view.getInt32(at, true)
    else if (kind === "u64") values[name] = space.view.getBigUint64(at, true)
    else if (kind === "name") values[name] = textAt(space, at, width)
    else {
      const low = space.view.getInt32(at, true)
      const high = space.view.getInt32(at + 4, true)
      if (low !== 0 || high !== 0) pointers.push({ name, kind, low, high })
      else if (NEVER_ABSENT.includes(name)) values[name] = kind === "text" ? "" : NOTHING
    }
  }
  for (const name of NEVER_ABSENT)
    if (values[name] === NOTHING && (pointeeBytes(machine, name, values) ?? 0) > 0)
      return -ERRNO.EFAULT
  for (const { name, kind, low, high } of pointers) {
    const bytes = kind === "text" ? 1 : (pointeeBytes(machine, name, values) ?? 0)
    if (!isReadable(space, low, high, Math.max(bytes, 1))) return -ERRNO.EFAULT
    values[name] =
      kind === "text" ? textAt(space, low, TEXT_BYTES_MAX) : space.u8.slice(low, low + bytes)
  }
  return values
}

/** long bpf_sys_bpf(cmd, attr, attr_size): a descriptor, 0, or a negative errno. */
function systemCall(machine: HelperMachine): number | undefined {
  const command = machine.low(1)
  const size = machine.low(3) >>> 0
  const start = machine.checkRead(2, size)
  if (start < 0) return undefined
  if (!ALLOWED.includes(command)) return -ERRNO.EINVAL
  const name = commandName(command) as CommandName
  const values = readAttributes(machine, name, start, size)
  if (typeof values === "number") return values
  const { kernel } = machine.environment
  if (name === "MAP_GET_FD_BY_ID") values["id"] = values["prog_id"] ?? values["map_id"]
  // Descriptors that are not given are 0 in the attribute, and absent in the command.
  for (const [key, value] of Object.entries(values))
    if (value === 0 && key.endsWith("_fd")) delete values[key]
  return kernel.bpf?.(name, values as unknown as Commands[typeof name]) ?? -ERRNO.EINVAL
}

export const systemCallHelpers: HelperTable = {
  sys_bpf: answers(systemCall),
  sys_close: answers(
    (machine) => machine.environment.kernel.closeFd?.(machine.low(1)) ?? -ERRNO.EBADF,
  ),
}
