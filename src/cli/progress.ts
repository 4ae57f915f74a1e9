/** How far long work has come, on standard error, where somebody can see it. */

import type { Context } from "./context.ts"
import { count } from "./table.ts"

/** Nothing is shown before this: most work is over by then. */
const QUIET_MS = 400
const EVERY_MS = 120
/** Steps between two looks at the clock. */
const STRIDE = 256

export interface Progress {
  /** `done` steps of the work are done. */
  update(done: number): void
  /** Removes the line. */
  end(): void
}

const SILENT: Progress = { update() {}, end() {} }

/** A progress line `what 12,345 of 50,000 (1.2 M/s)`; silent without a terminal. */
export function startProgress(context: Context, what: string, total: number): Progress {
  const { stderr } = context.io
  if (!stderr.isTty) return SILENT
  const start = performance.now()
  let shown = 0
  let visible = false
  return {
    update(done) {
      if (done % STRIDE !== 0) return
      const now = performance.now()
      if (now - start < QUIET_MS || now - shown < EVERY_MS) return
      shown = now
      visible = true
      const rate = (1000 * done) / (now - start)
      const share = total === 0 ? 0 : Math.floor((100 * done) / total)
      stderr.write(
        `\r\u001b[K${what} ${count(done)} of ${count(total)} (${share} %, ${count(Math.round(rate))}/s)`,
      )
    },
    end() {
      if (visible) stderr.write("\r\u001b[K")
    },
  }
}
