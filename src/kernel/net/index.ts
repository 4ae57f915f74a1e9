export * from "./device.ts"
export * from "./stack.ts"
