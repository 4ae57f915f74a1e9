export * from "./agreement.ts"
export * from "./observing-kernel.ts"
