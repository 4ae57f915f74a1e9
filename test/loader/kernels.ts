/** The kernels that loader tests run on: the embedded one always, Linux where it lets us. */

import { createEmbeddedKernel } from "../../src/kernel/index.ts"
import { createLinuxKernel } from "../../src/linux/index.ts"
import type { KernelInterface } from "../../src/spec/index.ts"
import { requirement } from "../support/requirements.ts"

export interface KernelUnderTest {
  readonly label: string
  /** One for all tests: maps and programs are closed by the tests. */
  readonly kernel: KernelInterface
}

export const kernels: KernelUnderTest[] = [{ label: "embedded", kernel: createEmbeddedKernel() }]
if (requirement.linux().available) kernels.push({ label: "Linux", kernel: createLinuxKernel() })
else console.warn(`loader tests run without Linux: ${requirement.linux().reason}`)

/** The value of a map's element, or a negative errno. */
export function lookUp(
  kernel: KernelInterface,
  fd: number,
  key: Uint8Array,
  size: number,
): Uint8Array | number {
  const value = new Uint8Array(size)
  const result = kernel.bpf("MAP_LOOKUP_ELEM", { map_fd: fd, key, value })
  return result < 0 ? result : value
}

/** A 32-bit key. */
export function key32(index: number): Uint8Array {
  const key = new Uint8Array(4)
  new DataView(key.buffer).setUint32(0, index, true)
  return key
}

/** Runs a packet program on 64 zero bytes and returns what it returned. */
export function runOnPacket(kernel: KernelInterface, progFd: number): number {
  const attr = { prog_fd: progFd, data_in: new Uint8Array(64), retval: 0 }
  const result = kernel.bpf("PROG_TEST_RUN", attr)
  if (result < 0) throw new Error(`PROG_TEST_RUN: ${result}`)
  return attr.retval
}

/** Runs a raw tracepoint program. */
export function runRaw(kernel: KernelInterface, progFd: number): number {
  const attr = { prog_fd: progFd, ctx_in: new Uint8Array(16), retval: 0 }
  const result = kernel.bpf("PROG_TEST_RUN", attr)
  if (result < 0) throw new Error(`PROG_TEST_RUN: ${result}`)
  return attr.retval
}
