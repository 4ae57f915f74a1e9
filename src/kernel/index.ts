export * from "./embedded-kernel.ts"
export type { RunOutcome, VirtualClock } from "./environment.ts"
export type { EmitOptions, Emitted, EventFields } from "./events/index.ts"
export type {
  NetNamespace,
  NetworkDevice,
  Received,
  ReceiveOptions,
  RouteOptions,
  Socket,
  Verdict,
} from "./net/index.ts"
export { readSetting, writeSetting } from "./net/index.ts"
export type { Task } from "./tasks/task.ts"
export type { TaskOptions } from "./tasks/tasks.ts"
export {
  type ExecutableOptions,
  type FileSystem,
  type Process,
  type RecordedEvent,
  Recording,
  readRecording,
  replay,
  type Scheduler,
  SIGNALS,
  type Step,
  SystemCallError,
} from "./world/index.ts"
