export * from "./compare.ts"
export * from "./map-text.ts"
