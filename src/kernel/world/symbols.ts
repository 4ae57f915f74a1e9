/**
 * The functions of the virtual kernel: those that its types describe, and those behind system
 * calls; a foreign kernel's types may lack some. Each has an address (at which nothing can be read), so that probes, stacks and printed
 * pointers agree.
 */

import type { Btf } from "../../btf/index.ts"
import { SYSCALLS } from "../events/index.ts"
import { kernelFunctionNames } from "../types/index.ts"

/** Where the kernel's functions seem to lie, each at its number times the size. */
const KERNEL_TEXT = 0xffffffff_81000000n
const FUNCTION_BYTES = 16n
/** Types come first; functions without a type of their own follow far behind. */
const UNTYPED_BASE = 0x200000

/** Functions on the way into the kernel, which stack traces go through. */
const UNTYPED: readonly string[] = [
  "do_syscall_64",
  "entry_SYSCALL_64_after_hwframe",
  "ksys_read",
  "ksys_write",
  "asm_sysvec_apic_timer_interrupt",
  "default_idle",
  "do_idle",
  ...SYSCALLS.map(({ name }) => `__x64_sys_${name}`),
  ...kernelFunctionNames(),
]
const untypedIndex: ReadonlyMap<string, number> = new Map(UNTYPED.map((name, i) => [name, i]))

/** ALLOW_ERROR_INJECTION of linux: functions whose result a program may override. */
const INJECTABLE: readonly string[] = [
  "bpf_modify_return_test",
  "bpf_modify_return_test2",
  "should_failslab",
  "should_fail_alloc_page",
]

export class Symbols {
  private readonly types: () => Btf

  constructor(types: () => Btf) {
    this.types = types
  }

  address(name: string): bigint | undefined {
    const id = this.types().findByName(name, "func") ?? this.securityHook(name)
    if (id !== undefined) return KERNEL_TEXT + BigInt(id) * FUNCTION_BYTES
    const index = untypedIndex.get(name)
    return index === undefined
      ? undefined
      : KERNEL_TEXT + BigInt(UNTYPED_BASE + index) * FUNCTION_BYTES
  }

  /** `security_file_open` asks `bpf_lsm_file_open`; its address is that hook's, from below. */
  private securityHook(name: string): number | undefined {
    if (!name.startsWith("security_")) return undefined
    const hook = this.types().findByName(`bpf_lsm_${name.slice(9)}`, "func")
    return hook === undefined ? undefined : this.types().typeCount + hook
  }

  /** The function that covers an address. */
  at(address: bigint): { name: string; offset: number; size: number } | undefined {
    if (address < KERNEL_TEXT) return undefined
    const number = Number((address - KERNEL_TEXT) / FUNCTION_BYTES)
    const offset = Number((address - KERNEL_TEXT) % FUNCTION_BYTES)
    const name = this.nameOf(number)
    return name === undefined ? undefined : { name, offset, size: Number(FUNCTION_BYTES) }
  }

  private nameOf(number: number): string | undefined {
    if (number >= UNTYPED_BASE) return UNTYPED[number - UNTYPED_BASE]
    const types = this.types()
    const isHook = number >= types.typeCount
    const id = isHook ? number - types.typeCount : number
    if (id >= types.typeCount) return undefined
    const type = types.type(id)
    if (type.kind !== "func") return undefined
    return isHook ? type.name.replace(/^bpf_lsm_/, "security_") : type.name
  }

  /** Whether a kprobe can be set on a function of this name. */
  has(name: string): boolean {
    return this.address(name) !== undefined
  }

  /** Whether bpf_override_return and fmod_ret may take the function's place. */
  isInjectable(name: string): boolean {
    return name.startsWith("__x64_sys_") || INJECTABLE.includes(name)
  }

  /** All functions with their addresses, by rising address. */
  list(): (readonly [string, bigint])[] {
    const found: (readonly [string, bigint])[] = []
    const types = this.types()
    for (let id = 1; id < types.typeCount; id++) {
      const type = types.type(id)
      if (type.kind === "func") found.push([type.name, KERNEL_TEXT + BigInt(id) * FUNCTION_BYTES])
    }
    for (const name of UNTYPED)
      if (types.findByName(name, "func") === undefined) found.push([name, this.address(name) ?? 0n])
    return found
  }
}
