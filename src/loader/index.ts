export * from "./attach.ts"
export type { UserTarget } from "./attach-user.ts"
export * from "./load.ts"
export * from "./options.ts"
