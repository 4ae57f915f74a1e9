export * from "./instruction.ts"
export * from "./opcode.ts"
