export * from "./executables.ts"
export { FileSystem } from "./file-system.ts"
export * from "./process.ts"
export { SIGNALS, SystemCallError, sendOwnSignal } from "./process-calls.ts"
export {
  type RecordedEvent,
  type RecordedTask,
  Recording,
  readRecording,
  replay,
} from "./recording.ts"
export { Scheduler, type Step } from "./scheduler.ts"
export { Symbols } from "./symbols.ts"
export { World } from "./world.ts"
