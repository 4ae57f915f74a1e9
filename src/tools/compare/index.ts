export * from "./compare.ts"
