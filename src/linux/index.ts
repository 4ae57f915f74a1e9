export * from "./affinity.ts"
export * from "./linux-kernel.ts"
