export { traceLine } from "./print.ts"
export { helperImplementations, kfuncImplementations } from "./tables.ts"
export { releaseTimers } from "./timers.ts"
