/**
 * What a program is about to attach to, where PROG_LOAD has to know: the BTF id of a kernel
 * function, tracepoint, LSM hook or iterator, or of a function of another program.
 *
 * Source: linux v6.18 include/linux/bpf.h, kernel/trace/bpf_trace.c (the prefixes under which the
 * kernel's types list them); libbpf src/libbpf.c find_kernel_btf_id.
 */

import { BpfError, NotSupportedError, ObjectError } from "../base/index.ts"
import { type Btf, type BtfKind, readBtf } from "../btf/index.ts"
import type { ProgramDefinition } from "../object/index.ts"
import {
  BPF_ATTACH_TYPE,
  BPF_PROG_TYPE,
  ERRNO,
  type Fd,
  matchSection,
  type ProgLoadAttr,
} from "../spec/index.ts"
import type { LoadSession } from "./session.ts"

type TargetAttr = Pick<ProgLoadAttr, "attach_btf_id" | "attach_prog_fd">

/** Bytes of struct bpf_prog_info up to btf_id, and of struct bpf_btf_info up to id. */
const PROG_INFO_SIZE = 232
const PROG_INFO_BTF_ID = 128
const BTF_INFO_SIZE = 16
const BTF_SIZE_MAX = 16 << 20

/**
 * The attributes that name the target; none for programs that need none.
 *
 * @throws BpfError ESRCH if the kernel has no such function, ObjectError if the section names none.
 */
export function attachTarget(
  session: LoadSession,
  program: ProgramDefinition,
  kernelTypes: () => Btf | null,
): TargetAttr {
  const given = session.options.targets?.[program.name]
  if (given !== undefined) {
    const name = given.function ?? program.attachTarget
    return {
      attach_prog_fd: given.progFd,
      attach_btf_id: inProgram(session, program, given.progFd, name),
    }
  }
  if (matchSection(program.section)?.needsAttachBtf !== true) return {}
  if (program.type === BPF_PROG_TYPE.BPF_PROG_TYPE_EXT)
    throw new ObjectError(
      `program '${program.name}' replaces a function of another program: name it in \`targets\``,
      { section: program.section },
    )
  const target = program.attachTarget
  if (target === null)
    throw new ObjectError(
      `program '${program.name}' does not say what it attaches to: '${program.section}/…'`,
      { section: program.section },
    )
  if (target.includes(":"))
    throw new NotSupportedError(
      `program '${program.name}': attaching to a kernel module's function ('${target}') is not supported`,
      { feature: "attach to module function", command: "PROG_LOAD" },
    )
  const types = kernelTypes()
  if (types === null)
    throw new NotSupportedError(
      `program '${program.name}' needs the kernel's types, which it does not offer (CONFIG_DEBUG_INFO_BTF)`,
      { feature: "vmlinux BTF", since: "5.4", command: "PROG_LOAD" },
    )
  const { prefix, kind, what } = naming(program.attachType)
  const id = types.findByName(prefix + target, kind)
  if (id === undefined)
    throw new BpfError(
      `program '${program.name}': the kernel has no ${what} '${target}' (section '${program.section}')`,
      { code: "ESRCH", errno: ERRNO.ESRCH, command: "PROG_LOAD" },
    )
  return { attach_btf_id: id }
}

function naming(attachType: number): { prefix: string; kind: BtfKind; what: string } {
  switch (attachType) {
    case BPF_ATTACH_TYPE.BPF_TRACE_RAW_TP:
      return { prefix: "btf_trace_", kind: "typedef", what: "tracepoint" }
    case BPF_ATTACH_TYPE.BPF_LSM_MAC:
    case BPF_ATTACH_TYPE.BPF_LSM_CGROUP:
      return { prefix: "bpf_lsm_", kind: "func", what: "LSM hook" }
    case BPF_ATTACH_TYPE.BPF_TRACE_ITER:
      return { prefix: "bpf_iter_", kind: "func", what: "iterator" }
    default:
      return { prefix: "", kind: "func", what: "function" }
  }
}

/** The id of a function in the types of a loaded program. */
function inProgram(
  session: LoadSession,
  program: ProgramDefinition,
  progFd: Fd,
  name: string | null,
): number {
  const { kernel } = session
  const what = `target of program '${program.name}'`
  const info = new Uint8Array(PROG_INFO_SIZE)
  session.must("OBJ_GET_INFO_BY_FD", { bpf_fd: progFd, info }, what)
  const btfId = new DataView(info.buffer).getUint32(PROG_INFO_BTF_ID, true)
  const btfFd = session.must("BTF_GET_FD_BY_ID", { id: btfId }, `${what}: its types`)
  try {
    const types = readLoadedBtf(session, btfFd, what)
    const id = name === null ? undefined : types.findByName(name, "func")
    if (id !== undefined) return id
    throw new BpfError(`${what} has no function '${name ?? ""}'`, {
      code: "ESRCH",
      errno: ERRNO.ESRCH,
      command: "PROG_LOAD",
    })
  } finally {
    kernel.close(btfFd)
  }
}

function readLoadedBtf(session: LoadSession, fd: Fd, what: string): Btf {
  const info = new Uint8Array(BTF_INFO_SIZE)
  session.must("OBJ_GET_INFO_BY_FD", { bpf_fd: fd, info }, what)
  const size = Math.min(BTF_SIZE_MAX, new DataView(info.buffer).getUint32(8, true))
  const btf = new Uint8Array(size)
  const again = new Uint8Array(BTF_INFO_SIZE)
  session.must("OBJ_GET_INFO_BY_FD", { bpf_fd: fd, info: again, arrays: { btf } }, what)
  return readBtf(btf)
}
