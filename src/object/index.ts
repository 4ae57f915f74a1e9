export * from "./elf.ts"
export * from "./model.ts"
export * from "./read.ts"
export type { ReadObjectOptions } from "./reading.ts"
