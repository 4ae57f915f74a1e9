export type {
  AttachTarget,
  Privileges,
  VerifierInput,
  VerifierMap,
} from "./input.ts"
export { Rejection, type RejectionDetails } from "./rejection.ts"
export { isReached, type Verdict, verify } from "./verify.ts"
