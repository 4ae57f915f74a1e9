export type { KernelMemory } from "./kernel-memory.ts"
export { createKernelMemory, type KernelMemoryOptions, MEMORY_MAX } from "./memory.ts"
export { REGIONS_MAX } from "./regions.ts"
