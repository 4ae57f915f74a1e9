export * from "./kinds.ts"
export { CORE_POISON_HELPER } from "./patch.ts"
export {
  type CoreCache,
  type CoreCandidate,
  type CoreRequest,
  type CoreResult,
  relocateCore,
} from "./relocate.ts"
export { type CoreAccess, type CoreSpec, formatSpec, parseSpec, specName } from "./spec.ts"
