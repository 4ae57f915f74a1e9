/**
 * Calls of `node:fs` as the system calls that they become. Node has no diagnostics channel for
 * files, so the module's functions are wrapped while somebody watches; the synchronous ones, those
 * with callbacks and the promises. What they do and return stays the same.
 */

import fs from "node:fs"
import { syncBuiltinESMExports } from "node:module"

/** A file call begins or ends. */
export type FileCall =
  | {
      readonly phase: "enter"
      readonly syscall: string
      readonly args: Readonly<Record<string, string | number>>
    }
  | {
      readonly phase: "exit"
      readonly syscall: string
      readonly args: Readonly<Record<string, string | number>>
      readonly result: number
    }

const AT_FDCWD = -100

interface Wrapped {
  readonly syscall: string
  /** Arguments of the system call by those of the function. */
  args(given: readonly unknown[]): Readonly<Record<string, string | number>>
}

const path = (value: unknown): string => (value instanceof URL ? value.pathname : String(value))
const number = (value: unknown): number => (typeof value === "number" ? value : 0)
const length = (value: unknown): number =>
  ArrayBuffer.isView(value) || typeof value === "string"
    ? ((value as { length?: number; byteLength?: number }).byteLength ?? (value as string).length)
    : 0

const FUNCTIONS: Readonly<Record<string, Wrapped>> = {
  open: { syscall: "openat", args: ([name]) => ({ dfd: AT_FDCWD, filename: path(name) }) },
  readFile: { syscall: "openat", args: ([name]) => ({ dfd: AT_FDCWD, filename: path(name) }) },
  writeFile: {
    syscall: "openat",
    args: ([name]) => ({ dfd: AT_FDCWD, filename: path(name), flags: 0o1101 }),
  },
  read: { syscall: "read", args: ([fd, buffer]) => ({ fd: number(fd), count: length(buffer) }) },
  write: { syscall: "write", args: ([fd, data]) => ({ fd: number(fd), count: length(data) }) },
  close: { syscall: "close", args: ([fd]) => ({ fd: number(fd) }) },
  unlink: { syscall: "unlink", args: ([name]) => ({ pathname: path(name) }) },
  mkdir: { syscall: "mkdir", args: ([name]) => ({ pathname: path(name) }) },
  rmdir: { syscall: "rmdir", args: ([name]) => ({ pathname: path(name) }) },
  rename: { syscall: "rename", args: ([from, to]) => ({ oldname: path(from), newname: path(to) }) },
  chmod: {
    syscall: "chmod",
    args: ([name, mode]) => ({ filename: path(name), mode: number(mode) }),
  },
  stat: { syscall: "newstat", args: ([name]) => ({ filename: path(name) }) },
}

type AnyFunction = (this: unknown, ...args: unknown[]) => unknown

const errnoOf = (error: unknown): number => (error as { errno?: number } | null)?.errno ?? -5
const resultOf = (value: unknown): number => (typeof value === "number" ? value : 0)

/** Calls back for each file call of this process; returns the function that ends this. */
export function watchFileCalls(onCall: (call: FileCall) => void): () => void {
  const undo: (() => void)[] = []
  const replace = (
    target: object,
    name: string,
    make: (original: AnyFunction) => AnyFunction,
  ): void => {
    const holder = target as Record<string, unknown>
    const original = holder[name]
    if (typeof original !== "function") return
    const wrapped = make(original as AnyFunction)
    // Functions of node:fs carry others: promisify's, realpath.native…
    Object.setPrototypeOf(wrapped, original)
    holder[name] = wrapped
    undo.push(() => {
      if (holder[name] === wrapped) holder[name] = original
    })
  }
  for (const [name, { syscall, args: describe }] of Object.entries(FUNCTIONS)) {
    const begin = (given: readonly unknown[]): ((result: number) => void) => {
      const args = describe(given)
      onCall({ phase: "enter", syscall, args })
      return (result) => onCall({ phase: "exit", syscall, args, result })
    }
    replace(
      fs,
      `${name}Sync`,
      (original) =>
        function (...given) {
          const end = begin(given)
          try {
            const value = original.apply(this, given)
            end(resultOf(value))
            return value
          } catch (error) {
            end(errnoOf(error))
            throw error
          }
        },
    )
    replace(
      fs,
      name,
      (original) =>
        function (...given) {
          const callback = given.at(-1)
          if (typeof callback !== "function") return original.apply(this, given)
          const end = begin(given)
          return original.call(
            this,
            ...given.slice(0, -1),
            (error: unknown, ...values: unknown[]) => {
              end(error ? errnoOf(error) : resultOf(values[0]))
              ;(callback as AnyFunction)(error, ...values)
            },
          )
        },
    )
    replace(
      fs.promises,
      name,
      (original) =>
        async function (...given) {
          const end = begin(given)
          try {
            const value = await original.apply(this, given)
            end(resultOf((value as { fd?: number } | undefined)?.fd))
            return value
          } catch (error) {
            end(errnoOf(error))
            throw error
          }
        },
    )
  }
  syncBuiltinESMExports()
  return () => {
    for (const restore of undo) restore()
    syncBuiltinESMExports()
  }
}
