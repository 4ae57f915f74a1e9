/** The host kernel, or a message that says why there is none. */

import type { Kernel } from "../api/index.ts"
import { CliError, explainError } from "./errors.ts"

const NEEDS =
  "The Linux kernel is reached with the optional package koffi, as root or with CAP_BPF."

/** @throws CliError where there is no Linux, no koffi, or no permission. */
export async function openLinux(): Promise<Kernel> {
  try {
    const { linuxKernel } = await import("../api/linux.ts")
    const kernel = linuxKernel()
    // No permission shows at the first command.
    const fd = kernel.bpf2.bpf("MAP_CREATE", {
      map_type: 2,
      key_size: 4,
      value_size: 4,
      max_entries: 1,
    })
    if (fd === -1 || fd === -13)
      throw new CliError("bpf(2) is not permitted to this user", { hint: NEEDS })
    if (fd >= 0) kernel.bpf2.close(fd)
    return kernel
  } catch (error) {
    if (error instanceof CliError) throw error
    throw new CliError(`no Linux kernel to use: ${explainError(error).message}`, {
      hint: NEEDS,
      cause: error,
    })
  }
}
