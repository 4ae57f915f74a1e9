/** The running Linux kernel by bpf(2). Needs the optional package koffi, and CAP_BPF or root. */

import { createLinuxKernel } from "../linux/index.ts"
import { Kernel } from "./kernel.ts"

/** @throws NotSupportedError where there is no Linux, or no koffi. */
export function linuxKernel(): Kernel {
  return new Kernel(createLinuxKernel())
}
