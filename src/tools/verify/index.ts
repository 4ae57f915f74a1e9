export * from "./agreement.ts"
export * from "./observing-kernel.ts"
export * from "./verify-object.ts"
