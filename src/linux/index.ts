export * from "./linux-kernel.ts"
