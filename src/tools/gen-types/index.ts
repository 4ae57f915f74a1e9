export * from "./generate.ts"
