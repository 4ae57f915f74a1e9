export * from "./bytes.ts"
export * from "./errors.ts"
export * from "./wasm.ts"
