/**
 * Values of kconfig externs: what the kernel's configuration (or the caller) says, as bytes of the
 * extern's type. `y`, `n` and `m` fit bool, char and `enum libbpf_tristate`; numbers fit integers;
 * quoted text fits `char[]`.
 *
 * Source: libbpf src/libbpf.c set_kcfg_value_tri, set_kcfg_value_str, set_kcfg_value_num.
 */

import { utf8Bytes } from "../base/index.ts"
import type { Btf } from "../btf/index.ts"
import type { Extern } from "../object/index.ts"
import type { KernelInterface } from "../spec/index.ts"

export type KconfigExtern = Extract<Extern, { kind: "kconfig" }>

/** What a configuration entry may be given as: `"y"`, `"\"text\""`, `"0x10"`, 1000, true. */
export type KconfigValue = string | number | bigint | boolean

/** Enumerators of `enum libbpf_tristate` (bpf_helpers.h). */
const TRISTATE = { n: 0, y: 1, m: 2 } as const

/** What the loader itself answers, since no configuration file has it. */
const VIRTUAL: Readonly<Record<string, (kernel: KernelInterface) => bigint>> = {
  LINUX_KERNEL_VERSION: (kernel) => BigInt(kernel.versionCode()),
  // Since 5.15, which is the oldest kernel we load to.
  LINUX_HAS_BPF_COOKIE: () => 1n,
  LINUX_HAS_SYSCALL_WRAPPER: (kernel) =>
    kernel.kernelConfig().get("CONFIG_ARCH_HAS_SYSCALL_WRAPPER") === "y" ? 1n : 0n,
}

/** The value of an extern: the caller's, the loader's, or the kernel's; `undefined` if unknown. */
export function lookUpKconfig(
  name: string,
  kernel: KernelInterface,
  given: Readonly<Record<string, KconfigValue>> | undefined,
): KconfigValue | undefined {
  if (given !== undefined && Object.hasOwn(given, name)) return given[name]
  if (Object.hasOwn(VIRTUAL, name)) return VIRTUAL[name](kernel)
  return kernel.kernelConfig().get(name)
}

/**
 * The bytes of a value.
 *
 * @throws RangeError that says why the value does not fit the extern's type.
 */
export function encodeKconfig(btf: Btf, extern: KconfigExtern, value: KconfigValue): Uint8Array {
  const bytes = new Uint8Array(extern.size)
  const type = btf.resolve(extern.typeId)
  const spelled = btf.typeName(extern.typeId)
  const misfit = (): never => {
    throw new RangeError(`${String(value)} does not fit into ${spelled}`)
  }
  if (type.kind === "array") {
    if (typeof value !== "string") return misfit()
    const text = utf8Bytes(unquote(value) ?? misfit())
    bytes.set(text.subarray(0, bytes.length - 1))
    return bytes
  }
  const tristate = asTristate(value)
  if (tristate !== null) {
    if (type.kind === "enum") bytes[littleEnd(btf, bytes)] = TRISTATE[tristate]
    else if (type.kind === "int" && type.bool && tristate !== "m") bytes[0] = TRISTATE[tristate]
    else if (type.kind === "int" && !type.bool && type.size === 1) bytes[0] = tristate.charCodeAt(0)
    else return misfit()
    return bytes
  }
  const number = asNumber(value)
  if (number === null || type.kind !== "int") return misfit()
  const bits = BigInt(8 * type.size)
  const fits = type.bool
    ? number === 0n || number === 1n
    : type.signed
      ? BigInt.asIntN(Number(bits), number) === number
      : BigInt.asUintN(Number(bits), number) === number
  if (!fits) return misfit()
  for (let i = 0; i < type.size; i++) {
    const at = btf.littleEndian ? i : type.size - 1 - i
    bytes[at] = Number(BigInt.asUintN(8, number >> BigInt(8 * i)))
  }
  return bytes
}

function littleEnd(btf: Btf, bytes: Uint8Array): number {
  return btf.littleEndian ? 0 : bytes.length - 1
}

function asTristate(value: KconfigValue): "y" | "n" | "m" | null {
  if (typeof value === "boolean") return value ? "y" : "n"
  return value === "y" || value === "n" || value === "m" ? value : null
}

function asNumber(value: KconfigValue): bigint | null {
  if (typeof value === "bigint") return value
  if (typeof value === "number") return Number.isSafeInteger(value) ? BigInt(value) : null
  if (typeof value === "boolean") return value ? 1n : 0n
  const match = /^([+-]?)(0[xX][0-9a-fA-F]+|[0-9]+)$/.exec(value.trim())
  if (match === null) return null
  return match[1] === "-" ? -BigInt(match[2]) : BigInt(match[2])
}

/** Text without its quotes; a text that has none is taken as it is. */
function unquote(value: string): string | null {
  if (!value.startsWith('"')) return value
  return value.length >= 2 && value.endsWith('"') ? value.slice(1, -1) : null
}
