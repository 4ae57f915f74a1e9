export * from "./attach.ts"
export * from "./load.ts"
export * from "./options.ts"
