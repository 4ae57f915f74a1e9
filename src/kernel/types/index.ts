export * from "./kernel-types.ts"
export * from "./mirror.ts"
export * from "./object-writer.ts"
