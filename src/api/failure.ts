/** From a negative errno to the error that users see. */

import { BpfError } from "../base/index.ts"
import { errnoName, errnoText } from "../spec/index.ts"

/**
 * Returns a non-negative result as it is.
 *
 * @throws BpfError naming the command, the errno and what was being done.
 */
export function check(result: number, command: string, what: string): number {
  if (result >= 0) return result
  throw failure(result, command, what)
}

/** The error for a negative errno. */
export function failure(result: number, command: string, what: string): BpfError {
  const errno = -result
  const code = errnoName(errno)
  return new BpfError(`${what}: ${command} failed with ${code} (${errnoText(errno)})`, {
    code,
    errno,
    command,
  })
}
