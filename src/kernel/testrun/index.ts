export { testRun } from "./test-run.ts"
