export * from "./catalog.ts"
export * from "./events.ts"
export * from "./syscalls.ts"
export * from "./user-memory.ts"
