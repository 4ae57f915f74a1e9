export type { ResolveCall } from "./code.ts"
export {
  BUDGET_DEFAULT,
  BUDGET_MAX,
  createInterpreter,
  type Interpreter,
  type InterpreterOptions,
  type Run,
  type RunResult,
} from "./interpreter.ts"
export * from "./machine.ts"
export {
  MAX_BPF_STACK,
  type PrepareOptions,
  type PrepareResult,
  type ProgramProblem,
  prepare,
} from "./prepare.ts"
export {
  BPF_MAX_LOOPS,
  isAllowed,
  MAX_CALL_FRAMES,
  MAX_TAIL_CALL_CNT,
  STACK_BYTES,
  type StackPlace,
} from "./state.ts"
