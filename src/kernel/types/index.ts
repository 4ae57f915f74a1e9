export * from "./kernel-types.ts"
export * from "./object-writer.ts"
