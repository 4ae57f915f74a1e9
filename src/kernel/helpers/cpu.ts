/**
 * Random numbers, CPU and node numbers, and per-CPU variables (linux v6.18 kernel/bpf/core.c,
 * kernel/bpf/helpers.c).
 */

import type { HelperTable } from "./support.ts"

export const cpuHelpers: HelperTable = {
  get_prandom_u32: (machine) => machine.setResult64(machine.environment.kernel.random32() | 0, 0),
  get_smp_processor_id: (machine) => machine.setResult(machine.environment.cpu),
  // One NUMA node.
  get_numa_node_id: (machine) => machine.setResult(0),
  // Kernel variables exist once, whatever the CPU: every CPU's copy is the variable itself.
  per_cpu_ptr: (machine) => {
    const cpu = machine.low(2) >>> 0
    if (cpu >= machine.environment.kernel.cpus) machine.setResult64(0, 0)
    else machine.setResult64(machine.low(1), machine.high(1))
  },
  this_cpu_ptr: (machine) => machine.setResult64(machine.low(1), machine.high(1)),
}
